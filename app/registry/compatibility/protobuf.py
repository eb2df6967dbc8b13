"""Can a reader's .proto read what a writer's wrote? By the wire: fields by number, messages by name in the package.

Enums travel as integers, so that they may come, go and change; a package is part of every type's name.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.compatibility.stepping import drive
from app.registry.formats.proto_model import SCALARS, Enum, Field, Message, OneOf
from app.registry.formats.proto_names import Declared, declared_types
from app.registry.formats.protobuf import ProtobufSchema
from app.registry.limits import Budget

COMPATIBLE = frozenset(
    {
        "MESSAGE_ADDED", "MESSAGE_MOVED", "ENUM_ADDED", "ENUM_REMOVED", "ENUM_CONST_ADDED", "ENUM_CONST_CHANGED",
        "ENUM_CONST_REMOVED", "FIELD_ADDED", "FIELD_REMOVED", "FIELD_NAME_CHANGED", "ONEOF_ADDED", "ONEOF_REMOVED",
        "FIELD_STRING_OR_BYTES_LABEL_CHANGED", "ONEOF_FIELD_ADDED", "ONEOF_FIELD_MOVED_TO_TOP_LEVEL",
    }
)  # fmt: skip
# Scalars that one another's bytes can be read as.
_WIRE_GROUPS = {
    **dict.fromkeys(("int32", "int64", "uint32", "uint64", "bool", "enum"), "varint"),
    **dict.fromkeys(("sint32", "sint64"), "zigzag"),
    **dict.fromkeys(("string", "bytes"), "bytes"),
    **dict.fromkeys(("fixed32", "sfixed32"), "32 bits"),
    **dict.fromkeys(("fixed64", "sfixed64"), "64 bits"),
}


@dataclass(slots=True, eq=False)
class Changes:
    """What differs between two messages, with full paths."""

    own: list[tuple[str, str]] = field(default_factory=list)
    is_compatible: bool = True

    def add(self, change: str, path: str) -> None:
        self.own.append((change, path))
        self.is_compatible = self.is_compatible and change in COMPATIBLE


Steps = Generator[tuple[Declared, Declared], Changes, Changes]
_NOTHING = Changes()


def protobuf_differences(reader: ProtobufSchema, writer: ProtobufSchema, budget: Budget) -> Iterator[Incompatibility]:
    """What keeps reader from taking all of writer's messages. Raises SchemaTooLarge by the budget."""
    for change, path in protobuf_changes(reader, writer, budget):
        if change not in COMPATIBLE:
            words = change.lower().replace("_", " ")
            yield Incompatibility(
                change,
                path,
                f"At path '{path}' the {{reader}} schema cannot read the {{writer}} schema's data: {words}",
            )


def protobuf_changes(reader: ProtobufSchema, writer: ProtobufSchema, budget: Budget) -> Iterator[tuple[str, str]]:
    """Every change from writer to reader, the compatible ones too."""
    if reader.file.package != writer.file.package:
        yield "PACKAGE_CHANGED", "#/"
    comparison = _Comparison(reader, writer, budget)
    before = {one.name: one for one in declared_types(writer.file)}
    after = {one.name: one for one in declared_types(reader.file)}
    places_before, places_after = _places(writer), _places(reader)
    for name, old in before.items():
        new = after.get(name)
        if old.message is not None:
            if new is None or new.message is None:
                yield "MESSAGE_REMOVED", _path(name)
                continue
            if places_before[name] != places_after[name]:
                yield "MESSAGE_MOVED", _path(name)
            yield from drive(comparison.compare, old, new).own
        elif old.enum is not None:
            if new is None or new.enum is None:
                yield "ENUM_REMOVED", _path(name)
            else:
                yield from _enum_changes(old.enum, new.enum, _path(name))
    for name, new in after.items():
        old_one = before.get(name)
        if old_one is None or (old_one.message is None) != (new.message is None):
            yield ("ENUM_ADDED" if new.message is None else "MESSAGE_ADDED"), _path(name)


def _path(name: str) -> str:
    return f"#/{name.replace('.', '/')}"


