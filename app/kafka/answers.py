"""Kafka's answers as the values of the ports. Pure functions; who asked, and whom, is admin.py."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from app.kafka.ports import (
    BrokerNode,
    ClusterMetadata,
    CommittedOffset,
    ConfigEntry,
    ConfigSource,
    ConfigSynonym,
    FoundOffset,
    GroupDescription,
    GroupMember,
    GroupState,
    GroupType,
    LogDirInfo,
    PartitionInfo,
    QuorumInfo,
    QuorumReplica,
    ReplicaSize,
    TopicInfo,
    TopicPartition,
)
from broker.errors import UnknownTopicOrPartition, by_code
from broker.protocol.codec import decode
from broker.protocol.messages import consumer_group_describe, describe_groups
from broker.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from broker.protocol.messages.describe_configs import DescribeConfigsResourceResult, DescribeConfigsResponse
from broker.protocol.messages.describe_log_dirs import DescribeLogDirsResult
from broker.protocol.messages.describe_quorum import DescribeQuorumResponse, ReplicaState
from broker.protocol.messages.list_offsets import ListOffsetsResponse
from broker.protocol.messages.metadata import MetadataResponse, MetadataResponsePartition, MetadataResponseTopic
from broker.protocol.messages.offset_fetch import OffsetFetchResponseGroup
from broker.protocol.primitives import DecodeError

Value = TypeVar("Value")

_GROUP_STATES = {state.value.casefold(): state for state in GroupState}
_GROUP_TYPES = {group_type.value: group_type for group_type in GroupType}
_CONSUMER_PROTOCOL_VERSION_MAX = 3


def raise_for(error_code: int, message: str | None) -> None:
    """Raise the class of a code other than 0, with the broker's words where it gave some."""
    if error_code:
        raise by_code(error_code)(message or None)


@dataclass(slots=True)
class _Remembered(Generic[Value]):
    digest: bytes
    value: Value


class AnswerMemo(Generic[Value]):
    """The last answer to each question that is asked again and again, by the digest of its bytes.

    An idle cluster answers the same bytes every few seconds; those are neither decoded nor built into values again,
    and whoever compares two answers finds them identical at once.
    """

    def __init__(self, entries_max: int = 256) -> None:
        self._entries_max = entries_max
        self._remembered: dict[object, _Remembered[Value]] = {}

    def recall(self, question: object, frame: bytes) -> Value | None:
        known = self._remembered.get(question)
        return known.value if known is not None and known.digest == _digest(frame) else None

    def remember(self, question: object, frame: bytes, value: Value) -> Value:
        if len(self._remembered) >= self._entries_max and question not in self._remembered:
            self._remembered.clear()
        self._remembered[question] = _Remembered(_digest(frame), value)
        return value


def _digest(frame: bytes) -> bytes:
    return hashlib.blake2b(memoryview(frame)[4:], digest_size=16).digest()  # without the correlation id


# --- metadata ------------------------------------------------------------------------------------------------------


def cluster_metadata(answer: MetadataResponse, before: ClusterMetadata | None = None) -> ClusterMetadata:
    """before: the last metadata; its topics are taken over where nothing changed, so that they compare at once."""
    known = before.topics if before is not None else {}
    topics = {}
    for topic in answer.topics:
        if topic.error_code == 0 and topic.name is not None:
            topics[topic.name] = topic_info(topic, known.get(topic.name))
    return ClusterMetadata(
        cluster_id=answer.cluster_id or "",
        controller_id=answer.controller_id,
        brokers=brokers(answer),
        topics=topics,
    )


def brokers(answer: MetadataResponse) -> tuple[BrokerNode, ...]:
    nodes = (BrokerNode(one.node_id, one.host, one.port, one.rack) for one in answer.brokers)
    return tuple(sorted(nodes, key=lambda node: node.broker_id))


def topic_info(topic: MetadataResponseTopic, before: TopicInfo | None = None) -> TopicInfo:
    partitions = tuple(_partition_info(one) for one in sorted(topic.partitions, key=lambda one: one.partition_index))
    if before is not None and before.partitions == partitions and before.topic_id == topic.topic_id:
        return before
    return TopicInfo(
        name=topic.name or "", topic_id=bytes(topic.topic_id), is_internal=topic.is_internal, partitions=partitions
    )


