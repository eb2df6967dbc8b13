"""Apache Kafka's own administration tools against our broker, unchanged. Each run starts a Java process."""

import json
import re
from pathlib import Path

import pytest

from caudal.testing import Broker
from tests.conftest import JavaTools

pytestmark = pytest.mark.java


@pytest.fixture
def tool(java_tools: JavaTools, broker: Broker):
    """Run a tool against the broker; its output as text."""

    def run(name: str, *arguments: str, check: bool = True) -> str:
        done = java_tools.run(name, "--bootstrap-server", broker.bootstrap_servers, *arguments, check=check)
        return done.stdout + done.stderr

    return run


def test_topics_are_created_described_grown_and_deleted(tool):
    assert "Created topic life." in tool(
        *("topics", "--create", "--topic", "life", "--partitions", "2", "--config", "retention.ms=1000")
    )
    assert "already exists" in tool("topics", "--create", "--topic", "life", check=False)
    described = tool("topics", "--describe", "--topic", "life")
    assert re.search(r"PartitionCount: 2\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=1000", described)
    assert described.count("Leader: 0\tReplicas: 0\tIsr: 0") == 2
    tool("topics", "--alter", "--topic", "life", "--partitions", "3")
    assert "PartitionCount: 3" in tool("topics", "--describe", "--topic", "life")
    assert "life" in tool("topics", "--list").split()
    tool("topics", "--delete", "--topic", "life")
    assert "life" not in tool("topics", "--list").split()


def test_topic_configs_are_described_and_altered(tool):
    topic = ("--entity-type", "topics", "--entity-name", "tuned")
    tool("topics", "--create", "--topic", "tuned")
    everything = tool("configs", "--describe", "--all", *topic)
    assert len(re.findall(r"^  \S+=", everything, re.MULTILINE)) == 33
    assert "max.message.bytes=1048588 sensitive=false synonyms={DEFAULT_CONFIG:message.max.bytes=1048588}" in everything
    added = "retention.ms=5,cleanup.policy=[compact,delete]"
    assert "Completed updating config for topic tuned." in tool("configs", "--alter", "--add-config", added, *topic)
    described = tool("configs", "--describe", *topic)
    assert "retention.ms=5 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5}" in described
    assert "cleanup.policy=compact,delete" in described
    tool("configs", "--alter", "--delete-config", "retention.ms", *topic)
    assert "retention.ms" not in tool("configs", "--describe", *topic)
    refused = tool("configs", "--alter", "--add-config", "nope=1", *topic, check=False)
    assert "Unknown topic config name: nope" in refused


def test_broker_configs_are_described_and_altered(tool):
    node = ("--entity-type", "brokers", "--entity-name", "0")
    everything = tool("configs", "--describe", "--all", *node)
    assert len(re.findall(r"^  \S+=", everything, re.MULTILINE)) > 339
    assert "node.id=0 sensitive=false" in everything
    tool("configs", "--alter", "--add-config", "log.retention.ms=86400001", *node)
    assert "log.retention.ms=86400001 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms" in tool(
        "configs", "--describe", *node
    )
    tool("configs", "--alter", "--delete-config", "log.retention.ms", *node)
    refused = tool("configs", "--alter", "--add-config", "node.id=7", *node, check=False)
    assert "Cannot update these configs dynamically: [node.id]" in refused
    loggers = tool("configs", "--describe", "--entity-type", "broker-loggers", "--entity-name", "0")
    assert "root=" in loggers


def test_records_are_counted_and_deleted(tool, java_tools: JavaTools, broker: Broker, tmp_path: Path):
    tool("topics", "--create", "--topic", "counted")
    lines = "".join(f"line {number}\n" for number in range(20))
    java_tools.run(
        "console-producer", "--bootstrap-server", broker.bootstrap_servers, "--topic", "counted", input=lines
    )
    assert tool("get-offsets", "--topic", "counted") == "counted:0:20\n"
    offsets = tmp_path / "offsets.json"
    partitions = [{"topic": "counted", "partition": 0, "offset": 5}]
    offsets.write_text(json.dumps({"version": 1, "partitions": partitions}))
    assert "low_watermark: 5" in tool("delete-records", "--offset-json-file", str(offsets))
    assert tool("get-offsets", "--topic", "counted", "--time", "earliest") == "counted:0:5\n"
    (described,) = (line for line in tool("log-dirs", "--describe").splitlines() if line.startswith("{"))
    (folder,) = json.loads(described)["brokers"][0]["logDirs"]
    sizes = {partition["partition"]: partition["size"] for partition in folder["partitions"]}
    assert sizes["counted-0"] > 0


def test_the_cluster_is_described(tool, java_tools: JavaTools, broker: Broker):
    identified = java_tools.run("cluster", "cluster-id", "--bootstrap-server", broker.bootstrap_servers)
    assert identified.stdout == f"Cluster ID: {broker.cluster_id}\n"
    status = tool("metadata-quorum", "describe", "--status")
    assert re.search(r"LeaderId:\s+0", status)
    assert re.search(r"^0\s.*\bLeader\b", tool("metadata-quorum", "describe", "--replication"), re.MULTILINE)
    assert "metadata.version" in tool("features", "describe")
    versions = tool("broker-api-versions")
    assert "CreateTopics(19): 2 to 7 [usable: 7]" in versions
    assert "UNSUPPORTED" not in versions.split("Produce(0)")[0]


def test_what_a_single_node_has_not_is_answered(tool):
    assert tool("transactions", "list").split() == ["TransactionalId", "Coordinator", "ProducerId", "TransactionState"]
    assert "No Authorizer is configured on the broker" in tool("acls", "--list", check=False)
    tool("topics", "--create", "--topic", "still")
    elected = tool("leader-election", "--election-type", "preferred", "--topic", "still", "--partition", "0")
    assert "Valid replica already elected for partitions still-0" in elected
    assert tool("consumer-groups", "--list").strip() == ""
    no_producers = tool("transactions", "describe-producers", "--topic", "still", "--partition", "0")
    assert no_producers.split()[:2] == ["ProducerId", "ProducerEpoch"]
