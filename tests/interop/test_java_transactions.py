"""Apache Kafka's Java client with transactions (v2, as it finds transaction.version 2) and its `transactions` tool."""

import re

import pytest
from confluent_kafka import Producer

from caudal.testing import Broker
from tests.conftest import JavaTools

pytestmark = pytest.mark.java


def test_a_java_producer_commits_and_a_java_consumer_reads_it_all(java_tools: JavaTools, broker: Broker):
    bootstrap = ("--bootstrap-server", broker.bootstrap_servers)
    broker.create_topic("many", partitions=3)
    java_tools.run(
        *("producer-perf-test", *bootstrap, "--topic", "many", "--num-records", "3000", "--record-size", "100"),
        *("--throughput", "1000", "--transactional-id", "perf", "--transaction-duration-ms", "50"),
    )
    read = java_tools.run(
        *("console-consumer", *bootstrap, "--topic", "many", "--from-beginning", "--isolation-level", "read_committed"),
        *("--max-messages", "3000", "--timeout-ms", "20000"),
    )
    assert len(read.stdout.splitlines()) == 3000
    assert re.search(
        r"^perf\s+0\s+\d+\s+CompleteCommit", java_tools.run("transactions", *bootstrap, "list").stdout, re.M
    )
    described = java_tools.run("transactions", *bootstrap, "describe", "--transactional-id", "perf").stdout.splitlines()
    epoch = int(described[1].split()[3])
    assert epoch > 5, "every transaction has an epoch of its own"


def test_an_administrator_aborts_a_transaction_that_hangs(java_tools: JavaTools, broker: Broker):
    bootstrap = ("--bootstrap-server", broker.bootstrap_servers)
    broker.create_topic("stuck")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "stuck"})
    producer.init_transactions(15)
    producer.begin_transaction()
    producer.produce("stuck", b"v")
    producer.flush(15)
    where = ("--topic", "stuck", "--partition", "0")
    before = java_tools.run("transactions", *bootstrap, "describe-producers", *where).stdout.splitlines()
    assert before[1].split()[-1] == "0", "the transaction's first offset"
    java_tools.run("transactions", *bootstrap, "abort", *where, "--start-offset", "0")
    after = java_tools.run("transactions", *bootstrap, "describe-producers", *where).stdout.splitlines()
    assert after[1].split()[-1] in ("None", "-1")
    hanging = java_tools.run("transactions", *bootstrap, "find-hanging", "--broker-id", "0").stdout
    assert "stuck" not in hanging
