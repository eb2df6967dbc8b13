"""A .proto file to and from Protobuf's own description of it, FileDescriptorProto. Needs the protobuf library."""

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import descriptor_pb2 as pb
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_model import (
    SCALARS,
    Enum,
    EnumValue,
    Extend,
    Extensions,
    Field,
    File,
    Message,
    OneOf,
    Option,
    Reserved,
    Rpc,
    Service,
    Value,
)
from app.registry.formats.proto_names import Names
from app.registry.formats.proto_parser import parse_value, unescape
from app.registry.formats.proto_text import print_value
from app.registry.limits import NESTING_MAX

_TYPES: dict[str, int] = {name: pb.FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}") for name in SCALARS}
_NAMES = {number: name for name, number in _TYPES.items()}
_LABELS = {"": 1, "optional": 1, "required": 2, "repeated": 3}
_EDITIONS = {"2023": 1000, "2024": 1001}


def file_descriptor(names: Names, file_name: str) -> pb.FileDescriptorProto:
    """Describe a file. Options of the language are set; those of others stay uninterpreted, as a parser leaves them."""
    return _Describer(names).describe(file_name)


class _Describer:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._file = names.file

    def describe(self, file_name: str) -> pb.FileDescriptorProto:
        file = self._file
        described = pb.FileDescriptorProto(name=file_name, package=file.package or None)
        described.dependency.extend([*file.imports, *file.public_imports])
        described.public_dependency.extend(range(len(file.imports), len(described.dependency)))
        if file.edition:
            described.syntax = "editions"
            described.edition = _EDITIONS[file.edition]  # type: ignore[assignment]
        elif file.syntax == "proto3":
            described.syntax = "proto3"
        for message in file.messages:
            self._message(described.message_type.add(), message, file.package)
        for enum in file.enums:
            _describe_enum(described.enum_type.add(), enum)
        self._extends(described.extension, file.extends, file.package, described.message_type)
        for service in file.services:
            self._service(described.service.add(), service)
        _set_options(described, file.options)
        return described

    def _message(self, described: pb.DescriptorProto, message: Message, outer: str) -> None:
        described.name = message.name
        scope = f"{outer}.{message.name}" if outer else message.name
        for one in message.fields:
            self._field(described.field.add(), one, scope, described.nested_type)
        for index, oneof in enumerate(message.oneofs):
            declared = described.oneof_decl.add()
            declared.name = oneof.name
            _set_options(declared, oneof.options)
            for one in oneof.fields:
                added = described.field.add()
                self._field(added, one, scope, described.nested_type)
                added.oneof_index = index
        if self._file.syntax == "proto3":
            _add_synthetic_oneofs(described)
        for inner in message.messages:
            self._message(described.nested_type.add(), inner, scope)
        for enum in message.enums:
            _describe_enum(described.enum_type.add(), enum)
        for start, end in (one for group in message.reserved for one in group.ranges):
            described.reserved_range.add(start=start, end=end + 1)
        described.reserved_name.extend(name for group in message.reserved for name in group.names)
        for start, end in (one for group in message.extensions for one in group.ranges):
            described.extension_range.add(start=start, end=end + 1)
        self._extends(described.extension, message.extends, scope, described.nested_type)
        _set_options(described, message.options)

    def _field(self, described: pb.FieldDescriptorProto, one: Field, scope: str, nested: Any) -> None:
        described.name, described.number = one.name, one.number
        described.label = _LABELS[one.label]  # type: ignore[assignment]
        if one.label == "optional" and self._file.syntax == "proto3":
            described.proto3_optional = True
        if one.map_key:
            entry = nested.add(name=f"{_camel(one.name, is_first_upper=True)}Entry")
            entry.options.map_entry = True
            self._field(entry.field.add(), Field("", one.map_key, "key", 1), scope, nested)
            self._field(entry.field.add(), Field("", one.type, "value", 2), scope, nested)
            described.label, described.type = 3, 11  # type: ignore[assignment]
            described.type_name = f".{scope}.{entry.name}"
        elif one.group is not None:
            self._message(nested.add(), one.group, scope)
            described.type, described.type_name = 10, f".{scope}.{one.group.name}"  # type: ignore[assignment]
        else:
            self._set_type(described, one.type, scope)
        self._set_field_options(described, one)

    def _set_type(self, described: pb.FieldDescriptorProto, kind: str, scope: str) -> None:
        if kind in _TYPES:
            described.type = _TYPES[kind]  # type: ignore[assignment]
            return
        found = self._names.find(kind, scope)
        if found is None:
            raise InvalidSchema(f"{kind!r} is not defined")
        described.type = 11 if found.message is not None else 14  # type: ignore[assignment]
        described.type_name = f".{found.full_name}"

    @staticmethod
    def _set_field_options(described: pb.FieldDescriptorProto, one: Field) -> None:
        """default and json_name look like options and are none."""
        described.json_name = _camel(one.name)
        others = []
        for option in one.options:
            if option.name == "default":
                is_bytes = described.type == 12
                described.default_value = _escape_bytes(option.value.text) if is_bytes else option.value.text
            elif option.name == "json_name":
                described.json_name = option.value.text
            else:
                others.append(option)
        _set_options(described, others)

    def _extends(self, described: Any, extends: list[Extend], scope: str, nested: Any) -> None:
        for extend in extends:
            found = self._names.find(extend.type, scope)
            for one in extend.fields:
                added = described.add()
                self._field(added, one, scope, nested)
                added.extendee = f".{found.full_name}" if found is not None else extend.type

    def _service(self, described: pb.ServiceDescriptorProto, service: Service) -> None:
        described.name = service.name
        for rpc in service.rpcs:
            added = described.method.add(name=rpc.name)
            for kind, key in ((rpc.request, "input_type"), (rpc.response, "output_type")):
                found = self._names.find(kind, self._file.package)
                setattr(added, key, f".{found.full_name}" if found is not None else kind)
            if rpc.is_request_stream:
                added.client_streaming = True
            if rpc.is_response_stream:
                added.server_streaming = True
            _set_options(added, rpc.options)
        _set_options(described, service.options)


