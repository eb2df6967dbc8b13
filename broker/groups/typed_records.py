"""Records whose key says by its first two bytes what they are about, and whose value says its version likewise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from broker.groups.records import OffsetsRecord
from broker.protocol.codec import decode, encode
from broker.protocol.primitives import DecodeError, Message

TYPE_BYTES: Final = 2
_Key = TypeVar("_Key", bound=Message)
_Value = TypeVar("_Value", bound=Message)


def type_of(raw_key: bytes) -> int:
    """The record type."""
    return int.from_bytes(raw_key[:TYPE_BYTES], signed=True)


def record_of(key: Message, value: Message | None) -> OffsetsRecord:
    """The record of this key and value, both in version 0; without a value it deletes."""
    raw_key = key.API_KEY.to_bytes(TYPE_BYTES) + encode(key, 0)
    return OffsetsRecord(raw_key, None if value is None else b"\0\0" + encode(value, 0))


def value_of(type_: type[_Value], raw: bytes) -> _Value:
    """The value of a record. Raises DecodeError, also for versions that are not known."""
    version = int.from_bytes(raw[:TYPE_BYTES], signed=True)
    if version not in type_.VERSIONS:
        raise DecodeError(f"{type_.__name__} has version {version}, known are {type_.VERSIONS}")
    return decode(type_, version, raw, TYPE_BYTES)


def replay_records(
    records: Iterable[tuple[bytes, bytes]],
    keys: Mapping[int, type[_Key]],
    take: Callable[[_Key, bytes], None],
    *,
    last: type[_Key],
) -> Iterator[DecodeError]:
    """`take` each record's key, decoded by its type, and its value, in their order.

    Those with a `last` key come after all others, whose members they complete. Yields what cannot be read, which is
    passed over.
    """
    held: list[tuple[_Key, bytes]] = []
    for raw_key, raw_value in records:
        try:
            key = decode(keys[type_of(raw_key)], 0, raw_key, TYPE_BYTES)
            if isinstance(key, last):
                held.append((key, raw_value))
            else:
                take(key, raw_value)
        except DecodeError as error:
            yield error
    for key, raw_value in held:
        try:
            take(key, raw_value)
        except DecodeError as error:
            yield error
