import pytest

from app.cluster.messages import (
    FromOffset,
    FromTime,
    Newer,
    Newest,
    Older,
    browse,
    format_cursor,
    parse_cursor,
    show,
)
from app.cluster.snapshot import ClusterSnapshot
from app.kafka.ports import FetchedBatch, RecordToSend
from app.metrics.sampler import Sampler
from broker.errors import UnknownTopicOrPartition
from broker.protocol.record_batch import Record, build_batch
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster

START_MS = 1_700_000_000_000


@pytest.fixture
def cluster() -> MemoryCluster:
    """300 records, numbered in the order of their timestamps: the first half over three partitions, then all in 0."""
    cluster = MemoryCluster()
    cluster.add_topic("t", partitions=3)
    for number in range(300):
        record = RecordToSend(key=None, value=b"%d" % number, timestamp_ms=START_MS + number)
        cluster.produce("t", number % 3 if number < 150 else 0, record)
    return cluster


@pytest.fixture
async def snapshot(cluster) -> ClusterSnapshot:
    return await Sampler(cluster, clock=ManualClock()).refresh()


def numbers(result) -> list[int]:
    return [int(record.value) for record in result.records]


async def test_the_newest_are_the_newest_over_all_partitions(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=Newest(), limit=10)
    assert numbers(result) == list(range(299, 289, -1))


async def test_going_back_shows_every_record_once(cluster, snapshot):
    seen, result = [], await browse(cluster, snapshot, "t", start=Newest(), limit=37)
    while True:
        seen += numbers(result)
        if not result.cursor:
            break
        result = await browse(cluster, snapshot, "t", start=Older(result.cursor), limit=37)
    assert seen == list(range(299, -1, -1))
    assert result.stopped_by == "end"


async def test_going_on_shows_every_record_once(cluster, snapshot):
    seen, result = [], await browse(cluster, snapshot, "t", start=FromOffset(0), limit=37)
    while True:
        seen += numbers(result)
        if not result.cursor:
            break
        result = await browse(cluster, snapshot, "t", start=Newer(result.cursor), limit=37)
    assert seen == list(range(300))


async def test_from_a_time(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=FromTime(START_MS + 140), limit=20)
    assert numbers(result) == list(range(140, 160))


async def test_from_a_time_after_the_last_record_finds_nothing(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=FromTime(START_MS + 10_000))
    assert result.records == ()
    assert result.stopped_by == "end"


async def test_one_partition_from_an_offset(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=FromOffset(45), partitions=[1], limit=500)
    assert [record.offset for record in result.records] == [45, 46, 47, 48, 49]


async def test_the_search_says_what_it_did(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=FromOffset(0), limit=5)
    assert result.words == "Read 15 of 300 offsets in 3 of 3 partitions, 5 records shown, stopped by: limit."


async def test_a_spent_budget_is_said_and_can_be_gone_on_from(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=FromOffset(0), limit=500, bytes_max=1)
    assert result.stopped_by == "bytes"
    rest = await browse(cluster, snapshot, "t", start=Newer(result.cursor), limit=500)
    assert sorted(numbers(result) + numbers(rest)) == list(range(300))


async def test_a_search_in_no_time_stops_at_once(cluster, snapshot):
    result = await browse(cluster, snapshot, "t", start=Newest(), seconds_max=0)
    assert result.records == ()
    assert result.stopped_by == "time"


async def test_deleted_records_are_not_asked_for(cluster, snapshot):
    cluster.topics["t"].partitions[1].log_start_offset = 48
    del cluster.topics["t"].partitions[1].records[:48]
    result = await browse(cluster, snapshot, "t", start=FromOffset(0), partitions=[1])
    assert [record.offset for record in result.records] == [48, 49]


async def test_a_partition_without_leader_is_named(snapshot):
    cluster = MemoryCluster(broker_count=2)
    cluster.add_topic("t", partitions=3)
    cluster.produce("t", 0, b"1")
    cluster.kill_broker(2)
    result = await browse(cluster, snapshot, "t", start=Newest())
    assert numbers(result) == [1]
    assert result.unread == {1: "LEADER_NOT_AVAILABLE"}
    assert "2 of 3 partitions" in result.words


