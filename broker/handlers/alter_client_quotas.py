"""AlterClientQuotas (API key 49): set and remove the limits of clients (KIP-546). v1 flexible."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, KafkaStorageError, SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    RequestEntryData,
    ResponseEntryData,
)
from broker.security.client_quotas import Entity, check_value, entity_of


@handles(ApiKey.ALTER_CLIENT_QUOTAS, versions=range(2))
def alter_client_quotas(request: AlterClientQuotasRequest, context: RequestContext) -> AlterClientQuotasResponse:
    """Each entity by itself: an error in one of its limits refuses them all."""
    if context.security is None:
        raise SecurityDisabled
    changes: dict[Entity, dict[str, float | None]] = {}
    response = AlterClientQuotasResponse()
    for entry in request.entries:
        answer = ResponseEntryData(error_message=None, entity=entry.entity)
        response.entries.append(answer)
        try:
            entity, wanted = _checked(entry)
        except KafkaError as error:
            answer.error_code, answer.error_message = error.code, str(error)
        else:
            changes.setdefault(entity, {}).update(wanted)
    if not request.validate_only:
        try:
            context.security.change_quotas(changes)
        except OSError as error:
            for answer in response.entries:
                answer.error_code, answer.error_message = KafkaStorageError.code, str(error)
    return response


def _checked(entry: RequestEntryData) -> tuple[Entity, dict[str, float | None]]:
    entity = entity_of((each.entity_type, each.entity_name) for each in entry.entity)
    if len({op.key for op in entry.ops}) < len(entry.ops):
        raise InvalidRequest("Duplicate quota key")
    for op in entry.ops:
        if not op.remove:
            check_value(entity, op.key, op.value)
    return entity, {op.key: None if op.remove else op.value for op in entry.ops}
