"""AddPartitionsToTxn (API key 24): these partitions belong to the transaction (KIP-98).

v2 PRODUCER_FENCED (KIP-588) · v3 flexible · from v4 on only brokers ask each other.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import (
    NONE,
    InvalidProducerEpoch,
    KafkaError,
    OperationNotAttempted,
    ProducerFenced,
    UnknownTopicOrPartition,
)
from broker.groups import Now
from broker.handlers.durable_answers import when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
)
from broker.transactions import ProducerIdAndEpoch

PRODUCER_FENCED_VERSION = 2


@handles(ApiKey.ADD_PARTITIONS_TO_TXN, versions=range(4))
def add_partitions_to_txn(
    request: AddPartitionsToTxnRequest, context: RequestContext
) -> AddPartitionsToTxnResponse | DelayedResponse:
    """All of them or none: beside one that does not exist the others are answered OPERATION_NOT_ATTEMPTED."""
    partitions = [(topic.name, index) for topic in request.v3_and_below_topics for index in topic.partitions]
    missing = {partition for partition in partitions if not _exists(*partition, context)}
    if missing:
        return _answer(
            request, lambda partition: (UnknownTopicOrPartition if partition in missing else OperationNotAttempted).code
        )
    transactional_id = request.v3_and_below_transactional_id
    producer = ProducerIdAndEpoch(request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)
    try:
        context.transactions.add_partitions(transactional_id, producer, partitions, Now.by(context.clock))
    except KafkaError as error:
        is_old = isinstance(error, ProducerFenced) and context.api_version < PRODUCER_FENCED_VERSION
        code = InvalidProducerEpoch.code if is_old else error.code
        return _answer(request, lambda partition: code)
    response = _answer(request, lambda partition: NONE)

    def fail(error: KafkaError) -> None:
        for topic in response.results_by_topic_v3_and_below:
            for result in topic.results_by_partition:
                result.partition_error_code = error.code

    return when_durable(response, transactional_id, context, fail)


def _exists(topic: str, partition: int, context: RequestContext) -> bool:
    known = context.topics.get(topic)
    return known is not None and 0 <= partition < known.partition_count


def _answer(
    request: AddPartitionsToTxnRequest, error_code: Callable[[tuple[str, int]], int]
) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            AddPartitionsToTxnTopicResult(
                name=topic.name,
                results_by_partition=[
                    AddPartitionsToTxnPartitionResult(index, error_code((topic.name, index)))
                    for index in topic.partitions
                ],
            )
            for topic in request.v3_and_below_topics
        ]
    )
