"""Heartbeat (API key 12): a member is alive, and learns whether it must join again."""

from broker.dispatch import RequestContext, handles
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


@handles(ApiKey.HEARTBEAT, versions=range(5))
def heartbeat(request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse:
    """v3 static members (KIP-345) · v4 flexible."""
    context.groups.heartbeat(request, Now.by(context.clock))
    return HeartbeatResponse()
