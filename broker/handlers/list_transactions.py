"""ListTransactions (API key 66): this broker coordinates no transactions, so there are none (KIP-664)."""

import re

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRegularExpression
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse

STATES = frozenset(
    {"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead"}
    | {"PrepareEpochFence"}
)


@handles(ApiKey.LIST_TRANSACTIONS, versions=range(3))
def list_transactions(request: ListTransactionsRequest, context: RequestContext) -> ListTransactionsResponse:
    """An empty list, and the state filters that mean nothing.

    v1 filters by duration (KIP-994) · v2 by a pattern of transactional ids (KIP-1152).
    """
    if request.transactional_id_pattern:
        try:
            re.compile(request.transactional_id_pattern)
        except re.error:
            return ListTransactionsResponse(error_code=InvalidRegularExpression.code)
    return ListTransactionsResponse(unknown_state_filters=[s for s in request.state_filters if s not in STATES])
