"""What people do with Apache Kafka's own tools, step by step, against us and a genuine broker: both print the same."""

import contextlib
import difflib
import json
import re
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side
from tests.conformance.conftest import running_broker
from tests.conformance.tool_runner import TOOLS_3, TOOLS_4, ToolRunner, ToolSet, common
from tests.conftest import IN_CI, find_program, start_real_kafka

pytestmark = pytest.mark.java

TOPIC, GROUP = "seq-orders", "seq-billing"
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
ONLY_NEW = " (since 4.0)"
"""Stands behind a command that older tools do not have; they would only print how they are used."""

SETTLED_WITHIN_S = 15.0
Printed = list[Any]


class Bench:
    """One broker, its tools, and raw requests for what no tool can do.

    What is called `seq-…` in a command has a name of its own for each version of the tools, so they meet no traces of
    each other.
    """

    def __init__(self, address: str, tools: ToolSet, folder: Path) -> None:
        self.address = address
        self.side = Side(address)
        self.tools = tools
        self.runner = ToolRunner(address, tools)
        self.folder = folder
        self._prefix = f"seq{tools.version.replace('.', '')}-"
        folder.mkdir()

    def named(self, text: str) -> str:
        return text.replace("seq-", self._prefix)

    def prepare(self) -> "Bench":
        """A topic of three partitions with five records, a group with offsets and one with a member."""
        topic = self.named(TOPIC)
        self.side.warm_up()
        self.side.topic(topic, 3)
        self.side.topic(self.named("seq-console"), 1)
        self.side.produce(topic, *[b"x"] * 5)
        for group in (self.named(GROUP), self.named("seq-empty")):
            offsets = [{"partition_index": index, "committed_offset": 2 if index == 0 else 0} for index in range(2)]
            self.side.raw(ApiKey.OFFSET_COMMIT, 8, group_id=group, topics=[{"name": topic, "partitions": offsets}])
        self._join(self.named("seq-active"), topic.encode())
        return self

    def _join(self, group: str, topic: bytes) -> None:
        subscription = struct.pack(">hih", 1, 1, len(topic)) + topic + struct.pack(">ii", -1, 0)
        asked = {"group_id": group, "session_timeout_ms": 300_000, "rebalance_timeout_ms": 300_000, "member_id": ""}
        protocols = [{"name": "range", "metadata": subscription}]
        joined = self.side.raw(ApiKey.JOIN_GROUP, 3, protocol_type="consumer", protocols=protocols, **asked)
        mine = struct.pack(">hih", 0, 1, len(topic)) + topic + struct.pack(">iiii", 2, 0, 1, -1)
        member = {"group_id": group, "generation_id": joined.generation_id, "member_id": joined.member_id}
        assignments = [{"member_id": joined.member_id, "assignment": mine}]
        assert self.side.raw(ApiKey.SYNC_GROUP, 3, assignments=assignments, **member).error_code == 0

    def file(self, name: str, content: object) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return path

    def run(self, command: str) -> Printed:
        """What it prints; `COMMAND <<< TEXT` types the text, in which `|` ends a line."""
        command, _, typed = self.named(command).partition(" <<< ")
        status, printed = self.runner.run(command, typed.replace("|", "\n"))
        return [command.replace(str(self.folder), "<folder>"), status, common(printed, self.address)]

    def close(self) -> None:
        self.runner.close()
        self.side.close()


