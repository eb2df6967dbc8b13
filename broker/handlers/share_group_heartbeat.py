"""ShareGroupHeartbeat (API key 76): be in a group whose members share partitions (KIP-932)."""

from broker.dispatch import RequestContext, handles
from broker.groups import Client, Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse


@handles(ApiKey.SHARE_GROUP_HEARTBEAT, versions=range(1, 2))
def share_group_heartbeat(request: ShareGroupHeartbeatRequest, context: RequestContext) -> ShareGroupHeartbeatResponse:
    """Answered at once; the client makes its member id."""
    return context.groups.share_heartbeat(
        request, client=Client(context.client_id, f"/{context.client_host}"), now=Now.by(context.clock)
    )
