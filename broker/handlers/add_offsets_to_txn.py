"""AddOffsetsToTxn (API key 25): offsets of this group belong to the transaction (KIP-98).

v2 PRODUCER_FENCED (KIP-588) · v3 flexible · v4 TRANSACTION_ABORTABLE (KIP-890).
"""

from __future__ import annotations

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from broker.groups import OFFSETS_TOPIC, Now, partition_of
from broker.handlers.durable_answers import when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from broker.transactions import ProducerIdAndEpoch

PRODUCER_FENCED_VERSION = 2


@handles(ApiKey.ADD_OFFSETS_TO_TXN, versions=range(5))
def add_offsets_to_txn(
    request: AddOffsetsToTxnRequest, context: RequestContext
) -> AddOffsetsToTxnResponse | DelayedResponse:
    """The partition of `__consumer_offsets` that keeps the group becomes part of the transaction."""
    producer = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    response = AddOffsetsToTxnResponse()

    def fail(error: KafkaError) -> None:
        is_old = isinstance(error, ProducerFenced) and context.api_version < PRODUCER_FENCED_VERSION
        response.error_code = InvalidProducerEpoch.code if is_old else error.code

    try:
        context.transactions.add_partitions(
            request.transactional_id, producer, (offsets_partition(request.group_id, context),), Now.by(context.clock)
        )
    except KafkaError as error:
        fail(error)
        return response
    return when_durable(response, request.transactional_id, context, fail)


def offsets_partition(group_id: str, context: RequestContext) -> tuple[str, int]:
    """The partition that keeps a group's offsets, or will once there are any."""
    topic = context.topics.get(OFFSETS_TOPIC)
    count = context.config.offsets_topic_num_partitions if topic is None else topic.partition_count
    return OFFSETS_TOPIC, partition_of(group_id, count)
