"""One class per Kafka error code (Apache Kafka 4.3): raise it where the rule is broken, answer `error.code`.

`by_code` finds the class of a code in an answer; `NONE` is the code of success.
"""

from typing import ClassVar, Final

NONE: Final = 0


class KafkaError(Exception):
    """Base of all errors that have a Kafka error code.

    `code` is what goes over the wire, `name` Kafka's spelling of it, `retriable` whether Kafka's own client would
    send the same request again. The message is the class's one-line description unless one is given.
    """

    code: ClassVar[int]
    name: ClassVar[str]
    retriable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message if message is not None else (type(self).__doc__ or "")
        super().__init__(self.message)


def by_code(code: int) -> type[KafkaError]:
    """The class of an error code other than 0; `UnknownServerError` for a code that Kafka 4.3 does not know."""
    return _BY_CODE.get(code, UnknownServerError)


class UnknownServerError(KafkaError):
    """The broker failed in a way that no other error describes."""

    code = -1
    name = "UNKNOWN_SERVER_ERROR"


class OffsetOutOfRange(KafkaError):
    """The asked offset is outside the partition's log."""

    code = 1
    name = "OFFSET_OUT_OF_RANGE"


class CorruptMessage(KafkaError):
    """A record batch failed its checksum, is too short, or is not one."""

    code = 2
    name = "CORRUPT_MESSAGE"
    retriable = True


class UnknownTopicOrPartition(KafkaError):
    """This server does not host this topic-partition."""

    code = 3
    name = "UNKNOWN_TOPIC_OR_PARTITION"
    retriable = True


class InvalidFetchSize(KafkaError):
    """The asked fetch size is not valid."""

    code = 4
    name = "INVALID_FETCH_SIZE"


class LeaderNotAvailable(KafkaError):
    """The partition has no leader at this moment."""

    code = 5
    name = "LEADER_NOT_AVAILABLE"
    retriable = True


class NotLeaderOrFollower(KafkaError):
    """This broker is neither the partition's leader nor one of its followers."""

    code = 6
    name = "NOT_LEADER_OR_FOLLOWER"
    retriable = True


class RequestTimedOut(KafkaError):
    """The request was not done within its time limit."""

    code = 7
    name = "REQUEST_TIMED_OUT"
    retriable = True


class BrokerNotAvailable(KafkaError):
    """The broker is not there."""

    code = 8
    name = "BROKER_NOT_AVAILABLE"


class ReplicaNotAvailable(KafkaError):
    """The replica of the partition is not there."""

    code = 9
    name = "REPLICA_NOT_AVAILABLE"
    retriable = True


class MessageTooLarge(KafkaError):
    """The record batch is larger than the topic's max.message.bytes."""

    code = 10
    name = "MESSAGE_TOO_LARGE"


class StaleControllerEpoch(KafkaError):
    """The controller has moved to another broker."""

    code = 11
    name = "STALE_CONTROLLER_EPOCH"


class OffsetMetadataTooLarge(KafkaError):
    """The metadata committed with an offset is longer than allowed."""

    code = 12
    name = "OFFSET_METADATA_TOO_LARGE"


class NetworkException(KafkaError):
    """The connection broke before the answer came."""

    code = 13
    name = "NETWORK_EXCEPTION"
    retriable = True


class CoordinatorLoadInProgress(KafkaError):
    """The coordinator is still loading the state of its groups or transactions."""

    code = 14
    name = "COORDINATOR_LOAD_IN_PROGRESS"
    retriable = True


class CoordinatorNotAvailable(KafkaError):
    """There is no coordinator at this moment."""

    code = 15
    name = "COORDINATOR_NOT_AVAILABLE"
    retriable = True


class NotCoordinator(KafkaError):
    """This broker is not the coordinator that was meant."""

    code = 16
    name = "NOT_COORDINATOR"
    retriable = True


class InvalidTopicException(KafkaError):
    """The topic name is not valid, or the topic does not allow this operation."""

    code = 17
    name = "INVALID_TOPIC_EXCEPTION"


