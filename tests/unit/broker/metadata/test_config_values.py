import pytest

from broker.errors import InvalidConfig
from broker.metadata.broker_configs import ConfigType
from broker.metadata.config_values import (
    AtLeast,
    Between,
    BetweenOrEqual,
    OneOf,
    parse,
    throttled_replicas,
    to_text,
)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        (" 5 ", ConfigType.LONG, 5),
        ("+5", ConfigType.INT, 5),
        ("-1", ConfigType.SHORT, -1),
        ("2147483647", ConfigType.INT, 2147483647),
        ("TRUE", ConfigType.BOOLEAN, True),
        (".50", ConfigType.DOUBLE, 0.5),
        ("delete , compact", ConfigType.LIST, ("delete", "compact")),
        ("delete,delete", ConfigType.LIST, ("delete",)),
        ("", ConfigType.LIST, ()),
        (" producer ", ConfigType.STRING, "producer"),
    ],
)
def test_text_is_read_as_kafka_reads_it(text, type_, value):
    assert parse("some.config", text, type_) == value


@pytest.mark.parametrize(
    ("text", "type_", "reason"),
    [
        ("x", ConfigType.LONG, "Not a number of type LONG"),
        ("", ConfigType.LONG, "Not a number of type LONG"),
        ("1_000", ConfigType.LONG, "Not a number of type LONG"),
        ("٣", ConfigType.LONG, "Not a number of type LONG"),
        ("9223372036854775808", ConfigType.LONG, "Not a number of type LONG"),
        ("9" * 100_000, ConfigType.LONG, "Not a number of type LONG"),
        ("99999999999", ConfigType.INT, "Not a number of type INT"),
        ("1.5", ConfigType.LONG, "Not a number of type LONG"),
        ("abc", ConfigType.DOUBLE, "Not a number of type DOUBLE"),
        ("yes", ConfigType.BOOLEAN, "Expected value to be either true or false"),
    ],
)
def test_other_text_is_refused_in_kafkas_words(text, type_, reason):
    with pytest.raises(InvalidConfig) as refused:
        parse("retention.ms", text, type_)
    assert str(refused.value) == f"Invalid value {text} for configuration retention.ms: {reason}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (-1, "-1"),
        (0.5, "0.5"),
        (1.0, "1.0"),
        (1e-4, "1.0E-4"),
        (-2.5e-5, "-2.5E-5"),
        (1e7, "1.0E7"),
        (12345678.5, "1.23456785E7"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
        (("compact", "delete"), "compact,delete"),
        ((), ""),
    ],
)
def test_values_are_written_as_java_writes_them(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        (AtLeast(-1), -2, "Invalid value -2 for configuration c: Value must be at least -1"),
        (Between(1, 17), 0, "Invalid value 0 for configuration c: Value must be at least 1"),
        (Between(0, 1), 1.5, "Invalid value 1.5 for configuration c: Value must be no more than 1"),
        (
            BetweenOrEqual(1, 9, -1),
            0,
            "Invalid value 0 for configuration c: Value must be between 1 and 9 or equal to -1",
        ),
        (OneOf(("a", "b")), ("a", "c"), "Invalid value c for configuration c: String must be one of: a, b"),
        (
            throttled_replicas,
            ("x",),
            "Invalid value [x] for configuration c: c must be the literal '*' or a list of replicas "
            "in the following format: "
            "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
    ],
)
def test_rules_name_the_bound_that_is_broken(rule, value, message):
    with pytest.raises(InvalidConfig) as refused:
        rule("c", value)
    assert str(refused.value) == message


@pytest.mark.parametrize("value", [(), ("*",), ("0:1", "12:3")])
def test_throttled_replicas_are_a_star_or_pairs(value):
    throttled_replicas("leader.replication.throttled.replicas", value)
