"""CreatePartitions (API key 37): raise the partition count of topics."""

from collections import Counter

from broker.dispatch import RequestContext, handles
from broker.errors import (
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidRequest,
    KafkaError,
    UnknownTopicOrPartition,
)
from broker.metadata.partition_limit import check_new_partitions, check_partition_limit
from broker.metadata.replica_assignment import check_replicas
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


@handles(ApiKey.CREATE_PARTITIONS, versions=range(4))
def create_partitions(request: CreatePartitionsRequest, context: RequestContext) -> CreatePartitionsResponse:
    """Grow each topic by itself: one that cannot grow does not stop the others.

    v2 flexible · v3 only says that a quota error may be answered (KIP-599).
    """
    times_named = Counter(topic.name for topic in request.topics)
    single = [topic for topic in request.topics if times_named[topic.name] == 1]
    with context.topics.one_save():
        results = [_grow(topic, request.validate_only, context) for topic in single]
    duplicate = InvalidRequest("Duplicate topic name.")
    results += [_result(name, duplicate) for name, times in times_named.items() if times > 1]
    return CreatePartitionsResponse(results=results)


def _grow(topic: CreatePartitionsTopic, validate_only: bool, context: RequestContext) -> CreatePartitionsTopicResult:
    try:
        _check(topic, context)
        if not validate_only:
            context.topics.add_partitions(topic.name, topic.count)
    except KafkaError as error:
        return _result(topic.name, error)
    return _result(topic.name, None)


def _check(topic: CreatePartitionsTopic, context: RequestContext) -> None:
    """Raise KafkaError unless the topic can grow to the wanted count, in Kafka's order."""
    present = context.topics.get(topic.name)
    if present is None:
        raise UnknownTopicOrPartition(f"The topic '{topic.name}' does not exist.")
    added = topic.count - present.partition_count
    if added == 0:
        raise InvalidPartitions(f"Topic already has {topic.count} partition(s).")
    if added < 0:
        raise InvalidPartitions(
            f"The topic {topic.name} currently has {present.partition_count} partition(s); "
            f"{topic.count} would not be an increase."
        )
    if topic.assignments is not None:
        if len(topic.assignments) != added:
            raise InvalidReplicaAssignment(
                f"Attempted to add {added} additional partition(s), "
                f"but only {len(topic.assignments)} assignment(s) were specified."
            )
        for assignment in topic.assignments:
            check_replicas(assignment.broker_ids, context.config.node_id)
    check_new_partitions(added)  # Kafka answers UNKNOWN_SERVER_ERROR, but POLICY_VIOLATION in CreateTopics
    check_partition_limit(added, context.topics, context.config)


def _result(name: str, error: KafkaError | None) -> CreatePartitionsTopicResult:
    if error is None:
        return CreatePartitionsTopicResult(name=name)
    return CreatePartitionsTopicResult(name=name, error_code=error.code, error_message=str(error))
