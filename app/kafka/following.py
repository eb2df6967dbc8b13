"""Follow partitions as they grow: one long poll per leader, over connections of its own, wherever leaders move."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import cast

from app.kafka.answers import raise_for
from app.kafka.connection import NodeConnection, open_connection
from app.kafka.ports import ClusterUnreachable, FetchedBatch, TopicPartition
from app.kafka.requests import ClusterRequests
from broker.errors import KafkaError, LeaderNotAvailable, OffsetOutOfRange, UnknownTopicOrPartition
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from broker.protocol.record_batch import iter_batches, read_header

WAIT_MS = 500
ROUND_S = 0.02
"""Least time between two looks at one leader: a lone record is there within it, a flood comes in lumps."""
PARTITION_BYTES_MAX = 1 << 20
RESPONSE_BYTES_MAX = 8 << 20
UNREAD_MAX = 8
RETRY_S = 0.25
FETCH_VERSION_BY_NAME_MAX = 12

_AWAY = (ClusterUnreachable, OSError, TimeoutError)

LogStarts = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class Follower:
    """One reader of many partitions; `batches` may be called once.

    offsets: where to begin; after that, the next offset of each partition to be handed out. A partition whose log start
    has moved beyond its offset goes on at the log start.
    """

    def __init__(
        self,
        cluster: ClusterRequests,
        offsets: Mapping[TopicPartition, int],
        *,
        read_committed: bool,
        log_starts: LogStarts,
    ) -> None:
        self._cluster = cluster
        self._offsets = dict(offsets)
        self._read_committed = read_committed
        self._log_starts = log_starts
        self._found: asyncio.Queue[tuple[TopicPartition, FetchedBatch] | Exception] = asyncio.Queue(UNREAD_MAX)

    async def batches(self) -> AsyncGenerator[tuple[TopicPartition, FetchedBatch], None]:
        """What is appended, partition by partition, for as long as the caller listens.

        A cluster that is away is waited for. Raises the KafkaError that no waiting mends: no such topic, not allowed.
        """
        reading = asyncio.create_task(self._read_or_tell())
        try:
            while True:
                found = await self._found.get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read_or_tell(self) -> None:
        """Nothing may end the reading unseen: the listener would wait for ever."""
        try:
            await self._read()
        except Exception as error:
            await self._found.put(error)

    async def _read(self) -> None:
        while True:
            try:
                await self._cluster.refresh({partition.topic for partition in self._offsets})
                by_leader = await self._cluster.by_leader(self._offsets)
            except KafkaError as error:
                if not _passes(error):
                    await self._found.put(error)
                    return
            except _AWAY:
                pass
            else:
                await self._read_from_all(by_leader)
            await asyncio.sleep(RETRY_S)

    async def _read_from_all(self, by_leader: Mapping[int, Sequence[TopicPartition]]) -> None:
        """Until one of them is away, or no longer the leader: then all are looked up again."""
        reading = [asyncio.create_task(self._read_from(*leader)) for leader in by_leader.items()]
        try:
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        for task in done:
            error = task.exception()
            if isinstance(error, KafkaError) and not _passes(error):
                await self._found.put(error)
            elif error is not None and not isinstance(error, (KafkaError, *_AWAY)):
                raise error

    async def _read_from(self, leader_id: int, partitions: Sequence[TopicPartition]) -> None:
        """Until the leader is away, or no longer the leader of all of them."""
        node = self._cluster.connections.nodes.get(leader_id)
        if node is None:
            raise LeaderNotAvailable(f"broker {leader_id} is not among the brokers of the cluster")
        connection = await open_connection((node.host, node.port), self._cluster.connections.settings)
        loop = asyncio.get_running_loop()
        try:
            while True:
                begun = loop.time()
                try:
                    await self._fetch(connection, partitions)
                except OffsetOutOfRange:
                    await self._move_to_log_starts(partitions)
                await asyncio.sleep(begun + ROUND_S - loop.time())
        finally:
            connection.close()

    async def _fetch(self, connection: NodeConnection, partitions: Sequence[TopicPartition]) -> None:
        request = FetchRequest(
            max_wait_ms=WAIT_MS,
            min_bytes=1,
            max_bytes=RESPONSE_BYTES_MAX,
            isolation_level=int(self._read_committed),
            topics=_topics(self._offsets, partitions),
        )
        timeout_s = self._cluster.connections.settings.request_timeout_s + WAIT_MS / 1000
        answer = cast(
            FetchResponse,
            await connection.request(request, version_max=FETCH_VERSION_BY_NAME_MAX, timeout_s=timeout_s),
        )
        raise_for(answer.error_code, None)
        refused = 0
        for topic in answer.responses:
            for found in topic.partitions:
                refused = refused or found.error_code
                if found.error_code or not found.records:
                    continue
                partition = TopicPartition(topic.topic, found.partition_index)
                fetched = FetchedBatch(
                    data=bytes(found.records),
                    high_watermark=found.high_watermark,
                    log_start_offset=found.log_start_offset,
                    aborted_transactions=tuple(
                        (one.producer_id, one.first_offset) for one in found.aborted_transactions or ()
                    ),
                )
                await self._found.put((partition, fetched))
                self._offsets[partition] = _next_offset(fetched.data, self._offsets[partition])
        raise_for(refused, None)

    async def _move_to_log_starts(self, partitions: Sequence[TopicPartition]) -> None:
        for partition, start in (await self._log_starts(partitions)).items():
            self._offsets[partition] = max(self._offsets[partition], start)


def _passes(error: KafkaError) -> bool:
    """Whether waiting may help. A topic that does not exist is not waited for: it was there when somebody asked."""
    return error.retriable and not isinstance(error, UnknownTopicOrPartition)


def _topics(offsets: Mapping[TopicPartition, int], partitions: Sequence[TopicPartition]) -> list[FetchTopic]:
    by_topic: defaultdict[str, list[FetchPartition]] = defaultdict(list)
    for one in partitions:
        by_topic[one.topic].append(
            FetchPartition(partition=one.partition, fetch_offset=offsets[one], partition_max_bytes=PARTITION_BYTES_MAX)
        )
    return [FetchTopic(topic=topic, partitions=found) for topic, found in by_topic.items()]


def _next_offset(data: bytes, offset: int) -> int:
    for batch in iter_batches(data):
        offset = max(offset, read_header(batch).last_offset + 1)
    return offset
