import pytest

from broker.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from broker.protocol.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from broker.protocol.record_batch import Record, build_batch, read_header


@pytest.fixture
def written_bytes(handler_broker):
    """The size of t2-0, which has one batch; t2-1 is empty."""
    handler_broker.topics.create("t2", partition_count=2)
    now_ms = handler_broker.clock.now_ms()
    batch = bytearray(build_batch([Record(0, now_ms, None, b"value")]))
    handler_broker.topics.partition("t2", 0).append(batch, read_header(batch), now_ms=now_ms)
    return len(batch)


def describe(handler_broker, topics):
    (folder,) = handler_broker.ask(DescribeLogDirsRequest(topics=topics)).results
    sizes = {(t.name, p.partition_index): p.partition_size for t in folder.topics for p in t.partitions}
    return folder, sizes


def test_the_folder_tells_its_disk_and_the_size_of_every_partition(handler_broker, written_bytes):
    folder, sizes = describe(handler_broker, None)
    assert (folder.error_code, folder.log_dir) == (0, str(handler_broker.logs.path))
    assert folder.total_bytes > folder.usable_bytes > 0
    assert sizes == {("t2", 0): written_bytes, ("t2", 1): 0}


def test_partitions_that_nobody_opened_are_measured_without_opening_them(make_broker):
    first = make_broker()
    first.topics.create("t2", partition_count=1)
    now_ms = first.clock.now_ms()
    batch = bytearray(build_batch([Record(0, now_ms, None, b"value")]))
    first.topics.partition("t2", 0).append(batch, read_header(batch), now_ms=now_ms)
    restarted = make_broker()
    assert describe(restarted, None)[1] == {("t2", 0): len(batch)}
    assert not restarted.logs.is_open("t2", 0)


def test_named_partitions_that_do_not_exist_are_left_out(handler_broker, written_bytes):
    asked = [DescribableLogDirTopic(topic="t2", partitions=[0, 9]), DescribableLogDirTopic(topic="zz", partitions=[0])]
    assert describe(handler_broker, asked)[1] == {("t2", 0): written_bytes}
    assert describe(handler_broker, [])[1] == {}


def test_partitions_move_nowhere(handler_broker, written_bytes):
    def move(path, topic, partition):
        asked = [AlterReplicaLogDirTopic(name=topic, partitions=[partition])]
        request = AlterReplicaLogDirsRequest(dirs=[AlterReplicaLogDir(path=str(path), topics=asked)])
        (result,) = handler_broker.ask(request).results
        (moved,) = result.partitions
        return result.topic_name, moved.partition_index, moved.error_code

    assert move(handler_broker.logs.path, "t2", 0) == ("t2", 0, 0)
    assert move("/elsewhere", "t2", 0) == ("t2", 0, 57)
    assert move(handler_broker.logs.path, "t2", 9) == ("t2", 9, 3)
    assert move(handler_broker.logs.path, "zz", 0) == ("zz", 0, 3)
