"""`caudal start` as its user meets it: what it prints, what it refuses, how it stops, how it comes back."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, Producer

from tests.conftest import Platform, start_platform, wait_until

FREE_PORTS = ("--port", "0", "--kafka-port", "0")


def caudal(*arguments: str, timeout: float = 60, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments], capture_output=True, text=True, timeout=timeout, **more
    )  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed start prints."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("caudal: ")
    return lines[0]


def test_help_names_the_commands() -> None:
    done = caudal("--help")
    assert done.returncode == 0
    assert "start" in done.stdout
    assert "demo" in done.stdout


def test_ready_line_has_every_surface_and_process(platform: Platform) -> None:
    assert set(platform.ready) == {"kafka", "http", "rest", "schema_registry", "control_center", "pids"}
    assert platform.ready["pids"] == {"web": platform.process.pid, "broker": platform.broker_pid}
    assert httpx.get(f"{platform.http}/health/ready").json() == {"status": "ready"}
    assert httpx.get(platform.rest).json() == {}
    assert "Control Center" in platform.log()


def test_root_leads_a_browser_to_the_pages_and_a_program_to_the_proxy(platform: Platform) -> None:
    page = httpx.get(platform.http, headers={"Accept": "text/html,application/xhtml+xml"})
    assert (page.status_code, page.headers["location"]) == (303, "/ui/")
    assert httpx.get(platform.http, headers={"Accept": "application/json"}).json() == {}


def test_rest_port_serves_nothing_but_the_proxy(platform: Platform) -> None:
    assert httpx.get(f"{platform.rest}/ui/").status_code == 404
    assert httpx.get(f"{platform.rest}/health/live").status_code == 404


def test_control_center_port_serves_the_pages_only(platform: Platform) -> None:
    own = str(platform.ready["control_center"])
    assert httpx.get(own).headers["location"] == "/ui/"
    assert httpx.get(f"{own}/ui/").status_code in (200, 303)
    assert httpx.get(f"{own}/topics").status_code == 404


def test_registry_answers_on_its_port_and_on_the_main_one(platform: Platform) -> None:
    own = str(platform.ready["schema_registry"])
    schema = httpx.post(f"{own}/subjects/start/versions", json={"schema": '"int"'}, timeout=30).json()
    for url in (own, platform.http):
        assert httpx.get(f"{url}/schemas/ids/{schema['id']}").json()["schema"] == '"int"'
        assert httpx.get(f"{url}/v1/metadata/version").status_code == 200
    assert httpx.get(f"{own}/topics").json() == {"error_code": 404, "message": "HTTP 404 Not Found"}
    assert "_schemas" in httpx.get(f"{platform.http}/topics").json()


def test_without_confluent_ports_everything_is_on_one(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data", "--no-confluent-ports")
    try:
        assert running.ready["rest"] == running.ready["http"] == running.ready["control_center"]
        assert httpx.get(f"{running.http}/v3/clusters").status_code == 200
    finally:
        assert running.stop() == 0


def test_broker_killed_with_9_comes_back_with_every_record(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    try:
        acknowledged = produce(running.kafka, "survivors", 5_000)
        os.kill(running.broker_pid, signal.SIGKILL)
        assert consume(running.kafka, "survivors", 5_000) == acknowledged
        assert "broker restarted" in running.log()
    finally:
        assert running.stop() == 0


def test_web_process_killed_with_9_leaves_the_broker_serving_until_the_next_start(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    acknowledged = produce(running.kafka, "survivors", 1_000)
    producer = Producer({"bootstrap.servers": running.kafka, "enable.idempotence": True})
    running.process.kill()
    running.process.wait()
    wait_until(lambda: "it serves on" in running.log(), what="the broker's line")
    producer.produce("survivors", b"while alone")
    assert producer.flush(10) == 0
    assert consume(running.kafka, "survivors", 1_001) == {*acknowledged, b"while alone"}

    again = start_platform(tmp_path / "data", "--kafka-port", running.kafka.rpartition(":")[2])
    try:
        wait_until(lambda: not psutil.pid_exists(running.broker_pid), what="the old broker ends")
        assert again.kafka == running.kafka
        assert len([line for line in again.log().splitlines() if "stopped and replaced" in line]) == 1
        producer.produce("survivors", b"after")  # the same producer, which only saw its broker go away for a moment
        assert producer.flush(20) == 0
        assert consume(again.kafka, "survivors", 1_002, group="again") == {*acknowledged, b"while alone", b"after"}
        assert consume(again.kafka, "survivors", 1) == {b"after"}  # what the group had committed is kept too
    finally:
        assert again.stop() == 0
    assert not psutil.pid_exists(again.broker_pid)


def test_a_broker_that_somebody_else_runs_on_the_folder_is_left_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "broker", "--data-dir", str(tmp_path / "kafka"), "--listener", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout is not None
        json.loads(broker.stdout.readline())
        (tmp_path / "broker.pid").write_text("1")
        done = caudal("start", "--data-dir", str(tmp_path), *FREE_PORTS)
        assert "in use by another broker" in refusal(done)
        assert broker.poll() is None
        broker.terminate()
        assert broker.wait(20) == 0


@pytest.mark.parametrize("second", [False, True])
def test_a_terminal_that_is_closed_or_a_second_signal_leaves_no_broker_behind(tmp_path: Path, second: bool) -> None:
    running = start_platform(tmp_path / "data")
    if second:
        with socket.create_connection(("127.0.0.1", int(running.http.rpartition(":")[2]))) as idle:
            idle.sendall(b"POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            running.process.send_signal(signal.SIGTERM)
            time.sleep(1.2)  # what comes within a second counts as the same signal
            running.process.send_signal(signal.SIGTERM)
            # -15: the first signal had all but ended it, and nobody listened for the second one any more
            assert running.process.wait(timeout=20) in (0, 143, -signal.SIGTERM)
    else:
        running.process.send_signal(signal.SIGHUP)
        assert running.process.wait(timeout=20) == 0
    wait_until(lambda: not psutil.pid_exists(running.broker_pid), what="the broker ends")
    assert "Traceback" not in running.log()


def test_broker_that_keeps_dying_stops_the_service(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    killed: set[int] = set()

    def kill_the_newest() -> bool:
        for child in psutil.Process(running.process.pid).children() if running.process.poll() is None else []:
            if child.pid not in killed and "broker" in " ".join(child.cmdline()):
                killed.add(child.pid)
                child.kill()
        return running.process.poll() is not None

    wait_until(kill_the_newest, timeout=40, what="the service gives up")
    assert running.process.returncode == 1
    assert len(killed) == 4
    assert "within a minute" in running.log()


def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    produce(running.kafka, "t", 10)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=20) == 0
    assert not psutil.pid_exists(running.broker_pid)
    assert list((tmp_path / "data").rglob(".kafka_cleanshutdown"))
    assert "Traceback" not in running.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_background_job_still_hears_sigint_and_nohup_means_what_it_says(tmp_path: Path, number: int) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # children inherit that
    try:
        running = start_platform(tmp_path / "data")
    finally:
        signal.signal(number, before)
    running.process.send_signal(number)
    if number == signal.SIGHUP:
        assert httpx.get(f"{running.http}/topics").status_code == 200
        running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == 0
    assert not psutil.pid_exists(running.broker_pid)


def test_stop_while_a_client_hangs_on_still_ends(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    host, _, port = running.http.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as idle:
        idle.sendall(b"POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 25


def test_data_folder_in_use_is_refused(platform: Platform) -> None:
    done = caudal("start", "--data-dir", str(platform.data_dir), *FREE_PORTS)
    assert "in use by another Caudal" in refusal(done)
    assert "--data-dir" in refusal(done)


def test_folder_with_other_files_is_fine(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    running = start_platform(tmp_path)
    assert running.stop() == 0
    assert (tmp_path / "letter.txt").read_text() == "dear reader"


def test_unwritable_data_folder_is_refused() -> None:
    line = refusal(caudal("start", "--data-dir", "/proc/caudal-data", *FREE_PORTS))
    assert "cannot use the data folder /proc/caudal-data" in line


def test_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refusal(caudal("start", "--data-dir", str(tmp_path / "file"), *FREE_PORTS))
    assert "cannot use the data folder" in line


def test_taken_http_port_is_refused_with_the_remedy(tmp_path: Path, taken_port: int) -> None:
    done = caudal("start", "--data-dir", str(tmp_path), "--port", str(taken_port), "--kafka-port", "0")
    assert f"port {taken_port} is taken" in refusal(done)
    assert "--port" in refusal(done)


def test_taken_kafka_port_is_refused_with_the_remedy(tmp_path: Path, taken_port: int) -> None:
    done = caudal("start", "--data-dir", str(tmp_path), "--port", "0", "--kafka-port", str(taken_port))
    assert f"{taken_port} is taken" in refusal(done)
    assert "--kafka-port" in refusal(done)


def test_taken_conventional_port_is_only_a_line_in_the_banner(tmp_path: Path, taken_port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        main_port = probe.getsockname()[1]
    running = start_platform(tmp_path / "d", "--port", str(main_port), "--set", f"rest.port={taken_port}")
    try:
        assert running.rest == running.http
        assert f"Port {taken_port} is taken" in running.log()
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "rest.prot=1"], "unknown setting rest.prot. Did you mean rest.port?"),
        (["--set", "nonsense"], "not of the form section.key=value"),
        (["--set", "rest.port=many"], "setting rest.port = 'many' is not usable"),
        (["--set", "broker.log.retention.hour=1"], "did you mean log.retention.hours?"),
        (["--set", "broker.num.partitions=none"], "num.partitions"),
        (["--config", "/nowhere/caudal.toml"], "does not exist"),
        (["--host", "0.0.0.0"], "--insecure"),
        (["--set", "rest.host=0.0.0.0"], "rest.users_file"),
        (["--set", "rest.users_file=/nowhere/users.toml"], "/nowhere/users.toml"),
        (["--set", "rest.ssl_keystore_location=/nowhere/rest.pem"], "/nowhere/rest.pem"),
        (["--set", "rest.ssl_client_authentication=MAYBE"], "rest.ssl_client_authentication"),
        (["--bootstrap-servers", "127.0.0.1:1", "--set", "kafka.connect_timeout_ms=1500"], "127.0.0.1:1"),
        (["--bootstrap-servers", "nonsense"], "nonsense"),
    ],
)
def test_wrong_input_is_one_line_with_the_remedy(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = caudal("start", "--data-dir", str(tmp_path / "data"), *FREE_PORTS, *arguments, cwd=tmp_path)
    assert words in refusal(done)


def test_insecure_address_is_warned_of_on_every_page(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data", "--host", "0.0.0.0", "--insecure")
    try:
        page = httpx.get(f"{running.http}/ui/", follow_redirects=True).text
        assert "anyone who reaches this address can read and change everything" in page
        assert "WARNING" in running.log()
    finally:
        running.stop()


def test_settings_come_from_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "caudal.toml").write_text('[broker]\n"num.partitions" = 4\n[control_center]\ncluster_name = "till"\n')
    running = start_platform(tmp_path / "data", cwd=tmp_path)
    try:
        produce(running.kafka, "four", 1)
        topic = httpx.get(f"{running.rest}/topics/four").json()
        assert len(topic["partitions"]) == 4
        assert "till" in httpx.get(f"{running.http}/ui/", follow_redirects=True).text
    finally:
        running.stop()


def produce(bootstrap_servers: str, topic: str, count: int) -> set[bytes]:
    """Values that the broker acknowledged, which must be all."""
    acknowledged: set[bytes] = set()
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all", "enable.idempotence": True})
    for number in range(count):
        value = b"v%d" % number
        producer.produce(
            topic, value, on_delivery=lambda error, message: acknowledged.add(message.value()) if not error else None
        )
    assert producer.flush(30) == 0
    assert len(acknowledged) == count
    return acknowledged


def consume(bootstrap_servers: str, topic: str, count: int, *, group: str = "readers") -> set[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    seen: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(seen) < count and time.monotonic() < deadline:
        seen += [message.value() for message in consumer.consume(1_000, timeout=1) if not message.error()]
    consumer.close()
    assert len(seen) == count
    return set(seen)


def test_ready_line_is_json_on_stdout_alone(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "start", "--ready-json", "--data-dir", str(tmp_path), *FREE_PORTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.terminate()
    rest, banner = process.communicate(timeout=30)
    assert rest == ""
    assert "is ready after" in banner


def test_signal_that_comes_twice_at_once_is_one(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data")
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == 0
    assert list((tmp_path / "data").rglob(".kafka_cleanshutdown"))
