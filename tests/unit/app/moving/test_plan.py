import json
from pathlib import Path

import pytest

from app.moving.plan import PLAN_FILE, PlannedTopic, PlanUnreadable, read_plan
from broker.clock import Clock
from broker.export import plan as written
from broker.export.__main__ import main
from broker.log import LogConfig, LogDirectory
from broker.metadata.topics import TopicRegistry


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "kafka"
    logs = LogDirectory.open(folder, node_id=1, clock=Clock())
    topics = TopicRegistry(folder, logs, lambda _: LogConfig())
    topics.open()
    topics.create("orders", partition_count=2, configs={"retention.ms": "1000"})
    topics.create("clicks", partition_count=1)
    logs.close()
    assert main(["--data-dir", str(tmp_path / "data"), "--to", str(tmp_path / "out"), "--exclude", "clicks"]) == 0
    return tmp_path / "out"


def test_both_sides_mean_the_same_file():
    assert (written.PLAN_FILE, written.VERSION) == (PLAN_FILE, 1)


def test_what_the_export_wrote_is_read(exported):
    plan = read_plan(exported)
    assert plan is not None
    assert plan.topics == [PlannedTopic("orders", 2, {"retention.ms": "1000"})]
    assert [(one.topic, one.partition, one.has_segments) for one in plan.partitions] == [
        ("orders", 0, False), ("orders", 1, False),
    ]  # fmt: skip
    assert plan.wanted.exclude == ["clicks"]


def test_a_folder_without_anything_is_still_to_be_exported_to(tmp_path):
    (tmp_path / "empty").mkdir()
    assert read_plan(tmp_path / "empty") is None
    assert read_plan(tmp_path / "missing") is None


@pytest.mark.parametrize("text", [None, "", "{}", '{"version": 1, "topics": 7}'])
def test_a_folder_of_something_else_is_refused(exported, text):
    if text is None:
        (exported / PLAN_FILE).unlink()
    else:
        (exported / PLAN_FILE).write_text(text)
    with pytest.raises(PlanUnreadable, match="new folder"):
        read_plan(exported)


def test_a_plan_of_another_version_is_refused(exported):
    plan = json.loads((exported / PLAN_FILE).read_text())
    (exported / PLAN_FILE).write_text(json.dumps({**plan, "version": 2}))
    with pytest.raises(PlanUnreadable, match="another version"):
        read_plan(exported)
