"""Protobuf schemas of the registry: canonical text, names, message indexes, the serialized form."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_extensions import without_extensions
from app.registry.formats.proto_model import File, Message, walk_messages
from app.registry.formats.proto_names import Names, check_file, names_of
from app.registry.formats.proto_normal import normalized_file
from app.registry.formats.proto_parser import parse_proto
from app.registry.formats.proto_text import print_proto
from app.registry.schema import (
    ParsedSchema,
    ResolvedReference,
    SchemaType,
    direct_references,
    normalized_references,
)


@dataclass(frozen=True, kw_only=True)
class ProtobufSchema(ParsedSchema):
    """A .proto file with the files it imports."""

    file: File = field(repr=False, compare=False)
    type_names: Names = field(repr=False, compare=False)
    imported: dict[str, File] = field(repr=False, compare=False)

    @property
    def name(self) -> str | None:
        return self.names[0] if self.names else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        package = f"{self.file.package}." if self.file.package else ""
        return tuple(package + name for name, _ in walk_messages(self.file))

    def normalized(self) -> Self:
        file = normalized_file(self.type_names)
        return replace(
            self,
            canonical=print_proto(file),
            file=file,
            type_names=names_of(file, self.imported),
            references=normalized_references(self.references),
        )

    @property
    def serialized(self) -> str:
        """The FileDescriptorProto, in base64."""
        from app.registry.formats.proto_descriptor import file_descriptor

        descriptor = file_descriptor(self.type_names, "default")
        return base64.b64encode(descriptor.SerializeToString(deterministic=True)).decode()

    def formatted(self, format_name: str | None) -> str:
        match format_name:
            case "serialized":
                return self.serialized
            case "ignore_extensions":
                return print_proto(without_extensions(self.file))
            case _:
                return self.canonical

    def names_in(self, file: File) -> Names:
        """The types that a file, this schema's or an imported one, may name."""
        if file is self.file:
            return self.type_names
        names = self._names_by_file.get(id(file))
        if names is None:
            names = self._names_by_file[id(file)] = names_of(file, self.imported)
        return names

    @cached_property
    def _names_by_file(self) -> dict[int, Names]:
        return {}

    def message_indexes(self, name: str) -> tuple[int, ...]:
        """The path of a message (its full name, or that inside the package) through the file. Raises KeyError."""
        package = f"{self.file.package}." if self.file.package else ""
        segments = name.removeprefix(".").removeprefix(package).split(".")
        messages, indexes = self.file.messages, []
        for segment in segments:
            index = next((index for index, one in enumerate(messages) if one.name == segment), None)
            if index is None:
                raise KeyError(name)
            indexes.append(index)
            messages = messages[index].messages
        return tuple(indexes)

    def message_name(self, indexes: Sequence[int]) -> str:
        """The full name of the message at a path. Raises KeyError for no such one."""
        messages, segments = self.file.messages, []
        for index in indexes:
            if not 0 <= index < len(messages):
                raise KeyError(tuple(indexes))
            message: Message = messages[index]
            segments.append(message.name)
            messages = message.messages
        if not segments:
            raise KeyError(tuple(indexes))
        return ".".join([self.file.package, *segments] if self.file.package else segments)


def parse_protobuf(
    text: str, references: Sequence[ResolvedReference] = (), *, validate_new: bool = True
) -> ProtobufSchema:
    """Read a .proto text, or a FileDescriptorProto in base64. Raises InvalidSchema."""
    imported: dict[str, File] = {}
    for reference in references:
        name = reference.reference.name
        try:
            imported[name] = read_file(reference.text)
        except InvalidSchema as error:
            raise InvalidSchema(f"reference {name!r}: {error.message}", error.path) from None
    file = read_file(text)
    type_names = names_of(file, imported)
    if validate_new:
        check_file(type_names)
    return ProtobufSchema(
        schema_type=SchemaType.PROTOBUF,
        canonical=print_proto(file),
        references=direct_references(references),
        resolved_references=tuple(references),
        file=file,
        type_names=type_names,
        imported=imported,
    )


def read_file(text: str) -> File:
    """A .proto text, or a FileDescriptorProto in base64, as it is written. Raises InvalidSchema."""
    try:
        return parse_proto(text)
    except InvalidSchema:
        encoded = _decoded(text)
        if encoded is None:
            raise
    from app.registry.formats.proto_descriptor import read_descriptor

    return read_descriptor(encoded)


def _decoded(text: str) -> bytes | None:
    """What base64 stands for, if a text can be that: no .proto text can, as one has blanks and braces."""
    try:
        return base64.b64decode(text.strip(), validate=True) if text.strip() else None
    except (binascii.Error, ValueError):
        return None
