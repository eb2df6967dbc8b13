"""Protobuf payloads: the message indexes, then the message; and Protobuf's own JSON mapping."""

from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, EncodeError, Message

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_descriptor import file_descriptor
from app.registry.formats.proto_model import File
from app.registry.formats.proto_names import built_in
from app.registry.formats.protobuf import ProtobufSchema
from app.registry.payloads.json_text import read_all
from app.registry.wire import read_indexes, write_indexes
from app.schemas.ports import InvalidPayload

RECURSION_MAX = 100  # levels of messages: Protobuf's own limit
_FILE = "default"
_encode = msgspec.json.Encoder().encode


class ProtobufCodec:
    """Writes the first message of the file, or the one that is named, and reads whichever the indexes name.

    Written are fields that are not set, too, unless they can tell that they are not: as Confluent's proxy has it.
    """

    def __init__(self, schema: ProtobufSchema, message: str | None = None) -> None:
        """message: a full name, or that inside the package. Raises InvalidSchema for a file without messages."""
        self._schema = schema
        self._pool = _pool_of(schema)
        self._classes: dict[tuple[int, ...], type[Message]] = {}
        try:
            indexes = schema.message_indexes(message) if message else (0,)
            self._written = self._class_of(indexes)
        except (KeyError, InvalidPayload):
            raise InvalidSchema(f"the schema has no message {message or 'at all'}") from None
        self._prefix = write_indexes(indexes)

    def encode_all(self, texts: Sequence[bytes]) -> list[bytes]:
        payloads = []
        for index, value in enumerate(read_all(texts)):
            if type(value) is not dict and not _is_well_known(self._written):
                raise InvalidPayload(f"this is no {self._written.DESCRIPTOR.full_name}: it is no object", index=index)
            message = self._written()
            try:
                json_format.ParseDict(value, message, descriptor_pool=self._pool, max_recursion_depth=RECURSION_MAX)
                payloads.append(self._prefix + message.SerializeToString(deterministic=True))
            except (
                json_format.ParseError,
                EncodeError,
                ValueError,
                TypeError,
                AttributeError,
                RecursionError,
            ) as error:
                raise InvalidPayload(_reason(error), index=index) from None
        return payloads

    def decode(self, payload: bytes) -> bytes:
        indexes, at = read_indexes(payload)
        message = self._class_of(indexes)()
        try:
            message.ParseFromString(payload[at:])
            value = json_format.MessageToDict(
                message, always_print_fields_with_no_presence=True, descriptor_pool=self._pool
            )
            return _encode(value)
        except DecodeError as error:
            raise InvalidPayload(f"this is no {message.DESCRIPTOR.full_name}: {error}") from None
        except (json_format.SerializeToJsonError, ValueError, TypeError, RecursionError, OverflowError) as error:
            raise InvalidPayload(f"this {message.DESCRIPTOR.full_name} has no JSON: {error}") from None

    def _class_of(self, indexes: tuple[int, ...]) -> type[Message]:
        """Raises InvalidPayload for indexes of no message."""
        known = self._classes.get(indexes)
        if known is None:
            try:
                name = self._schema.message_name(indexes)
            except KeyError:
                raise InvalidPayload(f"the schema has no message at the indexes {list(indexes)}") from None
            known = self._classes[indexes] = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))
        return known


def _reason(error: Exception) -> str:
    """The first line; a recursion error has none worth telling."""
    if isinstance(error, RecursionError):
        return "the value is nested too deeply"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_well_known(message: type[Message]) -> bool:
    """Timestamps, wrappers and their like are written as strings, numbers and lists."""
    return message.DESCRIPTOR.full_name.startswith("google.protobuf.")


def _pool_of(schema: ProtobufSchema) -> descriptor_pool.DescriptorPool:
    """The schema with all that it imports. Raises InvalidSchema for what the library does not take."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: File, name: str, depth: int) -> None:
        added.add(name)
        if depth > RECURSION_MAX:
            raise InvalidSchema("imports are nested too deeply")
        for imported in (*file.imports, *file.public_imports):
            found = schema.imported.get(imported) or built_in(imported)
            if found is None:
                raise InvalidSchema(f"the import {imported!r} is not there")
            if imported not in added:
                add(found, imported, depth + 1)
        described = file_descriptor(schema.names_in(file), name)
        _drop_uninterpreted(described)
        pool.Add(described)

    try:
        add(schema.file, _FILE, 0)
        pool.FindFileByName(_FILE)
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidSchema(f"the protobuf library refuses the schema: {error}") from None
    return pool


def _drop_uninterpreted(described: Any) -> None:
    """Options of others say nothing of the payload, and a pool would want them interpreted."""
    for field, value in described.ListFields():
        if field.name == "options":
            value.ClearField("uninterpreted_option")
        elif field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                _drop_uninterpreted(one)
