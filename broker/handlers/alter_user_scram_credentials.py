"""AlterUserScramCredentials (API key 51): set and remove SCRAM users (KIP-554).

The client salts and stretches the password itself; the server never sees it.
"""

from collections import Counter

from broker.dispatch import RequestContext, handles
from broker.errors import (
    DuplicateResource,
    InvalidRequest,
    KafkaError,
    KafkaStorageError,
    ResourceNotFound,
    SecurityDisabled,
    UnacceptableCredential,
    UnsupportedSaslMechanism,
)
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from broker.security.scram import ITERATIONS_MAX, ITERATIONS_MIN, ScramMechanism, credential_from_salted_password
from broker.security.scram_users import ScramUsers


@handles(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, versions=range(1))
def alter_user_scram_credentials(
    request: AlterUserScramCredentialsRequest, context: RequestContext
) -> AlterUserScramCredentialsResponse:
    """Each user by itself: an error refuses it, and so does a second change, be it of another mechanism."""
    if context.security is None:
        raise SecurityDisabled
    users = context.security.users
    changes: list[ScramCredentialDeletion | ScramCredentialUpsertion] = [*request.deletions, *request.upsertions]
    times = Counter(change.name for change in changes)
    errors: dict[str, KafkaError | None] = {change.name: None for change in changes}
    for change in changes:
        try:
            _check(change, users)
            if times[change.name] > 1:
                raise DuplicateResource("A user credential cannot be altered twice in the same request")
        except KafkaError as error:
            errors[change.name] = errors[change.name] or error
    removed = [(each.name, ScramMechanism(each.mechanism)) for each in request.deletions if errors[each.name] is None]
    set_ = [
        (
            each.name,
            ScramMechanism(each.mechanism),
            credential_from_salted_password(
                ScramMechanism(each.mechanism),
                salt=bytes(each.salt),
                salted_password=bytes(each.salted_password),
                iterations=each.iterations,
            ),
        )
        for each in request.upsertions
        if errors[each.name] is None
    ]
    try:
        users.change(set_=set_, remove=removed)
    except OSError as error:
        errors = {name: known or KafkaStorageError(str(error)) for name, known in errors.items()}
    return AlterUserScramCredentialsResponse(results=[_result(name, error) for name, error in errors.items()])


def _check(change: ScramCredentialDeletion | ScramCredentialUpsertion, users: ScramUsers) -> None:
    if not change.name:
        raise UnacceptableCredential("Username must not be empty")
    if change.mechanism not in tuple(ScramMechanism):
        raise UnsupportedSaslMechanism("Unknown SCRAM mechanism")
    if isinstance(change, ScramCredentialDeletion):
        if users.find(change.name, ScramMechanism(change.mechanism)) is None:
            raise ResourceNotFound("Attempt to delete a user credential that does not exist")
        return
    if change.iterations < ITERATIONS_MIN:
        raise UnacceptableCredential("Too few iterations")
    if change.iterations > ITERATIONS_MAX:
        raise UnacceptableCredential("Too many iterations")
    # Differs from Kafka: a credential without salt or salted password is refused, because nobody could log in by it.
    if not change.salt or not change.salted_password:
        raise InvalidRequest("A credential needs a salt and a salted password")


def _result(name: str, error: KafkaError | None) -> AlterUserScramCredentialsResult:
    if error is None:
        return AlterUserScramCredentialsResult(user=name, error_message=None)
    return AlterUserScramCredentialsResult(user=name, error_code=error.code, error_message=str(error))