def _escape_bytes(text: str) -> str:
    """Bytes as a descriptor holds them: octal escapes for what is not printable ASCII."""
    encoded = text.encode("latin-1", "replace")
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b"\\\"'" else f"\\{byte:03o}" for byte in encoded)


def _camel(name: str, *, is_first_upper: bool = False) -> str:
    """The JSON name of a field, or with a capital the start of its map entry's name."""
    letters, is_upper = [], is_first_upper
    for character in name:
        if character == "_":
            is_upper = True
        else:
            letters.append(character.upper() if is_upper else character)
            is_upper = False
    return "".join(letters)


def _add_synthetic_oneofs(described: pb.DescriptorProto) -> None:
    """A proto3 field that says optional is alone in a oneof of its own, after the real ones."""
    for one in described.field:
        if one.proto3_optional:
            one.oneof_index = len(described.oneof_decl)
            described.oneof_decl.add(name=f"_{one.name}")


def _describe_enum(described: pb.EnumDescriptorProto, enum: Enum) -> None:
    described.name = enum.name
    for value in enum.values:
        added = described.value.add(name=value.name, number=value.number)
        _set_options(added, value.options)
    for start, end in (one for group in enum.reserved for one in group.ranges):
        described.reserved_range.add(start=start, end=end)
    described.reserved_name.extend(name for group in enum.reserved for name in group.names)
    _set_options(described, enum.options)


def _set_options(described: Any, options: Iterable[Option]) -> None:
    for option in options:
        if not _set_known(described.options, option):
            _add_uninterpreted(described.options, option)


def _set_known(target: ProtobufMessage, option: Option) -> bool:
    """Set an option of the language, of a scalar or enum type; False if it is none."""
    known = target.DESCRIPTOR.fields_by_name.get(option.name)
    if known is None or known.message_type is not None or known.is_repeated or option.value.kind in ("map", "list"):
        return False
    text = option.value.text
    try:
        if known.enum_type is not None:
            setattr(target, option.name, known.enum_type.values_by_name[text].number)
        elif known.cpp_type == known.CPPTYPE_BOOL:
            setattr(target, option.name, {"true": True, "false": False}[text])
        elif known.cpp_type == known.CPPTYPE_STRING:
            setattr(target, option.name, text)
        else:
            setattr(target, option.name, int(text, 0))
    except (KeyError, ValueError, TypeError):
        raise InvalidSchema(f"{text!r} is no value of the option {option.name!r}") from None
    return True


