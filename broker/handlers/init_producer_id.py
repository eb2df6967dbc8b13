"""InitProducerId: an identity for an idempotent or transactional producer.

v2 flexible · v3 the producer may name the id it has (KIP-360) · v4 PRODUCER_FENCED (KIP-588) · v5 TRANSACTION_ABORTABLE
(KIP-890).
"""

from __future__ import annotations

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidProducerEpoch, InvalidRequest, KafkaError, ProducerFenced
from broker.groups import Now
from broker.handlers.durable_answers import when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from broker.transactions import NO_PRODUCER_EPOCH, ProducerIdAndEpoch

PRODUCER_FENCED_VERSION = 4
NO_PRODUCER_ID = -1


@handles(ApiKey.INIT_PRODUCER_ID, versions=range(6))
def init_producer_id(
    request: InitProducerIdRequest, context: RequestContext
) -> InitProducerIdResponse | DelayedResponse:
    """Without a transactional id, a producer id that nobody has had, epoch 0, even to one that names an id it had.

    Of a producer id and an epoch that a client names, one without the other is an INVALID_REQUEST. Raises what
    `TransactionCoordinator.init_producer_id` raises.
    """
    transactional_id = request.transactional_id
    if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH):
        return InitProducerIdResponse(error_code=InvalidRequest.code, producer_epoch=NO_PRODUCER_EPOCH)
    if transactional_id is None:
        return InitProducerIdResponse(producer_id=context.producer_ids.next(), producer_epoch=0)
    expected = None
    if request.producer_epoch != NO_PRODUCER_EPOCH:
        expected = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    try:
        producer = context.transactions.init_producer_id(
            transactional_id, request.transaction_timeout_ms, expected, Now.by(context.clock)
        )
    except KafkaError as error:
        is_old = isinstance(error, ProducerFenced) and context.api_version < PRODUCER_FENCED_VERSION
        return InitProducerIdResponse(
            error_code=InvalidProducerEpoch.code if is_old else error.code, producer_epoch=NO_PRODUCER_EPOCH
        )
    response = InitProducerIdResponse(producer_id=producer.producer_id, producer_epoch=producer.producer_epoch)

    def fail(error: KafkaError) -> None:
        response.error_code, response.producer_id, response.producer_epoch = error.code, -1, NO_PRODUCER_EPOCH

    return when_durable(response, transactional_id, context, fail)
