"""Which node to ask, and when to ask again: leaders, coordinators and the controller, as they move.

What a question and its answer look like is admin.py's business.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from app.kafka import answers
from app.kafka.answers import AnswerMemo, raise_for
from app.kafka.connection import ClusterConnections, ConnectionSettings, NodeConnection, NodeUnreachable
from app.kafka.ports import ClusterMetadata, ClusterUnreachable, TopicInfo, TopicPartition
from broker.errors import (
    CoordinatorNotAvailable,
    KafkaError,
    LeaderNotAvailable,
    NotController,
    NotCoordinator,
    UnknownTopicOrPartition,
)
from broker.protocol.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from broker.protocol.primitives import Message

T = TypeVar("T")
K = TypeVar("K")
Answer = TypeVar("Answer", bound=Message)

RETRY_WAIT_FIRST_S = 0.05
RETRY_WAIT_MAX_S = 0.5
TOPIC_VISIBLE_WAIT_S = 2.0
NO_LEADER = -1


class ClusterRequests:
    """Requests to the right node of one cluster, with what is known of leaders and coordinators."""

    def __init__(self, bootstrap_servers: str | Sequence[str], settings: ConnectionSettings | None = None) -> None:
        self.connections = ClusterConnections(bootstrap_servers, settings)
        self._metadata: ClusterMetadata | None = None
        self._topics: dict[str, TopicInfo] = {}
        self._coordinators: dict[str, int] = {}
        self._metadata_memo = AnswerMemo[ClusterMetadata](1)

    @property
    def timeout_ms(self) -> int:
        return int(self._timeout_s * 1000)

    @property
    def _timeout_s(self) -> float:
        return self.connections.settings.request_timeout_s

    # --- metadata --------------------------------------------------------------------------------------------------

    async def metadata(self) -> ClusterMetadata:
        """All topics and brokers; what did not change since the last time keeps its objects."""
        metadata = await self.ask_again(
            MetadataRequest(topics=None, allow_auto_topic_creation=False),
            MetadataResponse,
            memo=self._metadata_memo,
            question="all",
            build=lambda answer: answers.cluster_metadata(answer, self._metadata),
        )
        self._metadata = metadata
        self._topics = dict(metadata.topics)
        self.connections.learn(metadata.brokers)
        return metadata

    async def refresh(self, topics: Iterable[str], *, node_id: int | None = None) -> None:
        """Learn the present leaders of some topics, of any node or this one; what does not exist is forgotten."""
        wanted = sorted(set(topics))
        request = MetadataRequest(
            topics=[MetadataRequestTopic(name=name) for name in wanted], allow_auto_topic_creation=False
        )
        answer = await self.ask(request, MetadataResponse, node_id=node_id)
        self.connections.learn(answers.brokers(answer))
        for name in wanted:
            self._topics.pop(name, None)
        for topic in answer.topics:
            if topic.error_code == 0 and topic.name is not None:
                self._topics[topic.name] = answers.topic_info(topic)

    async def await_topic(self, name: str, is_seen: Callable[[TopicInfo | None], bool]) -> None:
        """Wait a little until all brokers tell of a change: a controller answers before they know.

        Whoever is told that a topic was created may ask any of them next. One that is away holds nobody up.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TOPIC_VISIBLE_WAIT_S):
                if not self.connections.nodes:
                    await self.metadata()
                nodes = tuple(self.connections.nodes)
                await asyncio.gather(*(self._await_topic_at(node_id, name, is_seen) for node_id in nodes))

    async def _await_topic_at(self, node_id: int, name: str, is_seen: Callable[[TopicInfo | None], bool]) -> None:
        with contextlib.suppress(ClusterUnreachable):
            while True:
                await self.refresh([name], node_id=node_id)
                if is_seen(self._topics.get(name)):
                    return
                await asyncio.sleep(RETRY_WAIT_FIRST_S)

    def leader(self, partition: TopicPartition) -> int | None:
        """The leader's broker id, NO_LEADER, or None for a partition that is not known."""
        topic = self._topics.get(partition.topic)
        if topic is None or not 0 <= partition.partition < len(topic.partitions):
            return None
        return topic.partitions[partition.partition].leader_id

    # --- asking ----------------------------------------------------------------------------------------------------

    async def ask(
        self, request: Message, answer_type: type[Answer], *, node_id: int | None = None, version_max: int | None = None
    ) -> Answer:
        if node_id is not None and node_id not in self.connections.nodes:
            await self.metadata()
        answer = await self.connections.request(request, node_id=node_id, version_max=version_max)
        assert isinstance(answer, answer_type)
        return answer

    async def ask_again(
        self,
        request: Message,
        answer_type: type[Answer],
        *,
        memo: AnswerMemo[T],
        question: object,
        build: Callable[[Answer], T],
        node_id: int | None = None,
    ) -> T:
        """Ask what is asked again and again: an answer of the same bytes as last time is the same value, unread."""
        connection, version, frame = await self._exchange(request, node_id)
        value = memo.recall(question, frame)
        if value is not None:
            return value
        answer = connection.read(answer_type.API_KEY, version, frame)
        assert isinstance(answer, answer_type)
        return memo.remember(question, frame, build(answer))

    async def _exchange(self, request: Message, node_id: int | None) -> tuple[NodeConnection, int, bytes]:
        connections = self.connections
        for is_last in (False, True):
            connection = await (connections.to_any() if node_id is None else connections.to_node(node_id))
            version = connection.version_for(type(request))
            try:
                return connection, version, await connection.exchange(request, version, self._timeout_s)
            except NodeUnreachable:
                if is_last or node_id is not None:
                    raise
        raise AssertionError("unreachable")

    async def ask_controller(
        self, request: Message, answer_type: type[Answer], error_code_of: Callable[[Answer], int]
    ) -> Answer:
        """Any KRaft broker passes the request on; where one refuses (ZooKeeper), the named controller is asked."""

        async def attempt() -> Answer:
            answer = await self.ask(request, answer_type)
            if error_code_of(answer) == NotController.code:
                metadata = await self.metadata()
                answer = await self.ask(request, answer_type, node_id=metadata.controller_id)
                if error_code_of(answer) == NotController.code:
                    raise NotController
            return answer

        return await self.retry(attempt)

    async def by_leader(self, partitions: Iterable[TopicPartition]) -> dict[int, list[TopicPartition]]:
        """Partitions by the broker that leads them. Raises UnknownTopicOrPartition, LeaderNotAvailable."""
        wanted = list(partitions)
        unknown = {one.topic for one in wanted if self.leader(one) in (None, NO_LEADER)}
        if unknown:
            await self.refresh(unknown)
        by_leader: defaultdict[int, list[TopicPartition]] = defaultdict(list)
        for one in wanted:
            leader_id = self.leader(one)
            if leader_id is None:
                raise UnknownTopicOrPartition(f"partition {one.partition} of topic '{one.topic}' does not exist")
            if leader_id == NO_LEADER:
                raise LeaderNotAvailable(f"partition {one.partition} of topic '{one.topic}' has no leader")
            by_leader[leader_id].append(one)
        return by_leader

    async def retry(self, attempt: Callable[[], Awaitable[T]], *, partitions: Iterable[TopicPartition] = ()) -> T:
        """Call until it succeeds, is refused for good, or the time is over; then the last error is raised.

        partitions: those asked about; their leaders are looked up again before each new attempt. One that fresh
        metadata does not name does not exist: that is for good.
        """
        partitions = tuple(partitions)
        deadline = time.monotonic() + self._timeout_s
        wait_s = RETRY_WAIT_FIRST_S
        while True:
            try:
                return await attempt()
            except (KafkaError, NodeUnreachable) as error:
                is_passing = isinstance(error, NodeUnreachable) or error.retriable
                if isinstance(error, UnknownTopicOrPartition):
                    is_passing = all(self.leader(partition) is not None for partition in partitions)
                if not is_passing or time.monotonic() + wait_s >= deadline:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_WAIT_MAX_S)
            if partitions:
                await self.refresh({partition.topic for partition in partitions})

    # --- coordinators ----------------------------------------------------------------------------------------------

    async def ask_coordinators(
        self, group_ids: Sequence[str], ask_at: Callable[[int, Sequence[str]], Awaitable[dict[str, T]]]
    ) -> dict[str, T]:
        """Ask each coordinator about its groups, all at once; coordinators that moved are found again."""
        if not group_ids:
            return {}

        async def attempt() -> dict[str, T]:
            coordinators = await self._coordinators_of(group_ids)
            try:
                parts = await asyncio.gather(*(ask_at(node_id, group) for node_id, group in coordinators.items()))
            except (NotCoordinator, CoordinatorNotAvailable, NodeUnreachable):
                for group_id in group_ids:
                    self._coordinators.pop(group_id, None)
                raise
            return {group_id: value for part in parts for group_id, value in part.items()}

        return await self.retry(attempt)

    async def _coordinators_of(self, group_ids: Sequence[str]) -> dict[int, list[str]]:
        # A copy: whoever fails to reach a coordinator forgets it for all, also while we ask for the others.
        known = {one: self._coordinators[one] for one in group_ids if one in self._coordinators}
        unknown = [one for one in group_ids if one not in known]
        if unknown:
            answer = await self.ask(
                FindCoordinatorRequest(coordinator_keys=unknown, key=unknown[0]), FindCoordinatorResponse
            )
            for one in answer.coordinators:
                raise_for(one.error_code, one.error_message)
                known[one.key] = self._coordinators[one.key] = one.node_id
        return grouped(group_ids, known.__getitem__)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by their key, in their order."""
    groups: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
