import pytest

from app.kafka.ports import ClusterUnreachable
from app.rest import errors
from broker import errors as kafka
from broker.protocol.primitives import EncodeError


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (kafka.TopicAlreadyExists(), 400, 40002),
        (kafka.InvalidReplicationFactor(), 400, 40002),
        (kafka.InvalidPartitions(), 400, 40002),
        (kafka.InvalidConfig(), 400, 40002),
        (kafka.InvalidTopicException(), 400, 40002),
        (kafka.PolicyViolation(), 400, 40002),
        (kafka.SecurityDisabled(), 400, 40002),
        (kafka.UnsupportedVersion(), 400, 40002),
        (kafka.TopicDeletionDisabled(), 400, 40002),
        (kafka.UnknownServerError(), 400, 40002),
        (kafka.SaslAuthenticationFailed(), 401, 40101),
        (kafka.TopicAuthorizationFailed(), 403, 40301),
        (kafka.GroupAuthorizationFailed(), 403, 40301),
        (kafka.ClusterAuthorizationFailed(), 403, 40301),
        (kafka.UnknownTopicOrPartition(), 404, 40403),
        (kafka.LeaderNotAvailable(), 404, 40404),
        (kafka.GroupIdNotFound(), 404, 40405),
        (kafka.MessageTooLarge(), 413, 413),
        (kafka.ThrottlingQuotaExceeded(), 429, 42901),
        (kafka.InvalidTimestamp(), 500, 50002),
        (kafka.NotEnoughReplicas(), 500, 50003),
        (ClusterUnreachable("no broker"), 503, 50302),
        (EncodeError("CreateTopicsRequest v7: 'h' format requires -32768 <= number <= 32767"), 400, 400),
        (errors.Unprocessable("x"), 422, 422),
    ],
)
def test_an_error_of_the_cluster_becomes_the_documented_code(error: Exception, status: int, code: int) -> None:
    told = errors.translate(error)
    assert told is not None
    assert (told.status, told.error_code) == (status, code)
    assert told.message


def test_a_bug_of_ours_is_no_error_of_the_cluster() -> None:
    assert errors.translate(KeyError("x")) is None


@pytest.mark.parametrize("cls", errors.RestError.__subclasses__())
def test_a_code_is_its_status_with_or_without_a_number(cls: type[errors.RestError]) -> None:
    assert cls.error_code == cls.status or cls.error_code // 100 in (cls.status, 400)