class RecordListTooLarge(KafkaError):
    """The record batch is larger than a segment can hold."""

    code = 18
    name = "RECORD_LIST_TOO_LARGE"


class NotEnoughReplicas(KafkaError):
    """Fewer replicas are in sync than min.insync.replicas asks for."""

    code = 19
    name = "NOT_ENOUGH_REPLICAS"
    retriable = True


class NotEnoughReplicasAfterAppend(KafkaError):
    """The records were appended, but to fewer in-sync replicas than min.insync.replicas."""

    code = 20
    name = "NOT_ENOUGH_REPLICAS_AFTER_APPEND"
    retriable = True


class InvalidRequiredAcks(KafkaError):
    """acks must be 0, 1 or -1 (all)."""

    code = 21
    name = "INVALID_REQUIRED_ACKS"


class IllegalGeneration(KafkaError):
    """The generation is not the group's current one."""

    code = 22
    name = "ILLEGAL_GENERATION"


class InconsistentGroupProtocol(KafkaError):
    """The member shares no protocol type or no protocol name with the group."""

    code = 23
    name = "INCONSISTENT_GROUP_PROTOCOL"


class InvalidGroupId(KafkaError):
    """The group id is not valid."""

    code = 24
    name = "INVALID_GROUP_ID"


class UnknownMemberId(KafkaError):
    """The group does not know this member id."""

    code = 25
    name = "UNKNOWN_MEMBER_ID"


class InvalidSessionTimeout(KafkaError):
    """The session timeout is outside the broker's allowed range."""

    code = 26
    name = "INVALID_SESSION_TIMEOUT"


class RebalanceInProgress(KafkaError):
    """The group is rebalancing: the member must rejoin."""

    code = 27
    name = "REBALANCE_IN_PROGRESS"


class InvalidCommitOffsetSize(KafkaError):
    """The commit is too large to be stored."""

    code = 28
    name = "INVALID_COMMIT_OFFSET_SIZE"


class TopicAuthorizationFailed(KafkaError):
    """Not authorized for the topic."""

    code = 29
    name = "TOPIC_AUTHORIZATION_FAILED"


class GroupAuthorizationFailed(KafkaError):
    """Not authorized for the group."""

    code = 30
    name = "GROUP_AUTHORIZATION_FAILED"


class ClusterAuthorizationFailed(KafkaError):
    """Not authorized for the cluster."""

    code = 31
    name = "CLUSTER_AUTHORIZATION_FAILED"


class InvalidTimestamp(KafkaError):
    """A record's timestamp is too far from the broker's clock."""

    code = 32
    name = "INVALID_TIMESTAMP"


class UnsupportedSaslMechanism(KafkaError):
    """The broker does not offer this SASL mechanism."""

    code = 33
    name = "UNSUPPORTED_SASL_MECHANISM"


class IllegalSaslState(KafkaError):
    """The request does not fit the state of the SASL exchange."""

    code = 34
    name = "ILLEGAL_SASL_STATE"


class UnsupportedVersion(KafkaError):
    """The version of this API is not supported."""

    code = 35
    name = "UNSUPPORTED_VERSION"


class TopicAlreadyExists(KafkaError):
    """A topic of this name exists already."""

    code = 36
    name = "TOPIC_ALREADY_EXISTS"


class InvalidPartitions(KafkaError):
    """The number of partitions is not valid."""

    code = 37
    name = "INVALID_PARTITIONS"


class InvalidReplicationFactor(KafkaError):
    """The replication factor is below 1 or above the number of brokers."""

    code = 38
    name = "INVALID_REPLICATION_FACTOR"


class InvalidReplicaAssignment(KafkaError):
    """The replica assignment is not valid."""

    code = 39
    name = "INVALID_REPLICA_ASSIGNMENT"


class InvalidConfig(KafkaError):
    """A configuration name or value is not valid."""

    code = 40
    name = "INVALID_CONFIG"


class NotController(KafkaError):
    """This broker is not the controller."""

    code = 41
    name = "NOT_CONTROLLER"
    retriable = True


