"""`caudal export`: what it writes, and what it refuses in one line."""

from pathlib import Path

import pytest

from broker.clock import Clock
from broker.export.__main__ import main
from broker.log import LogConfig, LogDirectory
from broker.metadata.topics import TopicRegistry
from tests.unit.broker.log.making import append

CONFIGS = {"retention.ms": "1000", "cleanup.policy": "compact,delete", "confluent.value.schema.validation": "true"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The data folder of a stopped Caudal: two topics, one of them with two segments."""
    folder = tmp_path / "caudal-data" / "kafka"
    logs = LogDirectory.open(folder, node_id=7, clock=Clock())
    topics = TopicRegistry(folder, logs, lambda _: LogConfig(segment_bytes=200))
    topics.open()
    topics.create("orders", partition_count=2, configs=CONFIGS)
    topics.create("empty", partition_count=1)
    for value in ("a" * 100, "b" * 100):
        append(topics.partition("orders", 1), value)
    logs.close()
    return tmp_path / "caudal-data"


def exported(data_dir: Path, *more: str) -> int:
    return main(["--data-dir", str(data_dir), "--to", str(data_dir.parent / "out"), *more])


def refusal(data_dir: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert exported(data_dir, *more) == 1
    line = capsys.readouterr().err
    assert line.startswith("caudal export: ")
    assert line.count("\n") == 1
    assert not (data_dir.parent / "out").exists()
    assert list(data_dir.parent.glob(".out*")) == []
    return line


def test_segments_go_out_byte_for_byte(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(data_dir) == 0
    out = data_dir.parent / "out"
    names = ["00000000000000000000.log", "00000000000000000001.log"]
    assert sorted(path.name for path in (out / "segments" / "orders-1").iterdir()) == names
    for name in names:
        ours = data_dir / "kafka" / "orders-1" / name
        assert (out / "segments" / "orders-1" / name).read_bytes() == ours.read_bytes()
    assert [path.name for path in (out / "segments").iterdir()] == ["orders-1"]
    assert "orders,1,0,2," in (out / "partitions.csv").read_text()
    assert "2 topics" in capsys.readouterr().out


def test_the_active_segment_is_a_copy_of_its_own(data_dir: Path) -> None:
    assert exported(data_dir) == 0
    paths = sorted((data_dir.parent / "out" / "segments" / "orders-1").iterdir())
    assert [path.stat().st_nlink for path in paths] == [2, 1]


def test_topics_are_created_with_what_was_set_on_them(data_dir: Path) -> None:
    assert exported(data_dir, "--topics", "orders") == 0
    script = (data_dir.parent / "out" / "create-topics.sh").read_text()
    assert "--topic orders --partitions 2" in script
    assert "--config cleanup.policy=compact,delete" in script
    assert "--topic empty" not in script
    assert "confluent." not in script  # Apache Kafka would refuse the topic


def test_the_broker_goes_on_after_an_export(data_dir: Path) -> None:
    assert exported(data_dir) == 0
    logs = LogDirectory.open(data_dir / "kafka", node_id=7, clock=Clock())
    assert logs.is_clean
    assert append(logs.get("orders", 1), "c").base_offset == 2  # type: ignore[arg-type]
    logs.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--topics", "odrers"), "there is no topic odrers; there are: empty, orders"),
        (("--exclude", "odrers"), "there is no topic odrers"),
        (("--groups", "g"), "group g has no committed offsets; these have: none"),
    ],
)
def test_an_unknown_name_is_refused(
    data_dir: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str], reason: str
) -> None:
    assert reason in refusal(data_dir, capsys, *words)


def test_a_running_broker_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = LogDirectory.open(data_dir / "kafka", node_id=7, clock=Clock())
    assert "is in use by another broker: stop it" in refusal(data_dir, capsys)
    logs.close()


def test_a_folder_without_topics_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name the folder that `caudal start` was given" in refusal(tmp_path / "nothing", capsys)


def test_a_target_in_use_is_left_alone(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data_dir.parent / "out"
    out.mkdir()
    (out / "mine").touch()
    assert exported(data_dir) == 1
    assert "is not empty: choose a new folder with --to" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_damaged_topic_is_refused_and_can_be_left_out(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data_dir / "kafka" / "orders-1" / "00000000000000000000.log"
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    (data_dir / "kafka" / ".kafka_cleanshutdown").unlink()
    (data_dir / "kafka" / "recovery-point-offset-checkpoint").unlink()
    line = refusal(data_dir, capsys)
    assert "offsets 0 to 0 of orders-1 are damaged" in line
    assert "--exclude orders" in line
    assert exported(data_dir, "--exclude", "orders") == 0


def test_a_target_that_cannot_be_written_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_dir.parent / "file").touch()
    assert main(["--data-dir", str(data_dir), "--to", str(data_dir.parent / "file" / "out")]) == 1
    assert "Not a directory" in capsys.readouterr().err
