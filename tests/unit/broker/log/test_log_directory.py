"""The data root: lock, identity, checkpoints, creating and deleting partitions, clean and unclean stops."""

import logging
import os

import pytest

from broker.errors import KafkaStorageError
from broker.log import DataRootError, LogConfig, LogDirectory
from broker.log.checkpoint_files import read_properties
from tests.unit.broker.log.making import NOW_MS, TOPIC_ID, DataRoot, append, records_in


def test_a_new_folder_gets_kafkas_identity_file(root: DataRoot) -> None:
    properties = read_properties(root.path / "meta.properties")
    assert properties is not None
    assert (properties["version"], properties["node.id"]) == ("1", "0")
    assert properties["cluster.id"] == root.logs.cluster_id
    assert len(properties["cluster.id"]) == len(properties["directory.id"]) == 22
    cluster_id = root.logs.cluster_id
    assert root.restart().cluster_id == cluster_id


def test_a_folder_in_use_is_refused(root: DataRoot) -> None:
    with pytest.raises(DataRootError, match="in use"):
        LogDirectory.open(root.path, node_id=0, clock=root.clock)


def test_another_nodes_or_clusters_folder_is_refused_and_not_left_locked(root: DataRoot) -> None:
    root.logs.close()
    with pytest.raises(DataRootError, match=r"node\.id=0"):
        LogDirectory.open(root.path, node_id=1, clock=root.clock)
    with pytest.raises(DataRootError, match="belongs to cluster"):
        LogDirectory.open(root.path, node_id=0, cluster_id="another", clock=root.clock)
    root.restart()


def test_a_folder_that_holds_other_files_is_fine(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "a folder-x").mkdir()
    root = DataRoot(tmp_path)
    assert root.logs.partitions() == []
    root.logs.close()
    assert (tmp_path / "notes.txt").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataRootError):
        DataRoot(tmp_path / "data")


def test_a_partition_is_there_again_after_a_restart(root: DataRoot) -> None:
    append(root.create("orders", 3), "a")
    root.restart()
    assert root.logs.partitions() == [("orders", 3)]
    assert root.logs.topic_id("orders") == TOPIC_ID
    assert records_in(root.get("orders", 3)) == {0: "a"}
    assert root.logs.get("orders", 4) is None
    assert root.logs.topic_id("other") is None


def test_topic_names_may_have_dashes_and_digits(root: DataRoot) -> None:
    root.create("a-1.b_2-3", 0)
    root.restart()
    assert root.logs.partitions() == [("a-1.b_2-3", 0)]


def test_a_new_partition_has_the_files_that_kafka_expects(root: DataRoot) -> None:
    root.create()
    files = {path.name: path.read_text() for path in root.folder().iterdir()}
    assert files == {
        "00000000000000000000.log": "",
        "leader-epoch-checkpoint": "0\n1\n0 0\n",
        "partition.metadata": "version: 0\ntopic_id: a6e4EJ2tQdGAtADAT9QwyA",
    }


def test_creating_a_partition_twice_is_refused(root: DataRoot) -> None:
    append(root.create(), "a")
    with pytest.raises(FileExistsError):
        root.create()
    assert records_in(root.get()) == {0: "a"}


def test_opening_the_root_opens_no_partition(root: DataRoot) -> None:
    for partition in range(20):
        root.create("orders", partition)
    root.restart()
    assert root.logs.open_files_count() == 0
    assert not root.logs.is_open("orders", 5)
    root.get("orders", 5)
    assert root.logs.is_open("orders", 5)


def test_a_clean_stop_leaves_kafkas_checkpoints_and_marker(root: DataRoot) -> None:
    log = root.create()
    for value in "abc":
        append(log, value)
    log.delete_records(1)
    root.logs.close()
    assert (root.path / "recovery-point-offset-checkpoint").read_text() == "0\n1\norders 0 3\n"
    assert (root.path / "replication-offset-checkpoint").read_text() == "0\n1\norders 0 3\n"
    assert (root.path / "log-start-offset-checkpoint").read_text() == "0\n1\norders 0 1\n"
    assert (root.path / ".kafka_cleanshutdown").exists()


def test_the_marker_counts_for_one_start(root: DataRoot) -> None:
    append(root.create(), "a")
    assert root.restart(clean=True).is_clean
    assert not (root.path / ".kafka_cleanshutdown").exists()
    assert not root.restart(clean=False).is_clean


def test_partitions_that_were_not_recovered_keep_the_next_start_unclean(root: DataRoot) -> None:
    append(root.create("a"), "x")
    append(root.create("b"), "x")
    root.restart(clean=False)
    root.get("a")
    root.restart(clean=True)
    assert not root.logs.is_clean
    root.get("a")
    root.get("b")
    assert root.restart(clean=True).is_clean


