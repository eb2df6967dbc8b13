"""The generated message modules are what the generator writes."""

import pytest

from broker.protocol import generate
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import API_MESSAGES
from broker.protocol.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from broker.protocol.messages.fetch import FetchRequest
from broker.protocol.messages.produce import PartitionProduceResponse


def test_regenerating_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("api_key", API_MESSAGES)
def test_modules_are_named_after_the_key(api_key: int) -> None:
    assert API_MESSAGES[api_key][0] == ApiKey(api_key).name.lower()


def test_units_that_kio_drops_are_back() -> None:
    assert FetchRequest().max_wait_ms == 0
    assert PartitionProduceResponse().log_append_time_ms == -1


def test_unchanged_in_a_heartbeat_is_null_not_empty() -> None:
    request = ConsumerGroupHeartbeatRequest()
    assert request.topic_partitions is None
    assert request.subscribed_topic_names is None
    assert request.rebalance_timeout_ms == -1
