"""Recovery in another process leaves a folder as a clean stop would."""

import os
from pathlib import Path

import pytest

from broker.errors import NotLeaderOrFollower
from broker.log import log_directory
from broker.log.recovery_plan import Recovered, RecoveryPlan, unchecked_bytes
from broker.log.recovery_worker import recover
from tests.unit.broker.log.making import DataRoot, append, records_in


@pytest.fixture
def plans(root: DataRoot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[RecoveryPlan]:
    """After a crash: the plans that the logs hand out; every partition is large enough for one."""
    log = root.create(segment_bytes=300)
    for number in range(9):
        append(log, "v" * 50, producer_id=3, producer_epoch=0, base_sequence=number)
    with open(log.segments[-1].path, "ab") as file:
        file.write(b"torn")
    root.restart(clean=False)
    monkeypatch.setattr(log_directory, "WORTH_A_PROCESS_BYTES", 1)
    monkeypatch.chdir(tmp_path)  # the worker goes elsewhere
    found: list[RecoveryPlan] = []
    root.logs.on_recovery_wanted = found.append
    return found


def test_a_partition_is_not_there_until_it_is_recovered(root: DataRoot, plans: list[RecoveryPlan]) -> None:
    for _ in range(2):
        with pytest.raises(NotLeaderOrFollower):
            root.get()
    assert [plan.topic for plan in plans] == ["orders"]
    recovered = recover(plans[0])
    assert recovered == Recovered(end_offset=9, torn_bytes=4)
    root.logs.note_recovered(plans[0], recovered)
    assert list(records_in(root.get())) == list(range(9))
    assert root.get().producer_state.get(3).last_sequence == 8  # type: ignore[union-attr]
    assert append(root.get(), "next").base_offset == 9


def test_a_failed_recovery_is_done_where_the_partition_is_asked_for(root: DataRoot, plans: list[RecoveryPlan]) -> None:
    with pytest.raises(NotLeaderOrFollower):
        root.get()
    root.logs.note_recovered(plans[0], None)
    assert len(records_in(root.get())) == 9


def test_a_partition_that_is_deleted_meanwhile_is_left_alone(root: DataRoot, plans: list[RecoveryPlan]) -> None:
    with pytest.raises(NotLeaderOrFollower):
        root.get()
    root.logs.delete("orders", 0)
    new = root.create()
    with pytest.raises(FileNotFoundError):
        recover(plans[0])
    root.logs.note_recovered(plans[0], Recovered(end_offset=9, torn_bytes=4))
    assert root.get() is new
    assert os.listdir(root.folder()) == os.listdir(new.folder)
    assert new.log_end_offset == 0


def test_a_stop_is_clean_once_all_is_recovered(root: DataRoot, plans: list[RecoveryPlan]) -> None:
    with pytest.raises(NotLeaderOrFollower):
        root.get()
    root.logs.note_recovered(plans[0], recover(plans[0]))
    root.restart()
    assert root.logs.is_clean
    assert len(records_in(root.get())) == 9


def test_what_is_flushed_need_not_be_checked(root: DataRoot) -> None:
    log = root.create(segment_bytes=300)
    for _ in range(9):
        append(log, "v" * 50)
    assert unchecked_bytes(log.folder, 0) == log.size_bytes
    assert unchecked_bytes(log.folder, 9) == log.segments[-1].size
