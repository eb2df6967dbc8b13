"""DescribeClientQuotas (API key 48): no quotas are set (KIP-546)."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, UnsupportedVersion
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

ENTITY_TYPES = ("user", "client-id", "ip")
MATCH_TYPES = (0, 1, 2)
"""Exactly this name, the default, any that is set."""


@handles(ApiKey.DESCRIBE_CLIENT_QUOTAS, versions=range(2))
def describe_client_quotas(
    request: DescribeClientQuotasRequest, context: RequestContext
) -> DescribeClientQuotasResponse:
    """Check the question and answer an empty list. v1 flexible."""
    try:
        for component in request.components:
            _check(component)
    except KafkaError as error:
        return DescribeClientQuotasResponse(error_code=error.code, error_message=str(error), entries=None)
    return DescribeClientQuotasResponse()


def _check(component: ComponentData) -> None:
    if component.entity_type not in ENTITY_TYPES:
        raise UnsupportedVersion(f"Unsupported entity type {component.entity_type}")
    if component.match_type not in MATCH_TYPES:
        raise InvalidRequest(f"Unknown match type {component.match_type}")