@pytest.mark.parametrize(
    ("start", "offsets"),
    [
        (FromOffset(0), {0: 1, 1: 0, 2: 0}),
        (Newer({0: 0, 1: 7, 2: 0}), {0: 1, 1: 7, 2: 0}),
        (FromTime(START_MS), {0: 1, 1: 0, 2: 0}),
        (Newest(), {0: 1, 2: 0}),
    ],
)
async def test_a_partition_that_cannot_be_read_is_not_left_out_of_what_comes_next(start, offsets):
    cluster = MemoryCluster(broker_count=2)
    cluster.add_topic("t", partitions=3)
    cluster.produce("t", 0, RecordToSend(key=None, value=b"1", timestamp_ms=START_MS))
    cluster.kill_broker(2)
    result = await browse(cluster, None, "t", partitions=(0, 1, 2), start=start)
    assert set(result.unread) == {1}
    assert dict(result.next_offsets) == offsets


@pytest.mark.parametrize("start", [FromOffset(0), Newest()])
async def test_a_leader_that_does_not_know_yet_what_is_in_sync_is_waited_for(cluster, snapshot, monkeypatch, start):
    fetch, lags = cluster.fetch, iter([10, 40])

    async def fetch_behind(partition, **asked):
        high_watermark = next(lags, None)
        return await fetch(partition, **asked) if high_watermark is None else FetchedBatch(b"", high_watermark, 0)

    monkeypatch.setattr(cluster, "fetch", fetch_behind)
    result = await browse(cluster, snapshot, "t", start=start, partitions=[1], limit=500)
    assert sorted(record.offset for record in result.records) == list(range(50))
    assert next(lags, None) is None


async def test_what_retention_left_of_a_partition_is_read(cluster, snapshot, monkeypatch):
    fetch, log = cluster.fetch, cluster.topics["t"].partitions[1]

    async def fetch_after_retention(partition, **asked):
        if log.log_start_offset == 0:
            log.log_start_offset = 20
            del log.records[:20]
        return await fetch(partition, **asked)

    monkeypatch.setattr(cluster, "fetch", fetch_after_retention)
    result = await browse(cluster, snapshot, "t", start=FromOffset(0), partitions=[1], limit=500)
    assert [record.offset for record in result.records] == list(range(20, 50))


async def test_an_unknown_topic_is_an_error(cluster, snapshot):
    with pytest.raises(UnknownTopicOrPartition):
        await browse(cluster, snapshot, "nope", start=Newest())


async def test_aborted_and_control_records_are_left_out(cluster, snapshot, monkeypatch):
    def batch(offset: int, value: bytes, **fields) -> bytes:
        return build_batch([Record(offset, START_MS, None, value, ())], base_offset=offset, **fields)

    data = b"".join(
        (
            batch(0, b"aborted", producer_id=7, producer_epoch=0, base_sequence=0, transactional=True),
            batch(1, b"10"),
            batch(2, b"marker", producer_id=7, producer_epoch=0, transactional=True, control=True),
            batch(3, b"11", producer_id=7, producer_epoch=0, base_sequence=1, transactional=True),
        )
    )

    async def fetch(partition, *, offset, bytes_max, wait_ms=0, read_committed=False):
        return FetchedBatch(data, 4, 0, aborted_transactions=((7, 0),) if read_committed else ())

    monkeypatch.setattr(cluster, "fetch", fetch)
    cluster.topics["t"].partitions[1].high_watermark = 4
    committed = await browse(cluster, snapshot, "t", start=FromOffset(0), partitions=[1])
    assert numbers(committed) == [10, 11]
    everything = await browse(cluster, snapshot, "t", start=FromOffset(0), partitions=[1], read_committed=False)
    assert [record.value for record in everything.records] == [b"aborted", b"10", b"11"]


def test_a_cursor_goes_through_a_url():
    assert parse_cursor(format_cursor({3: 4, 0: 17})) == {0: 17, 3: 4}
    with pytest.raises(ValueError):
        parse_cursor("x")


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (None, "null", ""),
        (b"", "empty", ""),
        (b'{"id":9007199254740993}', "json", '{"id":9007199254740993}'),
        (b"[1, 2", "text", "[1, 2"),
        ("grüße".encode(), "text", "grüße"),
        (b"\x00\x00\x00\x00\x2aabc", "binary", "00 00 00 00 2a 61 62 63"),
        (b"\xff\xfe", "binary", "ff fe"),
    ],
)
def test_how_bytes_are_shown(data, kind, text):
    shown = show(data)
    assert (shown.kind, shown.text) == (kind, text)


def test_a_schema_id_is_named():
    assert show(b"\x00\x00\x00\x00\x2aabc").note == "schema id 42"


def test_a_long_value_is_cut_between_characters_and_says_so():
    shown = show("ü".encode() * 1_000, bytes_max=101)
    assert shown.text == "ü" * 50
    assert shown.note == "first 101 B of 2.0 KiB"
