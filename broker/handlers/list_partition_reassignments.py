"""ListPartitionReassignments (API key 46): none on a single node, but `kafka-topics --describe` asks."""

from broker.dispatch import RequestContext, handles
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


@handles(ApiKey.LIST_PARTITION_REASSIGNMENTS, versions=range(1))
def list_partition_reassignments(
    request: ListPartitionReassignmentsRequest, context: RequestContext
) -> ListPartitionReassignmentsResponse:
    """None, also of topics that do not exist, as in Kafka."""
    return ListPartitionReassignmentsResponse(error_message=None)