@lru_cache(maxsize=20_000)
def _shared_partition_info(
    partition: int,
    leader_id: int,
    leader_epoch: int,
    replicas: tuple[int, ...],
    isr: tuple[int, ...],
    offline_replicas: tuple[int, ...],
) -> PartitionInfo:
    return PartitionInfo(partition, leader_id, leader_epoch, replicas, isr, offline_replicas)


def _partition_info(one: MetadataResponsePartition) -> PartitionInfo:
    # Equal partitions share one object: most of a thousand topics look alike.
    return _shared_partition_info(
        one.partition_index,
        one.leader_id,
        one.leader_epoch,
        tuple(one.replica_nodes),
        tuple(one.isr_nodes),
        tuple(one.offline_replicas),
    )


def quorum_info(answer: DescribeQuorumResponse) -> QuorumInfo | None:
    raise_for(answer.error_code, answer.error_message)
    for topic in answer.topics:
        for partition in topic.partitions:
            raise_for(partition.error_code, partition.error_message)
            return QuorumInfo(
                leader_id=partition.leader_id,
                leader_epoch=partition.leader_epoch,
                voters=_quorum_replicas(partition.current_voters),
                observers=_quorum_replicas(partition.observers),
            )
    return None


def _quorum_replicas(states: Iterable[ReplicaState]) -> tuple[QuorumReplica, ...]:
    replicas = (QuorumReplica(one.replica_id, one.log_end_offset, one.last_caught_up_timestamp) for one in states)
    return tuple(sorted(replicas, key=lambda one: one.node_id))


# --- configs and log directories -----------------------------------------------------------------------------------


def config_entries(configs: Iterable[DescribeConfigsResourceResult]) -> tuple[ConfigEntry, ...]:
    return tuple(_config_entry(one) for one in configs)


def _config_entry(one: DescribeConfigsResourceResult) -> ConfigEntry:
    return _shared_config_entry(
        one.name,
        one.value,
        one.config_source,
        one.read_only,
        one.is_sensitive,
        one.config_type,
        one.documentation,
        tuple((synonym.name, synonym.value, synonym.source) for synonym in one.synonyms),
    )


@lru_cache(maxsize=10_000)
def _shared_config_entry(
    name: str,
    value: str | None,
    source: int,
    is_read_only: bool,
    is_sensitive: bool,
    config_type: int,
    documentation: str | None,
    synonyms: tuple[tuple[str, str | None, int], ...],
) -> ConfigEntry:
    # Equal entries share one object: a thousand topics have the same thirty defaults.
    return ConfigEntry(
        name=name,
        value=value,
        source=_config_source(source),
        is_read_only=is_read_only,
        is_sensitive=is_sensitive,
        config_type=config_type,
        documentation=documentation,
        synonyms=tuple(ConfigSynonym(name, value, _config_source(source)) for name, value, source in synonyms),
    )


def _config_source(source: int) -> ConfigSource:
    try:
        return ConfigSource(source)
    except ValueError:
        return ConfigSource.UNKNOWN  # newer brokers know more sources (group, client metrics)


def topic_configs(answer: DescribeConfigsResponse) -> dict[str, tuple[ConfigEntry, ...]]:
    """Configs by topic; topics with an error (deleted meanwhile) are left out."""
    return {one.resource_name: config_entries(one.configs) for one in answer.results if one.error_code == 0}


def found_offsets(
    answer: ListOffsetsResponse, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, FoundOffset]:
    """An offset or an error for each of the partitions, as the very keys that were asked with."""
    asked = {(one.topic, one.partition): one for one in partitions}
    found = dict.fromkeys(partitions, FoundOffset(-1, error_code=UnknownTopicOrPartition.code))
    for topic in answer.topics:
        for one in topic.partitions:
            partition = asked.get((topic.name, one.partition_index))
            if partition is not None:
                found[partition] = FoundOffset(one.offset, one.timestamp, one.error_code)
    return found


