"""Apache Kafka's own command line tools, many of them in one Java process: each start of Java would cost a second."""

import re
import struct
import subprocess
import sys
from pathlib import Path

from tests.conftest import KIT

SOURCE = Path(__file__).parent / "java" / "ToolRunner.java"
TOOLS = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
}


class ToolRunner:
    """Tools against one broker. `run` gives the exit status and all that was printed."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        found = subprocess.run([sys.executable, str(KIT), "classpath"], check=True, capture_output=True, text=True)
        options = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.level=OFF"]
        self._process = subprocess.Popen(
            ["java", *options, "-cp", found.stdout.strip(), str(SOURCE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self, command: str) -> tuple[int, str]:
        """A command line such as `topics --list`, to which the broker's address is added."""
        name, *arguments = command.split()
        arguments = _with_bootstrap(name, arguments, self.bootstrap_servers)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(("\t".join([TOOLS[name], *arguments]) + "\n").encode())
        self._process.stdin.flush()
        header = self._process.stdout.read(8)
        assert len(header) == 8, f"the Java process ended: {self._process.wait()}"
        status, size = struct.unpack(">ii", header)
        return status, self._process.stdout.read(size).decode()

    def close(self) -> None:
        self._process.communicate(timeout=15)


def _with_bootstrap(name: str, arguments: list[str], address: str) -> list[str]:
    given = ["--bootstrap-server", address]
    if name == "cluster":  # its options stand behind the sub-command
        return [arguments[0], *given, *arguments[1:]]
    return [*given, *arguments]


_ALIKE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<drawn>"),
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{21}[AQgw](?![A-Za-z0-9_-])"), "<id>"),
    (re.compile(r"\b1[6-9]\d{11}\b"), "<time>"),
    (re.compile(r'"log_dirs":\["[^"]*"\]'), '"log_dirs":["<folder>"]'),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,0-9Z]*"), "<time>"),
)


def common(printed: str, address: str) -> list[str]:
    """The lines in a form that two brokers have in common: no ports, no times, no ids that are drawn, no columns."""
    printed = printed.replace(address, "<address>").replace(address.rpartition(":")[2], "<port>")
    for pattern, name in _ALIKE:
        printed = pattern.sub(name, printed)
    return sorted(_in_order(line) for line in (" ".join(line.split()) for line in printed.splitlines()) if line)


def _in_order(line: str) -> str:
    """A line whose list comes out of a hash map, in the order of the alphabet."""
    head, are, listed = line.partition(" are ")
    return head + are + ", ".join(sorted(listed.split(", "))) if are and "=" in listed else line
