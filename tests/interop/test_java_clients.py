"""Apache Kafka's own Java clients and tools against our broker, unchanged."""

import re
import threading
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from caudal.testing import Broker
from tests.conftest import JavaTools, wait_until

pytestmark = pytest.mark.java


def consume(java_tools: JavaTools, broker: Broker, topic: str, count: int, *more: str) -> list[str]:
    done = java_tools.run(
        "console-consumer",
        *("--bootstrap-server", broker.bootstrap_servers, "--topic", topic, "--from-beginning"),
        *("--max-messages", str(count), "--timeout-ms", "30000", *more),
    )
    return done.stdout.splitlines()


def produce(java_tools: JavaTools, broker: Broker, topic: str, lines: list[str], *more: str) -> None:
    java_tools.run(
        "console-producer",
        *("--bootstrap-server", broker.bootstrap_servers, "--topic", topic, *more),
        input="\n".join(lines) + "\n",
    )


def test_console_tools_produce_and_read_back_after_kill_9(java_tools: JavaTools, broker: Broker) -> None:
    lines = [f"line {number}" for number in range(500)]
    produce(java_tools, broker, "console", lines)
    broker.kill()
    broker.restart()
    assert consume(java_tools, broker, "console", 500, "--group", "console-readers") == lines


def test_the_consumer_protocol_of_kip_848(java_tools: JavaTools, broker: Broker) -> None:
    broker.create_topic("kip848", partitions=3)
    lines = [f"line {number}" for number in range(300)]
    produce(java_tools, broker, "kip848", lines)
    modern = ("--group", "moderns", "--command-property", "group.protocol=consumer")
    assert sorted(consume(java_tools, broker, "kip848", 300, *modern)) == sorted(lines)
    where = ("--bootstrap-server", broker.bootstrap_servers)
    listed = java_tools.run("consumer-groups", *where, "--list", "--type", "consumer", "--state").stdout
    assert re.search(r"moderns\s+Consumer\s+Empty", listed), listed
    described = java_tools.run("consumer-groups", *where, "--describe", "--group", "moderns").stdout
    assert len(re.findall(r"moderns\s+kip848\s+\d\s+\d+\s+\d+\s+0\b", described)) == 3, described
    deleted = java_tools.run("consumer-groups", *where, "--delete", "--group", "moderns").stdout
    assert "successful" in deleted


def test_two_console_consumers_share_a_group(java_tools: JavaTools, broker: Broker) -> None:
    broker.create_topic("shared", partitions=4)
    where = ("--bootstrap-server", broker.bootstrap_servers, "--topic", "shared", "--group", "sharers")
    members = [java_tools.popen("console-consumer", *where, "--from-beginning") for _ in range(2)]
    seen: list[list[str]] = [[], []]

    def collect(index: int) -> None:
        stdout = members[index].stdout
        assert stdout is not None
        seen[index].extend(line.strip() for line in stdout)

    readers = [threading.Thread(target=collect, args=(index,)) for index in range(2)]
    for reader in readers:
        reader.start()
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})

        def is_shared() -> bool:
            group = admin.describe_consumer_groups(["sharers"])["sharers"].result(10)
            shares = [len(member.assignment.topic_partitions) for member in group.members]
            return group.state is ConsumerGroupState.STABLE and shares == [2, 2]

        wait_until(is_shared, timeout=60, step=0.3, what="the second member has its half")
        produce(
            java_tools, broker, "shared", [f"k{number}:v{number}" for number in range(400)],
            *("--reader-property", "parse.key=true", "--reader-property", "key.separator=:"),
        )  # fmt: skip
        wait_until(lambda: sum(map(len, seen)) >= 400, timeout=30, what="all records are read")
    finally:
        for reader, member in zip(readers, members, strict=True):
            member.terminate()
            member.wait(timeout=20)
            reader.join(timeout=10)
    assert sorted(seen[0] + seen[1]) == sorted(f"v{number}" for number in range(400)), "each record once"
    assert seen[0], "the first member got nothing"
    assert seen[1], "the second member got nothing"


def test_perf_tools_run_with_acks_all_and_idempotence(java_tools: JavaTools, broker: Broker) -> None:
    broker.create_topic("perf", partitions=1)
    produced = java_tools.run(
        "producer-perf-test",
        *("--bootstrap-server", broker.bootstrap_servers, "--topic", "perf", "--num-records", "200000"),
        *("--record-size", "100", "--throughput", "-1", "--command-property", "acks=all"),
    )
    assert re.search(r"200000 records sent", produced.stdout)
    consumed = java_tools.run(
        "consumer-perf-test",
        *("--bootstrap-server", broker.bootstrap_servers, "--topic", "perf", "--num-records", "200000"),
    )
    assert "200000" in consumed.stdout


def test_consumer_groups_tool_shows_the_lag(java_tools: JavaTools, broker: Broker) -> None:
    broker.create_topic("lagging", partitions=1)
    produce(java_tools, broker, "lagging", [str(number) for number in range(10)])
    consume(java_tools, broker, "lagging", 4, "--group", "late", "--consumer-property", "max.poll.records=4")
    table = java_tools.run(
        "consumer-groups", "--bootstrap-server", broker.bootstrap_servers, "--describe", "--group", "late"
    ).stdout
    row = next(line.split() for line in table.splitlines() if line.startswith("late "))
    assert row[1:6] == ["lagging", "0", "4", "10", "6"]


def test_dump_log_reads_our_segments_without_complaint(java_tools: JavaTools, broker: Broker) -> None:
    produce(java_tools, broker, "dumped", [f"record {number}" for number in range(3000)])
    broker.stop()
    try:
        directory = next(Path(broker.data_folder).rglob("dumped-0"))
        log, index, time_index = (directory / f"{0:020d}{suffix}" for suffix in (".log", ".index", ".timeindex"))
        dumped = java_tools.run("dump-log", "--files", str(log), "--deep-iteration", "--print-data-log").stdout
        assert "isvalid: true" in dumped
        assert "isvalid: false" not in dumped
        assert dumped.count("payload: record ") == 3000
        for file in (index, time_index):
            checked = java_tools.run("dump-log", "--files", str(file), "--index-sanity-check").stdout
            assert "passed sanity check" in checked
            complaints = java_tools.run("dump-log", "--files", str(file), "--verify-index-only").stdout
            assert not re.search(r"(?i)mismatch|out of order|exception", complaints), complaints
    finally:
        broker.restart()


def test_dump_log_decodes_committed_offsets(java_tools: JavaTools, broker: Broker) -> None:
    produce(java_tools, broker, "committed", ["a", "b", "c"])
    consume(java_tools, broker, "committed", 3, "--group", "committers")
    directory = next(Path(broker.data_folder).rglob("__consumer_offsets-0"))
    dumped = java_tools.run("dump-log", "--offsets-decoder", "--files", str(directory / f"{0:020d}.log")).stdout
    assert '"group":"committers"' in dumped
    assert '"topic":"committed"' in dumped
