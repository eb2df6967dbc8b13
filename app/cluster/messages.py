"""Browse the records of a topic: the newest over all partitions, or onwards from an offset or a time.

Records are merged by (timestamp, partition, offset). What a search did is part of its answer: how much it read, of how
much, and why it stopped; a limit is never silent.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import DecodeError
from msgspec.json import decode as json_decode

from app.cluster import words
from app.cluster.snapshot import ClusterSnapshot
from app.kafka.ports import EARLIEST, LATEST, ClusterAdmin, FetchedBatch, FoundOffset, TopicPartition
from broker.errors import CorruptMessage, OffsetOutOfRange, UnknownTopicOrPartition, by_code
from broker.protocol.record_batch import BatchHeader, Record, iter_batches, iter_records, read_header

FETCH_BYTES_MAX = 1024 * 1024
BYTES_MAX = 64 * 1024 * 1024
SECONDS_MAX = 10.0
LEADER_CATCHES_UP_S = 0.1
BLOCK_OFFSETS_LEAST = 16
BLOCK_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest records, read backwards from the end of every partition."""


@dataclass(frozen=True, slots=True)
class FromOffset:
    """Onwards from an offset, or from the log start where that is later."""

    offset: int


@dataclass(frozen=True, slots=True)
class FromTime:
    """Onwards from the first record with this timestamp (ms) or a later one."""

    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Older:
    """Backwards from where a search for the newest stopped: the offsets (exclusive) of its cursor."""

    before_offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Newer:
    """Onwards from where a search stopped: the offsets of its cursor."""

    offsets: Mapping[int, int]


Start = Newest | FromOffset | FromTime | Older | Newer


@dataclass(frozen=True, slots=True)
class BrowsedRecord:
    """A record as it is stored. None is a null key or value (a tombstone), b'' an empty one: they are not the same."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class BrowseResult:
    """records: newest first when reading backwards, else oldest first.

    cursor: per partition where to go on in the same direction, empty when everything was read. stopped_by: 'limit',
    'bytes', 'time' or 'end'. unread: partitions that could not be read, with Kafka's name of the error.
    next_offsets: of each partition the offset behind the last one told, or behind all when reading backwards: what
    comes later begins there. One that could not be read is gone on with where this search would have begun in it.
    """

    records: tuple[BrowsedRecord, ...]
    cursor: Mapping[int, int]
    is_backwards: bool
    scanned_offsets: int
    total_offsets: int
    partitions_read: int
    partitions_total: int
    stopped_by: str
    unread: Mapping[int, str] = field(default_factory=dict)
    next_offsets: Mapping[int, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What the search did, as a sentence."""
        of_all = f"{words.count(self.scanned_offsets)} of {words.plural(self.total_offsets, 'offset')}"
        parts = f"{self.partitions_read} of {words.plural(self.partitions_total, 'partition')}"
        found = words.plural(len(self.records), "record")
        return f"Read {of_all} in {parts}, {found} shown, stopped by: {self.stopped_by}."


@dataclass(slots=True)
class _Budget:
    """Bytes and time that a search may still use."""

    bytes_left: int
    deadline: float
    stopped_by: str = ""

    def is_spent(self) -> bool:
        if self.bytes_left <= 0:
            self.stopped_by = "bytes"
        elif time.monotonic() >= self.deadline:
            self.stopped_by = "time"
        return bool(self.stopped_by)


@dataclass(slots=True)
class _Log:
    """One partition as far as it was read: offsets from low to high, and their records in order."""

    partition: TopicPartition
    start: int
    end: int
    low: int
    high: int
    records: list[BrowsedRecord] = field(default_factory=list)

    @property
    def scanned(self) -> int:
        return self.high - self.low