@pytest.fixture(scope="module")
def addresses(java_tools: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Ours and the genuine one, both with an authorizer."""
    if find_program("javac") is None:
        assert not IN_CI, "javac is not installed, and CI must have it"
        pytest.skip("Java is there without its compiler")
    kafka = start_real_kafka(tmp_path_factory.mktemp("kafka-with-acls"), settings=AUTHORIZER)
    try:
        with running_broker(AUTHORIZER) as ours:
            yield [ours.bootstrap_servers, kafka.bootstrap_servers]
    finally:
        kafka.stop()


@pytest.fixture(scope="module", params=[TOOLS_4, TOOLS_3], ids=str)
def benches(
    addresses: list[str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Bench]]:
    """Ours and the genuine one."""
    folder = tmp_path_factory.mktemp("sequences")
    with contextlib.ExitStack() as stack:
        made = []
        for address, name in zip(addresses, ("ours", "real"), strict=True):
            made.append(Bench(address, request.param, folder / name))
            stack.callback(made[-1].close)
        yield [bench.prepare() for bench in made]


def about_us(bench: Bench, lines: list[str]) -> list[str]:
    """Those lines of a listing that say something of this version's names."""
    return [line for line in lines if bench.named("seq-") in line]


SEQUENCES: dict[str, list[str]] = {
    "topics": [
        "topics --create --topic seq-life --partitions 2 --config retention.ms=1000",
        "topics --create --topic seq-life",
        "topics --create --topic seq-life --if-not-exists",
        "topics --create --topic seq.bad/name",
        "topics --create --topic seq-rf --replication-factor 3",
        "topics --describe --topic seq-life",
        "topics --alter --topic seq-life --partitions 3",
        "topics --alter --topic seq-life --partitions 1",
        "topics --describe --topic seq-life",
        "topics --describe --topic seq-none",
        "topics --describe --under-replicated-partitions --topic seq-life",
        "topics --list --topic seq-life",
        "topics --delete --topic seq-life",
        "topics --list --topic seq-life",
        "topics --delete --topic seq-life",
    ],
    "consumer groups": [
        f"consumer-groups --describe --group {GROUP}",
        f"consumer-groups --describe --group {GROUP} --state",
        f"consumer-groups --describe --group {GROUP} --members",
        "consumer-groups --describe --group seq-active",
        "consumer-groups --describe --group seq-active --members --verbose",
        "consumer-groups --describe --group seq-active --state --verbose",
        "consumer-groups --describe --group seq-none",
        f"consumer-groups --group {GROUP} --reset-offsets --to-earliest --topic {TOPIC} --dry-run",
        f"consumer-groups --group {GROUP} --reset-offsets --to-offset 4 --topic {TOPIC}:0 --execute",
        f"consumer-groups --group {GROUP} --reset-offsets --shift-by -9 --topic {TOPIC}:0 --execute",
        f"consumer-groups --group {GROUP} --reset-offsets --to-latest --all-topics --execute",
        f"consumer-groups --group seq-active --reset-offsets --to-latest --topic {TOPIC} --execute",
        f"consumer-groups --describe --group {GROUP}",
        f"consumer-groups --group {GROUP} --delete-offsets --topic {TOPIC}:1",
        f"consumer-groups --group seq-active --delete-offsets --topic {TOPIC}:1",
        f"consumer-groups --describe --group {GROUP} --offsets",
        "consumer-groups --group seq-active --delete",
        "consumer-groups --group seq-empty --delete",
        "consumer-groups --group seq-empty --delete",
    ],
    "offsets and records": [
        f"get-offsets --topic {TOPIC}",
        f"get-offsets --topic {TOPIC} --time earliest",
        f"get-offsets --topic {TOPIC} --time max-timestamp --partitions 1",
        f"get-offsets --topic {TOPIC} --time earliest-local",
        "get-offsets --topic seq-none",
        "delete-records --offset-json-file {delete}",
        f"get-offsets --topic {TOPIC} --time -2",
    ],
    "the cluster": [
        "cluster cluster-id",
        "cluster list-endpoints (since 4.0)",
        "cluster unregister --id 77",
        "transactions describe-producers --topic seq-orders --partition 1",
        "transactions describe --transactional-id seq-none",
        "transactions find-hanging --broker-id 1",
        "transactions find-hanging --topic seq-orders",
        "delegation-tokens --describe --command-config {empty}",
        "features upgrade --feature nope=1",
        "features upgrade --feature group.version=9",
    ],
    "access control": [
        "acls --add --allow-principal User:seq-bob --operation Read --operation Write --topic seq-orders",
        "acls --list --topic seq-orders",
        "acls --add --allow-principal User:seq-bob --operation Read --topic seq-orders",
        "acls --add --deny-principal User:seq-bob --deny-host 192.0.2.1 --operation All --topic seq-orders",
        "acls --add --allow-principal User:seq-pro --producer --idempotent --transactional-id seq-tx "
        "--topic seq-orders",
        "acls --add --allow-principal User:seq-con --consumer --group seq-read --topic seq-ord "
        "--resource-pattern-type prefixed",
        "acls --add --allow-principal User:seq-ops --operation Alter --cluster",
        "acls --add --allow-principal nobody --operation Read --topic seq-orders",
        "acls --list --topic seq-orders",
        "acls --list --topic seq-orders --resource-pattern-type match",
        "acls --list --principal User:seq-con --group *",
        "acls --list --cluster",
        "acls --remove --allow-principal User:seq-bob --operation Write --topic seq-orders --force",
        "acls --list --topic seq-orders",
        "acls --remove --topic seq-orders --force",
        "acls --remove --topic seq-ord --resource-pattern-type prefixed --force",
        "acls --remove --transactional-id seq-tx --force",
        "acls --remove --group seq-read --force",
        "acls --remove --cluster --force",
        "acls --list",
    ],
    "console and measurements": [
        "console-producer --topic seq-console --property parse.key=true --property key.separator=: <<< a:1|b:2|c:3|",
        "console-producer --topic seq-console --compression-codec zstd --sync --request-required-acks 1 <<< d|e|",
        "console-producer --topic seq-console --producer-property acks=nope <<< f|",
        "console-consumer --topic seq-console --from-beginning --max-messages 5 --property print.key=true "
        "--property print.offset=true --property print.partition=true",
        "console-consumer --topic seq-console --from-beginning --max-messages 3 --group seq-one",
        "console-consumer --topic seq-console --max-messages 2 --group seq-one",
        "consumer-groups --describe --group seq-one",
        "console-consumer --topic seq-console --from-beginning --max-messages 5 --group seq-new "
        "--consumer-property group.protocol=consumer",
        "consumer-groups --describe --group seq-new",
        "console-consumer --topic seq-console --partition 0 --offset 3 --max-messages 1",
        "console-consumer --topic seq-console --partition 0 --offset 5 --timeout-ms 300",
        "producer-perf-test --topic seq-console --num-records 50 --record-size 100 --throughput -1",
        "producer-perf-test --topic seq-console --num-records 9 --record-size 100 --throughput -1 "
        "--transactional-id seq-perf --transaction-duration-ms 1000",
        "consumer-perf-test --topic seq-console --messages 64",
        "streams-application-reset --application-id seq-one --input-topics seq-console --to-earliest --force",
        "consumer-groups --describe --group seq-one",
        "topics --delete --topic seq-console",
    ],
    "configs": [
        f"configs --describe --all --entity-type topics --entity-name {TOPIC}",
        f"configs --alter --entity-type topics --entity-name {TOPIC} "
        "--add-config retention.ms=500000000,cleanup.policy=[compact,delete]",
        f"configs --describe --entity-type topics --entity-name {TOPIC}",
        f"configs --alter --entity-type topics --entity-name {TOPIC} --add-config nope=1",
        f"configs --alter --entity-type topics --entity-name {TOPIC} --add-config retention.ms=x",
        f"configs --alter --entity-type topics --entity-name {TOPIC} --delete-config retention.ms,cleanup.policy",
        f"configs --describe --entity-type topics --entity-name {TOPIC}",
        f"configs --alter --entity-type topics --entity-name {TOPIC} --delete-config retention.ms",
        "configs --describe --entity-type topics --entity-name seq-none",
        "configs --alter --entity-type brokers --entity-name 1 --add-config log.cleaner.threads=2",
        "configs --describe --entity-type brokers --entity-name 1",
        "configs --alter --entity-type brokers --entity-name 1 --delete-config log.cleaner.threads",
        "configs --alter --entity-type brokers --entity-name 1 --add-config node.id=7",
        "configs --alter --entity-type users --entity-name seq-u "
        "--add-config producer_byte_rate=1000,request_percentage=12.5",
        "configs --alter --entity-type users --entity-name seq-u "
        "--add-config SCRAM-SHA-256=[iterations=8192,password=p]",
        "configs --describe --entity-type users --entity-name seq-u",
        "configs --alter --entity-type users --entity-name seq-u --delete-config producer_byte_rate,SCRAM-SHA-256",
        "configs --alter --entity-type users --entity-name seq-u --delete-config request_percentage",
        "configs --alter --entity-type clients --entity-default --add-config consumer_byte_rate=900000000",
        "configs --describe --entity-type clients --entity-default",
        "configs --alter --entity-type clients --entity-default --delete-config consumer_byte_rate",
        "configs --alter --entity-type ips --entity-name 192.0.2.1 --add-config connection_creation_rate=100",
        "configs --describe --entity-type ips --entity-name 192.0.2.1",
        "configs --alter --entity-type ips --entity-name 192.0.2.1 --delete-config connection_creation_rate",
        "configs --alter --entity-type groups --entity-name seq-g --add-config consumer.session.timeout.ms=50000",
        "configs --alter --entity-type groups --entity-name seq-g --add-config consumer.session.timeout.ms=5",
        "configs --describe --all --entity-type groups --entity-name seq-g",
        "configs --describe --entity-type groups --entity-name seq-g",
        "configs --alter --entity-type groups --entity-name seq-g --delete-config consumer.session.timeout.ms",
        "client-metrics --alter --name seq-m --interval 1000 --metrics org.",
        "client-metrics --describe --name seq-m",
        "client-metrics --delete --name seq-m",
    ],
    "elections and reassignments": [
        f"leader-election --election-type preferred --topic {TOPIC} --partition 0",
        f"leader-election --election-type unclean --topic {TOPIC} --partition 0",
        "leader-election --election-type preferred --topic seq-none --partition 0",
        "reassign-partitions --list",
        "reassign-partitions --topics-to-move-json-file {move} --broker-list 1 --generate",
        "reassign-partitions --reassignment-json-file {reassign} --execute",
        "reassign-partitions --reassignment-json-file {reassign} --verify",
        "reassign-partitions --reassignment-json-file {reassign} --cancel",
        "reassign-partitions --reassignment-json-file {impossible} --execute",
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_prints_the_same(benches: list[Bench], name: str) -> None:
    files = [files_for(bench) for bench in benches]
    with ThreadPoolExecutor(2) as threads:
        for step in SEQUENCES[name]:
            command, only_new, _ = step.partition(ONLY_NEW)
            if only_new and benches[0].tools is not TOOLS_4:
                continue
            commands = [command.format(**each) for each in files]

            def printed(commands: list[str] = commands) -> list[Printed]:
                return list(threads.map(Bench.run, benches, commands))

            ours, real = settled(printed) if ASKS.search(command) else printed()
            assert ours == real, differing_lines(ours, real)


ASKS = re.compile(r" --(describe|list)\b")
"""Commands that change nothing."""


def settled(ask: Callable[[], list[Printed]]) -> list[Printed]:
    """The same by both, or what there is after a while: a genuine broker learns later what its controller has done."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        ours, real = ask()
        if ours == real or time.monotonic() > deadline:
            return [ours, real]
        time.sleep(0.05)


def files_for(bench: Bench) -> dict[str, Path]:
    """What commands name in braces."""
    topic = bench.named(TOPIC)
    zero = {"topic": topic, "partition": 0}
    (empty := bench.folder / "empty.properties").touch()
    return {
        "delete": bench.file("delete.json", {"version": 1, "partitions": [{**zero, "offset": 3}]}),
        "move": bench.file("move.json", {"version": 1, "topics": [{"topic": topic}]}),
        "reassign": bench.file("reassign.json", {"version": 1, "partitions": [{**zero, "replicas": [1]}]}),
        "impossible": bench.file("impossible.json", {"version": 1, "partitions": [{**zero, "replicas": [9]}]}),
        "empty": empty,
    }


def differing_lines(ours: Printed, real: Printed) -> str:
    """For people, who would search long in what pytest shows."""
    found = difflib.unified_diff(real[2], ours[2], "Kafka", "ours", n=0, lineterm="")
    return "\n".join([f"{real[0]}: exit {real[1]} and {ours[1]}", *found])


def test_listings_name_the_same(benches: list[Bench]) -> None:
    for command in (
        "topics --list",
        "groups --list",
        "consumer-groups --list --state",
        "consumer-groups --list --type",
    ):
        if not benches[0].tools.has(command.split()[0]):
            continue

        def listed(command: str = command) -> list[Printed]:
            found = [bench.run(command) for bench in benches]
            return [[status, about_us(bench, lines)] for bench, (_, status, lines) in zip(benches, found, strict=True)]

        ours, real = settled(listed)
        assert ours == real, command
        assert ours[1], command


def test_log_folders_hold_the_same_partitions(benches: list[Bench]) -> None:
    found = []
    for bench in benches:
        _, printed = bench.runner.run(bench.named(f"log-dirs --describe --topic-list {TOPIC}"))
        (line,) = (line for line in printed.splitlines() if line.startswith("{"))
        (broker,) = json.loads(line)["brokers"]
        (folder,) = broker["logDirs"]
        partitions = [
            {**each, "size": each["size"] > 0}
            for each in sorted(folder["partitions"], key=lambda each: each["partition"])
        ]
        found.append([broker["broker"], folder["error"], partitions])
    assert found[0] == found[1]


NOT_COMPARED = re.compile(r"share|streams|Share|Streams|UNKNOWN\(8[89]\)|eligible|kraft|Telemetry|Kip848")
"""Rows about share groups and streams groups (3.9 has no name for 88 and 89), and about Kafka's own quorum."""


def test_features_are_the_same(benches: list[Bench]) -> None:
    rows = []
    for bench in benches:
        _, status, lines = bench.run("features describe")
        rows.append([status, [re.sub(r"Epoch: \d+", "", line) for line in lines if not NOT_COMPARED.search(line)]])
    assert rows[0] == rows[1]


def test_served_versions_are_the_same(benches: list[Bench]) -> None:
    """Differs by rows that are named here: what only brokers ask each other, share and streams groups."""
    rows = []
    for bench in benches:
        _, status, lines = bench.run("broker-api-versions")
        kept = {line.rstrip(",") for line in lines if re.match(r"\w+\(\d+\):", line) and not NOT_COMPARED.search(line)}
        rows.append((status, kept))
    (our_status, ours), (real_status, real) = rows
    assert our_status == real_status
    assert ours - real == {"AddPartitionsToTxn(24): 0 to 3 [usable: 3]"}
    assert {line.partition("(")[0] for line in real - ours} == {"AddPartitionsToTxn"}


def test_the_quorum_has_one_leader(benches: list[Bench]) -> None:
    shown = []
    for bench in benches:
        _, _, replicas = bench.run("metadata-quorum describe --replication")
        _, status, lines = bench.run("metadata-quorum describe --status")
        values = dict(line.split(": ", 1) for line in lines if ": " in line)
        names = ("ClusterId", "LeaderId", "MaxFollowerLag", "CurrentObservers")
        ends = [re.sub(r"^1 (\S+) \d+ ", r"1 \1 <end> ", line) for line in replicas]
        shown.append([status, sorted(values), [values[name] for name in names], ends])
    assert shown[0] == shown[1]


def test_transactions_are_listed(benches: list[Bench]) -> None:
    shown = []
    for bench in benches:
        name = bench.named("seq-transactional")
        made = bench.side.raw(ApiKey.INIT_PRODUCER_ID, 4, transactional_id=name, transaction_timeout_ms=600_000)
        assert made.error_code == 0
        _, status, lines = bench.run("transactions list")
        (listed,) = (line for line in lines if name in line)
        _, _, described = bench.run("transactions describe --transactional-id seq-transactional")
        producer_id = str(made.producer_id)
        shown.append([status, [line.replace(producer_id, "<producer>") for line in (listed, *described)]])
    assert shown[0] == shown[1]
