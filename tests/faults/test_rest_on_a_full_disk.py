"""The REST Proxy on a broker whose disk is full: records are refused for now, and stored once there is room."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.kafka.producer import KafkaProducer, ProducerSettings
from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.test_failing_disk import FailingDisk
from tests.integration.rest import running_proxy as rest


def test_a_record_that_has_no_room_on_the_disk_is_50003(
    new_broker: Callable[..., BrokerUnderTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(new_broker, tmp_path)
    impatient = ProducerSettings(delivery_timeout_s=0.5)
    monkeypatch.setattr(rest, "KafkaProducer", partial(KafkaProducer, settings=impatient))
    with rest.running_proxy(disk.broker.bootstrap_servers) as proxy:
        url = f"{proxy.cluster_url()}/topics/sick/records"
        record = {"value": {"type": "STRING", "data": "v3"}}
        disk.fail("pwrite ENOSPC /sick-0/")
        (refused,) = proxy.produce("sick", {"value": "v2"})
        assert (refused["offset"], refused["error_code"]) == (None, 50003)
        receipt = proxy.http.post(url, json=record)
        assert (receipt.status_code, receipt.json()["error_code"]) == (200, 50003)
        batch = proxy.http.post(f"{url}:batch", json={"entries": [{"id": "a", **record}]})
        assert (batch.status_code, batch.json()["failures"][0]["error_code"]) == (207, 50003)
        assert proxy.produce("well", {"value": 1})[0]["error_code"] is None
        disk.fail()
        assert proxy.produce("sick", {"value": "v2"})[0]["offset"] == 0
        assert proxy.http.post(url, json=record).json()["offset"] == 1
    assert disk.broker.unforeseen_lines() == []
