"""Which quota holds for whom, and how long a client waits."""

import pytest

from broker.errors import InvalidRequest
from broker.security.client_quotas import ClientQuotas, check_value, entity_of

RATE = "producer_byte_rate"
NEAREST_FIRST = [
    (("client-id", "app"), ("user", "alice")),
    (("client-id", None), ("user", "alice")),
    (("user", "alice"),),
    (("client-id", "app"), ("user", None)),
    (("client-id", None), ("user", None)),
    (("user", None),),
    (("client-id", "app"),),
    (("client-id", None),),
]


@pytest.fixture
def quotas(tmp_path):
    return ClientQuotas(tmp_path, window_s=10)


def test_the_nearest_quota_counts(quotas):
    for rate, entity in reversed(list(enumerate(NEAREST_FIRST, 1))):
        quotas.change({entity: {RATE: float(rate)}})
        assert quotas._limit(RATE, "alice", "app").rate == rate


def test_a_client_waits_for_what_it_used_beyond_the_window(quotas):
    quotas.change({(("user", "alice"),): {RATE: 100.0}})
    assert quotas.wait_s(RATE, "alice", "a", 1000, now_s=0) == 0
    assert quotas.wait_s(RATE, "alice", "b", 500, now_s=0) == 5
    assert quotas.wait_s(RATE, "alice", "b", 0, now_s=4) == 1
    assert quotas.wait_s(RATE, "alice", "b", 0, now_s=5) == 0


def test_users_under_a_default_are_counted_each_by_itself(quotas):
    quotas.change({(("user", None),): {RATE: 1.0}})
    assert quotas.wait_s(RATE, "alice", "", 100, now_s=0) > 0
    assert quotas.wait_s(RATE, "bob", "", 1, now_s=0) == 0


def test_who_has_no_quota_never_waits(quotas):
    quotas.change({(("user", "alice"),): {RATE: 1.0}})
    assert quotas.wait_s(RATE, "bob", "", 1e12, now_s=0) == 0
    assert quotas.wait_s("consumer_byte_rate", "alice", "", 1e12, now_s=0) == 0


def test_connections_are_counted_by_address(quotas):
    quotas.change({(("ip", None),): {"connection_creation_rate": 1.0}})
    assert quotas.limits_connections
    assert not quotas.limits_clients
    waits = [quotas.connection_wait_s("10.0.0.1", now_s=0) for _ in range(12)]
    assert waits[9:] == [0, 1, 2]
    assert quotas.connection_wait_s("10.0.0.2", now_s=0) == 0


def test_quotas_survive_a_restart_and_go_away(tmp_path, quotas):
    entity = (("client-id", None), ("user", "alice"))
    quotas.change({entity: {RATE: 5.0, "request_percentage": 50.5}})
    again = ClientQuotas(tmp_path, window_s=10)
    again.open()
    assert dict(again) == {entity: {RATE: 5.0, "request_percentage": 50.5}}
    again.change({entity: {RATE: None, "request_percentage": None}})
    assert dict(again) == {}
    assert not again.limits_clients


@pytest.mark.parametrize(
    "parts",
    [[], [("user", "a"), ("user", "b")], [("host", "a")], [("user", "")], [("ip", "10.0.0.1"), ("user", "a")]],
)
def test_an_entity_that_cannot_be_is_refused(parts):
    with pytest.raises(InvalidRequest):
        entity_of(parts)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("user", "nonsense", 1),
        ("user", "connection_creation_rate", 1),
        ("ip", RATE, 1),
        ("user", RATE, 0),
        ("user", RATE, -1),
        ("user", RATE, 1.5),
        ("user", RATE, float("nan")),
    ],
)
def test_a_value_that_cannot_be_is_refused(kind, key, value):
    with pytest.raises(InvalidRequest):
        check_value(((kind, "a"),), key, value)
