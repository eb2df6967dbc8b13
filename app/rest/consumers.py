"""Consumer instances of REST v2: members of consumer groups that live between a client's requests.

An instance takes one operation at a time, lives until nobody has asked for it for a while, and commits only records
that went out in an answer. It knows no HTTP.
"""

import asyncio
import logging
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import accumulate
from typing import Protocol, TypeAlias

import msgspec

from app.kafka.ports import (
    LATEST,
    ClusterAdmin,
    ClusterUnreachable,
    CommittedOffset,
    ConsumedRecord,
    ConsumedRecords,
    ConsumerFactory,
    GroupConsumer,
    OffsetReset,
    TopicPartition,
)
from app.rest.cluster_probe import ClusterProbe
from app.rest.errors import (
    ConsumerAlreadyExists,
    ConsumerInstanceNotFound,
    ConsumersExhausted,
    IllegalConsumerState,
    SerializationFailed,
)
from app.rest.formats import EmbeddedFormat, RecordsEncoder
from app.rest.names import NamePattern, require_topics
from app.rest.settings import RestSettings
from broker.errors import KafkaError, by_code

AUTO_COMMIT_INTERVAL_MS = 5_000  # Kafka's auto.commit.interval.ms
EXPIRY_CHECK_S = 1.0
RELEASE_MS = 5_000
POLL_RECORDS_MAX = 1_000  # one poll's worth is made into JSON before the loop gets its turn
FETCH_MIN_BYTES_UNSET = -1

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

Prepare: TypeAlias = Callable[[Sequence[ConsumedRecord]], Awaitable[None]]


class MonotonicClock(Protocol):
    def monotonic_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """What an instance is created with; name None gives it one of its own."""

    name: str | None = None
    owner: str = ""
    """The user who made it, '' without authentication; nobody else may use it."""
    embedded: EmbeddedFormat = EmbeddedFormat.BINARY
    offset_reset: OffsetReset = OffsetReset.LATEST
    auto_commit: bool = True
    fetch_min_bytes: int = FETCH_MIN_BYTES_UNSET
    request_timeout_ms: int | None = None


class Following(Enum):
    """How the instance got its partitions; one way excludes the others until it unsubscribes."""

    NOTHING = auto()
    TOPICS = auto()
    PATTERN = auto()
    PARTITIONS = auto()


@dataclass(slots=True)
class _Batch:
    """Records on their way into one answer: their JSON, their size, and the offsets that follow them."""

    bytes_max: int
    parts: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    count: int = 0
    next_offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    is_full: bool = False
    end_offsets: Mapping[TopicPartition, int] | None = None  # of all partitions, asked when the first record was taken

    def take_from(self, pending: deque[ConsumedRecords], encode: RecordsEncoder) -> None:
        """Move records over while they fit. The first is taken whatever its size, or nobody could ever read past it.

        Raises SerializationFailed when the very first cannot be encoded; a later one ends the batch before it.
        """
        while pending and not self.is_full:
            consumed = pending[0]
            taken = self._take(consumed, encode)
            if taken == len(consumed.records):
                pending.popleft()
            else:
                self.is_full = True
                pending[0] = replace(consumed, records=consumed.records[taken:])

    def _take(self, consumed: ConsumedRecords, encode: RecordsEncoder) -> int:
        """Take what fits of them, and say how many that is."""
        sizes = [len(one.key or b"") + len(one.value or b"") for one in consumed.records]
        size_bytes = sum(sizes)
        if self.size_bytes + size_bytes > self.bytes_max:
            fitting = bisect_right(list(accumulate(sizes)), self.bytes_max - self.size_bytes)
            fitting = max(fitting, 0 if self.next_offsets else 1)
            consumed, size_bytes = replace(consumed, records=consumed.records[:fitting]), sum(sizes[:fitting])
        try:
            encoded = encode(consumed) if consumed.records else ()
        except SerializationFailed:
            encoded = self._encode_while_possible(consumed, encode)
            size_bytes = sum(sizes[: len(encoded)])
        if encoded:
            self.count += len(encoded)
            self.size_bytes += size_bytes
            self.is_full = self.size_bytes >= self.bytes_max
            self.next_offsets[consumed.topic, consumed.partition] = consumed.records[len(encoded) - 1].offset + 1
            self.parts.append(_encode(encoded)[1:-1])
        return len(encoded)

    def _encode_while_possible(self, consumed: ConsumedRecords, encode: RecordsEncoder) -> Sequence[msgspec.Struct]:
        encoded: list[msgspec.Struct] = []
        for record in consumed.records:
            try:
                encoded += encode(replace(consumed, records=[record]))
            except SerializationFailed:
                if not encoded and not self.next_offsets:
                    raise
                break
        return encoded

    def json(self) -> bytes:
        return b"[" + b",".join(self.parts) + b"]"


