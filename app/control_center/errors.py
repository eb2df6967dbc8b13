"""What can go wrong between a person and a page, and the words for what the cluster refuses."""

from app.kafka.ports import ClusterUnreachable
from broker import errors as kafka


class PageNotFound(Exception):
    """The path names something that is not there; the message is a whole sentence for the page."""


class PageNotReady(Exception):
    """What the page shows has not been read yet; the message is a whole sentence for the page."""


class ForgedRequest(Exception):
    """A change was asked for by a page that is not ours."""


class FormTooLarge(Exception):
    """A posted form is larger than the limit."""


REFUSALS: dict[type[kafka.KafkaError], str] = {
    kafka.TopicAlreadyExists: "A topic of this name exists already",
    kafka.UnknownTopicOrPartition: "The topic is not there any more",
    kafka.InvalidReplicationFactor: "There are not enough brokers for this number of replicas",
    kafka.InvalidPartitions: "This number of partitions is not possible",
    kafka.InvalidConfig: "The broker does not accept a config",
    kafka.PolicyViolation: "A policy of the cluster forbids it",
    kafka.NonEmptyGroup: "The group still has members. Stop its consumers first",
    kafka.GroupIdNotFound: "The group is not there any more",
    kafka.OffsetOutOfRange: "The offset is outside the log",
    kafka.MessageTooLarge: "The record is larger than the topic allows (max.message.bytes)",
    kafka.TopicAuthorizationFailed: "This connection is not allowed to do that to the topic",
    kafka.GroupAuthorizationFailed: "This connection is not allowed to do that to the group",
    kafka.ClusterAuthorizationFailed: "This connection is not allowed to change the cluster",
    kafka.NotEnoughReplicas: "Too few replicas are in sync to accept a write (min.insync.replicas)",
    kafka.RequestTimedOut: "The cluster did not finish in time; it may still do it",
}


def explain(error: kafka.KafkaError | ClusterUnreachable) -> str:
    """A sentence for a person, with the broker's own words and its error code."""
    if isinstance(error, ClusterUnreachable):
        return f"The cluster does not answer: {error}."
    words = REFUSALS.get(type(error), "The cluster refused")
    said = str(error).strip().rstrip(".")
    code = f"{type(error).__name__}, error {error.code}"
    return f"{words}: {said} ({code})." if said and said != type(error).__name__ else f"{words} ({code})."
