"""Apache Kafka's own command line tools, many of them in one Java process: each start of Java would cost a second."""

import base64
import re
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.conformance.builds import HERE, JAVA, java_3_libraries, java_classes, kit_libraries
from tests.conformance.exemptions import OURS_ALONE

TOOL_SECONDS_MAX = 120
TOOLS = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "streams-application-reset": "org.apache.kafka.tools.StreamsResetter",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
}


@dataclass(frozen=True)
class ToolSet:
    """The tools of one version of Kafka; `elsewhere` are those whose class has another name there, or is not there."""

    version: str
    libraries: Callable[[], str]
    elsewhere: Mapping[str, str | None] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return self.elsewhere.get(name, TOOLS[name]) is not None

    def class_of(self, name: str) -> str:
        return self.elsewhere.get(name) or TOOLS[name]

    def __str__(self) -> str:
        return self.version


TOOLS_4 = ToolSet("4.3", kit_libraries)
TOOLS_3 = ToolSet(
    "3.9",
    java_3_libraries,
    {
        "acls": "kafka.admin.AclCommand",
        "broker-api-versions": "kafka.admin.BrokerApiVersionsCommand",
        "console-producer": "kafka.tools.ConsoleProducer",
        "groups": None,
    },
)


class ToolRunner:
    """Tools against one broker. `run` gives the exit status and all that was printed."""

    def __init__(self, bootstrap_servers: str, tools: ToolSet) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._tools = tools
        classes = java_classes(HERE / "java" / "ToolRunner.java")
        self._process = subprocess.Popen(
            [*JAVA, "-Dlog4j2.level=OFF", "-cp", f"{classes}:{tools.libraries()}", "ToolRunner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self, command: str, typed: str = "") -> tuple[int, str]:
        """A command line such as `topics --list`, to which the broker's address is added; `typed` is its stdin."""
        name, *arguments = command.split()
        arguments = _with_bootstrap(name, arguments, self.bootstrap_servers)
        words = [base64.b64encode(typed.encode()).decode(), self._tools.class_of(name), *arguments]
        watchdog = threading.Timer(TOOL_SECONDS_MAX, self._process.kill)
        watchdog.start()
        try:
            return self._answer(words)
        finally:
            watchdog.cancel()

    def _answer(self, words: list[str]) -> tuple[int, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(("\t".join(words) + "\n").encode())
        self._process.stdin.flush()
        header = self._process.stdout.read(8)
        assert len(header) == 8, f"the Java process ended: {self._process.wait()}; {words}"
        status, size = struct.unpack(">ii", header)
        return status, self._process.stdout.read(size).decode()

    def close(self) -> None:
        self._process.communicate(timeout=15)


def _with_bootstrap(name: str, arguments: list[str], address: str) -> list[str]:
    given = ["--bootstrap-server", address]
    if name == "cluster":  # its options stand behind the sub-command
        return [arguments[0], *given, *arguments[1:]]
    if name == "producer-perf-test":  # 3.9 has no such option
        return [*arguments, "--producer-props", f"bootstrap.servers={address}"]
    if name == "e2e-latency" and not arguments[0].startswith("--"):  # 3.9 knows no options
        return [address, *arguments]
    return [*given, *arguments]


_ALIKE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<drawn>"),
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{21}[AQgw](?![A-Za-z0-9_-])"), "<id>"),
    (re.compile(r"\b1[6-9]\d{11}\b"), "<time>"),
    (re.compile(r'"log_dirs":\["[^"]*"\]'), '"log_dirs":["<folder>"]'),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.:,0-9Z]*"), "<time>"),
)
_TRACE = re.compile(r"at [\w.$/]+\(|\.\.\. \d+ more")
_FIGURES = (
    (re.compile(r"\b\d+\.\d+\b(?!\.)"), "<n>"),
    (re.compile(r"\b\d+(?= ms\b)"), "<n>"),
    (re.compile(r"(?<=th = )\d+"), "<n>"),
    (re.compile(r"\b\d+, \d+(?=, <n>)"), "<n>, <n>"),
)
"""How fast it was: in the output of what measures."""


def common(printed: str, address: str) -> list[str]:
    """The lines in a form that two brokers have in common: no ports, no times, no ids that are drawn, no columns.

    Nor the places in a Java stack trace: they change when the JVM finds a method worth compiling. Nor the topic configs
    that only we have (docs/differences.md).
    """
    printed = printed.replace(address, "<address>").replace(address.rpartition(":")[2], "<port>")
    for pattern, name in _ALIKE:
        printed = pattern.sub(name, printed)
    if "latency" in printed or "MB.sec" in printed:
        for pattern, name in _FIGURES:
            printed = pattern.sub(name, printed)
    lines = (" ".join(line.split()) for line in printed.splitlines())
    return sorted(
        _in_order(line)
        for line in lines
        if line and not _TRACE.match(line) and line.partition("=")[0] not in OURS_ALONE
    )


def _in_order(line: str) -> str:
    """A line whose list comes out of a hash map, in the order of the alphabet."""
    head, are, listed = line.partition(" are ")
    return head + are + ", ".join(sorted(listed.split(", "))) if are and "=" in listed else line
