"""ListTransactions (API key 66): the transactional ids of this broker (KIP-664).

v1 filters by duration (KIP-994) · v2 by a pattern of transactional ids (KIP-1152).
"""

import re

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRegularExpression
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionState,
)
from broker.transactions import TransactionState as State

STATES = frozenset(state.label for state in State)


@handles(ApiKey.LIST_TRANSACTIONS, versions=range(3))
def list_transactions(request: ListTransactionsRequest, context: RequestContext) -> ListTransactionsResponse:
    """Those that all filters let through, and the state filters that mean nothing.

    Differs from Kafka: patterns are those of Python, not of RE2, because they say the same in all common cases.
    """
    pattern = None
    if request.transactional_id_pattern:
        try:
            pattern = re.compile(request.transactional_id_pattern)
        except re.error:
            return ListTransactionsResponse(error_code=InvalidRegularExpression.code)
    found = context.transactions.list_transactions(
        Now.by(context.clock),
        states=request.state_filters,
        producer_ids=request.producer_id_filters,
        duration_ms_min=request.duration_filter,
        pattern=pattern,
    )
    return ListTransactionsResponse(
        unknown_state_filters=[label for label in request.state_filters if label not in STATES],
        transaction_states=[
            TransactionState(
                transactional_id=each.transactional_id, producer_id=each.producer_id, transaction_state=each.state.label
            )
            for each in found
        ],
    )
