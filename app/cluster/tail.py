"""The live end of a topic for many readers at once: each record is fetched and encoded once, whoever listens.

Readers have bounded buffers. One that falls behind loses its buffer, not its place: it reads on from the log by its own
offsets until it is at the end again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.cluster.messages import LEADER_CATCHES_UP_S, BrowsedRecord, format_cursor, readable_records, visible_batches
from app.kafka.ports import EARLIEST, LATEST, ClusterAdmin, ClusterUnreachable, FetchedBatch, TopicPartition
from broker.errors import KafkaError, OffsetOutOfRange, UnknownTopicOrPartition, by_code

UNREAD_BYTES_MAX = 1 << 20
LUMP_BYTES = 256  # what a lump takes beside its events
CATCH_UP_BYTES = 1 << 20

Encode: TypeAlias = Callable[[BrowsedRecord, str], bytes]
"""A record and the cursor behind it as one event."""


@dataclass(frozen=True, slots=True)
class Lump:
    """What one fetch brought of one partition: events in order of offset, and the offset behind them."""

    partition: int
    offsets: tuple[int, ...]
    events: tuple[bytes, ...]
    next_offset: int
    joined: bytes


class TailReader:
    """One listener: an async iterator of event bytes, b'' when there was nothing for a while."""

    def __init__(self, tail: "TopicTail", positions: dict[int, int], idle_s: float) -> None:
        self._tail = tail
        self._positions = positions
        self._idle_s = idle_s
        self._unread: deque[Lump] = deque()
        self._unread_bytes = 0
        self._is_behind = True
        self._news = asyncio.Event()
        self._error: Exception | None = None

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Raises the error that ends the tail, nearly always a KafkaError."""
        while True:
            if self._is_behind:
                async for events in self._catch_up():
                    yield events
            self._news.clear()
            ready = b"".join(map(self._take, self._drain()))
            if ready:
                yield ready
                continue
            if self._error is not None:
                raise self._error
            try:
                async with asyncio.timeout(self._idle_s):
                    await self._news.wait()
            except TimeoutError:
                yield b""

    def close(self) -> None:
        """Listen no more. The last one to go ends the tail."""
        self._tail.leave(self)

    def offer(self, lump: Lump) -> None:
        """From the tail: keep it, or fall behind."""
        if self._is_behind:
            return  # it is read from the log, in its turn
        self._unread.append(lump)
        self._unread_bytes += len(lump.joined) + LUMP_BYTES
        if self._unread_bytes > UNREAD_BYTES_MAX:
            self._drain()
            self._is_behind = True
        self._news.set()

    def end(self, error: Exception) -> None:
        self._error = error
        self._news.set()

    def _drain(self) -> list[Lump]:
        lumps = list(self._unread)
        self._unread.clear()
        self._unread_bytes = 0
        return lumps

    def _take(self, lump: Lump) -> bytes:
        position = self._positions[lump.partition]
        self._positions[lump.partition] = max(position, lump.next_offset)
        if not lump.offsets or lump.offsets[-1] < position:
            return b""
        if lump.offsets[0] >= position:
            return lump.joined
        return b"".join(event for offset, event in zip(lump.offsets, lump.events, strict=True) if offset >= position)

    async def _catch_up(self) -> AsyncIterator[bytes]:
        """Read the log up to where the tail is, then listen again; what comes meanwhile is read here too."""
        while True:
            behind = [number for number, at in self._positions.items() if at < self._tail.positions[number]]
            if not behind:
                self._is_behind = False  # and nothing has been awaited since the look: no lump is missed
                return
            for number in behind:
                try:
                    events = await self._tail.read(number, self._positions)
                except (ClusterUnreachable, KafkaError) as error:
                    if not _passes(error):
                        raise
                    yield b""  # it was waited for as long as a request may take, and is waited for again
                    continue
                if events:
                    yield events


