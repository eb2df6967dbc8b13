"""`caudal demo` beside a running platform: it lives, its lag is seen, and it ends when its topics are deleted."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import Platform, wait_until


@pytest.fixture
def demo(platform: Platform) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "app", "demo", "--bootstrap-servers", platform.kafka),
            *("--schema-registry", str(platform.ready["schema_registry"])),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def groups(platform: Platform) -> dict[str, dict[str, object]]:
    rows = httpx.get(f"{platform.http}/ui/clusters/local/groups?format=json").json()
    return {row["group"]: row for row in rows}


def lag_of(platform: Platform, group: str) -> int:
    """Records behind; 0 while nothing is committed yet."""
    return int(str(groups(platform)[group]["lag"] or 0))


def test_demo_shows_a_late_group_and_ends_with_its_topics(platform: Platform, demo: "subprocess.Popen[str]") -> None:
    wait_until(lambda: {"billing-export", "order-dashboard", "pageview-counter"} <= groups(platform).keys(), timeout=30)
    wait_until(lambda: lag_of(platform, "billing-export") > 100, timeout=40, what="lag is visible")
    metadata = httpx.get(f"{platform.rest}/topics/orders").json()
    assert len(metadata["partitions"]) == 6

    assert httpx.get(f"{platform.ready['schema_registry']}/subjects/payments-value/versions").json() == [1, 2]
    latest = f"{platform.rest}/caudal/v1/topics/payments/records?newest=1"
    wait_until(lambda: httpx.get(latest).json()["records"], what="payments come")
    page = httpx.get(f"{platform.http}/ui/clusters/local/topics/payments/messages").text
    assert "payment_id" in page  # read by its schema

    admin = AdminClient({"bootstrap.servers": platform.kafka})
    admin.delete_topics(["pageviews"])["pageviews"].result(10)
    _, words = demo.communicate(timeout=30)
    assert demo.returncode == 0
    assert "topic pageviews was deleted: the demo ends here" in words
    assert "Traceback" not in words
    assert "pageviews" not in httpx.get(f"{platform.rest}/topics").json()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_stops_when_told_to_even_as_a_background_job(platform: Platform, number: int) -> None:
    """Shells start background jobs with SIGINT ignored; children inherit that."""
    command = [sys.executable, "-m", "app", "demo", "--bootstrap-servers", platform.kafka]
    command += ["--schema-registry", "http://127.0.0.1:1"]  # nobody there: it goes on without payments
    ignoring = "import os, signal as s, sys; s.signal(s.SIGINT, s.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", ignoring, *command], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert any("Ctrl-C stops" in process.stderr.readline() for _ in range(2))
        process.send_signal(number)
        _, words = process.communicate(timeout=15)
        assert (process.returncode, "Traceback" in words) == (0, False)
    finally:
        process.kill()
        process.communicate()


def test_demo_without_a_broker_says_where_it_looked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "demo", "--bootstrap-servers", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("caudal: no broker answers at 127.0.0.1:1.")


def test_platform_log_stays_quiet(platform: Platform) -> None:
    noise = [line for line in platform.log().splitlines() if " ERROR " in line or "Traceback" in line]
    assert not noise
