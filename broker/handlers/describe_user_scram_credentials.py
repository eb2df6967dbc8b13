"""DescribeUserScramCredentials (API key 50): which SCRAM users there are, without their secrets (KIP-554)."""

from collections import Counter

from broker.dispatch import RequestContext, handles
from broker.errors import DuplicateResource, KafkaError, ResourceNotFound
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from broker.security.scram_users import ScramUsers


@handles(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, versions=range(1))
def describe_user_scram_credentials(
    request: DescribeUserScramCredentialsRequest, context: RequestContext
) -> DescribeUserScramCredentialsResponse:
    """Everybody, when nobody is named; RESOURCE_NOT_FOUND for each named who is not there."""
    users = None if context.security is None else context.security.users
    times_named = Counter(user.name for user in request.users) if request.users else dict.fromkeys(users or (), 1)
    return DescribeUserScramCredentialsResponse(
        error_message=None, results=[_result(*item, users) for item in times_named.items()]
    )


def _result(user: str, times: int, users: ScramUsers | None) -> DescribeUserScramCredentialsResult:
    credentials = {} if users is None else users.of_user(user)
    if credentials and times == 1:
        infos = [
            CredentialInfo(mechanism=mechanism, iterations=credential.iterations)
            for mechanism, credential in credentials.items()
        ]
        return DescribeUserScramCredentialsResult(user=user, error_message=None, credential_infos=infos)
    error: KafkaError = ResourceNotFound(f"Attempt to describe a user credential that does not exist: {user}")
    if times > 1:
        error = DuplicateResource(
            f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
        )
    return DescribeUserScramCredentialsResult(user=user, error_code=error.code, error_message=str(error))
