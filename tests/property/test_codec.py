"""Our codec against kio's, for every API and version: the same bytes out, the same message back.

Messages are drawn from kio's own classes, not from our SCHEMA rows, so a wrong row cannot hide.
"""

import dataclasses
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kio.index import load_entity_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_writer
from kio.serial._implicit_defaults import get_tagged_field_default
from kio.serial._introspect import EntityField, EntityTupleField, classify_field, is_optional
from kio.static.constants import EntityType

from broker.protocol.codec import DecodeError, decode, encode, request_type, response_type
from broker.protocol.generate import INSIDE_RECORDS, _field_name
from broker.protocol.messages import API_MESSAGES
from broker.protocol.primitives import NULL_UUID, Fields, Message

DATA_TYPES = {
    name: getattr(import_module(f"broker.protocol.messages.{name}"), "".join(map(str.capitalize, name.split("_"))))
    for name in INSIDE_RECORDS
}
MESSAGES = [
    *((name, EntityType.request, request_type(key)) for key, (name, _, _) in API_MESSAGES.items()),
    *((name, EntityType.response, response_type(key)) for key, (name, _, _) in API_MESSAGES.items()),
    *((name, EntityType.data, data_type) for name, data_type in DATA_TYPES.items()),
]
every_message = pytest.mark.parametrize(
    ("kio_name", "kind", "message_type"), MESSAGES, ids=[message_type.__name__ for _, _, message_type in MESSAGES]
)
quick = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# kio's datetimes hold whole seconds, and its timedeltas end where Python's do.
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "bytes": st.binary(max_size=200),
    "datetime_i64": st.integers(0, 10**9).map(lambda seconds: seconds * 1000),
    "error_code": st.sampled_from([int(code.value) for code in ErrorCode]),
    "float64": st.floats(allow_nan=False),
    "int8": st.integers(-(2**7), 2**7 - 1),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "records": st.one_of(st.binary(max_size=200), st.just(bytes(5000))),
    "string": st.text(max_size=150),
    "timedelta_i32": st.integers(-(2**31), 2**31 - 1),
    "timedelta_i64": st.integers(-(10**15), 10**15),
    "uint16": st.integers(0, 2**16 - 1),
    "uuid": st.binary(min_size=16, max_size=16) | st.just(NULL_UUID),
}


@cache
def structs(kio_type: Any, our_type: type[Fields]) -> st.SearchStrategy[Any]:
    """Our struct with random values in the fields that kio's class of one version has."""
    fields = {_field_name(field): values(field, our_type) for field in dataclasses.fields(kio_type)}
    return st.builds(our_type, **fields)


def values(kio_field: Any, owner: type[Fields]) -> st.SearchStrategy[Any]:
    shape = classify_field(kio_field)
    if isinstance(shape, EntityField | EntityTupleField):
        module = import_module(owner.__module__)
        name = shape.type_.__name__
        ours = getattr(module, name, None)
        if ours is None:  # request and response differ in it
            prefix = "Request" if shape.type_.__module__.endswith("request") else "Response"
            ours = getattr(module, prefix + name)
        value = structs(shape.type_, ours)
        if "tag" in kio_field.metadata and not shape.is_array:
            return st.none() | value.filter(lambda struct: struct != ours())
    else:
        value = SCALARS[kio_field.metadata["kafka_type"]]
    if shape.is_array:
        value = st.lists(value, max_size=3)
    elif kio_field.metadata.get("kafka_type") == "datetime_i64" and is_optional(kio_field):
        return st.just(-1) | value
    if is_optional(kio_field) and kio_field.metadata.get("kafka_type") != "uuid":
        return st.none() | value
    return value


def to_kio(message: Fields, kio_type: Any) -> Any:
    return kio_type(
        **{field.name: kio_value(getattr(message, _field_name(field)), field) for field in dataclasses.fields(kio_type)}
    )