class InvalidRequest(KafkaError):
    """The request contradicts itself or the protocol."""

    code = 42
    name = "INVALID_REQUEST"


class UnsupportedForMessageFormat(KafkaError):
    """The broker's message format does not support this request."""

    code = 43
    name = "UNSUPPORTED_FOR_MESSAGE_FORMAT"


class PolicyViolation(KafkaError):
    """A policy of the cluster forbids what the request asks."""

    code = 44
    name = "POLICY_VIOLATION"


class OutOfOrderSequenceNumber(KafkaError):
    """A sequence number is missing between this batch and the producer's last."""

    code = 45
    name = "OUT_OF_ORDER_SEQUENCE_NUMBER"


class DuplicateSequenceNumber(KafkaError):
    """This sequence number was appended before."""

    code = 46
    name = "DUPLICATE_SEQUENCE_NUMBER"


class InvalidProducerEpoch(KafkaError):
    """The producer's epoch is older than the latest known one."""

    code = 47
    name = "INVALID_PRODUCER_EPOCH"


class InvalidTxnState(KafkaError):
    """The transaction is not in a state that allows this operation."""

    code = 48
    name = "INVALID_TXN_STATE"


class InvalidProducerIdMapping(KafkaError):
    """The producer id does not belong to this transactional id."""

    code = 49
    name = "INVALID_PRODUCER_ID_MAPPING"


class InvalidTransactionTimeout(KafkaError):
    """The transaction timeout is above transaction.max.timeout.ms, or not positive."""

    code = 50
    name = "INVALID_TRANSACTION_TIMEOUT"


class ConcurrentTransactions(KafkaError):
    """Another operation on this transaction is still being completed."""

    code = 51
    name = "CONCURRENT_TRANSACTIONS"
    retriable = True


class TransactionCoordinatorFenced(KafkaError):
    """The coordinator that wrote this marker is no longer the current one."""

    code = 52
    name = "TRANSACTION_COORDINATOR_FENCED"


class TransactionalIdAuthorizationFailed(KafkaError):
    """Not authorized for the transactional id."""

    code = 53
    name = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


class SecurityDisabled(KafkaError):
    """No authorizer is configured on the broker."""

    code = 54
    name = "SECURITY_DISABLED"


class OperationNotAttempted(KafkaError):
    """Not tried, because another part of the request failed."""

    code = 55
    name = "OPERATION_NOT_ATTEMPTED"


class KafkaStorageError(KafkaError):
    """The disk failed while the log was read or written."""

    code = 56
    name = "KAFKA_STORAGE_ERROR"
    retriable = True


class LogDirNotFound(KafkaError):
    """The broker has no log directory of this path."""

    code = 57
    name = "LOG_DIR_NOT_FOUND"


class SaslAuthenticationFailed(KafkaError):
    """The SASL credentials were refused."""

    code = 58
    name = "SASL_AUTHENTICATION_FAILED"


class UnknownProducerId(KafkaError):
    """The partition remembers nothing of this producer id."""

    code = 59
    name = "UNKNOWN_PRODUCER_ID"


class ReassignmentInProgress(KafkaError):
    """The partition is being reassigned."""

    code = 60
    name = "REASSIGNMENT_IN_PROGRESS"


class DelegationTokenAuthDisabled(KafkaError):
    """Delegation tokens are not enabled."""

    code = 61
    name = "DELEGATION_TOKEN_AUTH_DISABLED"


class DelegationTokenNotFound(KafkaError):
    """The broker does not know this delegation token."""

    code = 62
    name = "DELEGATION_TOKEN_NOT_FOUND"


class DelegationTokenOwnerMismatch(KafkaError):
    """The principal is neither owner nor renewer of the token."""

    code = 63
    name = "DELEGATION_TOKEN_OWNER_MISMATCH"


class DelegationTokenRequestNotAllowed(KafkaError):
    """Delegation token requests need an authenticated connection that is not itself by token."""

    code = 64
    name = "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED"


