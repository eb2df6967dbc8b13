"""The topic `_schemas`: read from its beginning into a View and followed for ever; written to by appending.

Nothing of ours is in the view before it was read back, so what is there is durable and in the topic's order, whoever
wrote it. A write returns when our own reader has passed it. The topic is created with the first write: attaching to a
cluster leaves nothing behind.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.kafka.ports import (
    EARLIEST,
    LATEST,
    ClusterAdmin,
    ClusterUnreachable,
    NewTopic,
    Producer,
    RecordToSend,
    TopicPartition,
)
from app.registry.errors import SchemaTooLarge
from app.registry.records import NOOP_KEY, Record
from app.registry.refusals import StoreFailed, StoreTimedOut
from app.registry.view import BadRecord, View
from broker.errors import (
    CorruptMessage,
    KafkaError,
    MessageTooLarge,
    OffsetOutOfRange,
    RecordListTooLarge,
    TopicAlreadyExists,
    UnknownTopicOrPartition,
)
from broker.protocol.record_batch import Record as StoredRecord
from broker.protocol.record_batch import iter_batches, iter_records, read_header

log = logging.getLogger("caudal.registry")

FETCH_BYTES_MAX = 4 * 1024 * 1024
FETCH_WAIT_MS = 5_000
RECORDS_PER_SLICE = 200  # about 3 ms of the loop's time
ABSENT_TOPIC_LOOK_S = 5.0
RETRY_WAIT_FIRST_S = 0.1
RETRY_WAIT_MAX_S = 2.0
BAD_RECORDS_KEPT = 100
NOT_LOOKED_UP = -1
REPLICATION_TARGET = 3


@dataclass(frozen=True, slots=True)
class SkippedRecord:
    """A record of the topic that says nothing we can use."""

    offset: int
    reason: str


class SchemasTopic:
    """Reader and writer of one registry's topic. start() once, stop() always."""

    def __init__(
        self, admin: ClusterAdmin, producer: Producer, *, topic: str = "_schemas", timeout_s: float = 10.0
    ) -> None:
        """timeout_s: how long a write, or a first question while the topic is still read, waits."""
        self.view = View()
        self.skipped: deque[SkippedRecord] = deque(maxlen=BAD_RECORDS_KEPT)
        self.skipped_count = 0
        self.timeout_s = timeout_s
        self._admin = admin
        self._producer = producer
        self._partition = TopicPartition(topic, 0)
        self._next_offset = NOT_LOOKED_UP
        self._is_ready = False
        self._ready = asyncio.Event()
        self._created = asyncio.Event()
        self._creating = asyncio.Lock()
        self._exists = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._reader: asyncio.Task[None] | None = None
        self._failure = "its topic has not been read yet"
        self.check_writer: Callable[[], None] = lambda: None  # raises when another node has become the writer

    @property
    def topic(self) -> str:
        return self._partition.topic

    @property
    def is_ready(self) -> bool:
        """True once everything that was in the topic at start is in the view."""
        return self._is_ready

    @property
    def position(self) -> int:
        """The offset behind the last record that is in the view: the same as long as nothing changed."""
        return self._next_offset

    async def start(self) -> None:
        """Begin to read, in the background."""
        self._reader = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        for _, _, waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(StoreTimedOut("the registry is stopping"))

    async def ready(self) -> None:
        """Wait until the topic was read to its end once. Raises StoreFailed after timeout_s."""
        if self._is_ready:
            return
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise StoreFailed(message=f"The registry cannot answer yet: {self._failure}") from None

    # --- writing ---------------------------------------------------------------------------------------------------

    async def write(self, records: Sequence[Record]) -> None:
        """Append, and wait until they are in the view. Raises StoreFailed, StoreTimedOut, SchemaTooLarge.

        After StoreTimedOut the records may still turn up.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                if not self._exists:
                    await self._create()
                self.check_writer()
                sent = [RecordToSend(key, value) for key, value in records]
                offsets = await self._producer.append(self.topic, 0, sent)
                await self._read_past(offsets[-1])
        except (MessageTooLarge, RecordListTooLarge) as error:
            raise SchemaTooLarge("Write failed because schema is too large") from error
        except KafkaError as error:
            if isinstance(error, UnknownTopicOrPartition):
                self._exists = False  # somebody deleted it: the next write makes a new one
            raise StoreFailed(message=f"Write to the topic {self.topic} failed: {error}") from error
        except (ClusterUnreachable, TimeoutError) as error:
            raise StoreTimedOut(str(error) or f"no answer within {self.timeout_s:g} s") from error

    async def take_over(self) -> None:
        """Become the writer: see everything that the one before wrote. Raises StoreFailed, StoreTimedOut.

        A NOOP, as Confluent's registry writes it: what was written before it is read when it is.
        """
        await self.ready()
        topics = (await self._admin.metadata()).topics
        if self.topic in topics:
            await self.write([(NOOP_KEY, None)])

    async def catch_up(self) -> None:
        """Wait until all that is in the topic now, whoever wrote it, is in the view. Raises StoreTimedOut."""
        try:
            async with asyncio.timeout(self.timeout_s):
                found = await self._admin.list_offsets({self._partition: LATEST})
                self._exists = True
                self._created.set()
                if end := found[self._partition].offset:
                    await self._read_past(end - 1)
        except (KafkaError, ClusterUnreachable, TimeoutError) as error:
            raise StoreTimedOut(str(error) or f"no answer within {self.timeout_s:g} s") from error

    async def _read_past(self, offset: int) -> None:
        if self._next_offset > offset:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (offset, next(self._order), waiting))
        await waiting

    async def _create(self) -> None:
        async with self._creating:
            if self._exists:
                return
            metadata = await self._admin.metadata()
            known = metadata.topics.get(self.topic)
            if known is None:
                replicas = min(REPLICATION_TARGET, max(1, len(metadata.brokers)))
                topic = NewTopic(self.topic, 1, replicas, {"cleanup.policy": "compact"})
                with contextlib.suppress(TopicAlreadyExists):
                    await self._admin.create_topic(topic)
                log.info("topic created topic=%s replicas=%d", self.topic, replicas)
            elif len(known.partitions) != 1:
                raise StoreFailed(
                    message=f"The topic {self.topic} has {len(known.partitions)} partitions; it must have one"
                )
            self._exists = True
            self._created.set()

    # --- reading ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        wait_s = RETRY_WAIT_FIRST_S
        while True:
            try:
                await self._read_on()
                wait_s = RETRY_WAIT_FIRST_S
                continue
            except UnknownTopicOrPartition:
                await self._topic_is_gone()
                continue
            except OffsetOutOfRange:
                log.warning("topic begins anew topic=%s next_offset=%d", self.topic, self._next_offset)
                self._forget()
            except (KafkaError, ClusterUnreachable) as error:
                self._failure = f"its topic cannot be read: {error}"
                log.warning("topic cannot be read topic=%s error=%s", self.topic, error)
            except Exception as error:
                self._failure = f"its topic cannot be read: {error}"
                log.exception("topic cannot be read topic=%s", self.topic)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_WAIT_MAX_S)

    async def _read_on(self) -> None:
        """Fetch once and apply what came."""
        if not self._exists:
            topics = (await self._admin.metadata()).topics
            if self.topic not in topics and not self._exists:  # a write may have made it meanwhile
                await self._topic_is_gone()
                return
        self._exists = True
        if self._next_offset == NOT_LOOKED_UP:
            found = await self._admin.list_offsets({self._partition: EARLIEST})
            self._next_offset = max(0, found[self._partition].offset)
        offset = self._next_offset
        fetched = await self._admin.fetch(
            self._partition,
            offset=offset,
            bytes_max=FETCH_BYTES_MAX,
            wait_ms=FETCH_WAIT_MS if self._is_ready else 0,
        )
        if offset > fetched.high_watermark:  # our broker and Kafka both refuse that; a lost log may come back shorter
            raise OffsetOutOfRange
        for batch in iter_batches(fetched.data):
            await self._apply_batch(batch)
        if self._next_offset >= fetched.high_watermark:
            self._set_ready()

    async def _apply_batch(self, batch: memoryview) -> None:
        header = read_header(batch)
        if not header.is_control:
            try:
                for count, record in enumerate(iter_records(batch), start=1):
                    if record.offset >= self._next_offset:
                        self._apply(record)
                    if count % RECORDS_PER_SLICE == 0:
                        await asyncio.sleep(0)
            except CorruptMessage as error:
                self._skip(header.base_offset, str(error))
        self._pass_by(header.last_offset + 1)

    def _apply(self, record: StoredRecord) -> None:
        try:
            self.view.apply(record.key, record.value, record.timestamp_ms)
        except BadRecord as error:
            self._skip(record.offset, str(error))
        self._next_offset = record.offset + 1

    def _skip(self, offset: int, reason: str) -> None:
        log.warning("record skipped topic=%s offset=%d reason=%s", self.topic, offset, reason)
        self.skipped.append(SkippedRecord(offset, reason))
        self.skipped_count += 1

    def _pass_by(self, next_offset: int) -> None:
        self._next_offset = max(self._next_offset, next_offset)
        while self._waiting and self._waiting[0][0] < self._next_offset:
            waiting = heapq.heappop(self._waiting)[2]
            if not waiting.done():
                waiting.set_result(None)

    def _set_ready(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._ready.set()

    async def _topic_is_gone(self) -> None:
        """There is no topic, or no more: an empty registry, until somebody creates one."""
        if self._next_offset > 0:
            log.warning("topic is gone topic=%s", self.topic)
            self._forget()
        self._exists = False
        self._created.clear()
        self._set_ready()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABSENT_TOPIC_LOOK_S):
                await self._created.wait()

    def _forget(self) -> None:
        self.view = View()
        self._next_offset = NOT_LOOKED_UP
        self._is_ready = False
        self._ready.clear()
