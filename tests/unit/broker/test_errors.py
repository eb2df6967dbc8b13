"""The table of Kafka's errors."""

import pytest
from kio.schema.errors import ErrorCode

from broker.errors import (
    NONE,
    KafkaError,
    OffsetOutOfRange,
    UnknownServerError,
    UnknownTopicOrPartition,
    by_code,
)


@pytest.mark.parametrize(
    "expected", [code for code in ErrorCode if int(code.value) != NONE], ids=lambda code: code.name
)
def test_every_code_has_its_class(expected: ErrorCode) -> None:
    error = by_code(int(expected.value))
    assert error.code == int(expected.value)
    assert error.name == expected.name.upper()
    assert error.retriable == expected.retriable
    assert error.__name__.lower() == expected.name.replace("_", "")


def test_unknown_code_is_an_unknown_server_error() -> None:
    assert by_code(9999) is UnknownServerError


def test_message_says_what_happened() -> None:
    error = UnknownTopicOrPartition("topic 'orders' has 3 partitions, asked for 7")
    assert str(error) == error.message == "topic 'orders' has 3 partitions, asked for 7"


def test_message_defaults_to_the_description() -> None:
    assert str(OffsetOutOfRange()) == "The asked offset is outside the partition's log."


def test_empty_message_stays_empty() -> None:
    assert str(KafkaError("")) == ""