def kio_value(value: Any, kio_field: Any) -> Any:
    shape = classify_field(kio_field)
    if value is None:
        tagged_struct = "tag" in kio_field.metadata and isinstance(shape, EntityField)
        return get_tagged_field_default(kio_field) if tagged_struct else None
    if isinstance(shape, EntityTupleField):
        return tuple(to_kio(item, shape.type_) for item in value)
    if isinstance(shape, EntityField):
        return to_kio(value, shape.type_)
    if shape.is_array:
        return tuple(kio_scalar(item, kio_field.metadata["kafka_type"]) for item in value)
    if kio_field.metadata["kafka_type"] == "datetime_i64" and is_optional(kio_field) and value == -1:
        return None
    return kio_scalar(value, kio_field.metadata["kafka_type"])


def kio_scalar(value: Any, kafka_type: str) -> Any:
    match kafka_type:
        case "uuid":
            return UUID(bytes=value) if value != NULL_UUID else None
        case "error_code":
            return ErrorCode(value)
        case "timedelta_i32" | "timedelta_i64":
            return timedelta(milliseconds=value)
        case "datetime_i64":
            return datetime.fromtimestamp(value / 1000, UTC)
    return value


def kio_bytes(kio_object: Any) -> bytes:
    buffer = BytesIO()
    entity_writer(type(kio_object))(buffer, kio_object)
    return buffer.getvalue()


def any_message(draw: Any, kio_name: str, kind: EntityType, message_type: type[Message], version: int) -> Any:
    kio_type = load_entity_schema(kio_name, version, kind)  # type: ignore[arg-type]
    return draw(structs(kio_type, message_type)), kio_type


@every_message
@quick
@given(data=st.data())
def test_bytes_are_those_of_kio_and_decode_to_the_same_message(
    kio_name: str, kind: EntityType, message_type: type[Message], data: st.DataObject
) -> None:
    for version in message_type.VERSIONS:
        message, kio_type = any_message(data.draw, kio_name, kind, message_type, version)
        encoded = encode(message, version)
        assert encoded == kio_bytes(to_kio(message, kio_type))
        assert decode(message_type, version, encoded) == message
        assert decode(message_type, version, memoryview(b"??" + encoded), 2) == message


@every_message
def test_default_message_survives_every_version(kio_name: str, kind: EntityType, message_type: type[Message]) -> None:
    for version in message_type.VERSIONS:
        assert decode(message_type, version, encode(message_type(), version)) == message_type()


@every_message
@quick
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_damaged_bytes_raise_nothing_but_decode_error(
    kio_name: str, kind: EntityType, message_type: type[Message], data: st.DataObject, seed: int
) -> None:
    version = data.draw(st.sampled_from(message_type.VERSIONS))
    message, _ = any_message(data.draw, kio_name, kind, message_type, version)
    encoded = encode(message, version)
    dice = random.Random(seed)
    for _ in range(20):
        damaged = bytearray(encoded)
        for _ in range(dice.randint(1, 3)):
            if damaged:
                damaged[dice.randrange(len(damaged))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        attempt(message_type, version, bytes(damaged))
        attempt(message_type, version, dice.randbytes(dice.randint(0, 64)))


@every_message
@quick
@given(data=st.data())
def test_every_cut_of_a_message_is_noticed(
    kio_name: str, kind: EntityType, message_type: type[Message], data: st.DataObject
) -> None:
    version = data.draw(st.sampled_from(message_type.VERSIONS))
    message, _ = any_message(data.draw, kio_name, kind, message_type, version)
    encoded = encode(message, version)
    for end in range(0, len(encoded), 1 + len(encoded) // 50):
        with pytest.raises(DecodeError):
            decode(message_type, version, encoded[:end])


def attempt(message_type: type[Message], version: int, damaged: bytes) -> None:
    try:
        decode(message_type, version, damaged)
    except DecodeError:
        pass


@every_message
def test_lengths_beyond_the_data_cost_no_memory(kio_name: str, kind: EntityType, message_type: type[Message]) -> None:
    for version in message_type.VERSIONS:
        attempt(message_type, version, b"")  # compile outside the measurement
        for byte in (b"\x7f", b"\xff\xff\xff\xff\x0f", b"\x80"):
            tracemalloc.start()
            attempt(message_type, version, byte * 40)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 200_000
