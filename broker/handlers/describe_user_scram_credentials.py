"""DescribeUserScramCredentials (API key 50): there are no users (KIP-554)."""

from collections import Counter

from broker.dispatch import RequestContext, handles
from broker.errors import DuplicateResource, KafkaError, ResourceNotFound
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)


@handles(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, versions=range(1))
def describe_user_scram_credentials(
    request: DescribeUserScramCredentialsRequest, context: RequestContext
) -> DescribeUserScramCredentialsResponse:
    """Nobody, when asked for all; RESOURCE_NOT_FOUND for each who is named."""
    times_named = Counter(user.name for user in request.users or ())
    return DescribeUserScramCredentialsResponse(results=[_result(*item) for item in times_named.items()])


def _result(user: str, times: int) -> DescribeUserScramCredentialsResult:
    error: KafkaError = ResourceNotFound(f"Attempt to describe a user credential that does not exist: {user}")
    if times > 1:
        error = DuplicateResource(
            f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
        )
    return DescribeUserScramCredentialsResult(user=user, error_code=error.code, error_message=str(error))
