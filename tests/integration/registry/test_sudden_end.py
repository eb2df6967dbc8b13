"""kill -9 in the middle of a thousand registrations: what was acknowledged is there, and the rest is sent again."""

import contextlib
import json
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.registry.settings import RegistrySettings
from tests.conftest import RealKafka, start_platform, wait_until
from tests.integration.registry.running_registry import V1, running_registry

SUBJECTS = [f"s{number}" for number in range(1_000)]
LANES = 4
KILLED_AFTER = 300  # acknowledged registrations


def body_of(subject: str) -> str:
    record = {"type": "record", "name": f"R_{subject}", "fields": [{"name": "a", "type": "int"}]}
    return json.dumps({"schema": json.dumps(record)})


def register_all(
    urls: list[str], subjects: Iterable[str], acknowledged: dict[str, int], enough: Callable[[], None]
) -> None:
    """Register in LANES lanes, each at one of the nodes, until all are or a lane's node is gone."""

    def register_on(url: str, lane: list[str]) -> None:
        with httpx.Client(base_url=url, timeout=30) as http, contextlib.suppress(httpx.HTTPError):
            for subject in lane:
                answer = http.post(f"/subjects/{subject}/versions", content=body_of(subject), headers=V1)
                if answer.status_code == 200:
                    acknowledged[subject] = answer.json()["id"]
                if len(acknowledged) >= KILLED_AFTER:
                    enough()

    left = list(subjects)
    lanes = [
        threading.Thread(target=register_on, args=(urls[number % len(urls)], left[number::LANES]))
        for number in range(LANES)
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def register(url: str, subject: str) -> int:
    """The status."""
    return httpx.post(
        f"{url}/subjects/{subject}/versions", content=body_of(subject), headers=V1, timeout=30
    ).status_code


def kept_by(url: str) -> dict[str, int]:
    listed: list[dict[str, Any]] = httpx.get(f"{url}/schemas", timeout=30).json()
    assert {one["version"] for one in listed} <= {1}
    return {one["subject"]: one["id"] for one in listed}


def assert_nothing_is_lost(url: str, acknowledged: dict[str, int]) -> None:
    """All that was acknowledged is there; all is sent once more, and then everything is there once."""
    kept = kept_by(url)
    assert acknowledged.items() <= kept.items()
    # The group waits for the session of the one that was killed to end; then there is a writer again.
    wait_until(lambda: register(url, SUBJECTS[-1]) == 200, timeout=60)
    again: dict[str, int] = {}
    register_all([url], SUBJECTS, again, lambda: None)
    assert again.keys() == set(SUBJECTS)
    assert kept.items() <= again.items()
    assert len(set(again.values())) == len(SUBJECTS)
    assert kept_by(url) == again


def test_with_its_own_broker(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    platform = start_platform(tmp_path / "data")

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(platform.broker_pid, signal.SIGKILL)
            platform.process.kill()

    register_all([str(platform.ready["schema_registry"])], SUBJECTS, acknowledged, kill)
    platform.process.wait(20)
    assert KILLED_AFTER <= len(acknowledged) < len(SUBJECTS)
    again = start_platform(tmp_path / "data")
    try:
        assert_nothing_is_lost(str(again.ready["schema_registry"]), acknowledged)
    finally:
        again.stop()


@pytest.mark.java
def test_the_writer_of_two_nodes_on_kafka(real_kafka: RealKafka, tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    name = uuid.uuid4().hex[:12]
    settings = RegistrySettings(kafkastore_topic=f"_schemas-{name}", schema_registry_group_id=f"sr-{name}")
    chosen = [
        f"schema_registry.kafkastore_topic={settings.kafkastore_topic}",
        f"schema_registry.schema_registry_group_id={settings.schema_registry_group_id}",
    ]
    writer = start_platform(
        tmp_path / "data", "--bootstrap-servers", real_kafka.bootstrap_servers,
        *(part for one in chosen for part in ("--set", one)),
    )  # fmt: skip
    url = str(writer.ready["schema_registry"])
    try:
        first = httpx.post(
            f"{url}/subjects/{SUBJECTS[0]}/versions", content=body_of(SUBJECTS[0]), headers=V1, timeout=30
        )
        assert first.status_code == 200  # from here on it leads, and whoever joins follows
        with running_registry(
            real_kafka.bootstrap_servers, settings, group_id=settings.schema_registry_group_id
        ) as follower:
            register_all([url, follower.url], SUBJECTS, acknowledged, writer.process.kill)
            writer.process.wait(20)
            assert KILLED_AFTER <= len(acknowledged) < len(SUBJECTS)
            wait_until(lambda: acknowledged.items() <= kept_by(follower.url).items())
            assert_nothing_is_lost(follower.url, acknowledged)
    finally:
        writer.stop()
