"""CreateTopics (API key 19): make topics, or only say whether they could be made."""

import asyncio
import uuid
from collections import Counter, deque

from broker.dispatch import RequestContext, handles
from broker.errors import (
    InvalidConfig,
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidReplicationFactor,
    InvalidRequest,
    KafkaError,
    PolicyViolation,
)
from broker.metadata import topic_configs
from broker.metadata.partition_limit import check_new_partitions, check_partition_limit
from broker.metadata.replica_assignment import check_replicas
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

SLICE_MS = 5
"""After how long other connections get their turn."""


@handles(ApiKey.CREATE_TOPICS, versions=range(2, 8))
async def create_topics(request: CreateTopicsRequest, context: RequestContext) -> CreateTopicsResponse:
    """Create each topic by itself: one that cannot be made does not stop the others.

    v4 -1 partitions or replicas are the broker's default · v5 answers the configs (KIP-525), flexible · v7 the id.
    """
    times_named = Counter(topic.name for topic in request.topics)
    duplicates = [name for name, times in times_named.items() if times > 1]
    wanted = deque(topic for topic in request.topics if times_named[topic.name] == 1)
    try:
        check_new_partitions(sum(_partition_count(topic, context) for topic in wanted))
    except PolicyViolation as error:
        return CreateTopicsResponse(topics=[_refused(name, error) for name in times_named])
    results: list[CreatableTopicResult] = []
    while wanted:
        with context.topics.one_save():
            until_ms = context.clock.monotonic_ms() + SLICE_MS
            while wanted and context.clock.monotonic_ms() <= until_ms:
                results.append(_create(wanted.popleft(), request.validate_only, context))
        await asyncio.sleep(0)
    results += [_refused(name, InvalidRequest("Duplicate topic name.")) for name in duplicates]
    return CreateTopicsResponse(topics=results)


def _create(topic: CreatableTopic, validate_only: bool, context: RequestContext) -> CreatableTopicResult:
    try:
        topic_id, configs = _check(topic, context)
        partition_count = _partition_count(topic, context)
        if not validate_only:
            created = context.topics.create(topic.name, partition_count=partition_count, configs=configs)
            topic_id = created.topic_id
    except KafkaError as error:
        return _refused(topic.name, error)
    return CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        error_message=None,
        num_partitions=partition_count,
        replication_factor=1,
        configs=_described(configs, context),
    )


def _check(topic: CreatableTopic, context: RequestContext) -> tuple[bytes, dict[str, str]]:
    """An id and the configs for the new topic. Raises KafkaError, checking in Kafka's order."""
    if topic.name == "__cluster_metadata":
        raise InvalidRequest("Creation of internal topic __cluster_metadata is prohibited.")
    context.topics.check_new(topic.name, 1)
    configs = {config.name: config.value for config in topic.configs}
    without_value = [name for name, value in configs.items() if value is None]
    if without_value:
        raise InvalidConfig(f"Null value not supported for topic configs: {','.join(without_value)}")
    overrides = {name: value for name, value in configs.items() if value is not None}
    topic_configs.check_overrides(overrides, context.configs.layers)
    if topic.assignments:
        _check_assignments(topic, context.config.node_id)
    else:
        _check_counts(topic, context)
    check_partition_limit(_partition_count(topic, context), context.topics, context.config)
    return uuid.uuid4().bytes, overrides


def _check_counts(topic: CreatableTopic, context: RequestContext) -> None:
    if topic.replication_factor < -1 or topic.replication_factor == 0:
        raise InvalidReplicationFactor("Replication factor must be larger than 0, or -1 to use the default value.")
    if topic.num_partitions < -1 or topic.num_partitions == 0:
        raise InvalidPartitions("Number of partitions was set to an invalid non-positive value.")
    replicas = topic.replication_factor
    if replicas == -1:
        replicas = context.config.default_replication_factor
    if replicas > 1:
        raise InvalidReplicationFactor(
            f"Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} "
            "cannot be reached because only 1 broker(s) are registered "
            "or some brokers have all their log directories cordoned."
        )


def _check_assignments(topic: CreatableTopic, node_id: int) -> None:
    if topic.replication_factor != -1:
        raise InvalidRequest("A manual partition assignment was specified, but replication factor was not set to -1.")
    if topic.num_partitions != -1:
        raise InvalidRequest("A manual partition assignment was specified, but numPartitions was not set to -1.")
    assigned: dict[int, CreatableReplicaAssignment] = {}
    for assignment in topic.assignments:
        if assignment.partition_index in assigned:
            index = assignment.partition_index
            raise InvalidReplicaAssignment(f"Found multiple manual partition assignments for partition {index}")
        check_replicas(assignment.broker_ids, node_id)
        assigned[assignment.partition_index] = assignment
    if sorted(assigned) != list(range(len(assigned))):
        raise InvalidReplicaAssignment("partitions should be a consecutive 0-based integer sequence")


def _partition_count(topic: CreatableTopic, context: RequestContext) -> int:
    if topic.assignments:
        return len(topic.assignments)
    return context.config.num_partitions if topic.num_partitions == -1 else max(topic.num_partitions, 0)


def _described(configs: dict[str, str], context: RequestContext) -> list[CreatableTopicConfigs]:
    return [
        CreatableTopicConfigs(name=entry.name, value=entry.value, config_source=entry.source)
        for entry in context.configs.describe_topic(configs)
    ]


def _refused(name: str, error: KafkaError) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=error.code, error_message=str(error))
