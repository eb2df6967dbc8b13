"""Keeping a demo alive: producers that breathe, readers of which one is late, and an end when a topic is deleted."""

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from app.demo import payments
from app.demo.shop import Event, Shop, wave
from app.kafka.ports import ClusterAdmin, ClusterUnreachable, NewTopic
from broker.errors import TopicAlreadyExists

_Client = TypeVar("_Client", AIOKafkaProducer, AIOKafkaConsumer)

TICK_S = 0.1
READ_EVERY_S = 1.0
WATCH_S = 1.0
AWAY_MAX_S = 60.0
STOP_S = 3.0
REPORT_S = 30.0
TOPIC_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DemoTopic:
    """A topic of the demo: how many records a second it gets on average, and from where."""

    name: str
    partition_count: int
    rate: float
    events: Callable[[Shop], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class DemoReader:
    """A consumer group of the demo. pace says how many records a second it may read at a time (s), or None: all."""

    group_id: str
    topic: str
    pace: Callable[[float], float] | None = None


def _late_pace(at_s: float) -> float:
    """A night job: two minutes too slow, then a minute of catching up. So lag is seen to rise and to fall.

    Each partition gets the same share, and one of six has two fifths of the orders: the minute must do for that one.
    """
    return 14.0 if at_s % 180 < 120 else 400.0


TOPICS = (
    DemoTopic("orders", 6, 30.0, Shop.orders),
    DemoTopic("pageviews", 6, 150.0, Shop.pageviews),
)
READERS = (
    DemoReader("order-dashboard", "orders"),
    DemoReader("billing-export", "orders", _late_pace),
    DemoReader("pageview-counter", "pageviews"),
)


class TopicGone(Exception):
    """A topic of the demo was deleted or made anew by somebody else."""


@dataclass(slots=True)
class Progress:
    """Records sent so far, by topic."""

    sent: dict[str, int] = field(default_factory=dict)


def payments_topic(schema_id: int) -> DemoTopic:
    """Payments in Avro, for where a Schema Registry has their schema."""
    return DemoTopic(payments.TOPIC, 3, 12.0, lambda _shop: payments.payments(schema_id))


async def run(
    admin: ClusterAdmin,
    bootstrap_servers: str,
    report: Callable[[str], None],
    topics: Sequence[DemoTopic] = TOPICS,
    security: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Stream until cancelled. security: what aiokafka's clients are told of TLS and login.

    Raises TopicGone when a topic of ours disappears (we never bring one back), and ClusterUnreachable when the cluster
    stays away for AWAY_MAX_S; a shorter absence, such as a restart, is sat out.
    """
    _forbid_auto_creation()
    await _create_topics(admin, topics)
    progress = Progress()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_watch_topics(admin, topics))
            tasks.create_task(_report(progress, report))
            for topic in topics:
                tasks.create_task(_produce(bootstrap_servers, security, topic, progress))
            for reader in READERS:
                tasks.create_task(_read(bootstrap_servers, security, reader))
    except BaseExceptionGroup as group:
        for reason in (TopicGone, ClusterUnreachable):
            if found := group.subgroup(reason):
                raise _first(found) from None
        raise


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _forbid_auto_creation() -> None:
    """Make aiokafka's metadata requests say that no topic may be created.

    It has no option for it, and a demo whose topic was deleted must not bring it back by asking about it.
    """
    aiokafka.client.MetadataRequest = functools.partial(
        aiokafka.client.MetadataRequest, allow_auto_topic_creation=False
    )


async def _create_topics(admin: ClusterAdmin, topics: Sequence[DemoTopic]) -> None:
    for topic in topics:
        try:
            await admin.create_topic(
                NewTopic(topic.name, topic.partition_count, configs={"retention.bytes": str(TOPIC_BYTES_MAX)})
            )
        except TopicAlreadyExists:
            continue


async def _watch_topics(admin: ClusterAdmin, topics: Sequence[DemoTopic]) -> None:
    ours: dict[str, bytes] = {}
    last_seen = time.monotonic()
    while True:
        await asyncio.sleep(WATCH_S)
        try:
            metadata = await admin.metadata()
        except ClusterUnreachable:
            if time.monotonic() - last_seen > AWAY_MAX_S:
                raise
            continue
        last_seen = time.monotonic()
        for topic in topics:
            info = metadata.topics.get(topic.name)
            if info is None:
                raise TopicGone(topic.name)
            if ours.setdefault(topic.name, info.topic_id) != info.topic_id:
                raise TopicGone(topic.name)


async def _report(progress: Progress, report: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        report(", ".join(f"{count:,} {topic}" for topic, count in sorted(progress.sent.items())) + " sent")


@contextlib.asynccontextmanager
async def _started(client: _Client) -> AsyncIterator[_Client]:
    await client.start()
    try:
        yield client
    finally:
        # A topic that is gone keeps a last flush waiting for a leader that will not come.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.stop(), timeout=STOP_S)


async def _produce(bootstrap_servers: str, security: Mapping[str, Any], topic: DemoTopic, progress: Progress) -> None:
    events = topic.events(Shop())
    owed = 0.0
    async with _started(AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=20, **security)) as producer:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            owed = min(owed + wave(topic.rate, at_s=now) * (now - last), topic.rate)
            last = now
            while owed >= 1:
                event = next(events)
                await producer.send(topic.name, value=event.value, key=event.key)
                progress.sent[topic.name] = progress.sent.get(topic.name, 0) + 1
                owed -= 1


async def _read(bootstrap_servers: str, security: Mapping[str, Any], reader: DemoReader) -> None:
    consumer = AIOKafkaConsumer(
        reader.topic,
        bootstrap_servers=bootstrap_servers,
        group_id=reader.group_id,
        client_id=reader.group_id,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=2000,
        **security,
    )
    async with _started(consumer):
        started = time.monotonic()
        while True:
            await asyncio.sleep(READ_EVERY_S)
            if reader.pace is None:
                await consumer.getmany(timeout_ms=0)
            else:
                await _read_slowly(consumer, reader.pace(time.monotonic() - started) * READ_EVERY_S)


async def _read_slowly(consumer: AIOKafkaConsumer, record_count: float) -> None:
    """Take about so many records, a fair share from each partition, so that every one of them moves."""
    partitions = consumer.assignment()
    for partition in partitions:
        share = random.uniform(0.5, 1.5) * record_count / len(partitions)
        await consumer.getmany(partition, timeout_ms=0, max_records=max(1, round(share)))
