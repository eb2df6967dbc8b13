"""Crashes and damage at any place: the last two batches cut at every byte, any bit flipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.errors import CorruptMessage
from broker.log import PartitionLog
from broker.protocol.record_batch import Record, build_batch, iter_batches, iter_records, read_header
from tests.unit.broker.log.making import NOW_MS, DataRoot, append, records_in

CODECS = range(5)


def write_log(path: Path) -> list[tuple[int, int]]:
    """A crashed log of batches in every codec; (base offset, position) of each in the last segment."""
    root = DataRoot(path)
    log = root.create(segment_bytes=3000, index_interval_bytes=400)
    for number in range(40):
        records = [
            Record(0, NOW_MS + number, b"k", b"%04d-%d" % (number, delta) * 5) for delta in range(1 + number % 3)
        ]
        batch = build_batch(
            records, codec=number % 5, producer_id=3, producer_epoch=0, base_sequence=log.log_end_offset
        )
        log.append(batch, read_header(batch), now_ms=NOW_MS)
    root.crash()
    position, places = 0, []
    for batch in iter_batches(root.log_files()[-1].read_bytes()):
        places.append((read_header(batch).base_offset, position))
        position += len(batch)
    return places


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, int]], dict[int, str]]:
    """A crashed data folder to copy, the batches of its last file, and all records."""
    path = tmp_path_factory.mktemp("crashed") / "data"
    places = write_log(path)
    copy = path.with_name("whole")
    shutil.copytree(path, copy)
    root = DataRoot(copy)
    records = records_in(root.get())
    root.logs.close()
    return path, places, records


def readable(log: PartitionLog) -> Iterator[tuple[int, str]]:
    """Every record that can be read, stepping over damaged offsets one by one as an operator would."""
    offset = log.log_start_offset
    while offset < log.high_watermark:
        try:
            data = log.read(offset=offset, bytes_max=500)
        except CorruptMessage:
            offset += 1
            continue
        for batch in iter_batches(data):
            for record in iter_records(batch):
                if record.offset >= offset:
                    yield record.offset, (record.value or b"").decode()
            offset = read_header(batch).last_offset + 1


def test_cut_at_every_byte_of_the_last_two_batches_all_whole_batches_stay(crashed, tmp_path: Path) -> None:
    source, places, records = crashed
    file = sorted((source / "orders-0").glob("*.log"))[-1]
    content = file.read_bytes()
    ends = [*places[1:], (max(records) + 1, len(content))]  # end offset and end position of each batch
    for cut_at in range(places[-2][1], len(content) + 1):
        end_offset = max(offset for offset, position in ends if position <= cut_at)
        path = tmp_path / "data"
        shutil.copytree(source, path)
        os.truncate(path / "orders-0" / file.name, cut_at)
        root = DataRoot(path)
        log = root.get()
        assert log.log_end_offset == end_offset, f"cut at {cut_at}"
        assert dict(readable(log)) == {offset: value for offset, value in records.items() if offset < end_offset}
        lost = append(log, "again", producer_id=3, producer_epoch=0, base_sequence=end_offset)
        assert lost.base_offset == end_offset
        root.logs.close()
        shutil.rmtree(path)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_flipped_bit_in_a_log_file_costs_at_most_its_batch(crashed, tmp_path_factory, data: st.DataObject) -> None:
    source, _, records = crashed
    path = tmp_path_factory.mktemp("flip") / "data"
    shutil.copytree(source, path)
    files = sorted((path / "orders-0").glob("*.log"))
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    intact = bytes(content[:at]) + file.read_bytes()[at : at + 1] + bytes(content[at + 1 :])
    position = 0
    for batch in iter_batches(intact):
        header = read_header(batch)
        if position <= at < position + len(batch):
            break
        position += len(batch)
    damaged = range(header.base_offset, header.last_offset + 1)
    file.write_bytes(content)

    root = DataRoot(path)
    log = root.get()
    is_last = header.last_offset == max(records)
    assert log.log_end_offset in ({max(records) + 1, damaged.start} if is_last else {max(records) + 1})
    found = dict(readable(log))
    others = {offset: value for offset, value in records.items() if offset not in damaged}
    assert {offset: value for offset, value in found.items() if offset not in damaged} == others
    if at - position not in range(12, 16):  # the leader epoch has no checksum, and no meaning on a single node
        assert not found.keys() & set(damaged)
    root.restart(clean=data.draw(st.booleans()))
    assert dict(readable(root.get())) == found
    root.logs.close()
    shutil.rmtree(path.parent)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_flipped_bit_in_any_derived_file_changes_no_data(crashed, tmp_path_factory, data: st.DataObject) -> None:
    source, _, records = crashed
    path = tmp_path_factory.mktemp("flip") / "data"
    shutil.copytree(source, path)
    root = DataRoot(path)
    root.get()
    root.logs.close()
    if data.draw(st.booleans()):
        (path / ".kafka_cleanshutdown").unlink()
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix in (".index", ".timeindex", ".snapshot") or file.name.endswith("-checkpoint")
        if file.is_file() and file.stat().st_size
    ]
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)

    root = DataRoot(path)
    log = root.get()
    assert dict(readable(log)) == records
    for offset in data.draw(st.lists(st.sampled_from(sorted(records)), max_size=10)):
        number = int(records[offset][:4])
        found = log.offset_for_timestamp(NOW_MS + number)
        assert found is not None
        assert records[found.offset][:4] == records[offset][:4]
        first = next(iter_batches(log.read(offset=offset, bytes_max=1)))
        assert read_header(first).base_offset <= offset <= read_header(first).last_offset
    duplicate = append(log, "x", producer_id=3, producer_epoch=0, base_sequence=log.log_end_offset)
    assert not duplicate.is_duplicate
    root.logs.close()
    shutil.rmtree(path.parent)