def log_dir_infos(broker_id: int, results: Iterable[DescribeLogDirsResult]) -> tuple[LogDirInfo, ...]:
    return tuple(
        LogDirInfo(
            broker_id=broker_id,
            path=one.log_dir,
            error_code=one.error_code,
            total_bytes=one.total_bytes,
            usable_bytes=one.usable_bytes,
            replicas=tuple(
                ReplicaSize(topic.name, part.partition_index, part.partition_size, part.offset_lag, part.is_future_key)
                for topic in one.topics
                for part in topic.partitions
            ),
        )
        for one in results
    )


# --- groups --------------------------------------------------------------------------------------------------------


def group_state(word: str) -> GroupState:
    return _GROUP_STATES.get(word.casefold(), GroupState.UNKNOWN)


def group_type(word: str) -> GroupType:
    """Brokers before 3.8 (KIP-848) do not say; all groups were classic then."""
    return _GROUP_TYPES.get(word.casefold(), GroupType.UNKNOWN) if word else GroupType.CLASSIC


def dead_group(group_id: str, coordinator_id: int) -> GroupDescription:
    return GroupDescription(group_id, GroupType.UNKNOWN, "", GroupState.DEAD, "", coordinator_id, ())


def classic_group(group: describe_groups.DescribedGroup, coordinator_id: int) -> GroupDescription:
    state = group_state(group.group_state)
    if state is GroupState.DEAD:
        return dead_group(group.group_id, coordinator_id)
    return GroupDescription(
        group_id=group.group_id,
        group_type=GroupType.CLASSIC,
        protocol_type=group.protocol_type,
        state=state,
        assignor=group.protocol_data,
        coordinator_id=coordinator_id,
        members=tuple(
            GroupMember(
                member_id=one.member_id,
                instance_id=one.group_instance_id,
                client_id=one.client_id,
                client_host=one.client_host,
                # The assignment of other protocols (Connect's workers) is not partitions.
                assignment=assigned_partitions(one.member_assignment) if group.protocol_type == "consumer" else (),
            )
            for one in group.members
        ),
    )


def assigned_partitions(assignment: bytes | memoryview) -> tuple[TopicPartition, ...]:
    """The partitions of an embedded ConsumerProtocolAssignment; none of what cannot be read."""
    if len(assignment) < 2:
        return ()
    version = min(int.from_bytes(assignment[:2], "big"), _CONSUMER_PROTOCOL_VERSION_MAX)
    try:
        decoded = decode(ConsumerProtocolAssignment, version, assignment, 2)
    except DecodeError:
        return ()
    return tuple(
        sorted(TopicPartition(one.topic, number) for one in decoded.assigned_partitions for number in one.partitions)
    )


def consumer_group(group: consumer_group_describe.DescribedGroup, coordinator_id: int) -> GroupDescription:
    """A group of the new protocol (KIP-848)."""
    return GroupDescription(
        group_id=group.group_id,
        group_type=GroupType.CONSUMER,
        protocol_type="consumer",
        state=group_state(group.group_state),
        assignor=group.assignor_name,
        coordinator_id=coordinator_id,
        members=tuple(
            GroupMember(
                member_id=one.member_id,
                instance_id=one.instance_id,
                client_id=one.client_id,
                client_host=one.client_host,
                assignment=tuple(
                    sorted(
                        TopicPartition(topic.topic_name, number)
                        for topic in one.assignment.topic_partitions
                        for number in topic.partitions
                    )
                ),
            )
            for one in group.members
        ),
    )


def committed_offsets(group: OffsetFetchResponseGroup) -> dict[TopicPartition, CommittedOffset]:
    """Partitions without a commit (offset -1) or with an error are left out."""
    return {
        TopicPartition(topic.name, one.partition_index): CommittedOffset(
            one.committed_offset, one.committed_leader_epoch, one.metadata or ""
        )
        for topic in group.topics
        for one in topic.partitions
        if one.error_code == 0 and one.committed_offset >= 0
    }
