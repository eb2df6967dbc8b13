"""The normalized form of a .proto file: what has no order is sorted, every type named in full."""

from collections.abc import Callable
from typing import TypeVar

from app.registry.formats.proto_model import (
    SCALARS,
    Extend,
    Field,
    File,
    Message,
    OneOf,
    Option,
    Reserved,
    Rpc,
    Service,
)
from app.registry.formats.proto_names import Names

One = TypeVar("One")


def normalized_file(names: Names) -> File:
    """Imports, options, fields (by number) and reserved things sorted; names with a leading dot. A new file."""
    file = names.file
    return File(
        syntax=file.syntax,
        edition=file.edition,
        package=file.package,
        imports=sorted(set(file.imports)),
        public_imports=sorted(set(file.public_imports)),
        options=_options(file.options),
        messages=[_message(names, one, file.package) for one in file.messages],
        enums=file.enums,
        extends=[_extend(names, one, file.package) for one in file.extends],
        services=[_service(names, one, file.package) for one in file.services],
    )


def _full(names: Names, name: str, scope: str) -> str:
    found = None if name in SCALARS else names.find(name, scope)
    return name if found is None else f".{found.full_name}"


def _options(options: list[Option]) -> list[Option]:
    return sorted(options, key=lambda option: option.name)


def _message(names: Names, message: Message, outer: str) -> Message:
    scope = f"{outer}.{message.name}" if outer else message.name
    return Message(
        message.name,
        fields=_fields(names, message.fields, scope),
        oneofs=_sorted(
            [OneOf(one.name, _fields(names, one.fields, scope), _options(one.options)) for one in message.oneofs],
            lambda one: one.name,
        ),
        messages=[_message(names, one, scope) for one in message.messages],
        enums=message.enums,
        reserved=_reserved(message.reserved),
        extensions=_sorted(message.extensions, lambda one: one.ranges),
        extends=[_extend(names, one, scope) for one in message.extends],
        options=_options(message.options),
    )


def _sorted(items: list[One], key: Callable[[One], object]) -> list[One]:
    return sorted(items, key=key)  # type: ignore[arg-type]


def _fields(names: Names, fields: list[Field], scope: str) -> list[Field]:
    copies = [
        Field(
            one.label,
            one.type if one.group is not None else _full(names, one.type, scope),
            one.name,
            one.number,
            _options(one.options),
            one.map_key,
            _message(names, one.group, scope) if one.group is not None else None,
        )
        for one in fields
    ]
    return sorted(copies, key=lambda one: one.number)


def _reserved(reserved: list[Reserved]) -> list[Reserved]:
    ranges = sorted(one for group in reserved for one in group.ranges)
    words = sorted(name for group in reserved for name in group.names)
    return ([Reserved(ranges=ranges)] if ranges else []) + ([Reserved(names=words)] if words else [])


def _extend(names: Names, extend: Extend, scope: str) -> Extend:
    return Extend(_full(names, extend.type, scope), _fields(names, extend.fields, scope))


def _service(names: Names, service: Service, scope: str) -> Service:
    rpcs = [
        Rpc(
            one.name,
            _full(names, one.request, scope),
            _full(names, one.response, scope),
            one.is_request_stream,
            one.is_response_stream,
            _options(one.options),
        )
        for one in service.rpcs
    ]
    return Service(service.name, rpcs, _options(service.options))