def _add_uninterpreted(target: Any, option: Option) -> None:
    added = target.uninterpreted_option.add()
    for part in _name_parts(option.name):
        added.name.add(name_part=part.strip("()"), is_extension=part.startswith("("))
    value = option.value
    if value.kind == "string":
        added.string_value = value.text.encode("utf-8", "replace")
    elif value.kind in ("map", "list"):
        added.aggregate_value = _aggregate(value)
    elif value.text[:1].isdigit():
        if value.text.isdigit():
            added.positive_int_value = int(value.text)
        else:
            added.double_value = float(value.text)
    elif value.text.startswith("-") and value.text[1:].isdigit():
        added.negative_int_value = int(value.text)
    else:
        added.identifier_value = value.text


def _name_parts(name: str) -> list[str]:
    parts: list[str] = []
    while name:
        if name.startswith("("):
            part, _, name = name.partition(")")
            parts.append(f"{part})")
            name = name.removeprefix(".")
        else:
            part, _, name = name.partition(".")
            parts.append(part)
    return parts


def _aggregate(value: Value) -> str:
    text = print_value(value)
    return text[1:-1].strip() if value.kind == "map" else text


def read_descriptor(encoded: bytes) -> File:
    """The file that a serialized FileDescriptorProto describes. Raises InvalidSchema for bytes that are none."""
    described = pb.FileDescriptorProto()
    try:
        described.ParseFromString(encoded)
    except DecodeError:
        raise InvalidSchema("the base64 text is no FileDescriptorProto") from None
    if not (described.message_type or described.enum_type or described.service or described.extension):
        raise InvalidSchema("the base64 text describes no types")
    return _read_file(described)


def _read_file(described: pb.FileDescriptorProto) -> File:
    public = set(described.public_dependency)
    editions = {number: name for name, number in _EDITIONS.items()}
    is_edition = described.syntax == "editions"
    is_proto3 = is_edition or described.syntax == "proto3"  # fields are written without "optional"
    return File(
        syntax="" if is_edition else described.syntax or "proto2",
        edition=editions.get(described.edition, "2023") if is_edition else "",
        package=described.package,
        imports=[name for index, name in enumerate(described.dependency) if index not in public],
        public_imports=[name for index, name in enumerate(described.dependency) if index in public],
        options=_read_options(described.options),
        messages=[_read_message(one, is_proto3, 0) for one in described.message_type],
        enums=[_read_enum(one) for one in described.enum_type],
        extends=_read_extends(described.extension, is_proto3),
        services=[_read_service(one) for one in described.service],
    )


def _read_message(described: pb.DescriptorProto, is_proto3: bool, depth: int) -> Message:
    if depth > NESTING_MAX:
        raise InvalidSchema(f"messages are nested more than {NESTING_MAX} levels deep")
    entries = {one.name: one for one in described.nested_type if one.options.map_entry}
    groups = {one.type_name.rpartition(".")[2] for one in described.field if one.type == 10}
    nested = {one.name: one for one in described.nested_type}
    message = Message(
        described.name,
        oneofs=[OneOf(one.name, options=_read_options(one.options)) for one in described.oneof_decl],
        messages=[
            _read_message(one, is_proto3, depth + 1)
            for one in described.nested_type
            if one.name not in entries and one.name not in groups
        ],
        enums=[_read_enum(one) for one in described.enum_type],
        extends=_read_extends(described.extension, is_proto3),
        options=_read_options(described.options),
    )
    if described.reserved_range:
        message.reserved.append(Reserved(ranges=[(one.start, one.end - 1) for one in described.reserved_range]))
    if described.reserved_name:
        message.reserved.append(Reserved(names=list(described.reserved_name)))
    if described.extension_range:
        message.extensions.append(Extensions([(one.start, one.end - 1) for one in described.extension_range]))
    for one in described.field:
        field = _read_field(one, entries, is_proto3)
        if one.type == 10 and one.type_name.rpartition(".")[2] in nested:
            field.group = _read_message(nested[one.type_name.rpartition(".")[2]], is_proto3, depth + 1)
            field.type = field.group.name
        if one.HasField("oneof_index") and not one.proto3_optional and one.oneof_index < len(message.oneofs):
            field.label = ""
            message.oneofs[one.oneof_index].fields.append(field)
        else:
            message.fields.append(field)
    message.oneofs = [oneof for oneof in message.oneofs if oneof.fields]
    return message


