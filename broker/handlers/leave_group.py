"""LeaveGroup (API key 13): members go, or an administrator removes them."""

from broker.dispatch import RequestContext, handles
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity

BATCHED_VERSION = 3


@handles(ApiKey.LEAVE_GROUP, versions=range(6))
def leave_group(request: LeaveGroupRequest, context: RequestContext) -> LeaveGroupResponse:
    """v3 many members, static ones by instance id alone (KIP-345) · v4 flexible · v5 reason (KIP-800)."""
    is_batched = context.api_version >= BATCHED_VERSION
    leaving = request.members if is_batched else [MemberIdentity(member_id=request.member_id)]
    answers = context.groups.leave(request.group_id, leaving, Now.by(context.clock))
    return LeaveGroupResponse(members=answers) if is_batched else LeaveGroupResponse(error_code=answers[0].error_code)
