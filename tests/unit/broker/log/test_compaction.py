from pathlib import Path

import pytest

from broker.log.compaction import DamagedSegment
from broker.log.compaction_plan import dirtiness, is_due
from broker.log.partition_log import PartitionLog
from broker.protocol.compression import Codec
from tests.unit.broker.log.compacting import batches_of, compact_now, items_in, mark, put, roll
from tests.unit.broker.log.making import NOW_MS, DataRoot

DAY_MS = 86_400_000


@pytest.fixture
def log(root: DataRoot) -> PartitionLog:
    return root.create(cleanup_policy="compact")


def test_only_the_last_record_of_each_key_stays_where_it_was(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"), ("b", "1"), ("a", "2"))
    put(log, ("c", "1"))
    put(log, ("b", "2"), ("d", "1"))
    roll(log)
    compact_now(root, log)
    assert items_in(log) == {2: ("a", "2"), 3: ("c", "1"), 4: ("b", "2"), 5: ("d", "1")}
    assert (log.log_start_offset, log.log_end_offset) == (0, 6)


def test_the_active_segment_is_not_touched_and_replaces_nothing(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"))
    put(log, ("a", "2"))
    roll(log)
    put(log, ("a", "3"))
    put(log, ("a", "4"))
    compact_now(root, log)
    assert items_in(log) == {1: ("a", "2"), 2: ("a", "3"), 3: ("a", "4")}


def test_a_later_run_drops_what_was_compacted_before(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"), ("b", "1"))
    roll(log)
    compact_now(root, log)
    put(log, ("a", "2"))
    roll(log)
    done = compact_now(root, log)
    assert done is not None
    assert done.key_count == 1
    assert items_in(log) == {1: ("b", "1"), 2: ("a", "2")}
    assert compact_now(root, log) is None


def test_batches_that_stay_whole_are_copied_as_they_are(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"), ("b", "1"), codec=Codec.GZIP, compression_level=9)
    put(log, ("x", "1"))
    put(log, ("x", "2"))
    before = next(iter(batches_of(log)))[0]
    roll(log)
    compact_now(root, log)
    assert next(iter(batches_of(log)))[0] == before


def test_a_segment_without_anything_to_drop_is_not_written_again(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"), ("b", "1"))
    roll(log)
    inode = root.log_files()[0].stat().st_ino
    compact_now(root, log)
    assert root.log_files()[0].stat().st_ino == inode


@pytest.mark.parametrize("codec", Codec)
def test_a_batch_that_loses_records_keeps_its_codec_offsets_and_timestamps(
    root: DataRoot, log: PartitionLog, codec: Codec
) -> None:
    put(log, *((f"k{n % 7}", f"v{n}") for n in range(20)), codec=codec, timestamp_ms=NOW_MS - 5)
    put(log, ("k0", "last"))
    roll(log)
    compact_now(root, log)
    header, records = next(iter(batches_of(log)))
    assert (header.codec, header.base_offset, header.last_offset, header.record_count) == (codec, 0, 19, 6)
    assert [record.offset for record in records] == [13, 15, 16, 17, 18, 19]
    assert {record.timestamp_ms for record in records} == {NOW_MS - 5}


def test_records_with_headers_and_long_keys_stay_as_they_are(root: DataRoot, log: PartitionLog) -> None:
    from broker.protocol.record_batch import Record, build_batch, read_header

    kept = Record(1, NOW_MS, b"k" * 500, b"v" * 300, (("h", b"x"), ("n", None)))
    batch = build_batch([Record(0, NOW_MS, b"k" * 500, b"old"), kept, Record(2, NOW_MS, b"k" * 499, b"")])
    log.append(batch, read_header(batch), now_ms=NOW_MS)
    roll(log)
    compact_now(root, log)
    assert next(iter(batches_of(log)))[1] == [kept, Record(2, NOW_MS, b"k" * 499, b"")]


def test_records_without_a_key_go(root: DataRoot, log: PartitionLog) -> None:
    put(log, (None, "1"), ("a", "1"))
    put(log, (None, "2"))
    roll(log)
    compact_now(root, log)
    assert items_in(log) == {1: ("a", "1")}


def test_tombstones_stay_for_delete_retention_after_the_first_run(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"), ("b", "1"))
    put(log, ("a", None), ("c", "1"), timestamp_ms=NOW_MS - 9)
    roll(log)
    compact_now(root, log)
    assert items_in(log) == {1: ("b", "1"), 2: ("a", None), 3: ("c", "1")}
    header, records = list(batches_of(log))[1]
    assert header.has_delete_horizon
    assert header.base_timestamp == NOW_MS + DAY_MS
    assert [record.timestamp_ms for record in records] == [NOW_MS - 9] * 2
    assert header.max_timestamp == NOW_MS - 9

    def run_again(now_ms: int) -> None:
        put(log, ("z", "1"))
        roll(log)
        compact_now(root, log, now_ms=now_ms)

    run_again(NOW_MS + DAY_MS - 1)
    assert (2, ("a", None)) in items_in(log).items()
    run_again(NOW_MS + DAY_MS)
    assert items_in(log).keys() & {2, 3} == {3}


def test_the_last_batch_of_a_live_producer_stays_without_records(root: DataRoot, log: PartitionLog) -> None:
    producer = {"producer_id": 7, "producer_epoch": 2}
    put(log, ("a", "1"), base_sequence=0, **producer)
    put(log, ("a", "2"), ("b", "1"), base_sequence=1, **producer)
    put(log, ("a", "3"), ("b", "2"))
    roll(log)
    compact_now(root, log)
    headers = [header for header, _ in batches_of(log)]
    assert [(h.base_offset, h.last_offset, h.record_count) for h in headers] == [(1, 2, 0), (3, 4, 2)]
    assert (headers[0].producer_id, headers[0].producer_epoch, headers[0].last_sequence) == (7, 2, 2)
    for snapshot in root.folder().glob("*.snapshot"):
        snapshot.unlink()
    root.restart(clean=False)
    again = put(root.get(), ("b", "3"), base_sequence=3, **producer)
    assert not again.is_duplicate
    for snapshot in root.folder().glob("*.snapshot"):
        snapshot.unlink()
    log = root.get()
    log.producer_state.expire(NOW_MS + DAY_MS, 0)
    roll(log)
    compact_now(root, log)
    assert [header.base_offset for header, _ in batches_of(log)] == [3, 5]


def test_aborted_records_go_and_replace_nothing(root: DataRoot, log: PartitionLog) -> None:
    transaction = {"producer_id": 1, "producer_epoch": 0, "transactional": True}
    put(log, ("a", "committed"))
    put(log, ("a", "aborted"), ("b", "aborted"), base_sequence=0, **transaction)
    mark(log, commit=False)
    put(log, ("c", "1"), base_sequence=2, **transaction)
    mark(log, commit=True)
    put(log, ("c", "2"))
    log.producer_state.expire(NOW_MS + DAY_MS, 0)
    roll(log)
    compact_now(root, log)
    assert items_in(log) == {0: ("a", "committed"), 6: ("c", "2")}
    assert [header.base_offset for header, _ in batches_of(log) if header.is_control] == [3, 5]

    def run_again(now_ms: int) -> list[tuple[int, bool]]:
        put(log, ("z", "1"))
        roll(log)
        compact_now(root, log, now_ms=now_ms)
        return [(h.base_offset, h.has_delete_horizon) for h, _ in batches_of(log) if h.is_control]

    assert run_again(NOW_MS) == [(3, True), (5, True)]
    assert run_again(NOW_MS + DAY_MS - 1) == [(3, True), (5, True)]
    assert run_again(NOW_MS + DAY_MS) == []


def test_the_outcome_may_stand_in_the_active_segment(root: DataRoot, log: PartitionLog) -> None:
    transaction = {"producer_id": 1, "producer_epoch": 0, "transactional": True}
    put(log, ("a", "committed"))
    put(log, ("a", "aborted"), base_sequence=0, **transaction)
    roll(log)
    assert dirtiness(log, 0, NOW_MS) is None, "an open transaction"
    mark(log, commit=False)
    compact_now(root, log)
    assert items_in(log) == {0: ("a", "committed")}


def test_a_full_key_map_ends_the_run_early(root: DataRoot, log: PartitionLog) -> None:
    for n in range(10):
        put(log, (f"k{n % 5}", str(n)))
    roll(log)
    done = compact_now(root, log, key_map_bytes_max=160 * 3)
    assert done is not None
    assert done.end_offset == 3
    while compact_now(root, log, key_map_bytes_max=160 * 3):
        pass
    assert items_in(log) == {n: (f"k{n % 5}", str(n)) for n in range(5, 10)}


def test_small_segments_are_put_together(root: DataRoot) -> None:
    log = root.create(cleanup_policy="compact", segment_bytes=300)
    for n in range(40):
        put(log, (f"k{n % 3}", "x" * 20))
    count = log.segment_count
    compact_now(root, log)
    assert log.segment_count == count > 10, "they might not have got smaller"
    put(log, ("new", "x"))
    roll(log)
    compact_now(root, log)
    assert log.segment_count == 3
    assert log.size_bytes == sum(path.stat().st_size for path in root.log_files())
    assert items_in(log).keys() == {37, 38, 39, 40}
    root.restart()
    assert root.get().log_end_offset == 41


@pytest.mark.parametrize("clean", [True, False])
def test_a_compacted_log_is_the_same_after_a_restart(root: DataRoot, log: PartitionLog, clean: bool) -> None:
    for n in range(200):
        put(log, (f"k{n % 20}", str(n)), ("same", str(n)), timestamp_ms=NOW_MS + n)
        if n % 50 == 49:
            roll(log)
    compact_now(root, log)
    before = items_in(log)
    root.restart(clean=clean)
    log = root.get()
    assert items_in(log) == before
    assert log.quarantines == []
    found = log.offset_for_timestamp(NOW_MS + 185)
    assert found is not None
    assert found.offset == 370
    assert root.logs.cleaned_offset("orders", 0) == 400


def test_reading_in_a_gap_goes_on_behind_it(root: DataRoot, log: PartitionLog) -> None:
    for n in range(100):
        put(log, ("k", str(n)))
    roll(log)
    put(log, ("k", "last"))
    compact_now(root, log)
    for offset in (0, 50, 99):
        assert log.read(offset=offset, bytes_max=1)


def test_min_compaction_lag_keeps_young_segments(root: DataRoot) -> None:
    log = root.create(cleanup_policy="compact", min_compaction_lag_ms=100)
    put(log, ("a", "1"), now_ms=NOW_MS)
    roll(log)
    put(log, ("a", "2"), now_ms=NOW_MS + 50)
    roll(log)
    assert dirtiness(log, 0, NOW_MS + 99) is None
    found = dirtiness(log, 0, NOW_MS + 100)
    assert found is not None
    assert found.segment_count == 1


def test_max_compaction_lag_closes_the_active_segment_and_makes_it_due(root: DataRoot) -> None:
    log = root.create(cleanup_policy="compact", max_compaction_lag_ms=1000, min_cleanable_dirty_ratio=1.0)
    put(log, ("a", "1"), now_ms=NOW_MS)
    put(log, ("a", "2"), now_ms=NOW_MS + 1001)
    assert log.segment_count == 2
    found = dirtiness(log, 0, NOW_MS + 1000)
    assert found is not None
    assert not is_due(log, found)
    found = dirtiness(log, 0, NOW_MS + 1001)
    assert found is not None
    assert is_due(log, found)


def test_a_log_is_due_above_its_dirty_ratio(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"))
    roll(log)
    compact_now(root, log)
    put(log, ("a", "2"))
    roll(log)
    found = dirtiness(log, root.logs.cleaned_offset("orders", 0), NOW_MS)
    assert found is not None
    assert found.ratio == 0.5
    assert not is_due(log, found)


def test_damage_ends_the_run_and_then_what_may_be_compacted(root: DataRoot, log: PartitionLog) -> None:
    put(log, ("a", "1"))
    put(log, ("a", "2"))
    roll(log)
    put(log, ("a", "3"))
    put(log, ("a", "4"))
    roll(log)
    path = root.log_files()[1]
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedSegment) as raised:
        compact_now(root, log)
    log.rescan(raised.value.base_offset)
    compact_now(root, log)
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4]
    assert len(log.quarantines) == 1


def test_nothing_is_deleted_by_retention_during_a_run(root: DataRoot) -> None:
    log = root.create(cleanup_policy="compact,delete", retention_ms=10)
    put(log, ("a", "1"))
    roll(log)
    log.is_being_compacted = True
    assert log.retain(NOW_MS + 1000) == 0
    log.is_being_compacted = False
    assert log.retain(NOW_MS + 1000) == 1


def test_a_batch_that_cannot_be_read_stays(root: DataRoot, log: PartitionLog, tmp_path: Path) -> None:
    from broker.protocol.record_batch import assemble, build_batch, read_header

    put(log, ("a", "1"))
    header = read_header(build_batch([]))._replace(record_count=3, last_offset_delta=2, base_timestamp=NOW_MS)
    batch = assemble(header, b"no records")
    log.append(batch, read_header(batch), now_ms=NOW_MS)
    put(log, ("a", "2"))
    roll(log)
    compact_now(root, log)
    found = [read_header(log.read(offset=offset, bytes_max=1)).base_offset for offset in (0, 3, 4)]
    assert found == [1, 1, 4]
