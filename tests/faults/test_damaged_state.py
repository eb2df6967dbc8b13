"""T4, for what the log's own tests do not cover: a bit flips in a file that says what exists, rather than holds it.

Torn ends (T3) and flipped bits in `.log`, index, snapshot and checkpoint files: see `tests/property/test_recovery.py`.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.protocol.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from broker.protocol.messages.init_producer_id import InitProducerIdRequest
from broker.protocol.messages.metadata import MetadataRequest
from caudal.testing import BrokerFailedError
from tests.faults.asking import commit, committed, produce, read_end
from tests.faults.broker_under_test import BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

FILES = [
    "topics.json",
    "dynamic-configs.json",
    "producer-ids.json",
    "meta.properties",
    "damage-0/partition.metadata",
    "damage-0/leader-epoch-checkpoint",
    "__consumer_offsets-0/partition.metadata",
    "*-offset-checkpoint",
    "damage-0/0*.*[!g]",
]
"""With a pattern a bit flips in every file that it fits; the last one means indexes and snapshots."""
RECORDS = 20
TOPIC_RESOURCE, BROKER_RESOURCE, SET = 2, 4, 0


def fill(broker: BrokerUnderTest) -> None:
    broker.create_topic("damage", 2, {"retention.ms": "-1"})
    setting = AlterableConfig(name="log.retention.ms", config_operation=SET, value="-1")
    resource = AlterConfigsResource(resource_type=BROKER_RESOURCE, resource_name="", configs=[setting])
    with WireClient(broker.bootstrap_servers) as wire:
        for _ in range(RECORDS):
            produce(wire, "damage")
        assert commit(wire, "readers", "damage", 7) == 0
        wire.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4)
        assert wire.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses[0].error_code == 0


def what_is_there(broker: BrokerUnderTest) -> dict[str, object]:
    """All that a client can see of what `fill` made."""
    resource = DescribeConfigsResource(
        resource_type=TOPIC_RESOURCE, resource_name="damage", configuration_keys=["retention.ms"]
    )
    with WireClient(broker.bootstrap_servers) as wire:
        metadata = wire.ask(MetadataRequest(topics=None), 12)
        return {
            "cluster": metadata.cluster_id,
            "topics": {topic.name: (topic.topic_id, len(topic.partitions)) for topic in metadata.topics},
            "end": read_end(wire, "damage"),
            "committed": committed(wire, "readers", "damage"),
            "retention": wire.ask(DescribeConfigsRequest(resources=[resource]), 4).results[0].configs[0].value,
        }


def files_of(folder: Path, pattern: str) -> list[Path]:
    """Those with a bit to flip. The log start offset has no checksum in Kafka's format, and no other witness."""
    found = [path for path in sorted(folder.glob(pattern)) if path.stat().st_size]
    found = [path for path in found if path.name != "log-start-offset-checkpoint"]
    assert found
    return found


def flip_a_bit(path: Path, chance: random.Random) -> int:
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return at


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_changes_nothing_or_is_reported(
    new_broker: Callable[..., BrokerUnderTest], tmp_path: Path, chance: random.Random, is_soak: bool, name: str
) -> None:
    broker = new_broker()
    fill(broker)
    before = what_is_there(broker)
    with WireClient(broker.bootstrap_servers) as wire:
        earlier_id = wire.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4).producer_id
    broker.stop()
    whole = tmp_path / "whole"
    shutil.copytree(broker.data_folder, whole)
    for _ in range(20 if is_soak else 2):
        shutil.rmtree(broker.data_folder)
        shutil.copytree(whole, broker.data_folder)
        at = [flip_a_bit(path, chance) for path in files_of(broker.data_folder, name)]
        try:
            broker.start()
        except BrokerFailedError as refusal:
            if name == "meta.properties" and name in str(refusal):
                continue  # Whose data this is cannot be guessed: the operator is told which file to mend.
            raise
        after = what_is_there(broker)
        if name == "meta.properties":
            after["cluster"] = before["cluster"]
        assert after == before, f"bit flipped in byte {at} of {name}"
        with WireClient(broker.bootstrap_servers) as wire:
            later_id = wire.ask(
                InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4
            ).producer_id
        assert later_id > earlier_id
        assert broker.unforeseen_lines() == []
        broker.stop()
