"""ClusterAdmin over the Kafka protocol: which node to ask what, in how few requests, and when to ask again.

Works on Apache Kafka from 3.0 on and on our own broker. Nothing here creates a topic by asking about it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import TypeVar, cast

from app.kafka import answers, descriptions
from app.kafka.acl_admin import KafkaAcls
from app.kafka.acls import AclAdmin, AclOperation
from app.kafka.answers import AnswerMemo, raise_for
from app.kafka.connection import ConnectionSettings, NodeUnreachable
from app.kafka.following import Follower
from app.kafka.ports import (
    EARLIEST,
    ClusterMetadata,
    CommittedOffset,
    ConfigChange,
    ConfigEntry,
    ConfigResource,
    CreatedTopic,
    FetchedBatch,
    FoundOffset,
    GroupDescription,
    GroupListing,
    GroupState,
    GroupType,
    LogDirInfo,
    NewTopic,
    QuorumInfo,
    Reassignment,
    ResourceType,
    TopicPartition,
)
from app.kafka.requests import NO_LEADER, RETRY_WAIT_FIRST_S, RETRY_WAIT_MAX_S, ClusterRequests, grouped
from broker.errors import (
    BrokerNotAvailable,
    FencedLeaderEpoch,
    GroupIdNotFound,
    KafkaError,
    LeaderNotAvailable,
    NetworkException,
    NotLeaderOrFollower,
    OffsetNotAvailable,
    UnknownLeaderEpoch,
    UnknownTopicOrPartition,
    UnsupportedVersion,
    by_code,
)
from broker.protocol.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from broker.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from broker.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from broker.protocol.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from broker.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from broker.protocol.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from broker.protocol.messages.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse
from broker.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    RequestPartitionData,
    RequestTopicData,
)
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from broker.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from broker.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from broker.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from broker.protocol.primitives import Message

T = TypeVar("T")
Answer = TypeVar("Answer", bound=Message)
K = TypeVar("K")

CONFIG_TOPICS_PER_REQUEST = 50  # about 10 ms of decoding on the loop the first time; repeats are recognised unread
ELECTION_WAIT_S = 2.0
FETCH_VERSION_BY_NAME_MAX = 12  # Fetch 13, OffsetFetch 10 and OffsetCommit 10 name topics by id only
OFFSETS_VERSION_BY_NAME_MAX = 9

_LEADER_MOVING = (NotLeaderOrFollower.code, FencedLeaderEpoch.code, UnknownLeaderEpoch.code, OffsetNotAvailable.code)


class KafkaClusterAdmin:
    """Questions to and changes of one cluster (see ports.ClusterAdmin).

    What a broker refuses for a passing reason (a moved leader, controller or coordinator) is asked again with fresh
    metadata until request_timeout_s of the connection settings is over.
    """

    def __init__(self, bootstrap_servers: str | Sequence[str], settings: ConnectionSettings | None = None) -> None:
        self._cluster = ClusterRequests(bootstrap_servers, settings)
        self._acls = KafkaAcls(self._cluster)
        self._group_types: dict[str, GroupType] = {}
        self._configs_memo = AnswerMemo[dict[str, tuple[ConfigEntry, ...]]]()
        self._offsets_memo = AnswerMemo[dict[TopicPartition, FoundOffset]]()
        self._log_dirs_memo = AnswerMemo[tuple[LogDirInfo, ...]]()

    async def close(self) -> None:
        await self._cluster.connections.close()

    async def metadata(self) -> ClusterMetadata:
        return await self._cluster.metadata()

    @property
    def acls(self) -> AclAdmin:
        return self._acls

    async def topic_operations(self, topics: Sequence[str] | None = None) -> Mapping[str, tuple[AclOperation, ...]]:
        return await descriptions.topic_operations(self._cluster, topics)

    async def reassignments(self) -> tuple[Reassignment, ...]:
        return await descriptions.list_reassignments(self._cluster)

    async def quorum(self) -> QuorumInfo | None:
        topic = RequestTopicData(topic_name="__cluster_metadata", partitions=[RequestPartitionData(partition_index=0)])
        try:
            answer = await self._cluster.ask(DescribeQuorumRequest(topics=[topic]), DescribeQuorumResponse)
            return answers.quorum_info(answer)
        except KafkaError:
            return None

    # --- topics ----------------------------------------------------------------------------------------------------

    async def create_topic(self, topic: NewTopic, *, validate_only: bool = False) -> CreatedTopic:
        request = CreateTopicsRequest(
            topics=[_creatable(topic)], timeout_ms=self._cluster.timeout_ms, validate_only=validate_only
        )

        answer = await self._cluster.ask_controller(request, CreateTopicsResponse, lambda one: one.topics[0].error_code)
        result = answer.topics[0]
        raise_for(result.error_code, result.error_message)
        if not validate_only:
            await self._cluster.await_topic(topic.name, lambda info: info is not None)
        return CreatedTopic(result.name, bytes(result.topic_id), result.num_partitions, result.replication_factor)

    async def delete_topic(self, name: str) -> None:
        request = DeleteTopicsRequest(
            topic_names=[name], topics=[DeleteTopicState(name=name)], timeout_ms=self._cluster.timeout_ms
        )
        answer = await self._cluster.ask_controller(
            request, DeleteTopicsResponse, lambda one: one.responses[0].error_code
        )
        raise_for(answer.responses[0].error_code, answer.responses[0].error_message)
        await self._cluster.await_topic(name, lambda info: info is None)

    async def create_partitions(self, topic: str, *, total_count: int, validate_only: bool = False) -> None:
        request = CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name=topic, count=total_count, assignments=None)],
            timeout_ms=self._cluster.timeout_ms,
            validate_only=validate_only,
        )
        answer = await self._cluster.ask_controller(
            request, CreatePartitionsResponse, lambda one: one.results[0].error_code
        )
        raise_for(answer.results[0].error_code, answer.results[0].error_message)
        if not validate_only:
            await self._cluster.await_topic(
                topic, lambda info: info is not None and len(info.partitions) >= total_count
            )

    async def delete_records(self, before_offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        left = dict(before_offsets)
        moved: dict[TopicPartition, int] = {}

        async def attempt() -> dict[TopicPartition, int]:
            for leader_id, partitions in (await self._cluster.by_leader(left)).items():
                for partition, answer in (await self._delete_records_at(leader_id, partitions, left)).items():
                    raise_for(answer.error_code, None)
                    moved[partition] = answer.offset
                    del left[partition]
            return moved

        return await self._cluster.retry(attempt, partitions=before_offsets)

    async def _delete_records_at(
        self, leader_id: int, partitions: Sequence[TopicPartition], offsets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, FoundOffset]:
        topics = [
            DeleteRecordsTopic(
                name=topic,
                partitions=[
                    DeleteRecordsPartition(partition_index=one.partition, offset=offsets[one]) for one in group
                ],
            )
            for topic, group in _by_topic(partitions)
        ]
        request = DeleteRecordsRequest(topics=topics, timeout_ms=self._cluster.timeout_ms)
        answer = await self._cluster.ask(request, DeleteRecordsResponse, node_id=leader_id)
        return {
            TopicPartition(topic.name, one.partition_index): FoundOffset(one.low_watermark, error_code=one.error_code)
            for topic in answer.topics
            for one in topic.partitions
        }

    # --- configs ---------------------------------------------------------------------------------------------------

    async def describe_configs(
        self, resources: Sequence[ConfigResource], *, documentation: bool = False
    ) -> dict[ConfigResource, tuple[ConfigEntry, ...]]:
        found: dict[ConfigResource, tuple[ConfigEntry, ...]] = {}
        for node_id, group in grouped(resources, _node_of_configs).items():
            await self._check_broker(node_id)
            request = DescribeConfigsRequest(
                resources=[
                    DescribeConfigsResource(
                        resource_type=one.resource_type, resource_name=one.name, configuration_keys=None
                    )
                    for one in group
                ],
                include_synonyms=True,
                include_documentation=documentation,
            )
            answer = await self._cluster.ask(request, DescribeConfigsResponse, node_id=node_id)
            for result in answer.results:
                raise_for(result.error_code, result.error_message)
                resource = ConfigResource(ResourceType(result.resource_type), result.resource_name)
                found[resource] = answers.config_entries(result.configs)
        return found

    async def topic_configs_of_all(self, topics: Sequence[str]) -> dict[str, tuple[ConfigEntry, ...]]:
        found: dict[str, tuple[ConfigEntry, ...]] = {}
        for at in range(0, len(topics), CONFIG_TOPICS_PER_REQUEST):
            found |= await self._topic_configs(tuple(topics[at : at + CONFIG_TOPICS_PER_REQUEST]))
        return found

    async def _topic_configs(self, topics: tuple[str, ...]) -> dict[str, tuple[ConfigEntry, ...]]:
        resources = [
            DescribeConfigsResource(resource_type=ResourceType.TOPIC, resource_name=name, configuration_keys=None)
            for name in topics
        ]
        return await self._cluster.ask_again(
            DescribeConfigsRequest(resources=resources),
            DescribeConfigsResponse,
            memo=self._configs_memo,
            question=topics,
            build=answers.topic_configs,
        )

    async def alter_configs(
        self, changes: Mapping[ConfigResource, Sequence[ConfigChange]], *, validate_only: bool = False
    ) -> None:
        for node_id, group in grouped(changes, _node_of_configs).items():
            await self._check_broker(node_id)
            request = IncrementalAlterConfigsRequest(
                resources=[_alterable(resource, changes[resource]) for resource in group],
                validate_only=validate_only,
            )
            answer = await self._cluster.ask(request, IncrementalAlterConfigsResponse, node_id=node_id)
            for result in answer.responses:
                raise_for(result.error_code, result.error_message)

    async def _check_broker(self, node_id: int | None) -> None:
        if node_id is None or node_id in self._cluster.connections.nodes:
            return
        await self.metadata()
        if node_id not in self._cluster.connections.nodes:
            raise BrokerNotAvailable(f"broker {node_id} is not among the brokers of the cluster")

    # --- offsets and records ---------------------------------------------------------------------------------------

    async def list_offsets(
        self, wanted: Mapping[TopicPartition, int], *, read_committed: bool = False
    ) -> dict[TopicPartition, FoundOffset]:
        """Partitions that cannot be answered carry their error code.

        What may have moved is asked again: where a leader is just taking over for up to ELECTION_WAIT_S, where there
        is none, or it is away, only once.
        """
        found = await self._list_offsets_once(wanted, read_committed)
        left = [one for one, answer in found.items() if answer.error_code and by_code(answer.error_code).retriable]
        wait_s, give_up_at = RETRY_WAIT_FIRST_S, time.monotonic() + ELECTION_WAIT_S
        while left and time.monotonic() < give_up_at:
            await asyncio.sleep(wait_s)
            await self._cluster.refresh({partition.topic for partition in left})
            found |= await self._list_offsets_once({partition: wanted[partition] for partition in left}, read_committed)
            left = [partition for partition in left if found[partition].error_code in _LEADER_MOVING]
            wait_s = min(2 * wait_s, RETRY_WAIT_MAX_S)
        return found

    async def _list_offsets_once(
        self, wanted: Mapping[TopicPartition, int], read_committed: bool
    ) -> dict[TopicPartition, FoundOffset]:
        unknown = {one.topic for one in wanted if self._cluster.leader(one) is None}
        if unknown:
            await self._cluster.refresh(unknown)
        found: dict[TopicPartition, FoundOffset] = {}
        by_leader: defaultdict[int, list[TopicPartition]] = defaultdict(list)
        for partition in wanted:
            leader_id = self._cluster.leader(partition)
            if leader_id is None:
                found[partition] = FoundOffset(-1, error_code=UnknownTopicOrPartition.code)
            elif leader_id == NO_LEADER:
                found[partition] = FoundOffset(-1, error_code=LeaderNotAvailable.code)
            else:
                by_leader[leader_id].append(partition)
        asked = await asyncio.gather(
            *(self._list_offsets_at(leader_id, group, wanted, read_committed) for leader_id, group in by_leader.items())
        )
        for one in asked:
            found |= one
        return found

    async def _list_offsets_at(
        self,
        leader_id: int,
        partitions: Sequence[TopicPartition],
        wanted: Mapping[TopicPartition, int],
        read_committed: bool,
    ) -> dict[TopicPartition, FoundOffset]:
        topics = [
            ListOffsetsTopic(
                name=topic,
                partitions=[
                    ListOffsetsPartition(partition_index=one.partition, timestamp=wanted[one]) for one in group
                ],
            )
            for topic, group in _by_topic(partitions)
        ]
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=int(read_committed),
            topics=topics,
            timeout_ms=self._cluster.timeout_ms,
        )
        try:
            return await self._cluster.ask_again(
                request,
                ListOffsetsResponse,
                memo=self._offsets_memo,
                question=(leader_id, next(iter(wanted.values())), len(partitions), read_committed),
                build=lambda answer: answers.found_offsets(answer, partitions),
                node_id=leader_id,
            )
        except NodeUnreachable:
            return dict.fromkeys(partitions, FoundOffset(-1, error_code=NetworkException.code))

    async def fetch(
        self,
        partition: TopicPartition,
        *,
        offset: int,
        bytes_max: int,
        wait_ms: int = 0,
        read_committed: bool = False,
    ) -> FetchedBatch:
        part = FetchPartition(partition=partition.partition, fetch_offset=offset, partition_max_bytes=bytes_max)
        request = FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=bytes_max,
            isolation_level=int(read_committed),
            topics=[FetchTopic(topic=partition.topic, partitions=[part])],
        )
        lane = "fetch" if wait_ms else ""  # a long poll would hold up everything behind it

        async def attempt() -> FetchedBatch:
            (leader_id,) = await self._cluster.by_leader([partition])
            connection = await self._cluster.connections.to_node(leader_id, lane=lane)
            timeout_s = self._cluster.connections.settings.request_timeout_s + wait_ms / 1000
            answer = cast(
                FetchResponse,
                await connection.request(request, version_max=FETCH_VERSION_BY_NAME_MAX, timeout_s=timeout_s),
            )
            raise_for(answer.error_code, None)
            data = answer.responses[0].partitions[0]
            raise_for(data.error_code, None)
            return FetchedBatch(
                data=bytes(data.records or b""),
                high_watermark=data.high_watermark,
                log_start_offset=data.log_start_offset,
                aborted_transactions=tuple(
                    (one.producer_id, one.first_offset) for one in data.aborted_transactions or ()
                ),
            )

        return await self._cluster.retry(attempt, partitions=[partition])

    def follow(
        self, offsets: Mapping[TopicPartition, int], *, read_committed: bool = True
    ) -> AsyncGenerator[tuple[TopicPartition, FetchedBatch], None]:
        return Follower(self._cluster, offsets, read_committed=read_committed, log_starts=self._log_starts).batches()

    async def _log_starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        found = await self.list_offsets(dict.fromkeys(partitions, EARLIEST))
        return {partition: one.offset for partition, one in found.items() if not one.error_code}

    # --- groups ----------------------------------------------------------------------------------------------------

    async def list_groups(self) -> tuple[GroupListing, ...]:
        """Asked of every broker, as each lists only the groups it coordinates.

        While one is away, and until the cluster no longer names it, its groups are on their way to others: all are
        asked again, as a list without them would be wrong.
        """

        async def attempt() -> list[ListGroupsResponse]:
            if not self._cluster.connections.nodes:
                await self.metadata()
            try:
                return await asyncio.gather(
                    *(self._list_groups_at(node_id) for node_id in self._cluster.connections.nodes)
                )
            except NodeUnreachable:
                await self.metadata()
                raise

        listed: dict[str, GroupListing] = {}
        for answer in await self._cluster.retry(attempt):
            for one in answer.groups:
                group_type = answers.group_type(one.group_type)
                state = answers.group_state(one.group_state)
                listed[one.group_id] = GroupListing(one.group_id, one.protocol_type, state, group_type)
        self._group_types = {one.group_id: one.group_type for one in listed.values()}
        return tuple(listed.values())

    async def _list_groups_at(self, node_id: int) -> ListGroupsResponse:
        answer = await self._cluster.ask(ListGroupsRequest(), ListGroupsResponse, node_id=node_id)
        raise_for(answer.error_code, None)
        return answer

    async def describe_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        """Groups not listed before are asked for as classic ones first, then by the API of KIP-848."""
        consumer = [one for one in group_ids if self._group_types.get(one) is GroupType.CONSUMER]
        classic = [one for one in group_ids if self._group_types.get(one) is not GroupType.CONSUMER]
        found = await self._cluster.ask_coordinators(classic, self._describe_classic_at)
        perhaps = [one for one in classic if found[one].state is GroupState.DEAD and one not in self._group_types]
        found |= await self._cluster.ask_coordinators([*consumer, *perhaps], self._describe_consumer_at)
        return {group_id: found[group_id] for group_id in group_ids}

    async def _describe_classic_at(self, node_id: int, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        answer = await self._cluster.ask(
            DescribeGroupsRequest(groups=list(group_ids)), DescribeGroupsResponse, node_id=node_id
        )
        found = {}
        for group in answer.groups:
            if group.error_code == GroupIdNotFound.code:  # since v6 instead of the state Dead
                found[group.group_id] = answers.dead_group(group.group_id, node_id)
                continue
            raise_for(group.error_code, group.error_message)
            found[group.group_id] = answers.classic_group(group, node_id)
        return found

    async def _describe_consumer_at(self, node_id: int, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        request = ConsumerGroupDescribeRequest(group_ids=list(group_ids))
        try:
            answer = await self._cluster.ask(request, ConsumerGroupDescribeResponse, node_id=node_id)
        except UnsupportedVersion:
            return {group_id: answers.dead_group(group_id, node_id) for group_id in group_ids}
        found = {}
        for group in answer.groups:
            if group.error_code == GroupIdNotFound.code:
                found[group.group_id] = answers.dead_group(group.group_id, node_id)
                continue
            raise_for(group.error_code, group.error_message)
            found[group.group_id] = answers.consumer_group(group, node_id)
        return found

    async def describe_share_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        return await descriptions.describe_share_groups(self._cluster, group_ids)

    async def group_offsets(self, group_ids: Sequence[str]) -> dict[str, dict[TopicPartition, CommittedOffset]]:
        return await self._cluster.ask_coordinators(group_ids, self._group_offsets_at)

    async def _group_offsets_at(
        self, node_id: int, group_ids: Sequence[str]
    ) -> dict[str, dict[TopicPartition, CommittedOffset]]:
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=one, topics=None) for one in group_ids])
        answer = await self._cluster.ask(
            request, OffsetFetchResponse, node_id=node_id, version_max=OFFSETS_VERSION_BY_NAME_MAX
        )
        for group in answer.groups:
            if group.error_code != GroupIdNotFound.code:
                raise_for(group.error_code, None)
        return {group.group_id: answers.committed_offsets(group) for group in answer.groups}

    async def commit_offsets(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        topics = [
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=one.partition,
                        committed_offset=offsets[one].offset,
                        committed_leader_epoch=offsets[one].leader_epoch,
                        committed_metadata=offsets[one].metadata,
                    )
                    for one in group
                ],
            )
            for topic, group in _by_topic(offsets)
        ]
        request = OffsetCommitRequest(group_id=group_id, topics=topics)

        async def commit_at(node_id: int, group_ids: Sequence[str]) -> dict[str, None]:
            answer = await self._cluster.ask(
                request, OffsetCommitResponse, node_id=node_id, version_max=OFFSETS_VERSION_BY_NAME_MAX
            )
            for topic in answer.topics:
                for one in topic.partitions:
                    raise_for(one.error_code, None)
            return dict.fromkeys(group_ids)

        await self._cluster.ask_coordinators([group_id], commit_at)

    async def delete_group(self, group_id: str) -> None:
        async def delete_at(node_id: int, group_ids: Sequence[str]) -> dict[str, None]:
            answer = await self._cluster.ask(
                DeleteGroupsRequest(groups_names=list(group_ids)), DeleteGroupsResponse, node_id=node_id
            )
            for result in answer.results:
                raise_for(result.error_code, None)
            return dict.fromkeys(group_ids)

        await self._cluster.ask_coordinators([group_id], delete_at)
        self._group_types.pop(group_id, None)

    # --- brokers ---------------------------------------------------------------------------------------------------

    async def log_dirs(self) -> tuple[LogDirInfo, ...]:
        if not self._cluster.connections.nodes:
            await self.metadata()
        found = await asyncio.gather(
            *(self._log_dirs_at(node_id) for node_id in sorted(self._cluster.connections.nodes))
        )
        return tuple(one for infos in found for one in infos)

    async def _log_dirs_at(self, node_id: int) -> tuple[LogDirInfo, ...]:
        try:
            return await self._cluster.ask_again(
                DescribeLogDirsRequest(topics=None),
                DescribeLogDirsResponse,
                memo=self._log_dirs_memo,
                question=node_id,
                build=lambda answer: answers.log_dir_infos(node_id, answer.results),
                node_id=node_id,
            )
        except (NodeUnreachable, UnsupportedVersion):
            return ()


def _creatable(topic: NewTopic) -> CreatableTopic:
    assignments = topic.replica_assignments or {}
    use_default = -1  # and required beside assignments
    return CreatableTopic(
        name=topic.name,
        num_partitions=use_default if assignments else _or(topic.partition_count, use_default),
        replication_factor=use_default if assignments else _or(topic.replication_factor, use_default),
        assignments=[
            CreatableReplicaAssignment(partition_index=partition, broker_ids=list(brokers))
            for partition, brokers in sorted(assignments.items())
        ],
        configs=[CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()],
    )


def _alterable(resource: ConfigResource, changes: Sequence[ConfigChange]) -> AlterConfigsResource:
    return AlterConfigsResource(
        resource_type=resource.resource_type,
        resource_name=resource.name,
        configs=[AlterableConfig(name=one.name, config_operation=one.operation, value=one.value) for one in changes],
    )


def _node_of_configs(resource: ConfigResource) -> int | None:
    """A broker's configs are asked of itself, all others of any node."""
    return int(resource.name) if resource.resource_type is ResourceType.BROKER and resource.name else None


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _by_topic(partitions: Iterable[TopicPartition]) -> Iterable[tuple[str, list[TopicPartition]]]:
    return grouped(partitions, lambda one: one.topic).items()