class TopicTail:
    """The end of some partitions of one topic; runs while somebody reads."""

    def __init__(
        self, admin: ClusterAdmin, topic: str, partitions: Sequence[int], encode: Encode, *, read_committed: bool
    ) -> None:
        self._admin = admin
        self._topic = topic
        self._partitions = tuple(partitions)
        self._encode = encode
        self._read_committed = read_committed
        self._readers: set[TailReader] = set()
        self._following: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._joining_count = 0
        self.positions: dict[int, int] = {}
        """The next offset of each partition."""

    @property
    def reader_count(self) -> int:
        return len(self._readers)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody listens, or is about to."""
        return bool(self._readers or self._joining_count)

    async def join(self, wanted: Mapping[int, int], *, idle_s: float) -> TailReader:
        """A reader from these offsets on, from the end where a partition has none.

        An offset before the log start is the log start, one behind the end is the end. Raises a KafkaError.
        """
        self._joining_count += 1
        try:
            return await self._join(wanted, idle_s)
        finally:
            self._joining_count -= 1
            self._end_unless_wanted()

    async def _join(self, wanted: Mapping[int, int], idle_s: float) -> TailReader:
        async with self._opening:
            if self._following is None or self._following.done():
                self.positions = await self._offsets(LATEST)
                self._following = asyncio.create_task(self._follow(), name=f"tail-{self._topic}")
        starts = await self._offsets(EARLIEST) if wanted else {}
        positions = {
            number: min(max(wanted.get(number, end), starts.get(number, 0)), end)
            for number, end in self.positions.items()
        }
        reader = TailReader(self, positions, idle_s)
        self._readers.add(reader)
        return reader

    def leave(self, reader: TailReader) -> None:
        self._readers.discard(reader)
        self._end_unless_wanted()

    def _end_unless_wanted(self) -> None:
        if not self.is_wanted and self._following is not None:
            self._following.cancel()
            self._following = None

    async def read(self, number: int, positions: dict[int, int]) -> bytes:
        """Events of one partition from its position on, one fetch of them; moves the position."""
        partition = TopicPartition(self._topic, number)
        try:
            fetched = await self._admin.fetch(
                partition, offset=positions[number], bytes_max=CATCH_UP_BYTES, read_committed=self._read_committed
            )
        except OffsetOutOfRange:
            positions[number] = (await self._offsets(EARLIEST))[number]
            return b""
        if fetched.data:
            lump = self._lump(number, fetched, positions)
            positions[number] = lump.next_offset
            return lump.joined
        if fetched.high_watermark < self.positions[number]:
            # A new leader, which does not know yet that the others have what it has: it is soon told.
            await asyncio.sleep(LEADER_CATCHES_UP_S)
        else:  # nothing there, though the tail has passed it: compaction took what was, up to where the tail is
            positions[number] = self.positions[number]
        return b""

    async def _follow(self) -> None:
        offsets = {TopicPartition(self._topic, number): offset for number, offset in self.positions.items()}
        batches = self._admin.follow(offsets, read_committed=self._read_committed)
        try:
            async for partition, fetched in batches:
                lump = self._lump(partition.partition, fetched, self.positions)
                self.positions[partition.partition] = lump.next_offset
                for reader in self._readers:
                    reader.offer(lump)
        except Exception as error:
            for reader in self._readers:
                reader.end(error)
            if not isinstance(error, KafkaError):
                raise
        finally:
            await batches.aclose()

    def _lump(self, number: int, fetched: FetchedBatch, positions: Mapping[int, int]) -> Lump:
        first, next_offset = positions[number], positions[number]
        cursor = dict(positions)
        offsets, events = [], []
        for batch, header in visible_batches(fetched, self._read_committed):
            next_offset = max(next_offset, header.last_offset + 1)
            for record in readable_records(batch, header) if batch is not None else ():
                if record.offset < first:
                    continue
                cursor[number] = record.offset + 1
                browsed = BrowsedRecord(
                    number, record.offset, record.timestamp_ms, record.key, record.value, record.headers
                )
                offsets.append(record.offset)
                events.append(self._encode(browsed, format_cursor(cursor)))
        return Lump(number, tuple(offsets), tuple(events), next_offset, b"".join(events))

    async def _offsets(self, when: int) -> dict[int, int]:
        found = await self._admin.list_offsets(
            {TopicPartition(self._topic, number): when for number in self._partitions},
            read_committed=self._read_committed,
        )
        for one in found.values():
            if one.error_code:
                raise by_code(one.error_code)(f"topic '{self._topic}' cannot be read now")
        return {partition.partition: one.offset for partition, one in found.items()}


def _passes(error: ClusterUnreachable | KafkaError) -> bool:
    """Whether waiting may help. A topic that does not exist is not waited for: it was there when somebody asked."""
    if isinstance(error, KafkaError):
        return error.retriable and not isinstance(error, UnknownTopicOrPartition)
    return True


class TopicTails:
    """The tails that somebody listens to, by what they read and how they encode it."""

    def __init__(self, admin: ClusterAdmin) -> None:
        self._admin = admin
        self._tails: dict[tuple[str, tuple[int, ...], str, bool], TopicTail] = {}

    @property
    def reader_count(self) -> int:
        """Listeners of all tails."""
        return sum(tail.reader_count for tail in self._tails.values())

    async def join(
        self,
        topic: str,
        partitions: Sequence[int] | None,
        wanted: Mapping[int, int],
        *,
        encode: Encode,
        encoding: str,
        read_committed: bool,
        idle_s: float,
    ) -> TailReader:
        """A reader of some partitions or all; encoding names encode. Raises a KafkaError."""
        known = (await self._admin.metadata()).topics.get(topic)
        if known is None:
            raise UnknownTopicOrPartition(f"topic '{topic}' does not exist")
        numbers = tuple(sorted(partitions if partitions is not None else (one.partition for one in known.partitions)))
        key = (topic, numbers, encoding, read_committed)
        self._tails = {key: tail for key, tail in self._tails.items() if tail.is_wanted}
        tail = self._tails.get(key)
        if tail is None:
            tail = self._tails[key] = TopicTail(self._admin, topic, numbers, encode, read_committed=read_committed)
        return await tail.join(wanted, idle_s=idle_s)
