"""Prints a .proto file in the registry's one layout: comments dropped, two spaces, messages before enums.

A blank line parts the groups of a file and of a message; inside a group there is none.
"""

from collections.abc import Iterable, Iterator

from app.registry.formats.proto_model import (
    Enum,
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
from app.registry.formats.proto_parser import FIELD_NUMBER_MAX

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
)


def print_proto(file: File) -> str:
    """The canonical text."""
    head = []
    if file.edition:
        head.append(f'edition = "{file.edition}";')
    elif file.syntax:
        head.append(f'syntax = "{file.syntax}";')
    if file.package:
        head.append(f"package {file.package};")
    groups = [
        head,
        [f"import {_quote(name)};" for name in file.imports]
        + [f"import public {_quote(name)};" for name in file.public_imports],
        [f"option {_option(option)};" for option in file.options],
    ]
    blocks = ["".join(f"{line}\n" for line in group) for group in groups if group]
    declared = [*(_message(one) for one in file.messages), *(_enum(one) for one in file.enums)]
    declared += [*(_extend(one) for one in file.extends), *(_service(one) for one in file.services)]
    blocks += ["".join(f"{line}\n" for line in lines) for lines in declared]
    return "\n".join(blocks)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    """One level deeper; blank lines too, as the original's printer has it."""
    return (f"  {line}" for line in lines)


def _block(head: str, *groups: list[list[str]]) -> list[str]:
    """A block of groups of members; a member is some lines."""
    lines = [f"{head} {{"]
    for group in groups:
        if group:
            if len(lines) > 1:
                lines.append("")
            for member in group:
                lines += _indented(member)
    return [*lines, "}"] if len(lines) > 1 else [f"{head} {{}}"]


def _message(message: Message) -> list[str]:
    plain = [field for field in message.fields if field.group is None]
    groups = [field for field in message.fields if field.group is not None]
    return _block(
        f"message {message.name}",
        [[_reserved(one)] for one in message.reserved],
        _options(message.options),
        [_field(one) for one in plain],
        [_oneof(one) for one in message.oneofs],
        [_field(one) for one in groups],
        [_extensions(one) for one in message.extensions],
        [_extend(one) for one in message.extends],
        [*(_message(one) for one in message.messages), *(_enum(one) for one in message.enums)],
    )


def _enum(enum: Enum) -> list[str]:
    values = [_with_options(f"{one.name} = {one.number}", one.options) for one in enum.values]
    return _block(f"enum {enum.name}", [[_reserved(one)] for one in enum.reserved], _options(enum.options) + values)


def _oneof(oneof: OneOf) -> list[str]:
    return _block(f"oneof {oneof.name}", _options(oneof.options), [_field(one) for one in oneof.fields])


def _extend(extend: Extend) -> list[str]:
    return _block(f"extend {extend.type}", [_field(one) for one in extend.fields])


def _service(service: Service) -> list[str]:
    return _block(f"service {service.name}", _options(service.options), [_rpc(one) for one in service.rpcs])


def _rpc(rpc: Rpc) -> list[str]:
    request = f"stream {rpc.request}" if rpc.is_request_stream else rpc.request
    response = f"stream {rpc.response}" if rpc.is_response_stream else rpc.response
    head = f"rpc {rpc.name} ({request}) returns ({response})"
    return _block(head, _options(rpc.options)) if rpc.options else [f"{head};"]


def _field(field: Field) -> list[str]:
    label = f"{field.label} " if field.label else ""
    if field.group is not None:
        head, *rest = _message(field.group)
        opening = head.removeprefix(f"message {field.group.name}")
        return [f"{label}group {field.group.name} = {field.number}{opening}", *rest]
    kind = f"map<{field.map_key}, {field.type}>" if field.map_key else field.type
    return _with_options(f"{label}{kind} {field.name} = {field.number}", field.options)


def _extensions(extensions: Extensions) -> list[str]:
    return _with_options(f"extensions {_ranges(extensions.ranges)}", extensions.options)


def _with_options(head: str, options: list[Option]) -> list[str]:
    if not options:
        return [f"{head};"]
    written = [_option(option) for option in options]
    if len(written) == 1:
        return f"{head} [{written[0]}];".split("\n")
    lines = [f"{line}," for line in written[:-1]] + [written[-1]]
    return [f"{head} [", *_indented(part for line in lines for part in line.split("\n")), "];"]


def _options(options: list[Option]) -> list[list[str]]:
    return [f"option {_option(option)};".split("\n") for option in options]


def _option(option: Option) -> str:
    return f"{option.name} = {print_value(option.value)}"


def print_value(value: Value) -> str:
    """The value of an option."""
    match value.kind:
        case "string":
            return _quote(value.text)
        case "list":
            items = ",\n".join(print_value(item) for _, item in value.items)
            return "\n".join(["[", *_indented(items.split("\n") if items else ()), "]"])
        case "map":
            if not value.items:
                return "{}"
            lines = ",\n".join(f"{name}: {print_value(item)}" for name, item in value.items).split("\n")
            return "\n".join(["{", *_indented(lines), "}"])
        case _:
            return value.text


def _reserved(reserved: Reserved) -> str:
    if reserved.names:
        return f"reserved {', '.join(_quote(name) for name in reserved.names)};"
    return f"reserved {_ranges(reserved.ranges)};"


def _ranges(ranges: list[tuple[int, int]]) -> str:
    def one(start: int, end: int) -> str:
        if start == end:
            return str(start)
        return f"{start} to {'max' if end >= FIELD_NUMBER_MAX else end}"

    return ", ".join(one(start, end) for start, end in ranges)


def _quote(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