def _places(schema: ProtobufSchema) -> dict[str, int]:
    """Where each message stands among its neighbours: the indexes of the wire prefix."""
    places: dict[str, int] = {}
    stack = [("", schema.file.messages)]
    while stack:
        prefix, messages = stack.pop()
        for index, message in enumerate(messages):
            places[f"{prefix}{message.name}"] = index
            stack.append((f"{prefix}{message.name}.", message.messages))
            for one in message.all_fields():
                if one.group is not None:
                    places[f"{prefix}{message.name}.{one.group.name}"] = one.number
                    stack.append((f"{prefix}{message.name}.{one.group.name}.", one.group.messages))
    return places


def _enum_changes(old: Enum, new: Enum, path: str) -> Iterator[tuple[str, str]]:
    before = {value.number: value.name for value in old.values}
    after = {value.number: value.name for value in new.values}
    for number, name in before.items():
        if number not in after:
            yield "ENUM_CONST_REMOVED", f"{path}/{number}"
        elif after[number] != name:
            yield "ENUM_CONST_CHANGED", f"{path}/{number}"
    for number in after:
        if number not in before:
            yield "ENUM_CONST_ADDED", f"{path}/{number}"


class _Comparison:
    """Of messages; those of other files are followed where a field names them."""

    def __init__(self, reader: ProtobufSchema, writer: ProtobufSchema, budget: Budget) -> None:
        self._reader, self._writer, self._budget = reader, writer, budget
        self._known: dict[tuple[int, int], Changes] = {}

    def compare(self, old: Declared, new: Declared) -> Steps:
        """All changes between two messages."""
        before, after = old.message, new.message
        assert before is not None
        assert after is not None
        key = (id(before), id(after))
        known = self._known.get(key)
        if known is not None:
            return known
        self._known[key] = _NOTHING
        self._budget.spend(1 + (len(before.fields) + len(after.fields)) // 4)
        changes = Changes()
        path = _path(old.name)
        yield from self._compare_fields(changes, old, new, before, after, path)
        yield from self._compare_oneofs(changes, old, new, before, after, path)
        self._known[key] = changes
        return changes

    def _compare_fields(
        self, changes: Changes, old: Declared, new: Declared, before: Message, after: Message, path: str
    ) -> Generator[tuple[Declared, Declared], Changes, None]:
        """Fields outside of oneofs."""
        olds, news = ({one.number: one for one in message.fields} for message in (before, after))
        old_oneofs, new_oneofs = _oneof_of(before), _oneof_of(after)
        known_oneofs = {oneof.name for oneof in before.oneofs}
        for number, one in olds.items():
            place = f"{path}/{number}"
            if number in news:
                yield from self._compare_field(changes, old, new, (one, news[number]), place)
            elif number in new_oneofs:
                oneof, other = new_oneofs[number]
                if oneof.name in known_oneofs:
                    changes.add("FIELD_MOVED_TO_EXISTING_ONEOF", f"{path}/{oneof.name}/{number}")
                yield from self._compare_field(changes, old, new, (one, other), place)
            else:
                changes.add("REQUIRED_FIELD_REMOVED" if one.label == "required" else "FIELD_REMOVED", place)
        for number, one in news.items():
            place = f"{path}/{number}"
            if number in old_oneofs:
                oneof, other = old_oneofs[number]
                changes.add("ONEOF_FIELD_MOVED_TO_TOP_LEVEL", f"{path}/{oneof.name}/{number}")
                yield from self._compare_field(changes, old, new, (other, one), place)
            elif number not in olds:
                changes.add("REQUIRED_FIELD_ADDED" if one.label == "required" else "FIELD_ADDED", place)

    def _compare_oneofs(
        self, changes: Changes, old: Declared, new: Declared, before: Message, after: Message, path: str
    ) -> Generator[tuple[Declared, Declared], Changes, None]:
        olds, news = ({oneof.name: oneof for oneof in message.oneofs} for message in (before, after))
        from_oneofs = _oneof_of(before)
        top_before = {one.number for one in before.fields}
        top_after = {one.number for one in after.fields}
        for name, oneof in olds.items():
            if name not in news:
                changes.add("ONEOF_REMOVED", f"{path}/{name}")
                continue
            theirs = {one.number: one for one in news[name].fields}
            for one in oneof.fields:
                place = f"{path}/{name}/{one.number}"
                if one.number in theirs:
                    yield from self._compare_field(changes, old, new, (one, theirs[one.number]), place)
                elif one.number not in top_after:
                    changes.add("ONEOF_FIELD_REMOVED", place)
            ours = {one.number for one in oneof.fields}
            for one in news[name].fields:
                if one.number not in ours and one.number not in top_before:
                    changes.add("ONEOF_FIELD_ADDED", f"{path}/{name}/{one.number}")
        for name, oneof in news.items():
            if name not in olds:
                changes.add("ONEOF_ADDED", f"{path}/{name}")
                if sum(one.number in top_before for one in oneof.fields) > 1:
                    changes.add("MULTIPLE_FIELDS_MOVED_TO_ONEOF", f"{path}/{name}")
                yield from self._compare_renamed(changes, old, new, from_oneofs, oneof, path)

    def _compare_renamed(
        self,
        changes: Changes,
        old: Declared,
        new: Declared,
        olds: "dict[int, tuple[OneOf, Field]]",
        oneof: OneOf,
        path: str,
    ) -> Generator[tuple[Declared, Declared], Changes, None]:
        """A oneof's name is nothing on the wire: what came over from another one is compared all the same."""
        for one in oneof.fields:
            if one.number in olds:
                place = f"{path}/{oneof.name}/{one.number}"
                yield from self._compare_field(changes, old, new, (olds[one.number][1], one), place)

    def _compare_field(
        self, changes: Changes, old: Declared, new: Declared, pair: tuple[Field, Field], place: str
    ) -> Generator[tuple[Declared, Declared], Changes, None]:
        before, after = pair
        if before.name != after.name:
            changes.add("FIELD_NAME_CHANGED", place)
        if after.label == "required" and before.label != "required":
            changes.add("REQUIRED_FIELD_ADDED", place)
        old_kind, old_type = self._kind(self._writer, before, old)
        new_kind, new_type = self._kind(self._reader, after, new)
        if before.map_key or after.map_key:
            if not (before.map_key and after.map_key):
                changes.add("FIELD_KIND_CHANGED", place)
                return
            if not _is_same_wire(before.map_key, after.map_key):
                changes.add("FIELD_SCALAR_KIND_CHANGED", place)
        if old_kind == "message" or new_kind == "message":
            if old_kind != new_kind:
                changes.add("FIELD_KIND_CHANGED", place)
            elif old_type is not None and new_type is not None:
                yield from self._compare_named(changes, old_type, new_type, place)
            return
        if not _is_same_wire(old_kind, new_kind):
            changes.add("FIELD_SCALAR_KIND_CHANGED", place)
        if (before.label == "repeated") != (after.label == "repeated"):
            is_text = _WIRE_GROUPS.get(old_kind) == "bytes"
            changes.add("FIELD_STRING_OR_BYTES_LABEL_CHANGED" if is_text else "FIELD_NUMERIC_LABEL_CHANGED", place)

    def _compare_named(
        self, changes: Changes, old: Declared, new: Declared, place: str
    ) -> Generator[tuple[Declared, Declared], Changes, None]:
        """Types of the same name inside their packages; those of other files are looked into, as nobody else does."""
        if old.name != new.name:
            changes.add("FIELD_NAMED_TYPE_CHANGED", place)
        elif old.file is not self._writer.file or new.file is not self._reader.file:
            inner = yield old, new
            if not inner.is_compatible:
                changes.own += inner.own
                changes.add("FIELD_NAMED_TYPE_CHANGED", place)

    @staticmethod
    def _kind(schema: ProtobufSchema, one: Field, inside: Declared) -> tuple[str, Declared | None]:
        """A scalar's name, enum, or message; and the type it names."""
        if one.type in SCALARS:
            return one.type, None
        if one.group is not None:
            return "message", Declared(f"{inside.name}.{one.group.name}", inside.file, message=one.group)
        names = schema.names_in(inside.file)
        found = names.find(one.type, inside.full_name)
        if found is None:
            return "message", None
        return ("enum" if found.message is None else "message"), found


def _oneof_of(message: Message) -> dict[int, tuple[OneOf, Field]]:
    return {one.number: (oneof, one) for oneof in message.oneofs for one in oneof.fields}


def _is_same_wire(old: str, new: str) -> bool:
    return old == new or (old in _WIRE_GROUPS and _WIRE_GROUPS[old] == _WIRE_GROUPS.get(new))
