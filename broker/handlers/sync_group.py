"""SyncGroup (API key 14): the leader hands in the assignment, every member gets its part."""

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InconsistentGroupProtocol, NotCoordinator
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

PROTOCOL_NAMED_VERSION = 5


@handles(ApiKey.SYNC_GROUP, versions=range(6))
def sync_group(request: SyncGroupRequest, context: RequestContext) -> SyncGroupResponse | DelayedResponse:
    """Answered once the leader has handed in the assignment.

    v3 static members (KIP-345) · v4 flexible · v5 protocol type and name, mandatory (KIP-559).
    """
    if context.api_version >= PROTOCOL_NAMED_VERSION and None in (request.protocol_type, request.protocol_name):
        raise InconsistentGroupProtocol("protocol type and protocol name are mandatory")
    waiting = DelayedResponse(
        on_hurry=lambda: waiting.answer(SyncGroupResponse(error_code=NotCoordinator.code)),
        on_abandon=_keep_waiting,
    )
    context.groups.sync(request, now=Now.by(context.clock), reply=waiting.answer)
    return waiting


def _keep_waiting() -> None:
    """A client that hangs up stays a member for its session timeout, and may ask again."""
