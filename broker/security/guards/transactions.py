"""Guards of producers' ids and transactions: WRITE on the transactional id, and what its parts need besides."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import (
    ClusterAuthorizationFailed,
    GroupAuthorizationFailed,
    OperationNotAttempted,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
)
from broker.protocol.messages.describe_transactions import DescribeTransactionsResponse, TransactionState
from broker.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from broker.protocol.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
)
from broker.security.acl import Operation, ResourceType
from broker.security.guard import (
    answer_rest,
    authorizer_of,
    demand_on_cluster,
    demand_on_group,
    demand_on_transaction,
    guards,
    may,
    may_on_cluster,
    split,
    split_topics,
    then,
)

TRANSACTION_CODE: Final = TransactionalIdAuthorizationFailed.code
TOPIC_CODE: Final = TopicAuthorizationFailed.code
CLIENT_VERSION_MAX: Final = 3
"""Of AddPartitionsToTxn: later ones are for brokers among themselves."""


@guards(ApiKey.INIT_PRODUCER_ID)
def init_producer_id(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on the transactional id; without one IDEMPOTENT_WRITE on the cluster or WRITE on any topic (KIP-679)."""
    if request.transactional_id is not None:
        demand_on_transaction(context, Operation.WRITE, request.transactional_id)
    elif not may_on_cluster(context, Operation.IDEMPOTENT_WRITE) and not authorizer_of(context).allows_on_any(
        context, Operation.WRITE, ResourceType.TOPIC
    ):
        demand_on_cluster(context, Operation.IDEMPOTENT_WRITE)
    return handler(request, context)


@guards(ApiKey.END_TXN)
def end_txn(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on the transactional id."""
    demand_on_transaction(context, Operation.WRITE, request.transactional_id)
    return handler(request, context)


@guards(ApiKey.ADD_OFFSETS_TO_TXN)
def add_offsets_to_txn(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on the transactional id and READ on the group."""
    demand_on_transaction(context, Operation.WRITE, request.transactional_id)
    demand_on_group(context, Operation.READ, request.group_id)
    return handler(request, context)


@guards(ApiKey.ADD_PARTITIONS_TO_TXN)
def add_partitions_to_txn(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on the transactional id and on each topic; with one topic denied none is added."""
    if context.api_version > CLIENT_VERSION_MAX:
        demand_on_cluster(context, Operation.CLUSTER_ACTION)
        return handler(request, context)
    topics = request.v3_and_below_topics
    transactional_id = request.v3_and_below_transactional_id
    if not may(context, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return _refuse_partitions([(topic, TRANSACTION_CODE) for topic in topics])
    allowed, denied = split_topics(topics, context, Operation.WRITE)
    if denied:
        refused = [(topic, TOPIC_CODE) for topic in denied]
        return _refuse_partitions(refused + [(topic, OperationNotAttempted.code) for topic in allowed])
    return handler(request, context)


def _refuse_partitions(refused: list[tuple[Any, int]]) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            AddPartitionsToTxnTopicResult(
                topic.name, [AddPartitionsToTxnPartitionResult(index, code) for index in topic.partitions]
            )
            for topic, code in refused
        ]
    )


@guards(ApiKey.TXN_OFFSET_COMMIT)
def txn_offset_commit(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on the transactional id, READ on the group and on each topic."""
    code = TOPIC_CODE
    if not may(context, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id):
        code = TRANSACTION_CODE
    elif not may(context, Operation.READ, ResourceType.GROUP, request.group_id):
        code = GroupAuthorizationFailed.code
    may_commit = code == TOPIC_CODE
    if may_commit:
        request.topics, denied = split_topics(request.topics, context, Operation.READ)
    else:
        denied, request.topics = request.topics, []
    return answer_rest(
        handler,
        request,
        context,
        is_asked=may_commit and (request.topics or not denied),
        empty=TxnOffsetCommitResponse(),
        field="topics",
        refusals=[
            TxnOffsetCommitResponseTopic(
                topic.name, [TxnOffsetCommitResponsePartition(each.partition_index, code) for each in topic.partitions]
            )
            for topic in denied
        ],
    )


@guards(ApiKey.WRITE_TXN_MARKERS)
def write_txn_markers(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER or CLUSTER_ACTION on the cluster."""
    if may_on_cluster(context, Operation.ALTER) or may_on_cluster(context, Operation.CLUSTER_ACTION):
        return handler(request, context)
    code = ClusterAuthorizationFailed.code
    return WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                marker.producer_id,
                [
                    WritableTxnMarkerTopicResult(
                        topic.name, [WritableTxnMarkerPartitionResult(index, code) for index in topic.partition_indexes]
                    )
                    for topic in marker.topics
                ],
            )
            for marker in request.markers
        ]
    )


@guards(ApiKey.DESCRIBE_TRANSACTIONS)
def describe_transactions(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each transactional id, and on the topics of the transaction."""
    request.transactional_ids, denied = split(
        request.transactional_ids,
        lambda each: may(context, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, each),
    )

    def finish(response: DescribeTransactionsResponse) -> DescribeTransactionsResponse:
        for state in response.transaction_states:
            state.topics = [
                each for each in state.topics if may(context, Operation.DESCRIBE, ResourceType.TOPIC, each.topic)
            ]
        refusals = [TransactionState(error_code=TRANSACTION_CODE, transactional_id=each) for each in denied]
        response.transaction_states = [*response.transaction_states, *refusals]
        return response

    answer = handler(request, context) if request.transactional_ids else DescribeTransactionsResponse()
    return then(answer, finish)


@guards(ApiKey.LIST_TRANSACTIONS)
def list_transactions(handler: Handler, request: Any, context: RequestContext) -> Any:
    """Those with DESCRIBE on the transactional id."""

    def keep_visible(response: Any) -> Any:
        response.transaction_states = [
            state
            for state in response.transaction_states
            if may(context, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, state.transactional_id)
        ]
        return response

    return then(handler(request, context), keep_visible)
