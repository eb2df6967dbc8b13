"""JoinGroup (API key 11): become, or stay, a member of a group's next generation."""

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import NotCoordinator
from broker.groups import Client, Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse

NULLABLE_PROTOCOL_NAME_VERSION = 7


@handles(ApiKey.JOIN_GROUP, versions=range(10))
def join_group(request: JoinGroupRequest, context: RequestContext) -> DelayedResponse:
    """Answered once all members have joined, or the rebalance timeout has passed.

    v1 rebalance timeout (KIP-62) · v4 MEMBER_ID_REQUIRED (KIP-394) · v5 static members (KIP-345) · v6 flexible ·
    v7 protocol type in the answer (KIP-559) · v8 reason (KIP-800) · v9 skipped assignment (KIP-814).
    """
    api_version = context.api_version
    if api_version == 0:
        request.rebalance_timeout_ms = request.session_timeout_ms
    waiting = DelayedResponse(on_hurry=lambda: reply(_broker_stops(request)), on_abandon=_keep_waiting)

    def reply(response: JoinGroupResponse) -> None:
        if response.protocol_name is None and api_version < NULLABLE_PROTOCOL_NAME_VERSION:
            response.protocol_name = ""
        waiting.answer(response)

    context.groups.join(
        request,
        client=Client(context.client_id, f"/{context.client_host}"),
        api_version=api_version,
        now=Now.by(context.clock),
        reply=reply,
    )
    return waiting


def _broker_stops(request: JoinGroupRequest) -> JoinGroupResponse:
    return JoinGroupResponse(error_code=NotCoordinator.code, member_id=request.member_id, protocol_name=None)


def _keep_waiting() -> None:
    """A client that hangs up stays a member for its session timeout: it may come back with its member id."""
