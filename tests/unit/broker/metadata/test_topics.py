"""TopicRegistry: name rules, what survives a restart or a crash, and that logs follow."""

import os

import pytest

from broker.clock import Clock
from broker.errors import (
    InvalidConfig,
    InvalidPartitions,
    InvalidTopicException,
    KafkaStorageError,
    TopicAlreadyExists,
    UnknownTopicId,
    UnknownTopicOrPartition,
)
from broker.log import LogConfig, LogDirectory
from broker.metadata import topics as topics_module
from broker.metadata.topics import TOPICS_FILE, TopicRegistry, check_topic_name
from tests.unit.broker.log.making import append


def log_config(configs):
    if "bad" in configs:
        raise InvalidConfig("bad")
    return LogConfig(retention_ms=int(configs.get("retention.ms", 1000)))


class Root:
    """A data folder that can be closed, or left behind as a crash would, and opened again."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.open()

    def open(self):
        self.logs = LogDirectory.open(self.folder, node_id=0, clock=Clock())
        self.topics = TopicRegistry(self.folder, self.logs, log_config)
        self.topics.open()
        return self.topics

    def reopen(self):
        self.logs.close()
        return self.open()

    def open_after_crash(self):
        """Open the folder again as a kill leaves it."""
        os.close(self.logs._lock_fd)
        return self.open()


@pytest.fixture
def root(tmp_path):
    root = Root(tmp_path)
    yield root
    root.logs.close()


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "a" * 249, "..."])
def test_names_that_kafka_allows(name):
    check_topic_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 250, "a b", "a/b", "ä", "a\n"])
def test_names_that_kafka_refuses(name):
    with pytest.raises(InvalidTopicException):
        check_topic_name(name)


def test_a_topic_is_found_by_name_and_id_with_its_logs(root):
    made = root.topics.create("orders", partition_count=3, configs={"retention.ms": "5"})
    assert root.topics.get("orders") is made
    assert root.topics.identified(made.topic_id) is made
    assert root.logs.topic_id("orders") == made.topic_id
    assert [log.config.retention_ms for log in root.topics.partitions("orders")] == [5, 5, 5]
    assert (len(root.topics), "orders" in root.topics) == (1, True)


def test_what_is_unknown_is_said_so(root):
    assert root.topics.get("x") is None
    with pytest.raises(UnknownTopicOrPartition):
        root.topics.named("x")
    with pytest.raises(UnknownTopicOrPartition):
        root.topics.partition("x", 0)
    with pytest.raises(UnknownTopicId):
        root.topics.identified(bytes(16))


def test_ids_are_random_uuids_of_version_4(root):
    ids = [root.topics.create(f"t{n}", partition_count=1).topic_id for n in range(3)]
    assert len(set(ids)) == 3
    assert all(len(topic_id) == 16 and topic_id[6] >> 4 == 4 for topic_id in ids)


def test_what_cannot_be_created(root):
    root.topics.create("a.b", partition_count=1)
    with pytest.raises(TopicAlreadyExists):
        root.topics.create("a.b", partition_count=1)
    with pytest.raises(InvalidTopicException, match="collides"):
        root.topics.create("a_b", partition_count=1)
    with pytest.raises(InvalidPartitions):
        root.topics.create("c", partition_count=0)
    with pytest.raises(InvalidConfig):
        root.topics.create("c", partition_count=1, configs={"bad": "1"})
    assert [topic.name for topic in root.topics] == ["a.b"]


def test_everything_is_there_after_a_restart(root):
    made = root.topics.create("orders", partition_count=2, configs={"retention.ms": "7"})
    root.topics.create("__consumer_offsets", partition_count=1)
    topics = root.reopen()
    assert topics.get("orders") == made
    assert topics.get("__consumer_offsets").is_internal
    assert topics.partition("orders", 1).config.retention_ms == 7


def test_partitions_are_only_added(root):
    root.topics.create("orders", partition_count=2)
    for count in (1, 2):
        with pytest.raises(InvalidPartitions):
            root.topics.add_partitions("orders", count)
    root.topics.add_partitions("orders", 4)
    assert len(root.reopen().partitions("orders")) == 4


def test_new_configs_reach_the_logs(root):
    root.topics.create("orders", partition_count=1)
    root.topics.set_configs("orders", {"retention.ms": "9"})
    assert root.topics.partition("orders", 0).config.retention_ms == 9
    with pytest.raises(InvalidConfig):
        root.topics.set_configs("orders", {"bad": "1"})
    assert root.reopen().get("orders").configs == {"retention.ms": "9"}


def test_a_deleted_topic_is_gone_with_its_records(root):
    topic_id = root.topics.create("orders", partition_count=1).topic_id
    root.topics.delete("orders")
    assert root.topics.by_id(topic_id) is None
    assert root.reopen().get("orders") is None
    assert root.topics.create("orders", partition_count=1).topic_id != topic_id


def test_a_crash_between_writing_down_and_making_folders_is_mended(root, monkeypatch):
    class Crash(BaseException):
        pass

    def crash(*args):
        raise Crash

    monkeypatch.setattr(root.logs, "create", crash)
    with pytest.raises(Crash):
        root.topics.create("orders", partition_count=2)
    assert len(root.reopen().partitions("orders")) == 2


def test_a_crash_while_deleting_is_finished_at_the_next_start(root, monkeypatch):
    class Crash(BaseException):
        pass

    def crash(*args):
        raise Crash

    root.topics.create("orders", partition_count=2)
    monkeypatch.setattr(root.logs, "delete", crash)
    with pytest.raises(Crash):
        root.topics.delete("orders")
    assert root.reopen().get("orders") is None
    assert root.logs.partitions() == []


def test_a_topic_that_the_disk_refuses_does_not_exist(root, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(topics_module, "write_state", refuse)
        with pytest.raises(KafkaStorageError):
            root.topics.create("orders", partition_count=1)
    assert root.topics.get("orders") is None
    assert root.logs.partitions() == []
    root.topics.create("orders", partition_count=1)


def test_a_topic_whose_folders_cannot_be_made_does_not_exist(root, monkeypatch):
    create, made = root.logs.create, []

    def refuse_second(*args):
        if made:
            raise KafkaStorageError("disk full")
        made.append(create(*args))

    monkeypatch.setattr(root.logs, "create", refuse_second)
    with pytest.raises(KafkaStorageError):
        root.topics.create("orders", partition_count=2)
    topics = root.reopen()
    assert topics.get("orders") is None
    assert root.logs.partitions() == []


def test_one_damaged_byte_costs_nothing(root):
    made = root.topics.create("orders", partition_count=2, configs={"retention.ms": "7"})
    root.logs.close()
    path = root.folder / TOPICS_FILE
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        assert root.open().get("orders") == made
        root.logs.close()


def test_a_lost_file_is_rebuilt_from_the_folders(root):
    made = root.topics.create("orders", partition_count=2)
    root.logs.close()
    (root.folder / TOPICS_FILE).unlink()
    found = root.open().get("orders")
    assert (found.topic_id, found.partition_count) == (made.topic_id, 2)


def test_folders_of_an_unknown_topic_are_taken_up(root):
    topic_id = bytes(range(16))
    for partition in (0, 2):
        root.logs.create("copied", partition, topic_id, LogConfig())
    found = root.reopen().get("copied")
    assert (found.topic_id, found.partition_count) == (topic_id, 3)
    assert len(root.topics.partitions("copied")) == 3


def test_many_changes_are_written_once(root, monkeypatch):
    writes = []
    write = topics_module.write_state
    monkeypatch.setattr(topics_module, "write_state", lambda *args: writes.append(1) or write(*args))
    with root.topics.one_save():
        for number in range(5):
            root.topics.create(f"t{number}", partition_count=1)
    assert len(writes) == 1
    assert len(root.reopen()) == 5


def test_what_was_derived_is_forgotten_with_every_change(root):
    for change in (
        lambda: root.topics.create("t", partition_count=1),
        lambda: root.topics.add_partitions("t", 2),
        lambda: root.topics.set_configs("t", {}),
        lambda: root.topics.reconfigure_logs(),
        lambda: root.topics.delete("t"),
    ):
        version = root.topics.version
        root.topics.derived["something"] = 1
        change()
        assert not root.topics.derived
        assert root.topics.version > version


def test_folders_of_very_many_partitions_are_made_when_needed(root):
    topic = root.topics.create("wide", partition_count=1_000)
    assert len(list(root.folder.glob("wide-*"))) == topics_module.EAGER_PARTITIONS_MAX
    append(root.topics.partition("wide", 999), "a")
    assert (root.folder / "wide-999" / "partition.metadata").exists()
    assert len(root.reopen().partitions("wide")) == 1_000
    assert root.topics.get("wide") == topic
    assert root.topics.partition("wide", 999).log_end_offset == 1


def test_folders_are_made_little_by_little(root):
    root.topics.create("wide", partition_count=20)
    assert len(list(root.logs.make_folders())) == 20 - topics_module.EAGER_PARTITIONS_MAX
    assert len(list(root.folder.glob("wide-*"))) == 20


def test_a_crash_before_the_folders_are_made_loses_no_partition(root):
    root.topics.create("wide", partition_count=20)
    assert len(root.open_after_crash().partitions("wide")) == 20


def test_partitions_without_a_folder_do_not_make_a_stop_unclean(root):
    root.open_after_crash()
    root.topics.create("wide", partition_count=20)
    root.reopen()
    assert root.logs.is_clean


def test_a_topic_is_gone_before_its_logs_are(root):
    root.topics.create("wide", partition_count=20)
    root.topics.begin_deletion("wide")
    with pytest.raises(UnknownTopicOrPartition):
        root.topics.partition("wide", 0)
    assert root.topics.get("wide") is None
    assert len(list(root.topics.finish_deletions())) == 20
    assert root.logs.partitions() == []


def test_a_name_is_free_while_the_old_logs_are_being_deleted(root):
    append(root.topics.partition(root.topics.create("wide", partition_count=20).name, 0), "old")
    root.topics.begin_deletion("wide")
    root.topics.create("wide", partition_count=20)
    assert root.topics.partition("wide", 0).log_end_offset == 0
    assert list(root.topics.finish_deletions()) == []
    assert len(root.reopen().partitions("wide")) == 20


def test_a_crash_in_the_middle_of_a_deletion_is_finished_at_the_next_start(root):
    root.topics.create("wide", partition_count=20)
    root.topics.begin_deletion("wide")
    next(root.topics.finish_deletions())
    assert root.open_after_crash().get("wide") is None
    assert root.logs.partitions() == []