async def browse(
    admin: ClusterAdmin,
    snapshot: ClusterSnapshot | None,
    topic: str,
    *,
    start: Start,
    partitions: Sequence[int] | None = None,
    limit: int = 50,
    read_committed: bool = True,
    bytes_max: int = BYTES_MAX,
    seconds_max: float = SECONDS_MAX,
) -> BrowseResult:
    """Records of a topic, of some partitions or all. Raises a KafkaError when none can be read, ClusterUnreachable.

    snapshot tells which partitions there are; whoever names them needs none.
    Reading stops at the limit, at bytes_max fetched or after seconds_max, and can go on from the cursor.
    """
    wanted = [TopicPartition(topic, number) for number in _numbers(snapshot, topic, partitions)]
    logs, unread = await _logs(admin, wanted, start, read_committed)
    if unread and not logs:
        raise by_code(next(iter(unread.values())))(f"topic '{topic}' cannot be read now")
    reader = _Reader(admin, read_committed, _Budget(bytes_max, time.monotonic() + seconds_max))
    is_backwards = isinstance(start, Newest | Older)
    if is_backwards:
        await _read_backwards(reader, logs, limit)
    else:
        await asyncio.gather(*(reader.read_onwards(log, limit) for log in logs))
    records = _merged(logs, is_backwards)[:limit]
    cursor = _cursor(logs, records, is_backwards)
    return BrowseResult(
        records=records,
        cursor=cursor,
        is_backwards=is_backwards,
        scanned_offsets=sum(log.scanned for log in logs),
        total_offsets=sum(log.end - log.start for log in logs),
        partitions_read=len(logs),
        partitions_total=len(wanted),
        stopped_by=reader.budget.stopped_by or ("limit" if cursor else "end"),
        unread={partition: by_code(code).name for partition, code in unread.items()},
        next_offsets=_starts_of_unread(start, unread)
        | {
            log.partition.partition: log.end if is_backwards else cursor.get(log.partition.partition, log.high)
            for log in logs
        },
    )


def _starts_of_unread(start: Start, unread: Iterable[int]) -> dict[int, int]:
    """Where reading would have begun in partitions that nobody could be asked about.

    For a time that is the log's start: better told too much than not told. For the newest records nothing can be said.
    """
    match start:
        case FromOffset(offset):
            return dict.fromkeys(unread, offset)
        case Newer(offsets):
            return {partition: offsets[partition] for partition in unread if partition in offsets}
        case FromTime():
            return dict.fromkeys(unread, 0)
    return {}


def _numbers(snapshot: ClusterSnapshot | None, topic: str, partitions: Sequence[int] | None) -> Sequence[int]:
    if partitions is not None:
        return partitions
    if snapshot is None or topic not in snapshot.topics:
        raise UnknownTopicOrPartition(f"topic '{topic}' does not exist")
    return [one.partition for one in snapshot.topics[topic].partitions]


async def _logs(
    admin: ClusterAdmin, partitions: Sequence[TopicPartition], start: Start, read_committed: bool
) -> tuple[list[_Log], dict[int, int]]:
    """Each partition with where reading starts in it; apart, the error codes of those that do not answer.

    Reading what is committed ends at the last stable offset: what a transaction that is still open has written comes
    later.
    """
    starts, ends = await asyncio.gather(
        admin.list_offsets(dict.fromkeys(partitions, EARLIEST)),
        admin.list_offsets(dict.fromkeys(partitions, LATEST), read_committed=read_committed),
    )
    times: Mapping[TopicPartition, FoundOffset] = {}
    if isinstance(start, FromTime):
        times = await admin.list_offsets(dict.fromkeys(partitions, start.timestamp_ms))
    logs, unread = [], {}
    for one in partitions:
        error_code = starts[one].error_code or ends[one].error_code
        if error_code:
            unread[one.partition] = error_code
            continue
        first, end = starts[one].offset, ends[one].offset
        at = min(max(_start_in(one, start, first, end, times), first), end)
        logs.append(_Log(one, first, end, low=at, high=at))
    return logs, unread


def _start_in(
    partition: TopicPartition, start: Start, first: int, end: int, times: Mapping[TopicPartition, FoundOffset]
) -> int:
    match start:
        case Newest():
            return end
        case FromOffset(offset):
            return offset
        case FromTime():
            found = times[partition].offset
            return end if found < 0 else found
        case Newer(offsets):
            return offsets.get(partition.partition, end)
        case Older(before_offsets):
            return before_offsets.get(partition.partition, first)


