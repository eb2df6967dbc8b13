"""Create-, Renew-, Expire- and DescribeDelegationToken (API keys 38 to 41): refused, as without a secret key.

Kafka allows them only to clients that are known (by SASL, or a certificate); the others are told so first.
"""

from broker.dispatch import RequestContext, handles
from broker.errors import DelegationTokenAuthDisabled, DelegationTokenRequestNotAllowed, KafkaError
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_delegation_token import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from broker.protocol.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from broker.protocol.messages.expire_delegation_token import ExpireDelegationTokenRequest, ExpireDelegationTokenResponse
from broker.protocol.messages.renew_delegation_token import RenewDelegationTokenRequest, RenewDelegationTokenResponse

ANONYMOUS = "User:ANONYMOUS"


@handles(ApiKey.CREATE_DELEGATION_TOKEN, versions=range(1, 4))
def create_delegation_token(
    request: CreateDelegationTokenRequest, context: RequestContext
) -> CreateDelegationTokenResponse:
    """No token is made. v3 tells who asked, besides whose token it would be."""
    kind, _, name = context.principal.partition(":")
    refusal = _refusal(context)
    return CreateDelegationTokenResponse(
        error_code=refusal.code,
        principal_type=kind,
        principal_name=name,
        token_requester_principal_type=kind,
        token_requester_principal_name=name,
        issue_timestamp_ms=_timestamp_ms(refusal),
        expiry_timestamp_ms=_timestamp_ms(refusal),
        max_timestamp_ms=_timestamp_ms(refusal),
    )


@handles(ApiKey.RENEW_DELEGATION_TOKEN, versions=range(1, 3))
def renew_delegation_token(
    request: RenewDelegationTokenRequest, context: RequestContext
) -> RenewDelegationTokenResponse:
    """There is no token to renew."""
    refusal = _refusal(context)
    return RenewDelegationTokenResponse(error_code=refusal.code, expiry_timestamp_ms=_timestamp_ms(refusal))


@handles(ApiKey.EXPIRE_DELEGATION_TOKEN, versions=range(1, 3))
def expire_delegation_token(
    request: ExpireDelegationTokenRequest, context: RequestContext
) -> ExpireDelegationTokenResponse:
    """There is no token to end."""
    refusal = _refusal(context)
    return ExpireDelegationTokenResponse(error_code=refusal.code, expiry_timestamp_ms=_timestamp_ms(refusal))


@handles(ApiKey.DESCRIBE_DELEGATION_TOKEN, versions=range(1, 4))
def describe_delegation_token(
    request: DescribeDelegationTokenRequest, context: RequestContext
) -> DescribeDelegationTokenResponse:
    """There are no tokens to describe."""
    return DescribeDelegationTokenResponse(error_code=_refusal(context).code)


def _refusal(context: RequestContext) -> type[KafkaError]:
    listener = context.listener
    is_known = listener.has_sasl or (listener.has_tls and context.principal != ANONYMOUS)
    return DelegationTokenAuthDisabled if is_known else DelegationTokenRequestNotAllowed


def _timestamp_ms(refusal: type[KafkaError]) -> int:
    """What stands for a time that there is not: Kafka writes one thing here and another there (measured)."""
    return -1 if refusal is DelegationTokenRequestNotAllowed else 0
