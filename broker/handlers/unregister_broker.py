"""UnregisterBroker (API key 64): forget a broker that will not come back (KIP-500)."""

from broker.dispatch import RequestContext, handles
from broker.errors import BrokerIdNotRegistered, InvalidRequest
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse


@handles(ApiKey.UNREGISTER_BROKER, versions=range(1))
def unregister_broker(request: UnregisterBrokerRequest, context: RequestContext) -> UnregisterBrokerResponse:
    """There is only this broker, and it is there."""
    if request.broker_id != context.config.node_id:
        raise BrokerIdNotRegistered(f"Broker ID {request.broker_id} is not currently registered")
    # Differs from Kafka: the running broker itself is not unregistered, because the cluster would be without one.
    raise InvalidRequest(f"Broker ID {request.broker_id} is running")
