"""What is read back from a file is checked: no flipped bit is served as good, wherever and whenever it flips."""

import itertools
import os
import random
from pathlib import Path

import pytest

from broker.errors import CorruptMessage
from broker.log import FlushMode, FlushPolicy, PartitionLog
from broker.log.file_span import PIECE_BYTES, FileSpan
from broker.log.read_check import BatchDamaged, StreamCheck, check_batches
from broker.protocol.record_batch import iter_batches, iter_records, read_header
from tests.unit.broker.log.making import DataRoot, append, make_batch
from tests.unit.broker.log.test_recovery import flip, values

COUNT = 30
BATCH_BYTES = len(make_batch("0000"))
LEADER_EPOCH = range(12, 16)
"""Bytes of a batch's header that nothing in the format vouches for; they are no part of what a client reads."""


def fill(log: PartitionLog, count: int = COUNT) -> None:
    for number in range(count):
        append(log, f"{number:04}")


def readable(log: PartitionLog, bytes_max: int) -> tuple[dict[int, str], list[int]]:
    """Every record that the log gives away, by offset, and the offsets that it says are damaged."""
    found: dict[int, str] = {}
    damaged = []
    offset = 0
    while offset < log.high_watermark:
        try:
            data = log.read(offset=offset, bytes_max=bytes_max)
        except CorruptMessage:
            damaged.append(offset)
            offset += 1
            continue
        for batch in iter_batches(data):
            found |= {record.offset: (record.value or b"").decode() for record in iter_records(batch)}
            offset = read_header(batch).last_offset + 1
    return found, damaged


@pytest.mark.parametrize("how", ["running", "clean restart", "crash"])
@pytest.mark.parametrize("where", ["closed", "open"])
def test_a_flipped_bit_costs_its_batch_and_is_never_served(tmp_path: Path, where: str, how: str) -> None:
    chance = random.Random(f"{where} {how}")
    segment_bytes = 10 * BATCH_BYTES + 1
    cases = list(itertools.product(set(range(BATCH_BYTES)) - set(LEADER_EPOCH), (BATCH_BYTES, 1 << 20)))
    if os.environ.get("CAUDAL_SOAK") != "1":
        cases = chance.sample(cases, 8)
    for number, (byte, bytes_max) in enumerate(cases):
        root = DataRoot(tmp_path / str(number))
        log = root.create(segment_bytes=segment_bytes, index_interval_bytes=3 * BATCH_BYTES)
        fill(log)
        log.flush()
        path = root.log_files()[0 if where == "closed" else -1]
        # The last batch of the log is left out: damage there and a torn end look the same.
        batch = chance.randrange(10 if where == "closed" else 9)
        bad = batch if where == "closed" else COUNT - 10 + batch
        if how == "crash":
            root.crash()
        elif how == "clean restart":
            root.logs.close()
        flip(path, batch * BATCH_BYTES + byte, chance.randrange(8))
        if how != "running":
            configs = root.logs._configs
            root.logs = root._open()
            root.logs.configure("orders", configs["orders"])
            log = root.get()
        found, damaged = readable(log, bytes_max)
        assert (found, damaged) == ({**values(set(range(COUNT)) - {bad})}, [bad]), f"byte {byte}"
        assert [(each.start_offset, each.end_offset) for each in log.quarantines] == [(bad, bad + 1)]
        root.logs.close()


def test_what_was_just_written_is_not_checked_and_what_is_on_disk_is(tmp_path: Path) -> None:
    root = DataRoot(tmp_path, flush=FlushPolicy(FlushMode.INTERVAL))
    log = root.create()
    fill(log)
    flip(root.log_files()[0], 5 * BATCH_BYTES + 65)
    assert len(log.read(offset=0, bytes_max=1 << 20)) == COUNT * BATCH_BYTES
    log.flush()
    assert len(log.read(offset=0, bytes_max=1 << 20)) == 5 * BATCH_BYTES
    with pytest.raises(CorruptMessage, match="offsets 5 to 5"):
        log.read(offset=5, bytes_max=1 << 20)
    root.logs.close()


def test_a_log_that_is_never_flushed_is_checked_up_to_its_last_checkpoint(tmp_path: Path) -> None:
    root = DataRoot(tmp_path, flush=FlushPolicy(FlushMode.NEVER))
    log = root.create()
    fill(log)
    flip(root.log_files()[0], 5 * BATCH_BYTES + 65)
    root.logs.write_checkpoints()
    assert readable(log, 1 << 20)[1] == [5]
    root.logs.close()


def test_damage_amid_a_large_answer_cuts_it_short_and_is_then_known(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    log = root.create()
    for _ in range(10):
        append(log, *["x" * 10_000] * 10)
    log.flush()
    size = log.size_bytes // 10
    flip(root.log_files()[0], 7 * size + size // 2)
    span = log.span(offset=0, bytes_max=1 << 30)
    assert span is not None
    with pytest.raises(OSError, match="damage was met"):
        _read_all(span)
    assert [(each.start_offset, each.end_offset) for each in log.quarantines] == [(70, 80)]
    assert len(log.read(offset=0, bytes_max=1 << 30)) == 7 * size
    with pytest.raises(CorruptMessage):
        log.read(offset=70, bytes_max=1 << 30)
    assert len(log.read(offset=80, bytes_max=1 << 30)) == 2 * size
    root.logs.close()


def test_a_search_for_a_time_opens_no_damaged_batch(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    log = root.create()
    for number in range(10):
        append(log, "v", timestamp_ms=1_700_000_000_000 + number)
    flip(root.log_files()[0], 5 * log.size_bytes // 10 + 65)
    found = log.offset_for_timestamp(1_700_000_000_005)
    assert found is not None
    assert found.offset == 6
    root.logs.close()


@pytest.mark.parametrize("piece_bytes", [1, 7, 60, 61, 62, 100, 1000])
def test_a_stream_is_checked_however_it_is_cut(piece_bytes: int) -> None:
    data = b"".join(_numbered(make_batch("x" * size), number) for number, size in enumerate((0, 1, 50, 300)))
    assert _is_whole(data, piece_bytes)
    assert check_batches(data, 0, len(data)).last_offset == 3
    for at in random.Random(piece_bytes).sample(range(len(data)), 40):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        if _header_byte(data, at) in LEADER_EPOCH:
            continue
        assert not _is_whole(bytes(flipped), piece_bytes)


def test_a_span_without_a_check_is_passed_on_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * PIECE_BYTES))
    with path.open("rb") as file:
        span = FileSpan(os.dup(file.fileno()), 0, 2 * PIECE_BYTES)
    assert (len(span.read_piece()), len(span.read_piece()), len(span)) == (PIECE_BYTES, PIECE_BYTES, 0)


def _read_all(span: FileSpan) -> None:
    while span:
        span.read_piece()


def _is_whole(data: bytes, piece_bytes: int) -> bool:
    """Whether all of it is good batches; one with too large a length counts as cut off."""
    check = StreamCheck(end_offset=4)
    try:
        for start in range(0, len(data), piece_bytes):
            check.feed(data[start : start + piece_bytes])
    except BatchDamaged:
        return False
    return not check.is_amid_batch


def _numbered(batch: bytes, offset: int) -> bytes:
    return offset.to_bytes(8, "big") + batch[8:]


def _header_byte(data: bytes, at: int) -> int:
    start = 0
    while True:
        size = 12 + int.from_bytes(data[start + 8 : start + 12], "big")
        if at < start + size:
            return at - start
        start += size
