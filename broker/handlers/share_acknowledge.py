"""ShareAcknowledge (API key 79): what a member says of the records that it was lent (KIP-932).

v1 · v2 renews locks, and answers how long they hold (KIP-1222).
"""

from collections.abc import Callable
from functools import partial

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import NONE, InvalidShareSessionEpoch, KafkaError
from broker.handlers.share_acknowledgements import acknowledge, end_session, session_key, when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.share_acknowledge import (
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)
from broker.share.share_sessions import FINAL_EPOCH, INITIAL_EPOCH


@handles(ApiKey.SHARE_ACKNOWLEDGE, versions=range(1, 3))
def share_acknowledge(
    request: ShareAcknowledgeRequest, context: RequestContext
) -> ShareAcknowledgeResponse | DelayedResponse:
    """Each partition by itself; all that is said of one counts, or nothing.

    Raises InvalidRequest, ShareSessionNotFound or InvalidShareSessionEpoch.
    """
    key = session_key(request.group_id, request.member_id)
    if request.share_session_epoch == INITIAL_EPOCH:
        raise InvalidShareSessionEpoch("A share session cannot begin with an acknowledgement.")
    session = context.share_sessions.resume(key, request.share_session_epoch)
    response = ShareAcknowledgeResponse(
        acquisition_lock_timeout_ms=context.shares.configs.share_record_lock_duration_ms(key.group_id), responses=[]
    )
    failing: list[Callable[[KafkaError], None]] = []
    for topic in request.topics:
        results = []
        for partition in topic.partitions:
            result = PartitionData(partition_index=partition.partition_index)
            results.append(result)
            failing.append(partial(_fail, result))
            try:
                acknowledge(
                    key,
                    topic.topic_id,
                    partition.partition_index,
                    partition.acknowledgement_batches,
                    context,
                    is_renew=request.is_renew_ack,
                )
            except KafkaError as error:
                _fail(result, error)
        response.responses.append(ShareAcknowledgeTopicResponse(topic_id=topic.topic_id, partitions=results))
    if request.share_session_epoch == FINAL_EPOCH:
        end_session(session, context)
    return when_durable(response, failing, context)


def _fail(result: PartitionData, error: KafkaError) -> None:
    if result.error_code == NONE:
        result.error_code, result.error_message = error.code, str(error) or None
