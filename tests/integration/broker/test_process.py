"""`python -m broker` as a process: its ready line, its errors, how it ends; and `caudal.testing`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.errors import TopicAlreadyExists
from broker.protocol.messages.metadata import MetadataRequest
from caudal.testing import Broker, BrokerFailedError
from tests.integration.broker.wire_client import WireClient, batch, produce_request


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "broker", "--data-dir", str(folder), "--listener", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_and_clean_stop(tmp_path: Path, number: signal.Signals):
    process = start(tmp_path)
    ready = json.loads(process.stdout.readline())
    assert ready["pid"] == process.pid
    with WireClient(ready["kafka"]) as client:
        assert client.ask(MetadataRequest(topics=[]), 12).cluster_id == ready["cluster_id"]
    process.send_signal(number)
    assert ended(process) == (0, "", "")
    assert (tmp_path / ".kafka_cleanshutdown").exists()


def test_it_leaves_when_stdin_closes_if_told_so(tmp_path: Path):
    process = start(tmp_path, "--exit-with-stdin", stdin=subprocess.PIPE)
    assert process.stdout.readline()
    process.stdin.close()
    process.stdin = None
    assert ended(process)[0] == 0


def test_it_stays_without_stdin_if_not_told(tmp_path: Path):
    process = start(tmp_path, stdin=subprocess.DEVNULL)
    assert process.stdout.readline()
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert ended(process)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "log.retention.hour=1"], "did you mean log.retention.hours?"),
        (["--set", "num.partitions=many"], "num.partitions=many: expected a whole number"),
        (["--set", "nonsense"], "expected key=value"),
        (["--properties", "/nonexistent/server.properties"], "/nonexistent/server.properties"),
        (["--listener", "0.0.0.0:0"], "--insecure"),
        (["--listener", "203.0.113.7:0", "--insecure"], "cannot listen on 203.0.113.7:0"),
        (["--data-dir", "/proc/caudal"], "/proc/caudal"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(tmp_path: Path, arguments: list[str], words: str):
    code, out, err = ended(start(tmp_path, *arguments))
    assert code == 1
    assert words in err
    assert len(err.splitlines()) == 1
    assert words in json.loads(out)["error"]


def test_a_taken_port_and_a_folder_in_use(tmp_path: Path):
    with Broker(data_folder=tmp_path / "first") as first:
        code, _, err = ended(start(tmp_path / "second", "--listener", first.bootstrap_servers))
        assert (code, len(err.splitlines())) == (1, 1)
        assert f"{first.bootstrap_servers} is taken by another program" in err
        code, _, err = ended(start(tmp_path / "first"))
        assert (code, len(err.splitlines())) == (1, 1)
        assert "in use by another broker" in err


def test_a_copied_server_properties_just_works(tmp_path: Path):
    path = tmp_path / "server.properties"
    path.write_text(
        "process.roles=broker,controller\nnode.id=3\ncontroller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nnum.network.threads=3\n"
        f"log.dirs={tmp_path}/logs\nnum.partitions=2\noffsets.topic.replication.factor=1\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", "--properties", str(path)], stdout=subprocess.PIPE, text=True
    )
    ready = json.loads(process.stdout.readline())
    with WireClient(ready["kafka"]) as client:
        (node,) = client.ask(MetadataRequest(topics=[]), 12).brokers
        assert node.node_id == 3
    process.terminate()
    assert ended(process)[0] == 0
    assert (tmp_path / "logs" / "meta.properties").exists()


def test_the_fixture_of_others_starts_stops_and_takes_up_its_data_again():
    with Broker(settings={"num.partitions": "3"}) as broker:
        folder, port, cluster_id = broker.data_folder, broker.port, broker.cluster_id
        broker.create_topic("orders", configs={"retention.ms": "1000"})
        with pytest.raises(TopicAlreadyExists, match="orders"):
            broker.create_topic("orders")
        with WireClient(broker.bootstrap_servers) as client:
            client.ask(produce_request("orders", batch(b"x")), 9)
        for again in (broker.restart, lambda: (broker.kill(), broker.start())):
            again()
            assert (broker.port, broker.cluster_id, broker.data_folder) == (port, cluster_id, folder)
            with WireClient(broker.bootstrap_servers) as client:
                (topic,) = client.ask(MetadataRequest(topics=None), 12).topics
                assert topic.name == "orders"
    assert not folder.exists()


def test_a_broker_that_cannot_start_says_why():
    with pytest.raises(BrokerFailedError, match="did you mean"):
        Broker(settings={"num.partition": "3"}).start()


def test_a_killed_parent_takes_the_broker_along(tmp_path: Path):
    script = (
        "import os, sys, time\nfrom caudal.testing import Broker\n"
        f"broker = Broker(data_folder={str(tmp_path)!r}).start()\nprint(broker.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_the_pytest_fixture(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(caudal_broker):\n"
        "    caudal_broker.create_topic('t')\n"
        "    assert caudal_broker.bootstrap_servers.startswith('127.0.0.1:')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "caudal.pytest_plugin", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
