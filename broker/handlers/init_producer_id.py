"""InitProducerId: an identity for an idempotent producer.

v2 flexible · v3 the producer may name the id it has (KIP-360).
"""

from __future__ import annotations

from broker.dispatch import RequestContext, handles
from broker.errors import CoordinatorNotAvailable, InvalidRequest
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse


@handles(ApiKey.INIT_PRODUCER_ID, versions=range(6))
def init_producer_id(request: InitProducerIdRequest, context: RequestContext) -> InitProducerIdResponse:
    """Give a producer id that nobody has had, epoch 0; as in Kafka also to one that names an id it had.

    Raises InvalidRequest for an empty transactional id. Differs from Kafka: any other transactional id is answered
    COORDINATOR_NOT_AVAILABLE, because there is no transaction coordinator yet.
    """
    if request.transactional_id == "":
        raise InvalidRequest("the transactional id must not be empty")
    if request.transactional_id is not None:
        raise CoordinatorNotAvailable("transactions are not served")
    return InitProducerIdResponse(producer_id=context.producer_ids.next(), producer_epoch=0)
