"""FindCoordinator on the wire, as Kafka 4.3.1 answers it once its internal topics exist."""

import pytest

from broker.protocol.messages.find_coordinator import FindCoordinatorRequest

GROUP, TRANSACTION, SHARE = 0, 1, 2


@pytest.mark.parametrize("version", range(4))
def test_one_key_is_answered_with_this_broker(groups, version):
    response = groups.ask(FindCoordinatorRequest(key="g"), version)
    assert (response.error_code, response.node_id, response.host, response.port) == (0, 1, "127.0.0.1", 9092)
    assert response.error_message == ("NONE" if version >= 1 else "")


@pytest.mark.parametrize("version", range(4, 7))
@pytest.mark.parametrize("key_type", [GROUP, TRANSACTION])
def test_each_of_many_keys_is_answered_with_this_broker(groups, version, key_type):
    response = groups.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=["g", "", "h"]), version)
    assert [(each.key, each.node_id, each.port, each.error_code) for each in response.coordinators] == [
        (key, 1, 9092, 0) for key in ("g", "", "h")
    ]


def test_no_keys_get_no_coordinators(groups):
    assert groups.ask(FindCoordinatorRequest(), 6).coordinators == []


@pytest.mark.parametrize("key_type", [SHARE, 5, -1])
def test_other_types_are_an_invalid_request(groups, key_type):
    (refused,) = groups.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=["g"]), 6).coordinators
    assert (refused.error_code, refused.node_id, refused.host, refused.port) == (42, -1, "", -1)
    response = groups.ask(FindCoordinatorRequest(key_type=key_type, key="g"), 3)
    assert (response.error_code, response.node_id) == (42, -1)
