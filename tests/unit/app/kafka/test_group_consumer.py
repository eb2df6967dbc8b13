import pytest
from aiokafka import errors as client_errors

from app.kafka.connection import ConnectionSettings
from app.kafka.group_consumer import AiokafkaConsumers, _raise_translated
from app.kafka.ports import ClusterUnreachable, OffsetReset, TopicPartition
from broker.errors import (
    GroupAuthorizationFailed,
    OffsetOutOfRange,
    RebalanceInProgress,
    SaslAuthenticationFailed,
    UnknownServerError,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_errors.GroupAuthorizationFailedError("g"), GroupAuthorizationFailed),
        (client_errors.KafkaConnectionError("gone"), ClusterUnreachable),
        (client_errors.NodeNotReadyError(), ClusterUnreachable),
        (TimeoutError(), ClusterUnreachable),
        (ConnectionRefusedError(), ClusterUnreachable),
        (client_errors.CommitFailedError("x"), RebalanceInProgress),
        (client_errors.AuthenticationFailedError("x"), SaslAuthenticationFailed),
        (client_errors.NoOffsetForPartitionError("x"), OffsetOutOfRange),
        (client_errors.IllegalStateError("x"), RebalanceInProgress),
        (client_errors.KafkaError("x"), UnknownServerError),
    ],
)
def test_errors_of_the_client_become_kafkas(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        _raise_translated(error)


async def test_a_dead_address_is_told_at_start_and_costs_nothing_before() -> None:
    async def on_revoked(_: object) -> None:
        """Nobody has anything to lose."""

    consumers = AiokafkaConsumers(["127.0.0.1:1"], ConnectionSettings(request_timeout_s=2.0))
    consumer = consumers("g", offset_reset=OffsetReset.EARLIEST, on_revoked=on_revoked)
    assert consumer.assignment() == frozenset()
    assert consumer.subscription() == ()
    for _ in range(2):
        with pytest.raises(ClusterUnreachable):
            await consumer.start()
    with pytest.raises(ClusterUnreachable):
        consumer.seek(TopicPartition("t", 0), 0)
    await consumer.stop()