class DelegationTokenAuthorizationFailed(KafkaError):
    """Not authorized for the delegation token."""

    code = 65
    name = "DELEGATION_TOKEN_AUTHORIZATION_FAILED"


class DelegationTokenExpired(KafkaError):
    """The delegation token has expired."""

    code = 66
    name = "DELEGATION_TOKEN_EXPIRED"


class InvalidPrincipalType(KafkaError):
    """The principal type is not supported."""

    code = 67
    name = "INVALID_PRINCIPAL_TYPE"


class NonEmptyGroup(KafkaError):
    """The group still has members."""

    code = 68
    name = "NON_EMPTY_GROUP"


class GroupIdNotFound(KafkaError):
    """There is no group of this id."""

    code = 69
    name = "GROUP_ID_NOT_FOUND"


class FetchSessionIdNotFound(KafkaError):
    """The broker has no fetch session of this id."""

    code = 70
    name = "FETCH_SESSION_ID_NOT_FOUND"
    retriable = True


class InvalidFetchSessionEpoch(KafkaError):
    """The fetch session epoch is not the expected one."""

    code = 71
    name = "INVALID_FETCH_SESSION_EPOCH"
    retriable = True


class ListenerNotFound(KafkaError):
    """The leader has no listener of the name the request came in on."""

    code = 72
    name = "LISTENER_NOT_FOUND"
    retriable = True


class TopicDeletionDisabled(KafkaError):
    """Topic deletion is switched off (delete.topic.enable)."""

    code = 73
    name = "TOPIC_DELETION_DISABLED"


class FencedLeaderEpoch(KafkaError):
    """The leader epoch of the request is older than the broker's."""

    code = 74
    name = "FENCED_LEADER_EPOCH"
    retriable = True


class UnknownLeaderEpoch(KafkaError):
    """The leader epoch of the request is newer than the broker's."""

    code = 75
    name = "UNKNOWN_LEADER_EPOCH"
    retriable = True


class UnsupportedCompressionType(KafkaError):
    """The compression codec is not supported in this version of the API."""

    code = 76
    name = "UNSUPPORTED_COMPRESSION_TYPE"


class StaleBrokerEpoch(KafkaError):
    """The broker epoch has changed."""

    code = 77
    name = "STALE_BROKER_EPOCH"


class OffsetNotAvailable(KafkaError):
    """The high watermark has not caught up after an election, so offsets are not known yet."""

    code = 78
    name = "OFFSET_NOT_AVAILABLE"
    retriable = True


class MemberIdRequired(KafkaError):
    """The member must join again with the member id it was just given."""

    code = 79
    name = "MEMBER_ID_REQUIRED"


class PreferredLeaderNotAvailable(KafkaError):
    """The preferred leader is not there."""

    code = 80
    name = "PREFERRED_LEADER_NOT_AVAILABLE"
    retriable = True


class GroupMaxSizeReached(KafkaError):
    """The group has as many members as group.max.size allows."""

    code = 81
    name = "GROUP_MAX_SIZE_REACHED"


class FencedInstanceId(KafkaError):
    """Another member joined with the same group.instance.id."""

    code = 82
    name = "FENCED_INSTANCE_ID"


class EligibleLeadersNotAvailable(KafkaError):
    """No replica may become leader."""

    code = 83
    name = "ELIGIBLE_LEADERS_NOT_AVAILABLE"
    retriable = True


class ElectionNotNeeded(KafkaError):
    """The partition has the leader that was asked for."""

    code = 84
    name = "ELECTION_NOT_NEEDED"
    retriable = True


class NoReassignmentInProgress(KafkaError):
    """No reassignment of this partition is going on."""

    code = 85
    name = "NO_REASSIGNMENT_IN_PROGRESS"


class GroupSubscribedToTopic(KafkaError):
    """Members of the group are subscribed to this topic, so its offsets stay."""

    code = 86
    name = "GROUP_SUBSCRIBED_TO_TOPIC"


