"""FindCoordinator (API key 10): which broker looks after a group or a transactional id; here always this one."""

from enum import IntEnum

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, InvalidRequest
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

MANY_KEYS_VERSION = 4
SHARE_VERSION = 6
UUID_CHARS = 22  # base64 without padding


class CoordinatorType(IntEnum):
    """What a coordinator looks after."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


@handles(ApiKey.FIND_COORDINATOR, versions=range(7))
def find_coordinator(request: FindCoordinatorRequest, context: RequestContext) -> FindCoordinatorResponse:
    """Share partitions (type 2, KIP-932) go by `group:topicId:partition`; other keys and types are an INVALID_REQUEST.

    v1 transactions · v3 flexible · v4 many keys (KIP-699) · v6 share groups.
    """
    # Differs from Kafka: there is a coordinator from the first request on, because our internal topics are made when
    # they are first written to; Kafka makes them here and answers COORDINATOR_NOT_AVAILABLE meanwhile.
    types = tuple(CoordinatorType) if context.api_version >= SHARE_VERSION else tuple(CoordinatorType)[:2]
    is_served = request.key_type in types
    if context.api_version >= MANY_KEYS_VERSION:
        is_share = request.key_type == CoordinatorType.SHARE
        answers = [
            _coordinator(key, is_served and (not is_share or is_share_key(key)), context)
            for key in request.coordinator_keys
        ]
        return FindCoordinatorResponse(coordinators=answers)
    answer = _coordinator(request.key, is_served, context)
    return FindCoordinatorResponse(
        error_code=answer.error_code,
        error_message=answer.error_message or "NONE",
        node_id=answer.node_id,
        host=answer.host,
        port=answer.port,
    )


def is_share_key(key: str) -> bool:
    """Whether it names a partition of a share group."""
    group_id, _, rest = key.partition(":")
    topic_id, _, partition = rest.rpartition(":")
    return bool(group_id) and len(topic_id.rpartition(":")[2]) == UUID_CHARS and partition.isdecimal()


def _coordinator(key: str, is_served: bool, context: RequestContext) -> Coordinator:
    if not is_served:
        message = "This broker has no coordinator of that type."
        return Coordinator(key=key, node_id=-1, port=-1, error_code=InvalidRequest.code, error_message=message)
    return Coordinator(
        key=key,
        node_id=context.config.node_id,
        host=context.listener.advertised_host,
        port=context.listener.advertised_port,
        error_code=NONE,
    )