def _read_field(one: pb.FieldDescriptorProto, entries: dict[str, pb.DescriptorProto], is_proto3: bool) -> Field:
    entry = entries.get(one.type_name.rpartition(".")[2]) if one.type == 11 else None
    options = _read_options(one.options)
    if one.HasField("default_value"):
        kind = "string" if one.type in (9, 12) else "word"
        text = unescape(one.default_value) if one.type == 12 else one.default_value
        options.insert(0, Option("default", Value(kind, text)))
    if one.json_name and one.json_name != _camel(one.name):
        options.insert(0, Option("json_name", Value("string", one.json_name)))
    if entry is not None and len(entry.field) == 2:
        key, value = sorted(entry.field, key=lambda inner: inner.number)
        return Field("", _type_name(value), one.name, one.number, options, map_key=_type_name(key))
    label = {2: "required", 3: "repeated"}.get(one.label, "")
    if not label and (one.proto3_optional or not is_proto3):
        label = "optional"
    return Field(label, _type_name(one), one.name, one.number, options)


def _type_name(one: pb.FieldDescriptorProto) -> str:
    name = _NAMES.get(one.type, one.type_name)
    if not name:
        raise InvalidSchema(f"the field {one.name!r} has no type")
    return name


def _read_enum(described: pb.EnumDescriptorProto) -> Enum:
    enum = Enum(
        described.name,
        values=[EnumValue(one.name, one.number, _read_options(one.options)) for one in described.value],
        options=_read_options(described.options),
    )
    if described.reserved_range:
        enum.reserved.append(Reserved(ranges=[(one.start, one.end) for one in described.reserved_range]))
    if described.reserved_name:
        enum.reserved.append(Reserved(names=list(described.reserved_name)))
    return enum


def _read_extends(described: Sequence[pb.FieldDescriptorProto], is_proto3: bool) -> list[Extend]:
    extends: dict[str, Extend] = {}
    for one in described:
        extend = extends.setdefault(one.extendee, Extend(one.extendee))
        extend.fields.append(_read_field(one, {}, is_proto3))
    return list(extends.values())


def _read_service(described: pb.ServiceDescriptorProto) -> Service:
    rpcs = [
        Rpc(
            one.name,
            one.input_type,
            one.output_type,
            one.client_streaming,
            one.server_streaming,
            _read_options(one.options),
        )
        for one in described.method
    ]
    return Service(described.name, rpcs, _read_options(described.options))


def _read_options(described: Any) -> list[Option]:
    options = []
    for known, value in described.ListFields():
        if known.name == "uninterpreted_option":
            options += [_read_uninterpreted(one) for one in value]
        elif known.message_type is None and not known.is_repeated and known.name != "map_entry":
            options.append(Option(known.name, _read_value(known, value)))
    return options


def _read_value(known: Any, value: Any) -> Value:
    if known.enum_type is not None:
        return Value("word", known.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return Value("word", "true" if value else "false")
    return Value("string", value) if isinstance(value, str) else Value("word", str(value))


def _read_uninterpreted(one: pb.UninterpretedOption) -> Option:
    name = ".".join(f"({part.name_part})" if part.is_extension else part.name_part for part in one.name)
    if one.HasField("string_value"):
        return Option(name, Value("string", one.string_value.decode("utf-8", "replace")))
    if one.HasField("aggregate_value"):
        text = one.aggregate_value
        return Option(name, parse_value(text if text.startswith("[") else f"{{{text}}}"))
    for key in ("identifier_value", "positive_int_value", "negative_int_value", "double_value"):
        if one.HasField(key):
            return Option(name, Value("word", str(getattr(one, key))))
    raise InvalidSchema(f"the option {name!r} has no value")
