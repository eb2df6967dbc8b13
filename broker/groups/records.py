"""The records of `__consumer_offsets` that classic groups are kept in: committed offsets and group metadata.

A key is an int16 record type and its fields, a value an int16 version and its fields; no value means deleted. The
versions written are those that Apache Kafka 4.3 writes, so either can read the other's log. Records of other types
(KIP-848, share and streams groups) are left alone.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple, TypeVar

from broker.protocol.codec import decode, encode
from broker.protocol.messages.consumer_offsets import (
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from broker.protocol.primitives import DecodeError, Message

log = logging.getLogger("broker.groups")

LEGACY_OFFSET_COMMIT: Final = 0  # Kafka before 0.9; same fields as type 1
OFFSET_COMMIT: Final = OffsetCommitKey.API_KEY
GROUP_METADATA: Final = GroupMetadataKey.API_KEY

_TYPE_BYTES: Final = 2
_OFFSET_COMMIT_KEY_TYPE: Final = OFFSET_COMMIT.to_bytes(_TYPE_BYTES)
_GROUP_METADATA_KEY_TYPE: Final = GROUP_METADATA.to_bytes(_TYPE_BYTES)
_EXPIRING_OFFSET_VERSION: Final = 1  # the only version with an expire_timestamp
_OFFSET_VERSION: Final = 4
_GROUP_METADATA_VERSION: Final = 3

_Value = TypeVar("_Value", bound=Message)


class OffsetsRecord(NamedTuple):
    """One record of the log, without offset or timestamp."""

    key: bytes
    value: bytes | None


class CommittedOffset(NamedTuple):
    """How far a group has read a partition, and what it noted beside it."""

    offset: int
    leader_epoch: int
    """-1: the client did not say."""
    metadata: str
    committed_ms: int
    """Wall clock."""
    expires_ms: int | None
    """Wall clock; only from clients that set a retention time themselves (OffsetCommit v2-4)."""
    topic_id: bytes
    """The id the topic had at the commit: an offset does not outlive its topic. NULL_UUID when unknown."""


def offset_record(group_id: str, topic: str, partition: int, committed: CommittedOffset) -> OffsetsRecord:
    """The record of one committed offset."""
    version = _OFFSET_VERSION if committed.expires_ms is None else _EXPIRING_OFFSET_VERSION
    value = OffsetCommitValue(
        offset=committed.offset,
        leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        commit_timestamp=committed.committed_ms,
        expire_timestamp=-1 if committed.expires_ms is None else committed.expires_ms,
        topic_id=committed.topic_id,
    )
    return OffsetsRecord(_offset_key(group_id, topic, partition), _versioned(value, version))


def offset_tombstone(group_id: str, topic: str, partition: int) -> OffsetsRecord:
    """The record that deletes a committed offset."""
    return OffsetsRecord(_offset_key(group_id, topic, partition), None)


def group_record(group_id: str, value: GroupMetadataValue) -> OffsetsRecord:
    """The record of a group's generation, members and assignments."""
    return OffsetsRecord(_group_key(group_id), _versioned(value, _GROUP_METADATA_VERSION))


def group_tombstone(group_id: str) -> OffsetsRecord:
    """The record that deletes a group."""
    return OffsetsRecord(_group_key(group_id), None)


def read_key(key: bytes | memoryview) -> OffsetCommitKey | GroupMetadataKey | None:
    """What a record is about; None for a record type that is not ours. Raises DecodeError."""
    record_type = int.from_bytes(key[:_TYPE_BYTES], signed=True)
    if record_type in (OFFSET_COMMIT, LEGACY_OFFSET_COMMIT):
        return decode(OffsetCommitKey, 0, key, _TYPE_BYTES)
    if record_type == GROUP_METADATA:
        return decode(GroupMetadataKey, 0, key, _TYPE_BYTES)
    return None


def read_offset(value: bytes | memoryview) -> CommittedOffset:
    """A committed offset from its record's value, in any version Kafka ever wrote. Raises DecodeError."""
    read = _read(OffsetCommitValue, value)
    return CommittedOffset(
        offset=read.offset,
        leader_epoch=read.leader_epoch,
        metadata=read.metadata,
        committed_ms=read.commit_timestamp,
        expires_ms=read.expire_timestamp if read.expire_timestamp >= 0 else None,
        topic_id=read.topic_id,
    )


def read_group(value: bytes | memoryview) -> GroupMetadataValue:
    """A group's metadata from its record's value, in any version Kafka ever wrote. Raises DecodeError."""
    return _read(GroupMetadataValue, value)


def _read(type_: type[_Value], value: bytes | memoryview) -> _Value:
    version = int.from_bytes(value[:_TYPE_BYTES], signed=True)
    if version not in type_.VERSIONS:
        raise DecodeError(f"{type_.__name__} has version {version}, known are {type_.VERSIONS}")
    return decode(type_, version, value, _TYPE_BYTES)


def _versioned(value: Message, version: int) -> bytes:
    return version.to_bytes(_TYPE_BYTES) + encode(value, version)


def _offset_key(group_id: str, topic: str, partition: int) -> bytes:
    key = OffsetCommitKey(group=group_id, topic=topic, partition=partition)
    return _OFFSET_COMMIT_KEY_TYPE + encode(key, 0)


def _group_key(group_id: str) -> bytes:
    return _GROUP_METADATA_KEY_TYPE + encode(GroupMetadataKey(group=group_id), 0)