class InvalidRecord(KafkaError):
    """A record or its batch breaks a rule of the broker."""

    code = 87
    name = "INVALID_RECORD"


class UnstableOffsetCommit(KafkaError):
    """A transaction that commits this offset is still open."""

    code = 88
    name = "UNSTABLE_OFFSET_COMMIT"
    retriable = True


class ThrottlingQuotaExceeded(KafkaError):
    """The quota for this kind of request is used up for now."""

    code = 89
    name = "THROTTLING_QUOTA_EXCEEDED"
    retriable = True


class ProducerFenced(KafkaError):
    """A newer producer with the same transactional id has taken over."""

    code = 90
    name = "PRODUCER_FENCED"


class ResourceNotFound(KafkaError):
    """The request names a resource that does not exist."""

    code = 91
    name = "RESOURCE_NOT_FOUND"


class DuplicateResource(KafkaError):
    """The request names the same resource twice."""

    code = 92
    name = "DUPLICATE_RESOURCE"


class UnacceptableCredential(KafkaError):
    """The credential does not meet the broker's requirements."""

    code = 93
    name = "UNACCEPTABLE_CREDENTIAL"


class InconsistentVoterSet(KafkaError):
    """The sets of voters of the two sides differ."""

    code = 94
    name = "INCONSISTENT_VOTER_SET"


class InvalidUpdateVersion(KafkaError):
    """The update version is not valid."""

    code = 95
    name = "INVALID_UPDATE_VERSION"


class FeatureUpdateFailed(KafkaError):
    """The finalized features could not be updated."""

    code = 96
    name = "FEATURE_UPDATE_FAILED"


class PrincipalDeserializationFailure(KafkaError):
    """The principal in a forwarded request could not be read."""

    code = 97
    name = "PRINCIPAL_DESERIALIZATION_FAILURE"


class SnapshotNotFound(KafkaError):
    """There is no snapshot of this id."""

    code = 98
    name = "SNAPSHOT_NOT_FOUND"


class PositionOutOfRange(KafkaError):
    """The asked position lies outside the snapshot."""

    code = 99
    name = "POSITION_OUT_OF_RANGE"


class UnknownTopicId(KafkaError):
    """This server does not host a topic of this id."""

    code = 100
    name = "UNKNOWN_TOPIC_ID"
    retriable = True


class DuplicateBrokerRegistration(KafkaError):
    """Another live broker is registered with this node id."""

    code = 101
    name = "DUPLICATE_BROKER_REGISTRATION"


class BrokerIdNotRegistered(KafkaError):
    """No broker of this node id is registered."""

    code = 102
    name = "BROKER_ID_NOT_REGISTERED"


class InconsistentTopicId(KafkaError):
    """The topic id does not belong to the topic named."""

    code = 103
    name = "INCONSISTENT_TOPIC_ID"
    retriable = True


class InconsistentClusterId(KafkaError):
    """The cluster id is not this cluster's."""

    code = 104
    name = "INCONSISTENT_CLUSTER_ID"


class TransactionalIdNotFound(KafkaError):
    """There is no transaction of this transactional id."""

    code = 105
    name = "TRANSACTIONAL_ID_NOT_FOUND"


class FetchSessionTopicIdError(KafkaError):
    """The fetch session mixes topic names and topic ids."""

    code = 106
    name = "FETCH_SESSION_TOPIC_ID_ERROR"
    retriable = True


class IneligibleReplica(KafkaError):
    """The replica may not join the in-sync replicas."""

    code = 107
    name = "INELIGIBLE_REPLICA"


class NewLeaderElected(KafkaError):
    """The partition state was changed, and with it the leader."""

    code = 108
    name = "NEW_LEADER_ELECTED"


class OffsetMovedToTieredStorage(KafkaError):
    """The asked offset now lies in tiered storage."""

    code = 109
    name = "OFFSET_MOVED_TO_TIERED_STORAGE"


class FencedMemberEpoch(KafkaError):
    """The member epoch was fenced by the coordinator: the member must rejoin."""

    code = 110
    name = "FENCED_MEMBER_EPOCH"


