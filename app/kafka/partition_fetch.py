"""Fetches for the consumers of one process: each partition from its leader, and the batches that come back.

Consumers share what is known of leaders, and connections: a fetch takes a free one of its leader, for a node answers in
order and a fetch may wait for records. Batches are opened by aiokafka's compiled reader, a slice of records at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple, cast

import msgspec
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record import MemoryRecords

from app.kafka.answers import raise_for
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import TopicPartition
from app.kafka.requests import NO_LEADER, ClusterRequests
from broker.errors import CorruptMessage, LeaderNotAvailable
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic

WAIT_MS_MAX = 500
PARTITION_BYTES_MAX = 1 << 20
RESPONSE_BYTES_MAX = 8 << 20
FETCH_VERSION_BY_NAME_MAX = 12

_UNREADABLE = (CorruptRecordException, UnsupportedCodecError, ValueError)


@dataclass(frozen=True, slots=True)
class Found:
    """What one partition answered for one offset: batches, none, or an error."""

    partition: TopicPartition
    offset: int
    error_code: int
    batches: bytes


class PartitionFetcher:
    """Fetches of any number of consumers; connected while at least one of them is there."""

    def __init__(self, bootstrap_servers: Sequence[str], settings: ConnectionSettings | None = None) -> None:
        self._cluster = ClusterRequests(bootstrap_servers, settings)
        self._lanes = _Lanes()
        self._fetches: set[asyncio.Task[list[Found]]] = set()
        self._moved: set[str] = set()
        self._consumers_count = 0

    def join(self) -> None:
        """One more consumer fetches here."""
        self._consumers_count += 1

    async def leave(self) -> None:
        """One consumer less; the last one closes the connections."""
        self._consumers_count -= 1
        if self._consumers_count == 0:
            await self._cluster.connections.close()

    def look_up_again(self, topics: Iterable[str]) -> None:
        """Before the next fetch: their leaders seem to have moved."""
        self._moved.update(topics)

    def start(self, leader_id: int, offsets: Mapping[TopicPartition, int], wait_ms: int) -> asyncio.Task[list[Found]]:
        """Fetch from one leader, in the order of the offsets. The task outlives whoever waits for it: its connection is
        free again only when the answer is there.
        """
        task = asyncio.create_task(self._fetch_at(leader_id, offsets, min(wait_ms, WAIT_MS_MAX)))
        self._fetches.add(task)
        task.add_done_callback(self._ended)
        return task

    async def by_leader(self, offsets: Mapping[TopicPartition, int]) -> dict[int, dict[TopicPartition, int]]:
        """The offsets by the leaders of their partitions; partitions without one are left out.

        Raises KafkaError and ClusterUnreachable when no leader is known.
        """
        lost = {one.topic for one in offsets if self._cluster.leader(one) in (None, NO_LEADER)}
        moved, self._moved = self._moved, set()
        if lost or moved:
            try:
                await self._cluster.refresh(lost | moved)
            except BaseException:
                self._moved |= moved
                raise
        by_leader: defaultdict[int, dict[TopicPartition, int]] = defaultdict(dict)
        for one, offset in offsets.items():
            leader_id = self._cluster.leader(one)
            if leader_id is not None and leader_id != NO_LEADER:
                by_leader[leader_id][one] = offset
        if not by_leader:
            raise LeaderNotAvailable("no partition has a leader")
        return by_leader

    def _ended(self, task: asyncio.Task[list[Found]]) -> None:
        self._fetches.discard(task)
        if not task.cancelled():
            task.exception()  # it was told to whoever still waited for it

    async def _fetch_at(self, leader_id: int, offsets: Mapping[TopicPartition, int], wait_ms: int) -> list[Found]:
        lane = self._lanes.take(leader_id)
        try:
            connection = await self._cluster.connections.to_node(leader_id, lane=f"fetch-{lane}")
            request = FetchRequest(
                max_wait_ms=wait_ms,
                min_bytes=1,
                max_bytes=RESPONSE_BYTES_MAX,
                topics=_topics(offsets),
            )
            timeout_s = self._cluster.connections.settings.request_timeout_s + wait_ms / 1000
            answer = await connection.request(request, version_max=FETCH_VERSION_BY_NAME_MAX, timeout_s=timeout_s)
        finally:
            self._lanes.give_back(leader_id, lane)
        return _found(cast(FetchResponse, answer), offsets)


class _UnderWay(NamedTuple):
    """A fetch from one leader, and what it asks for."""

    offsets: Mapping[TopicPartition, int]
    task: asyncio.Task[list[Found]]


class FetchesUnderWay:
    """The fetches of one consumer: one to each leader. What one leader has is not held up, and what another one
    answers meanwhile is not lost: it is there when the consumer asks again.
    """

    def __init__(self, fetcher: PartitionFetcher) -> None:
        self._fetcher = fetcher
        self._by_leader: dict[int, _UnderWay] = {}

    def forget(self) -> None:
        """Nobody wants their answers any more."""
        self._by_leader.clear()

    async def found(self, offsets: Mapping[TopicPartition, int], *, wait_ms: int) -> list[Found]:
        """What is there from these offsets on, as soon as one leader has something; [] after about wait_ms.

        Partitions of one leader are read in the order in which they are named, for as much as one answer may hold. An
        answer may be to an offset of before, when the consumer has moved meanwhile. Raises KafkaError and
        ClusterUnreachable when nothing was found, and no leader is known or one did not answer.
        """
        by_leader = await self._fetcher.by_leader(offsets)
        self._by_leader = {one: under_way for one, under_way in self._by_leader.items() if one in by_leader}
        for leader_id, wanted in by_leader.items():
            under_way = self._by_leader.get(leader_id)
            if under_way is None or not wanted.items() <= under_way.offsets.items():
                self._by_leader[leader_id] = _UnderWay(wanted, self._fetcher.start(leader_id, wanted, wait_ms))
        failure: BaseException | None = None
        while self._by_leader:
            tasks = {under_way.task: leader_id for leader_id, under_way in self._by_leader.items()}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            found: list[Found] = []
            for task in done:
                self._by_leader.pop(tasks[task], None)
                failure = task.exception() or failure
                found += [] if task.exception() else task.result()
            if failure is not None:
                self._fetcher.look_up_again({partition.topic for partition in offsets})
            if found:
                return found
        if failure is not None:
            raise failure
        return []


class _Lanes:
    """Which of the connections to a node are free; the lowest numbers are used first, so few stay open."""

    def __init__(self) -> None:
        self._taken: defaultdict[int, set[int]] = defaultdict(set)

    def take(self, node_id: int) -> int:
        taken = self._taken[node_id]
        lane = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(lane)
        return lane

    def give_back(self, node_id: int, lane: int) -> None:
        self._taken[node_id].discard(lane)


class FetchedRecord(msgspec.Struct, frozen=True, gc=False):
    """See ports.ConsumedRecord. The collector does not know of it: a thousand at a time would keep it at work."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class UnreadRecords:
    """The batches of one fetch, opened as they are read. Control batches and what is before the offset are not read."""

    def __init__(self, batches: bytes, offset: int) -> None:
        """Raises CorruptMessage when there is no whole batch."""
        self.next_offset = offset
        """Where to go on behind what was taken."""
        self.is_empty = False
        self._batches = MemoryRecords(batches)
        self._batch: Any = None
        self._records: Any = iter(())
        self._ahead: tuple[Any, ...] = ()
        self._failure: Exception | None = None
        if not self._batches.has_next():
            raise CorruptMessage(f"the answer to a fetch at offset {offset} holds no whole batch")
        self._slice(0)

    def take(self, count: int) -> list[FetchedRecord]:
        """At most so many of the next records, one at least unless is_empty. Raises CorruptMessage."""
        first = self.next_offset
        while not self.is_empty:
            if self._failure is not None:
                raise CorruptMessage(
                    f"a batch behind offset {self.next_offset} cannot be read: {self._failure}"
                ) from self._failure
            records = self._slice(count)
            if records and records[0].offset < first:  # a batch comes whole, whatever offset in it was asked for
                records = [record for record in records if record.offset >= first]
            if records:
                return records
        return []

    def _slice(self, count: int) -> list[FetchedRecord]:
        records: list[FetchedRecord] = []
        try:
            records = [
                FetchedRecord(one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
                for one in islice(chain(self._ahead, self._records), count)
            ]
            self._ahead = tuple(islice(self._records, 1))
            if records:
                self.next_offset = max(self.next_offset, records[-1].offset + 1)
            if not self._ahead:
                self._open_next()
        except _UNREADABLE as error:
            self._failure = error  # told when what came before it has been taken
        return records

    def _open_next(self) -> None:
        """Up to the first record of the next batch that has any; so a position is never behind what is to be read."""
        while True:
            if self._batch is not None:
                # Beyond its last record: compaction may have taken some, and those of a control batch are not read.
                self.next_offset = max(self.next_offset, self._batch.next_offset)
            if not self._batches.has_next():
                self.is_empty = True
                return
            self._batch = None
            batch = self._batches.next_batch()
            if not batch.validate_crc():
                raise CorruptRecordException("its checksum is wrong")
            self._records = chain(() if batch.is_control_batch else batch)  # a batch itself can be begun but once
            self._ahead = tuple(islice(self._records, 1))
            self._batch = batch
            if self._ahead:
                return


def _topics(offsets: Mapping[TopicPartition, int]) -> list[FetchTopic]:
    by_topic: defaultdict[str, list[FetchPartition]] = defaultdict(list)
    for one, offset in offsets.items():
        by_topic[one.topic].append(
            FetchPartition(partition=one.partition, fetch_offset=offset, partition_max_bytes=PARTITION_BYTES_MAX)
        )
    return [FetchTopic(topic=topic, partitions=found) for topic, found in by_topic.items()]


def _found(answer: FetchResponse, offsets: Mapping[TopicPartition, int]) -> list[Found]:
    raise_for(answer.error_code, None)
    found = []
    for topic in answer.responses:
        for one in topic.partitions:
            if one.error_code or one.records:
                partition = TopicPartition(topic.topic, one.partition_index)
                found.append(Found(partition, offsets[partition], one.error_code, bytes(one.records or b"")))
    return found
