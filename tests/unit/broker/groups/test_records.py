"""The records of `__consumer_offsets`, byte for byte as Apache Kafka 4.3.1 wrote them."""

import pytest

from broker.groups.records import (
    CommittedOffset,
    group_record,
    group_tombstone,
    offset_record,
    offset_tombstone,
    read_group,
    read_key,
    read_offset,
)
from broker.protocol.messages.consumer_offsets import GroupMetadataKey, GroupMetadataValue, OffsetCommitKey
from broker.protocol.primitives import NULL_UUID, DecodeError

# Taken from the log of a real broker: group, topic, partition, key, value.
KAFKA_OFFSET = CommittedOffset(
    offset=5,
    leader_epoch=4,
    metadata="m",
    committed_ms=0x01A207456248,
    expires_ms=None,
    topic_id=bytes.fromhex("33880e3219e142bba8d296a1275f60fd"),
)
KAFKA_OFFSET_KEY = bytes.fromhex("00010002737400017400000000")
KAFKA_OFFSET_VALUE = bytes.fromhex(
    "0004000000000000000500000004026d000001a20745624801001033880e3219e142bba8d296a1275f60fd"
)
KAFKA_GROUP_KEY = bytes.fromhex("000200027374")
KAFKA_GROUP_VALUE = bytes.fromhex(
    "00030008636f6e73756d657200000001000572616e6765002769312d63303639306136342d373134632d343637642d39656538"
    "2d333464663434393035646339000001a2074560c500000001002769312d63303639306136342d373134632d343637642d3965"
    "65382d33346466343439303564633900026931000570726f6265000a2f3132372e302e302e3100001f40000027100000001100"
    "0100000001000174ffffffff00000000000000024131"
)


def test_committed_offset_is_written_as_kafka_writes_it() -> None:
    record = offset_record("st", "t", 0, KAFKA_OFFSET)
    assert (record.key, record.value) == (KAFKA_OFFSET_KEY, KAFKA_OFFSET_VALUE)


def test_kafkas_committed_offset_is_read() -> None:
    assert read_key(KAFKA_OFFSET_KEY) == OffsetCommitKey(group="st", topic="t", partition=0)
    assert read_offset(KAFKA_OFFSET_VALUE) == KAFKA_OFFSET


def test_kafkas_group_is_read_and_written_back_unchanged() -> None:
    assert read_key(KAFKA_GROUP_KEY) == GroupMetadataKey(group="st")
    value = read_group(KAFKA_GROUP_VALUE)
    assert (value.protocol_type, value.generation, value.protocol) == ("consumer", 1, "range")
    (member,) = value.members
    assert (member.group_instance_id, member.client_host, member.assignment) == ("i1", "/127.0.0.1", b"A1")
    record = group_record("st", value)
    assert (record.key, record.value) == (KAFKA_GROUP_KEY, KAFKA_GROUP_VALUE)


def test_tombstones_have_the_same_keys() -> None:
    assert offset_tombstone("st", "t", 0) == (KAFKA_OFFSET_KEY, None)
    assert group_tombstone("st") == (KAFKA_GROUP_KEY, None)


def test_offset_with_a_retention_of_its_own_is_written_in_the_version_that_has_one() -> None:
    expiring = KAFKA_OFFSET._replace(expires_ms=KAFKA_OFFSET.committed_ms + 1_000)
    record = offset_record("st", "t", 0, expiring)
    assert record.value is not None
    assert record.value[:2] == b"\0\1"
    assert read_offset(record.value) == expiring._replace(leader_epoch=-1, topic_id=NULL_UUID)


@pytest.mark.parametrize("version", range(5))
def test_group_of_every_version_is_read(version: int) -> None:
    from broker.protocol.codec import encode

    value = GroupMetadataValue(protocol_type="consumer", generation=7, protocol="range", leader="m")
    read = read_group(version.to_bytes(2) + encode(value, version))
    assert (read.generation, read.leader) == (7, "m")


def test_records_of_other_types_are_none_of_ours() -> None:
    assert read_key(b"\0\3\0\1g") is None


def test_legacy_offset_record_is_read() -> None:
    assert read_key(b"\0\0" + KAFKA_OFFSET_KEY[2:]) == OffsetCommitKey(group="st", topic="t", partition=0)


def test_unknown_value_version_is_an_error() -> None:
    with pytest.raises(DecodeError):
        read_offset(b"\0\5" + bytes(40))
