"""Whom a start may end: the broker that an earlier Caudal has left on this folder, and nobody else."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import left_broker
from app.errors import StartError
from app.left_broker import note_broker, replace_left_broker

HOLDER = """
import fcntl, signal, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kafka").mkdir()
    return tmp_path


@pytest.fixture
def holder(folder: Path, request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lock of the broker's folder."""
    command = [sys.executable, "-c", HOLDER, str(folder / "kafka" / ".lock"), getattr(request, "param", "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def replace(folder: Path) -> None:
    asyncio.run(replace_left_broker(folder, folder / "kafka"))


def test_the_broker_that_was_noted_is_ended(
    folder: Path, holder: "subprocess.Popen[str]", caplog: pytest.LogCaptureFixture
) -> None:
    note_broker(folder, holder.pid)
    replace(folder)
    assert holder.wait(5) == -15
    assert [record.message for record in caplog.records] == [
        f"a Caudal that was killed has left its broker serving, it is stopped and replaced pid={holder.pid}"
    ]


@pytest.mark.parametrize("holder", ["stubborn"], indirect=True)
def test_one_that_does_not_stop_in_time_is_killed(
    folder: Path, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(left_broker, "STOP_TIMEOUT_S", 0.2)
    note_broker(folder, holder.pid)
    replace(folder)
    assert holder.wait(5) == -9
    assert "did not stop in time" in caplog.text


@pytest.mark.parametrize("noted", ["", "1", "no number"])
def test_who_was_not_noted_is_left_alone(folder: Path, holder: "subprocess.Popen[str]", noted: str) -> None:
    (folder / "broker.pid").write_text(noted)
    replace(folder)
    assert holder.poll() is None


def test_a_note_of_the_past_ends_nobody(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        note_broker(folder, bystander.pid)
        replace(folder)  # there is no lock file at all
        (folder / "kafka" / ".lock").touch()
        replace(folder)
        assert bystander.poll() is None
        bystander.kill()


def test_a_folder_that_cannot_be_written_to_is_said() -> None:
    with pytest.raises(StartError, match="cannot write to the data folder /proc"):
        note_broker(Path("/proc"), 1)
