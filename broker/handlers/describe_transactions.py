"""DescribeTransactions (API key 65): state and partitions of transactional ids (KIP-664)."""

from itertools import groupby

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TopicData,
    TransactionState,
)


@handles(ApiKey.DESCRIBE_TRANSACTIONS, versions=range(1))
def describe_transactions(
    request: DescribeTransactionsRequest, context: RequestContext
) -> DescribeTransactionsResponse:
    """Answer each id by itself: TRANSACTIONAL_ID_NOT_FOUND for an unknown one."""
    return DescribeTransactionsResponse(
        transaction_states=[_describe(transactional_id, context) for transactional_id in request.transactional_ids]
    )


def _describe(transactional_id: str, context: RequestContext) -> TransactionState:
    try:
        found = context.transactions.describe(transactional_id)
    except KafkaError as error:
        return TransactionState(error_code=error.code, transactional_id=transactional_id)
    by_topic = groupby(sorted(found.partitions), key=lambda partition: partition[0])
    return TransactionState(
        transactional_id=transactional_id,
        transaction_state=found.state.label,
        transaction_timeout_ms=found.timeout_ms,
        transaction_start_time_ms=found.started_ms,
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        topics=[TopicData(topic, [partition for _, partition in partitions]) for topic, partitions in by_topic],
    )
