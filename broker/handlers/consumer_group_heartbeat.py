"""ConsumerGroupHeartbeat (API key 68): be in a group whose partitions the broker assigns (KIP-848)."""

import uuid

from broker.dispatch import RequestContext, handles
from broker.groups import Client, Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)

CLIENT_MEMBER_ID_VERSION = 1
JOIN_EPOCH = 0


@handles(ApiKey.CONSUMER_GROUP_HEARTBEAT, versions=range(2))
def consumer_group_heartbeat(
    request: ConsumerGroupHeartbeatRequest, context: RequestContext
) -> ConsumerGroupHeartbeatResponse:
    """Answered at once. v1 subscription by regular expression, and the client makes its member id."""
    if context.api_version < CLIENT_MEMBER_ID_VERSION and not request.member_id and request.member_epoch == JOIN_EPOCH:
        request.member_id = str(uuid.uuid4())
    return context.groups.consumer_heartbeat(
        request,
        client=Client(context.client_id, f"/{context.client_host}"),
        api_version=context.api_version,
        now=Now.by(context.clock),
    )
