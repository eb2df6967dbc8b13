"""AddRaftVoter and RemoveRaftVoter (API keys 80 and 81): refused, as by a cluster whose voters are fixed (KIP-853)."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, UnsupportedVersion
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse
from broker.protocol.messages.remove_raft_voter import RemoveRaftVoterRequest, RemoveRaftVoterResponse

FIXED_VOTERS = "Cluster doesn't support changing voters because the kraft.version feature is 0"


@handles(ApiKey.ADD_RAFT_VOTER, versions=range(2))
def add_raft_voter(request: AddRaftVoterRequest, context: RequestContext) -> AddRaftVoterResponse:
    """There is one node and it stays alone. v1 may answer before the voters agree."""
    if not request.listeners:
        return AddRaftVoterResponse(error_code=InvalidRequest.code, error_message="No listener of the voter was given")
    return AddRaftVoterResponse(error_code=UnsupportedVersion.code, error_message=FIXED_VOTERS)


@handles(ApiKey.REMOVE_RAFT_VOTER, versions=range(1))
def remove_raft_voter(request: RemoveRaftVoterRequest, context: RequestContext) -> RemoveRaftVoterResponse:
    """There is one node and it stays."""
    return RemoveRaftVoterResponse(error_code=UnsupportedVersion.code, error_message=FIXED_VOTERS)