async def _read_backwards(reader: "_Reader", logs: Sequence[_Log], limit: int) -> None:
    """Read blocks from the end of each partition until nothing older can be among the newest.

    Within a partition later records are taken to be newer, as they are unless producers set timestamps at will.
    """
    block = max(BLOCK_OFFSETS_LEAST, -(-2 * limit // max(1, len(logs))))
    open_logs = [log for log in logs if log.low > log.start]
    while open_logs and not reader.budget.is_spent():
        await asyncio.gather(*(reader.read_block(log, block) for log in open_logs))
        newest = _merged(logs, is_backwards=True)[:limit]
        oldest_shown_ms = newest[-1].timestamp_ms if len(newest) == limit else None
        open_logs = [log for log in open_logs if _may_hold_more(log, oldest_shown_ms)]
        block *= BLOCK_GROWTH


def _may_hold_more(log: _Log, oldest_shown_ms: int | None) -> bool:
    if log.low <= log.start:
        return False
    return oldest_shown_ms is None or not log.records or log.records[0].timestamp_ms >= oldest_shown_ms


class _Reader:
    """Fetches parts of partitions within one budget."""

    def __init__(self, admin: ClusterAdmin, read_committed: bool, budget: _Budget) -> None:
        self.budget = budget
        self._admin = admin
        self._read_committed = read_committed

    async def read_block(self, log: _Log, size: int) -> None:
        """Read the block of so many offsets before log.low; nothing is taken of a block not read to its end."""
        first, stop = max(log.start, log.low - size), log.low
        records, position = await self._read(log, first, stop, records_max=None)
        if position >= stop:
            log.records[:0] = records
            log.low = first

    async def read_onwards(self, log: _Log, limit: int) -> None:
        records, position = await self._read(log, log.high, log.end, records_max=limit)
        log.records += records
        log.high = position

    async def _read(
        self, log: _Log, offset: int, stop: int, *, records_max: int | None
    ) -> tuple[list[BrowsedRecord], int]:
        """Records of [offset, stop) as far as the budget goes, and the offset after what was read."""
        found: list[BrowsedRecord] = []
        while offset < stop and not self.budget.is_spent():
            try:
                fetched = await self._admin.fetch(
                    log.partition, offset=offset, bytes_max=FETCH_BYTES_MAX, read_committed=self._read_committed
                )
            except OffsetOutOfRange:  # retention moved the log start meanwhile
                offset = await self._log_start(log, offset, stop)
                continue
            if not fetched.data and fetched.high_watermark < stop:
                # A new leader, which does not know yet that the others have what it has: it is soon told.
                await asyncio.sleep(LEADER_CATCHES_UP_S)
                continue
            self.budget.bytes_left -= len(fetched.data)
            offset = await self._take(log, fetched, offset, stop, found)
            if records_max is not None and len(found) >= records_max:
                del found[records_max:]
                return found, found[-1].offset + 1
        return found, min(offset, stop)

    async def _log_start(self, log: _Log, offset: int, stop: int) -> int:
        """Where to go on from an offset that is out of range: the log start, stop where that is no later offset."""
        first = (await self._admin.list_offsets({log.partition: EARLIEST}))[log.partition]
        return min(first.offset, stop) if not first.error_code and first.offset > offset else stop

    async def _take(self, log: _Log, fetched: FetchedBatch, offset: int, stop: int, found: list[BrowsedRecord]) -> int:
        next_offset = offset
        for batch, header in visible_batches(fetched, self._read_committed):
            next_offset = max(next_offset, header.last_offset + 1)
            if batch is not None:
                found += (
                    _browsed(log.partition.partition, record)
                    for record in readable_records(batch, header)
                    if offset <= record.offset < stop
                )
                await asyncio.sleep(0)  # a batch may hold ten thousand records: let pages be served in between
        return next_offset if next_offset > offset else stop


def visible_batches(fetched: FetchedBatch, read_committed: bool) -> Iterator[tuple[memoryview | None, BatchHeader]]:
    """The batches of a fetch; None in place of those that an application does not see.

    Control batches are never seen; those of aborted transactions are not when reading committed (KIP-98).
    """
    aborted = sorted(fetched.aborted_transactions, key=lambda one: one[1]) if read_committed else []
    aborting: set[int] = set()
    for batch in iter_batches(fetched.data):
        header = read_header(batch)
        while aborted and aborted[0][1] <= header.last_offset:
            aborting.add(aborted.pop(0)[0])
        if header.is_control:
            aborting.discard(header.producer_id)
            yield None, header
        elif header.is_transactional and header.producer_id in aborting:
            yield None, header
        else:
            yield batch, header


def readable_records(batch: memoryview, header: BatchHeader) -> Iterable[Record]:
    """A batch that cannot be decompressed or parsed is still a row, at its first offset."""
    try:
        return list(iter_records(batch))
    except CorruptMessage as error:
        note = ("caudal.error", str(error).encode())
        return [Record(header.base_offset, header.max_timestamp, None, bytes(batch), (note,))]


def _browsed(partition: int, record: Record) -> BrowsedRecord:
    return BrowsedRecord(partition, record.offset, record.timestamp_ms, record.key, record.value, record.headers)


def _merged(logs: Iterable[_Log], is_backwards: bool) -> tuple[BrowsedRecord, ...]:
    everything = (record for log in logs for record in log.records)
    return tuple(
        sorted(everything, key=lambda one: (one.timestamp_ms, one.partition, one.offset), reverse=is_backwards)
    )


def _cursor(logs: Iterable[_Log], shown: Sequence[BrowsedRecord], is_backwards: bool) -> dict[int, int]:
    """Where each partition goes on: after (before) its last shown record, or where reading got to."""
    last = {record.partition: record.offset for record in shown}
    cursor = {}
    for log in logs:
        number = log.partition.partition
        unshown = len(log.records) - sum(record.partition == number for record in shown)
        if is_backwards:
            at = last.get(number, log.high) if unshown else log.low
            is_left = at > log.start
        else:
            first = log.records[0].offset if log.records else log.high
            at = (last[number] + 1 if number in last else first) if unshown else log.high
            is_left = at < log.end
        if is_left:
            cursor[number] = at
    return cursor


def format_cursor(cursor: Mapping[int, int]) -> str:
    """A cursor as the text of a URL: `0:17,3:4`."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(cursor.items()))


def parse_cursor(text: str) -> dict[int, int]:
    """Back from `format_cursor`. Raises ValueError for anything else."""
    return {int(partition): int(offset) for partition, _, offset in (part.partition(":") for part in text.split(","))}


# --- what bytes look like ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownBytes:
    """A key, value or header for the eye. kind: 'null', 'empty', 'json', 'text', 'binary'; text is the exact content.

    Numbers are never parsed, so integers beyond 2^53 stay what they are. note says what the bytes look like where they
    are no text (a schema id), and how much of them is shown where they were cut.
    """

    kind: str
    text: str
    note: str = ""


def show(data: bytes | None, *, bytes_max: int | None = None) -> ShownBytes:
    """How to show some bytes; bytes_max cuts long ones."""
    if data is None:
        return ShownBytes("null", "")
    if not data:
        return ShownBytes("empty", "")
    cut = data if bytes_max is None or len(data) <= bytes_max else data[:bytes_max]
    is_cut = len(cut) < len(data)
    note = f"first {words.size(len(cut))} of {words.size(len(data))}" if is_cut else ""
    text = _as_text(cut, is_cut)
    if text is None:
        return ShownBytes("binary", cut.hex(" "), "; ".join(filter(None, (_schema_note(data), note))))
    return ShownBytes("json" if text[:1] in "{[" and not is_cut and _is_json(data) else "text", text, note)


def _as_text(data: bytes, is_cut: bool) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if not is_cut or error.start < len(data) - 3:  # a cut may fall into a character
            return None
        text = data[: error.start].decode()
    return None if any(ord(character) < 32 and character not in "\t\n\r" for character in text) else text


def _is_json(data: bytes) -> bool:
    try:
        json_decode(data)
    except DecodeError:
        return False
    return True


def _schema_note(data: bytes) -> str:
    """Confluent's framing: magic byte 0, then the schema id in four bytes."""
    if len(data) >= 5 and data[0] == 0:
        return f"schema id {int.from_bytes(data[1:5], 'big')}"
    return ""
