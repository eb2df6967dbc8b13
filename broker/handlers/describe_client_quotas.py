"""DescribeClientQuotas (API key 48): the limits of clients that a filter matches (KIP-546)."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, UnsupportedVersion
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)

ENTITY_TYPES = ("user", "client-id", "ip")
EXACT, DEFAULT, ANY = MATCH_TYPES = (0, 1, 2)
"""Exactly this name, the default, any that is set."""


@handles(ApiKey.DESCRIBE_CLIENT_QUOTAS, versions=range(2))
def describe_client_quotas(
    request: DescribeClientQuotasRequest, context: RequestContext
) -> DescribeClientQuotasResponse:
    """Every entity that has all the components, and no others when the filter is strict. v1 flexible."""
    try:
        for component in request.components:
            _check(component)
        kinds = {component.entity_type for component in request.components}
        if len(kinds) < len(request.components):
            raise InvalidRequest("Duplicate filter component entity type")
        if "ip" in kinds and len(kinds) > 1:
            raise InvalidRequest("Invalid entity filter component combination: an ip stands alone")
    except KafkaError as error:
        return DescribeClientQuotasResponse(error_code=error.code, error_message=str(error), entries=None)
    if context.security is None:
        return DescribeClientQuotasResponse()
    entries = [
        EntryData([EntityData(*part) for part in entity], [ValueData(*value) for value in sorted(values.items())])
        for entity, values in context.security.quotas
        if _matches(dict(entity), request)
    ]
    return DescribeClientQuotasResponse(entries=entries)


def _matches(entity: dict[str, str | None], request: DescribeClientQuotasRequest) -> bool:
    if request.strict and len(entity) != len(request.components):
        return False
    for component in request.components:
        if component.entity_type not in entity:
            return False
        name = entity[component.entity_type]
        if component.match_type == EXACT and name != component.match:
            return False
        if component.match_type == DEFAULT and name is not None:
            return False
    return True


def _check(component: ComponentData) -> None:
    if not component.entity_type:
        raise InvalidRequest("Unexpected empty filter component entity type")
    if component.entity_type not in ENTITY_TYPES:
        raise UnsupportedVersion(f"Unsupported entity type {component.entity_type}")
    if component.match_type not in MATCH_TYPES:
        raise InvalidRequest(f"Unknown match type {component.match_type}")
    if (component.match is None) == (component.match_type == EXACT):
        raise InvalidRequest(f"Unexpected match value for {component.entity_type}: only an exact match has one")
