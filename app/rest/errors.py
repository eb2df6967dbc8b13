"""Errors of the REST Proxy: one class per `error_code`, and what Kafka's errors become.

Every error answers `{"error_code": int, "message": str}`. The code is the HTTP status alone, or status × 100 + n.
"""

from app.http.errors import (
    BadRequest,
    InternalServerError,
    MalformedJson,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from app.http.errors import HttpError as RestError
from app.kafka.ports import ClusterUnreachable
from broker.errors import (
    ClusterAuthorizationFailed,
    DelegationTokenAuthorizationFailed,
    GroupAuthorizationFailed,
    GroupIdNotFound,
    InvalidConfig,
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidReplicationFactor,
    InvalidRequest,
    InvalidTopicException,
    KafkaError,
    LeaderNotAvailable,
    MessageTooLarge,
    PolicyViolation,
    RecordListTooLarge,
    SaslAuthenticationFailed,
    SecurityDisabled,
    ThrottlingQuotaExceeded,
    TopicAlreadyExists,
    TopicAuthorizationFailed,
    TopicDeletionDisabled,
    TransactionalIdAuthorizationFailed,
    UnknownServerError,
    UnknownTopicOrPartition,
    UnsupportedVersion,
)
from broker.protocol.primitives import EncodeError

__all__ = [
    "BadRequest",
    "InternalServerError",
    "MalformedJson",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "PayloadTooLarge",
    "RequestTimeout",
    "RestError",
    "UnsupportedMediaType",
]


class KafkaBadRequest(RestError):
    """Kafka refused what was asked for: the topic exists, a config has no such value, …"""

    status, error_code, default_message = 400, 40002, "Bad Request"


class AuthenticationFailed(RestError):
    status, error_code, default_message = 401, 40101, "Kafka authentication failed."


class AuthorizationFailed(RestError):
    status, error_code, default_message = 403, 40301, "Kafka authorization failed."


class TopicNotFound(RestError):
    status, error_code, default_message = 404, 40401, "Topic not found."


class PartitionNotFound(RestError):
    status, error_code, default_message = 404, 40402, "Partition not found."


class ConsumerInstanceNotFound(RestError):
    status, error_code, default_message = 404, 40403, "Consumer instance not found."


class KafkaTopicNotFound(RestError):
    """v3: an operation reached Kafka, and Kafka does not know the topic or partition."""

    status, error_code, default_message = 404, 40403, "This server does not host this topic-partition."


class PartitionWithoutLeader(RestError):
    status, error_code, default_message = 404, 40404, "There is no leader for this topic-partition."


class GroupNotFound(RestError):
    status, error_code, default_message = 404, 40405, "The group id does not exist."


class ConsumerFormatMismatch(RestError):
    status, error_code = 406, 40601
    default_message = "The asked format is not the one that this consumer instance was created with."


class SerializationFailed(RestError):
    """Data that does not decode, or a Schema Registry that is needed and does not answer."""

    status, error_code, default_message = 408, 40801, "Data could not be (de)serialized."


class ConsumerAlreadyExists(RestError):
    status, error_code = 409, 40902
    default_message = "A consumer instance of this name exists in the consumer group."


class IllegalConsumerState(RestError):
    status, error_code, default_message = 409, 40903, "The consumer instance is not in a state for this."


class Unprocessable(RestError):
    """A field that is required is missing or empty."""

    status, error_code, default_message = 422, 422, "Unprocessable Entity"


class ConsumerConfigOutOfRange(RestError):
    status, error_code, default_message = 422, 40001, "A consumer config is out of its range."


class KeySchemaMissing(RestError):
    status, error_code = 422, 42201
    default_message = "Request includes keys but does not include key schema"


class ValueSchemaMissing(RestError):
    status, error_code = 422, 42202
    default_message = "Request includes values but does not include value schema"


class InvalidConsumerConfig(RestError):
    status, error_code, default_message = 422, 42204, "Invalid consumer configuration"


class InvalidSchema(RestError):
    """The text of a schema is none, or the schema that was named is of another format."""

    status, error_code, default_message = 422, 42205, "Invalid schema"


class InvalidPayload(RestError):
    status, error_code, default_message = 422, 42206, "Payload error. Request body is empty."


class InvalidRecordData(RestError):
    """v3: the data of a record does not fit the type it is said to have."""

    status, error_code, default_message = 422, 42207, "The data does not fit its type."


class InvalidProduceBatch(RestError):
    status, error_code, default_message = 422, 42208, "Invalid produce batch."


class IdempotencyKeyReused(RestError):
    """Ours: a key stands for one request, and this is another one."""

    status, error_code = 422, 422
    default_message = "This Idempotency-Key was sent with another request; a new request needs a key of its own"


class QuotaExceeded(RestError):
    status, error_code, default_message = 429, 42901, "A quota of the Kafka cluster is used up."


class KafkaFailed(RestError):
    status, error_code, default_message = 500, 50002, "Kafka error"


class KafkaFailedRetriably(RestError):
    status, error_code, default_message = 500, 50003, "Retriable Kafka error"


class ConsumersExhausted(RestError):
    status, error_code, default_message = 503, 50301, "No further consumer instance is available."


class ClusterAway(RestError):
    status, error_code, default_message = 503, 50302, "No broker of the Kafka cluster is available."


_BY_KAFKA_ERROR: dict[type[KafkaError], type[RestError]] = {
    **dict.fromkeys(
        (
            InvalidConfig,
            InvalidPartitions,
            InvalidReplicaAssignment,
            InvalidReplicationFactor,
            InvalidRequest,
            InvalidTopicException,
            PolicyViolation,
            SecurityDisabled,
            TopicAlreadyExists,
            TopicDeletionDisabled,
            UnknownServerError,
            UnsupportedVersion,
        ),
        KafkaBadRequest,
    ),
    **dict.fromkeys(
        (
            ClusterAuthorizationFailed,
            DelegationTokenAuthorizationFailed,
            GroupAuthorizationFailed,
            TopicAuthorizationFailed,
            TransactionalIdAuthorizationFailed,
        ),
        AuthorizationFailed,
    ),
    SaslAuthenticationFailed: AuthenticationFailed,
    UnknownTopicOrPartition: KafkaTopicNotFound,
    LeaderNotAvailable: PartitionWithoutLeader,
    GroupIdNotFound: GroupNotFound,
    MessageTooLarge: PayloadTooLarge,
    RecordListTooLarge: PayloadTooLarge,
    ThrottlingQuotaExceeded: QuotaExceeded,
}


def translate(error: Exception) -> RestError | None:
    """What the client is told of an error of the cluster; None for one that is no such error, but our bug."""
    if isinstance(error, RestError):
        return error
    if isinstance(error, ClusterUnreachable):
        return ClusterAway(str(error))
    if isinstance(error, EncodeError):  # a number or a text that has no room in Kafka's protocol
        return BadRequest(f"Bad Request: {error}")
    if isinstance(error, KafkaError):
        fallback = KafkaFailedRetriably if error.retriable else KafkaFailed
        return _BY_KAFKA_ERROR.get(type(error), fallback)(error.message)
    return None