def test_checkpoints_keep_what_they_say_of_partitions_not_opened(root: DataRoot) -> None:
    for topic in ("a", "b"):
        log = root.create(topic)
        append(log, "x")
        append(log, "y")
        log.delete_records(1)
    before = {path.name: path.read_text() for path in root.path.glob("*-checkpoint")}
    root.logs.write_checkpoints()
    root.restart()
    root.get("a")
    root.logs.write_checkpoints()
    after = {path.name: path.read_text() for path in root.path.glob("*-checkpoint")}
    assert sorted(after["log-start-offset-checkpoint"].split("\n")) == sorted(
        before["log-start-offset-checkpoint"].split("\n")
    )
    assert sorted(after["recovery-point-offset-checkpoint"].split("\n"))[-2:] == ["a 0 2", "b 0 2"]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(
    "text", ["", "1\n0\n", "0\n9\norders 0 2\n", "0\n1\norders 0 x\n", "\udcff", "0\n1\norders 0 999\n"]
)
@pytest.mark.parametrize("name", ["recovery-point", "replication", "log-start"])
def test_a_wrong_checkpoint_changes_no_data(root: DataRoot, name: str, text: str, clean: bool) -> None:
    log = root.create()
    append(log, "a")
    append(log, "b")
    if clean:
        root.logs.close()
    else:
        root.crash()
    (root.path / f"{name}-offset-checkpoint").write_bytes(text.encode("utf-8", "surrogateescape"))
    root.restart()
    log = root.get()
    assert records_in(log) == {0: "a", 1: "b"}
    assert log.log_start_offset == 0


def test_a_deleted_partition_is_renamed_at_once_and_removed_after_the_delay(root: DataRoot) -> None:
    append(root.create(file_delete_delay_ms=500), "a")
    root.logs.delete("orders", 0)
    assert root.logs.get("orders", 0) is None
    (renamed,) = root.path.glob("orders-0.*-delete")
    assert len(renamed.name) == len("orders-0.") + 32 + len("-delete")
    assert root.logs.remove_deleted(NOW_MS + 499) == 0
    assert root.logs.remove_deleted(NOW_MS + 500) == 1
    assert not renamed.exists()


def test_a_deleted_partition_is_removed_after_a_restart_too(root: DataRoot) -> None:
    root.create()
    root.logs.delete("orders", 0)
    root.restart(clean=False)
    assert root.logs.partitions() == []
    root.logs.remove_deleted(NOW_MS)
    assert not list(root.path.glob("*-delete"))


def test_the_longest_topic_name_can_be_deleted(root: DataRoot) -> None:
    root.create("t" * 249)
    root.logs.delete("t" * 249, 0)
    assert len(list(root.path.glob("*-delete"))) == 1


def test_a_topic_can_be_made_again_after_its_deletion(root: DataRoot) -> None:
    log = root.create()
    append(log, "old", "old")
    log.delete_records(2)
    root.logs.delete("orders", 0)
    log = root.create()
    assert (log.log_start_offset, append(log, "new").base_offset) == (0, 0)
    root.restart(clean=False)
    assert records_in(root.get()) == {0: "new"}


def test_deleting_what_is_not_there_is_no_error(root: DataRoot) -> None:
    root.logs.delete("orders", 0)
    assert root.logs.partitions() == []
    assert list(root.path.glob("*-delete")) == []


def test_a_topic_config_reaches_logs_opened_before_and_after(root: DataRoot) -> None:
    for partition in range(2):
        root.create("orders", partition)
    root.restart()
    opened = root.get("orders", 0)
    root.logs.configure("orders", LogConfig(segment_bytes=4711))
    assert opened.config.segment_bytes == root.get("orders", 1).config.segment_bytes == 4711


def test_few_files_are_open_at_a_time_however_many_partitions_are_used(tmp_path) -> None:
    root = DataRoot(tmp_path, open_files_max=4)
    logs = [root.create("orders", partition, segment_bytes=200) for partition in range(20)]
    for number in range(5):
        for log in logs:
            append(log, f"{number}" * 60)
            assert root.logs.open_files_count() <= 4
    for log in logs:
        assert len(records_in(log)) == 5
    assert root.logs.open_files_count() == 4
    root.restart(clean=False)
    assert [len(records_in(root.get("orders", partition))) for partition in range(20)] == [5] * 20
    root.logs.close()


def test_a_partition_whose_files_cannot_be_read_is_a_storage_error(root: DataRoot) -> None:
    append(root.create(), "a")
    root.logs.close()
    (root.folder() / "00000000000000000000.log").unlink()
    (root.folder() / "00000000000000000000.log").mkdir()
    root.restart()
    with pytest.raises(KafkaStorageError):
        root.logs.get("orders", 0)


def test_usage_is_that_of_the_file_system(root: DataRoot) -> None:
    total_bytes, usable_bytes = root.logs.usage()
    assert 0 < usable_bytes <= total_bytes
    assert total_bytes == os.statvfs(root.path).f_frsize * os.statvfs(root.path).f_blocks


def test_retention_of_a_broken_partition_does_not_stop_the_others(
    root: DataRoot, caplog: pytest.LogCaptureFixture
) -> None:
    for topic in ("a", "b"):
        log = root.create(topic, retention_ms=1)
        append(log, "x")
    root.logs.close()
    (root.folder("a") / "00000000000000000000.log").unlink()
    (root.folder("a") / "00000000000000000000.log").mkdir()
    root.restart()
    with caplog.at_level(logging.ERROR):
        assert root.logs.retain_all(NOW_MS + 10) == 1
    assert "retention failed topic=a" in caplog.text


def test_a_real_kafkas_metadata_log_is_no_partition(root: DataRoot) -> None:
    (root.path / "__cluster_metadata-0").mkdir()
    assert root.restart().partitions() == []
