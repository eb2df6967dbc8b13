"""DescribeTransactions (API key 65): this broker coordinates no transactions (KIP-664)."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, TransactionalIdNotFound
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)


@handles(ApiKey.DESCRIBE_TRANSACTIONS, versions=range(1))
def describe_transactions(
    request: DescribeTransactionsRequest, context: RequestContext
) -> DescribeTransactionsResponse:
    """TRANSACTIONAL_ID_NOT_FOUND for every id but the empty one, which is no id."""
    return DescribeTransactionsResponse(
        transaction_states=[
            TransactionState(
                error_code=TransactionalIdNotFound.code if transactional_id else InvalidRequest.code,
                transactional_id=transactional_id,
            )
            for transactional_id in request.transactional_ids
        ]
    )
