"""Fixtures that more than one folder of tests needs: a running platform, a genuine Apache Kafka, its Java tools."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient

KIT = Path(__file__).parent / "kafka_kit" / "real-kafka"
IN_CI = os.environ.get("CI") == "true"


def find_program(name: str) -> str | None:
    """On the path, or beside this Python, where prepare.sh puts what Debian has not."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _missing(*programs: str) -> str | None:
    absent = [program for program in programs if find_program(program) is None]
    if not absent:
        return None
    reason = f"{' and '.join(absent)} not installed"
    if IN_CI:
        pytest.fail(f"{reason}, and CI must have it")
    return reason


@dataclass
class JavaTools:
    """Apache Kafka's own command line tools."""

    def run(
        self, name: str, *arguments: str, input: str | None = None, timeout: float = 90, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, str(KIT), "tool", name, *arguments],
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(f"{name} {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def popen(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(KIT), "tool", name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass
class RealKafka:
    """A genuine Apache Kafka of one or three brokers."""

    directory: Path
    bootstrap_servers: str

    def kill_broker(self, broker_id: int) -> None:
        self._kit("kill-broker", str(broker_id))

    def start_broker(self, broker_id: int) -> None:
        self._kit("start-broker", str(broker_id))

    def kill_all(self) -> None:
        """SIGKILL to every broker."""
        for broker_id in self._dead_or_alive(is_alive=True):
            self.kill_broker(broker_id)

    def start_all(self) -> None:
        """Start those that are not running, all at once: none is ready before most of them are."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.start_broker, self._dead_or_alive(is_alive=False)))

    def _dead_or_alive(self, *, is_alive: bool) -> list[int]:
        pids = json.loads(self._kit("status"))["pids"]
        return [int(broker_id) for broker_id, pid in pids.items() if (pid is not None) == is_alive]

    def is_whole(self) -> bool:
        """Whether every replica of every partition is in sync."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        found = admin.list_topics(timeout=10)
        partitions = [one for topic in found.topics.values() for one in topic.partitions.values()]
        return len(found.brokers) == self.bootstrap_servers.count(":") and all(
            set(one.isrs) == set(one.replicas) for one in partitions
        )

    def stop(self) -> None:
        self._kit("stop", "--wipe")

    def _kit(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(KIT), *arguments, "--dir", str(self.directory)],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def start_real_kafka(
    directory: Path, *options: str, brokers: int = 1, port: int = 0, settings: Mapping[str, str] | None = None
) -> RealKafka:
    where = ("--brokers", str(brokers), "--dir", str(directory), "--port", str(port))
    lines = [word for key, value in (settings or {}).items() for word in ("--set", f"{key}={value}")]
    done = subprocess.run(
        [sys.executable, str(KIT), "start", *where, *lines, *options],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"Apache Kafka did not start:\n{done.stderr}")
    return RealKafka(directory, done.stdout.strip())


@pytest.fixture(scope="session")
def java_tools() -> JavaTools:
    reason = _missing("java", "mvn")
    if reason:
        pytest.skip(reason)
    subprocess.run([sys.executable, str(KIT), "fetch"], check=True, capture_output=True, timeout=600)
    return JavaTools()


@pytest.fixture(scope="session")
def real_kafka(java_tools: JavaTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    kafka = start_real_kafka(tmp_path_factory.mktemp("kafka-1"), brokers=1)
    yield kafka
    kafka.stop()


# They vote for each other before they have loaded any ACL, so nobody without a login may be refused anything.
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "auto.create.topics.enable": "false",
}


@pytest.fixture(scope="session")
def kafka_of_three(java_tools: JavaTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Three brokers with an authorizer. Who kills any asks for three_brokers."""
    kafka = start_real_kafka(tmp_path_factory.mktemp("kafka-3"), brokers=3, settings=AUTHORIZER)
    yield kafka
    kafka.stop()


@pytest.fixture
def three_brokers(kafka_of_three: RealKafka) -> Iterator[RealKafka]:
    """The same three, for tests that kill some: whole when they begin and when they have ended."""
    wait_until(kafka_of_three.is_whole, timeout=120)
    yield kafka_of_three
    kafka_of_three.start_all()
    wait_until(kafka_of_three.is_whole, timeout=120)


@pytest.fixture(scope="session")
def go_program() -> str:
    reason = _missing("go")
    if reason:
        pytest.skip(reason)
    return find_program("go") or "go"


@dataclass
class Platform:
    """A running `caudal start`, as its ready line describes it."""

    process: subprocess.Popen[str]
    ready: dict[str, object]
    data_dir: Path
    log_path: Path
    http: str = field(init=False)
    rest: str = field(init=False)
    kafka: str = field(init=False)

    def __post_init__(self) -> None:
        self.http, self.rest, self.kafka = (str(self.ready[key]) for key in ("http", "rest", "kafka"))

    @property
    def broker_pid(self) -> int:
        pids = self.ready["pids"]
        assert isinstance(pids, dict)
        return int(pids["broker"])

    @property
    def cluster_url(self) -> str:
        cluster = httpx.get(f"{self.rest}/v3/clusters").json()["data"][0]["cluster_id"]
        return f"{self.http}/ui/clusters/{cluster}"

    def log(self) -> str:
        return self.log_path.read_text()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.broker_pid, signal.SIGKILL)  # it would serve on
            raise


def start_platform(data_dir: Path, *arguments: str, cwd: Path | None = None) -> Platform:
    """Start `caudal start --ready-json` on free ports and wait for its ready line."""
    log_path = data_dir.with_suffix(".log")
    with log_path.open("a") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "app", "start", "--ready-json", "--data-dir", str(data_dir)),
                *("--port", "0", "--kafka-port", "0", *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=cwd,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(timeout=30)
        raise RuntimeError(f"caudal did not start:\n{log_path.read_text()}")
    return Platform(process, json.loads(line), data_dir, log_path)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = start_platform(tmp_path_factory.mktemp("platform") / "data")
    yield running
    running.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on and that no connection is given on its way out, so they stay free meanwhile.

    Who tries to reach a broker that is just being started again would else, now and then, be given the very port.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10_000, 20_000)  # the kit's are above, and then those of connections
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


def wait_until(claim: object, *, timeout: float = 15.0, step: float = 0.1, what: str = "") -> object:
    """Call claim until it returns something true; the last falsy value or error is shown when it never does."""
    assert callable(claim)
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            last = claim()
        except (AssertionError, httpx.HTTPError) as error:
            last = error
        if last and not isinstance(last, Exception):
            return last
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or claim}; last: {last!r}")
        time.sleep(step)
