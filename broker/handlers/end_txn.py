"""EndTxn (API key 26): commit or abort a transaction (KIP-98).

v2 PRODUCER_FENCED (KIP-588) · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 the producer's next epoch (KIP-890).
"""

from __future__ import annotations

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from broker.groups import Now
from broker.handlers.durable_answers import when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse
from broker.transactions import EPOCH_BUMPING_VERSION, ProducerIdAndEpoch

PRODUCER_FENCED_VERSION = 2
NEXT_EPOCH_VERSION = 5


@handles(ApiKey.END_TXN, versions=range(6))
def end_txn(request: EndTxnRequest, context: RequestContext) -> EndTxnResponse | DelayedResponse:
    """Answered when the outcome is in the log; the markers follow."""
    response = EndTxnResponse()

    def fail(error: KafkaError) -> None:
        is_old = isinstance(error, ProducerFenced) and context.api_version < PRODUCER_FENCED_VERSION
        response.error_code = InvalidProducerEpoch.code if is_old else error.code
        response.producer_id = response.producer_epoch = -1

    try:
        producer = context.transactions.end(
            request.transactional_id,
            ProducerIdAndEpoch(request.producer_id, request.producer_epoch),
            Now.by(context.clock),
            commit=request.committed,
            client_version=EPOCH_BUMPING_VERSION if context.api_version >= NEXT_EPOCH_VERSION else 0,
        )
    except KafkaError as error:
        fail(error)
        return response
    response.producer_id, response.producer_epoch = producer
    return when_durable(response, request.transactional_id, context, fail)
