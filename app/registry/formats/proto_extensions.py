"""A .proto file without what only a reader of its extensions needs (`format=ignore_extensions`)."""

from dataclasses import replace

from app.registry.formats.proto_model import Enum, Field, File, Message, OneOf, Option, Rpc, Service

META_OPTIONS = frozenset(
    f"confluent.{kind}_meta" for kind in ("file", "message", "field", "enum", "enum_value")
)  # a data contract's own: they stay


def without_extensions(file: File) -> File:
    """No `extend`, no `extensions`, no custom options but Confluent's. A new file; imports stay."""
    return replace(
        file,
        options=_plain(file.options),
        messages=[_message(one) for one in file.messages],
        enums=[_enum(one) for one in file.enums],
        extends=[],
        services=[_service(one) for one in file.services],
    )


def _message(message: Message) -> Message:
    return replace(
        message,
        fields=[_field(one) for one in message.fields],
        oneofs=[
            OneOf(one.name, [_field(inner) for inner in one.fields], _plain(one.options)) for one in message.oneofs
        ],
        messages=[_message(one) for one in message.messages],
        enums=[_enum(one) for one in message.enums],
        extensions=[],
        extends=[],
        options=_plain(message.options),
    )


def _field(field: Field) -> Field:
    group = None if field.group is None else _message(field.group)
    return replace(field, options=_plain(field.options), group=group)


def _enum(enum: Enum) -> Enum:
    values = [replace(one, options=_plain(one.options)) for one in enum.values]
    return replace(enum, values=values, options=_plain(enum.options))


def _service(service: Service) -> Service:
    rpcs: list[Rpc] = [replace(one, options=_plain(one.options)) for one in service.rpcs]
    return Service(service.name, rpcs, _plain(service.options))


def _plain(options: list[Option]) -> list[Option]:
    return [one for one in options if not one.name.startswith("(") or extension_of(one) in META_OPTIONS]


def extension_of(option: Option) -> str:
    """The full name of the extension that a custom option sets: `(confluent.field_meta).tags` sets that of fields."""
    return option.name[1:].partition(")")[0].removeprefix(".")
