"""How many connections, from where, and how fast."""

import pytest

from broker.config import ConfigError, broker_config
from broker.connection_limits import ConnectionLimits, RateMeter, limits_of, parse_overrides

NOBODY = {"count": 0, "host_count": 0, "listener_count": 0}


def limits(**given: str) -> ConnectionLimits:
    return limits_of(broker_config({name.replace("_", "."): text for name, text in given.items()}))


@pytest.mark.parametrize(
    ("given", "beside", "named"),
    [
        ({"max.connections": "2"}, {"count": 2}, "max.connections"),
        ({"max.connections.per.ip": "2"}, {"host_count": 2}, "max.connections.per.ip"),
        ({"max.connections.per.ip.overrides": "10.0.0.1:2"}, {"host_count": 2}, "max.connections.per.ip"),
        (
            {"listener.name.plaintext.max.connections": "2"},
            {"listener_count": 2},
            "listener.name.plaintext.max.connections",
        ),
    ],
)
def test_one_more_than_the_limit_is_refused_by_its_name(given, beside, named):
    found = limits(**given)
    assert found.exceeded("10.0.0.1", "PLAINTEXT", **NOBODY | {key: value - 1 for key, value in beside.items()}) == ""
    assert found.exceeded("10.0.0.1", "PLAINTEXT", **NOBODY | beside) == named


def test_an_override_may_allow_more_and_holds_for_its_address_only():
    found = limits(**{"max.connections.per.ip": "1", "max.connections.per.ip.overrides": "10.0.0.1:5, [::1]:0"})
    assert found.exceeded("10.0.0.1", "X", count=9, host_count=4, listener_count=0) == ""
    assert found.exceeded("10.0.0.2", "X", count=9, host_count=4, listener_count=0) == "max.connections.per.ip"
    assert found.exceeded("::1", "X", **NOBODY) == "max.connections.per.ip"


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.1:", "10.0.0.1:x", ":5", "example.org:5"])
def test_overrides_that_cannot_be_read_are_refused(text):
    with pytest.raises(ConfigError, match=r"max\.connections\.per\.ip\.overrides"):
        parse_overrides(text)


def test_connections_that_come_too_fast_wait_until_the_rate_is_kept():
    meter = RateMeter(rate=2, window_s=1)
    assert [meter.wait_s(10.0) for _ in range(4)] == [0, 0, 0.5, 1.0]
    assert meter.wait_s(12.0) == 0


def test_the_rate_of_a_listener_counts_beside_the_brokers():
    found = limits(
        **{"max.connection.creation.rate": "100", "listener.name.plaintext.max.connection.creation.rate": "1"},
        quota_window_num="2",
    )
    assert [found.wait_s("PLAINTEXT", 5.0) for _ in range(3)] == [0, 1, 2]
    assert found.wait_s("OTHER", 5.0) == 0


def test_without_settings_nothing_is_limited():
    found = limits()
    assert found.exceeded("h", "X", count=10**6, host_count=10**6, listener_count=10**6) == ""
    assert [found.wait_s("X", 1.0) for _ in range(1000)] == [0] * 1000