class UnreleasedInstanceId(KafkaError):
    """Another member still holds this group.instance.id."""

    code = 111
    name = "UNRELEASED_INSTANCE_ID"


class UnsupportedAssignor(KafkaError):
    """The group coordinator has no such assignor."""

    code = 112
    name = "UNSUPPORTED_ASSIGNOR"


class StaleMemberEpoch(KafkaError):
    """The member epoch is old: ask again with the one of the next heartbeat."""

    code = 113
    name = "STALE_MEMBER_EPOCH"


class MismatchedEndpointType(KafkaError):
    """The request was sent to an endpoint of the wrong kind."""

    code = 114
    name = "MISMATCHED_ENDPOINT_TYPE"


class UnsupportedEndpointType(KafkaError):
    """This kind of endpoint is not supported."""

    code = 115
    name = "UNSUPPORTED_ENDPOINT_TYPE"


class UnknownControllerId(KafkaError):
    """There is no controller of this id."""

    code = 116
    name = "UNKNOWN_CONTROLLER_ID"


class UnknownSubscriptionId(KafkaError):
    """The telemetry subscription id is not the current one."""

    code = 117
    name = "UNKNOWN_SUBSCRIPTION_ID"


class TelemetryTooLarge(KafkaError):
    """The telemetry push is larger than allowed."""

    code = 118
    name = "TELEMETRY_TOO_LARGE"


class InvalidRegistration(KafkaError):
    """The broker registration is not valid."""

    code = 119
    name = "INVALID_REGISTRATION"


class TransactionAbortable(KafkaError):
    """The transaction met an error and must be aborted."""

    code = 120
    name = "TRANSACTION_ABORTABLE"


class InvalidRecordState(KafkaError):
    """The record's delivery state does not allow this acknowledgement."""

    code = 121
    name = "INVALID_RECORD_STATE"


class ShareSessionNotFound(KafkaError):
    """The broker has no share session of this member."""

    code = 122
    name = "SHARE_SESSION_NOT_FOUND"
    retriable = True


class InvalidShareSessionEpoch(KafkaError):
    """The share session epoch is not the expected one."""

    code = 123
    name = "INVALID_SHARE_SESSION_EPOCH"
    retriable = True


class FencedStateEpoch(KafkaError):
    """The share coordinator refused an old state epoch."""

    code = 124
    name = "FENCED_STATE_EPOCH"


class InvalidVoterKey(KafkaError):
    """The voter key is not the receiver's."""

    code = 125
    name = "INVALID_VOTER_KEY"


class DuplicateVoter(KafkaError):
    """The voter is in the set already."""

    code = 126
    name = "DUPLICATE_VOTER"


class VoterNotFound(KafkaError):
    """The voter is not in the set."""

    code = 127
    name = "VOTER_NOT_FOUND"


class InvalidRegularExpression(KafkaError):
    """The regular expression is not valid RE2."""

    code = 128
    name = "INVALID_REGULAR_EXPRESSION"


class RebootstrapRequired(KafkaError):
    """The client's metadata is stale: bootstrap again."""

    code = 129
    name = "REBOOTSTRAP_REQUIRED"


class StreamsInvalidTopology(KafkaError):
    """The streams topology is not valid."""

    code = 130
    name = "STREAMS_INVALID_TOPOLOGY"


class StreamsInvalidTopologyEpoch(KafkaError):
    """The topology epoch is not valid."""

    code = 131
    name = "STREAMS_INVALID_TOPOLOGY_EPOCH"


class StreamsTopologyFenced(KafkaError):
    """The topology epoch is older than the group's."""

    code = 132
    name = "STREAMS_TOPOLOGY_FENCED"


class ShareSessionLimitReached(KafkaError):
    """The broker holds as many share sessions as it may."""

    code = 133
    name = "SHARE_SESSION_LIMIT_REACHED"
    retriable = True


_BY_CODE: Final[dict[int, type[KafkaError]]] = {error.code: error for error in KafkaError.__subclasses__()}