@dataclass(slots=True)
class Delivered:
    """Records in answers, and the bytes of their keys and values."""

    records: int = 0
    bytes: int = 0


class ConsumerInstance:
    """One instance. Its operations raise ConsumerInstanceNotFound when closed meanwhile, and errors of the cluster."""

    def __init__(
        self,
        group: str,
        name: str,
        config: ConsumerConfig,
        *,
        create: ConsumerFactory,
        admin: ClusterAdmin,
        probe: ClusterProbe,
        clock: MonotonicClock,
        totals: Delivered,
    ) -> None:
        self.group = group
        self.name = name
        self.config = config
        self._admin = admin
        self._probe = probe
        self._clock = clock
        self._totals = totals
        self._consumer: GroupConsumer = create(group, offset_reset=config.offset_reset, on_revoked=self._forget_revoked)
        self._turn = asyncio.Lock()
        self._following = Following.NOTHING
        self._pending: deque[ConsumedRecords] = deque()  # fetched, not yet in any answer
        self._delivered: dict[TopicPartition, int] = {}  # offset after the last record in an answer, or a position set
        self._committed: dict[TopicPartition, int] = {}
        self._auto_commit_at_ms = clock.monotonic_ms() + AUTO_COMMIT_INTERVAL_MS
        self._used_at_ms = clock.monotonic_ms()
        self._is_closed = False

    def is_unused_for(self, period_ms: int) -> bool:
        return not self._turn.locked() and self._clock.monotonic_ms() - self._used_at_ms >= period_ms

    def release(self) -> None:
        """Give up what was fetched ahead: whoever does not read must not hold megabytes."""
        self._consumer.release()

    def renew(self) -> None:
        self._used_at_ms = self._clock.monotonic_ms()

    # --- what it reads ---------------------------------------------------------------------------------------------

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Follow topics instead of those before; none at all is unsubscribe, as with Kafka's own consumer.

        Raises InvalidTopicException for a name that no topic can have.
        """
        if not topics:
            await self.unsubscribe()
            return
        require_topics(topics)
        async with self._operation():
            await self._follow(Following.TOPICS)
            self._consumer.subscribe(topics)

    async def subscribe_pattern(self, pattern: NamePattern, *, may_read: Callable[[str], bool]) -> None:
        """Follow all topics whose whole name matches, of those that may be read."""
        async with self._operation():
            await self._follow(Following.PATTERN)
            names = tuple((await self._admin.metadata()).topics)
            await asyncio.to_thread(pattern.look_at, names)
            self._consumer.subscribe_matching(lambda name: may_read(name) and pattern.matches(name))

    async def unsubscribe(self) -> None:
        async with self._operation():
            if self._following is not Following.NOTHING:
                await self._settle()
                self._consumer.unsubscribe()
                self._following = Following.NOTHING

    async def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read exactly these partitions, without the group; none at all is unsubscribe.

        Raises InvalidTopicException for a name that no topic can have.
        """
        if not partitions:
            await self.unsubscribe()
            return
        require_topics(partition.topic for partition in partitions)
        async with self._operation():
            await self._follow(Following.PARTITIONS)
            self._consumer.assign(partitions)

    async def subscription(self) -> tuple[str, ...]:
        async with self._operation():
            return self._consumer.subscription()

    async def assignment(self) -> tuple[TopicPartition, ...]:
        async with self._operation():
            return tuple(sorted(self._consumer.assignment()))

    @property
    def topics(self) -> set[str]:
        """Of the partitions that it has."""
        return {partition.topic for partition in self._consumer.assignment()}

    # --- where it reads --------------------------------------------------------------------------------------------

    async def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets. Raises IllegalConsumerState for a partition that is not assigned."""
        async with self._operation():
            self._require_assigned(positions)
            self._seek(positions)

    async def seek_to_times(self, times_ms: Mapping[TopicPartition, int]) -> None:
        """Read on from the first record at or after a time; from the end where there is none.

        ports.EARLIEST and LATEST are times too.
        """
        async with self._operation():
            self._require_assigned(times_ms)
            found = await self._list_offsets(times_ms)
            without = {partition: LATEST for partition, offset in found.items() if offset < 0}
            if without:
                found |= await self._list_offsets(without)
            self._require_assigned(found)
            self._seek(found)

    async def commit(self, offsets: Mapping[TopicPartition, CommittedOffset] | None = None) -> None:
        """Commit these offsets (the next to read), or those of everything that went out in answers."""
        async with self._operation():
            if offsets is None:
                await self._commit_delivered()
            else:
                self._require_assigned(offsets)
                await self._consumer.commit(offsets)
                self._committed |= {partition: committed.offset for partition, committed in offsets.items()}

    # --- reading ---------------------------------------------------------------------------------------------------

    async def read(
        self, encode: RecordsEncoder, *, wait_ms: int, bytes_max: int, prepare: Prepare | None = None
    ) -> bytes:
        """A JSON array of the next records, by way of encode; of those alone that prepare, if given, was called with.

        Waits up to wait_ms for the group's assignment and for records. Ends early when bytes_max of keys and values
        are together; more than `fetch.min.bytes` of them; or, where that is not set, when everything that was in the
        partitions at the first record is together.
        Differs from Confluent: without fetch.min.bytes theirs waits for the full time, because it does not ask for the
        end of the partitions; ours answers the same records at once.
        """
        async with self._operation():
            if self._following is Following.NOTHING:
                raise IllegalConsumerState("The consumer instance is not subscribed and has no partitions assigned")
            await self._auto_commit()
            batch = _Batch(bytes_max)
            await self._gather(batch, encode, wait_ms, prepare)
            if not batch.next_offsets:
                await self._probe.check()
            self._deliver(batch)
            return batch.json()

    async def _gather(self, batch: _Batch, encode: RecordsEncoder, wait_ms: int, prepare: Prepare | None) -> None:
        deadline_ms = self._clock.monotonic_ms() + wait_ms
        if prepare is not None:
            await prepare(_records(self._pending))
        batch.take_from(self._pending, encode)
        while not self._is_closed and not await self._is_enough(batch):
            left_ms = deadline_ms - self._clock.monotonic_ms()
            if left_ms <= 0:
                break
            polled = await self._consumer.poll(wait_s=left_ms / 1000, records_max=POLL_RECORDS_MAX)
            self._pending.extend(polled)
            if prepare is not None:
                await prepare(_records(polled))
            batch.take_from(self._pending, encode)
            await asyncio.sleep(0)

    async def _is_enough(self, batch: _Batch) -> bool:
        if batch.is_full or not batch.next_offsets:
            return batch.is_full
        if self.config.fetch_min_bytes != FETCH_MIN_BYTES_UNSET:
            return batch.size_bytes > self.config.fetch_min_bytes
        if batch.end_offsets is None:
            batch.end_offsets = await self._end_offsets()
        return bool(batch.end_offsets) and await self._consumer.has_read_to(batch.end_offsets)

    async def _end_offsets(self) -> dict[TopicPartition, int]:
        """Where the assigned partitions end now; those without a leader are left out. Empty when that is not known."""
        try:
            found = await self._admin.list_offsets(dict.fromkeys(self._consumer.assignment(), LATEST))
        except (KafkaError, ClusterUnreachable):
            return {}
        return {partition: end.offset for partition, end in found.items() if not end.error_code}

    def _deliver(self, batch: _Batch) -> None:
        self._totals.records += batch.count
        self._totals.bytes += batch.size_bytes
        assigned = self._consumer.assignment()
        for (topic, number), offset in batch.next_offsets.items():
            partition = TopicPartition(topic, number)
            if partition in assigned:
                self._delivered[partition] = offset

    # --- closing ---------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Commit if the instance does so by itself, leave the group. A running read ends with what it has."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.config.auto_commit:
            await self._commit_quietly(self._delivered)
        await self._consumer.stop()

    # --- inner -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _operation(self) -> AsyncIterator[None]:
        """One operation of the instance: alone, counted as use before and after, refused once it is closed."""
        self.renew()
        async with self._turn:
            if self._is_closed:
                raise ConsumerInstanceNotFound
            yield
        self.renew()

    async def _follow(self, wanted: Following) -> None:
        if self._following not in (Following.NOTHING, wanted):
            raise IllegalConsumerState("Subscription to topics, partitions and pattern are mutually exclusive")
        await self._consumer.start()
        if self._is_closed:  # while it was starting
            await self._consumer.stop()
            raise ConsumerInstanceNotFound
        if self._following is not Following.NOTHING:
            await self._settle()
        self._following = wanted

    async def _settle(self) -> None:
        """Before the partitions change by our own doing: commit if that is automatic, forget what was fetched."""
        await self._forget_revoked(self._consumer.assignment())

    async def _forget_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """The group takes these away. Runs beside a read; whatever the read has taken already it still answers."""
        gone = set(partitions)
        if self.config.auto_commit:
            await self._commit_quietly({one: at for one, at in self._delivered.items() if one in gone})
        self._drop_pending(gone)
        for partition in gone:
            self._delivered.pop(partition, None)
            self._committed.pop(partition, None)

    def _seek(self, positions: Mapping[TopicPartition, int]) -> None:
        self._drop_pending(positions.keys())
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)
            self._delivered[partition] = offset

    def _drop_pending(self, partitions: Collection[TopicPartition]) -> None:
        if self._pending:
            kept = (one for one in self._pending if TopicPartition(one.topic, one.partition) not in partitions)
            self._pending = deque(kept)

    def _require_assigned(self, partitions: Collection[TopicPartition]) -> None:
        assigned = self._consumer.assignment()
        for partition in partitions:
            if partition not in assigned:
                raise IllegalConsumerState(
                    f"No current assignment for partition {partition.topic}-{partition.partition}"
                )

    async def _list_offsets(self, times_ms: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        found = await self._admin.list_offsets(times_ms)
        for partition, one in found.items():
            if one.error_code:
                raise by_code(one.error_code)(f"{partition.topic}-{partition.partition}")
        return {partition: one.offset for partition, one in found.items()}

    async def _auto_commit(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if self.config.auto_commit and now_ms >= self._auto_commit_at_ms:
            self._auto_commit_at_ms = now_ms + AUTO_COMMIT_INTERVAL_MS
            await self._commit_quietly(self._delivered)

    async def _commit_quietly(self, offsets: Mapping[TopicPartition, int]) -> None:
        try:
            await self._commit_delivered(offsets)
        except (KafkaError, ClusterUnreachable) as error:
            # As with Kafka's own consumer: the records are read again by whoever has the partition next.
            log.warning("automatic commit failed group=%s instance=%s error=%s", self.group, self.name, error)

    async def _commit_delivered(self, offsets: Mapping[TopicPartition, int] | None = None) -> None:
        assigned = self._consumer.assignment()
        wanted = self._delivered if offsets is None else offsets
        changed = {one: at for one, at in wanted.items() if one in assigned and self._committed.get(one) != at}
        if changed:
            await self._consumer.commit({partition: CommittedOffset(offset) for partition, offset in changed.items()})
            self._committed |= changed


def _records(consumed: Collection[ConsumedRecords]) -> list[ConsumedRecord]:
    return [record for one in consumed for record in one.records]


class ConsumerInstances:
    """All instances of this process, by group and name; those that nobody uses any more are closed."""

    def __init__(
        self, create: ConsumerFactory, *, admin: ClusterAdmin, settings: RestSettings, clock: MonotonicClock
    ) -> None:
        self._create = create
        self._admin = admin
        self._probe = ClusterProbe(admin)
        self._settings = settings
        self._clock = clock
        self.delivered = Delivered()
        """By all instances, those that are gone included."""
        self._instances: dict[tuple[str, str], ConsumerInstance] = {}
        self._expiring: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._instances)

    async def stop(self) -> None:
        """Close every instance, so that their groups need not wait for session timeouts."""
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.gather(self._expiring, return_exceptions=True)
        instances = list(self._instances.values())
        self._instances.clear()
        await asyncio.gather(*(instance.close() for instance in instances))

    def create(self, group: str, config: ConsumerConfig) -> ConsumerInstance:
        """Raises ConsumerAlreadyExists, ConsumersExhausted. The cluster is not asked yet."""
        server = f"{self._settings.server_id}-" if self._settings.server_id else ""
        name = config.name or f"rest-consumer-{server}{uuid.uuid4()}"
        if (group, name) in self._instances:
            raise ConsumerAlreadyExists
        if len(self._instances) >= self._settings.consumer_instances_max:
            raise ConsumersExhausted(f"There are {len(self._instances)} consumer instances, the most that are allowed")
        instance = ConsumerInstance(
            group,
            name,
            config,
            create=self._create,
            admin=self._admin,
            probe=self._probe,
            clock=self._clock,
            totals=self.delivered,
        )
        self._instances[group, name] = instance
        if self._expiring is None or self._expiring.done():
            self._expiring = asyncio.create_task(self._expire_while_any(), name="rest-consumer-expiry")
        return instance

    def get(self, group: str, name: str) -> ConsumerInstance:
        """The instance, renewed. Raises ConsumerInstanceNotFound."""
        instance = self._instances.get((group, name))
        if instance is None:
            raise ConsumerInstanceNotFound
        instance.renew()
        return instance

    async def remove(self, group: str, name: str) -> None:
        """Raises ConsumerInstanceNotFound."""
        instance = self._instances.pop((group, name), None)
        if instance is None:
            raise ConsumerInstanceNotFound
        await instance.close()

    async def expire(self) -> None:
        """Close the instances that nobody has used for the instance timeout."""
        timeout_ms = self._settings.consumer_instance_timeout_ms
        expired = [key for key, instance in self._instances.items() if instance.is_unused_for(timeout_ms)]
        closing = [self._instances.pop(key) for key in expired]
        for instance in closing:
            log.info("consumer instance expired group=%s instance=%s", instance.group, instance.name)
        await asyncio.gather(*(instance.close() for instance in closing))

    def release_unused(self) -> None:
        """Instances that nobody reads from at the moment keep nothing but their positions."""
        for instance in self._instances.values():
            if instance.is_unused_for(RELEASE_MS):
                instance.release()

    async def _expire_while_any(self) -> None:
        while self._instances:
            await asyncio.sleep(EXPIRY_CHECK_S)
            try:
                await self.expire()
                self.release_unused()
            except Exception:
                log.exception("closing expired consumer instances failed")
