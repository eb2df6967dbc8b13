"""What the names in a .proto file stand for, and the rules a compiler holds a file to."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_model import SCALARS, Enum, Extend, Field, File, Message, Option, Reserved
from app.registry.formats.proto_parser import parse_proto


@dataclass(slots=True, eq=False)
class Declared:
    """A message or enum, and where it was declared. name is its name inside the package."""

    name: str
    file: File
    message: Message | None = None
    enum: Enum | None = None

    @property
    def full_name(self) -> str:
        return f"{self.file.package}.{self.name}" if self.file.package else self.name


@dataclass(slots=True, eq=False)
class Names:
    """The types a file may name: its own and those of its imports, by full name."""

    file: File
    types: dict[str, Declared] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)

    def add(self, declared: Declared) -> None:
        """Make a type known, and its package a name that others may start with."""
        self.types.setdefault(declared.full_name, declared)
        package = declared.file.package
        while package and package not in self.packages:
            self.packages.add(package)
            package = package.rpartition(".")[0]

    def find(self, name: str, scope: str) -> Declared | None:
        """The type a name means inside a scope (a full name): the innermost one; a leading dot is the root."""
        if name.startswith("."):
            return self.types.get(name[1:])
        first, _, rest = name.partition(".")
        while True:
            candidate = f"{scope}.{first}" if scope else first
            if candidate in self.types or candidate in self.packages:
                found = self.types.get(f"{candidate}.{rest}" if rest else candidate)
                if found is not None:
                    return found
            if not scope:
                return None
            scope = scope.rpartition(".")[0]


@lru_cache(maxsize=40)  # there are thirty
def built_in(name: str) -> File | None:
    """The file of a built-in import."""
    from app.registry.formats.proto_builtin import BUILT_IN

    text = BUILT_IN.get(name)
    return None if text is None else parse_proto(text)


def declared_types(file: File) -> Iterator[Declared]:
    """All messages and enums of a file, outer ones before inner ones."""
    stack: list[tuple[str, Message]] = [(message.name, message) for message in reversed(file.messages)]
    yield from (Declared(enum.name, file, enum=enum) for enum in file.enums)
    while stack:
        name, message = stack.pop()
        yield Declared(name, file, message=message)
        yield from (Declared(f"{name}.{enum.name}", file, enum=enum) for enum in message.enums)
        inner = [*message.messages, *(one.group for one in message.all_fields() if one.group is not None)]
        stack += ((f"{name}.{one.name}", one) for one in reversed(inner))


def names_of(file: File, others: Mapping[str, File]) -> Names:
    """The types a file sees. others are its references by import name. Raises InvalidSchema for what is missing."""
    names = Names(file)
    for declared in declared_types(file):
        if declared.full_name in names.types:
            raise InvalidSchema(f"{declared.full_name!r} is declared twice")
        names.add(declared)
    seen: set[str] = set()
    queue = [(name, True) for name in (*file.imports, *file.public_imports)]
    while queue:
        name, is_direct = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        other = others.get(name) or built_in(name)
        if other is None:
            if is_direct:
                raise InvalidSchema(f'the import "{name}" is not among the schema\'s references')
            continue
        for declared in declared_types(other):
            names.add(declared)
        queue += ((inner, False) for inner in other.public_imports)
    return names


def check_file(names: Names) -> None:
    """Raises InvalidSchema for the first rule of the language that the file breaks."""
    file = names.file
    package = file.package
    for enum in file.enums:
        _check_enum(enum, file, enum.name)
    for declared in declared_types(file):
        if declared.message is not None:
            _check_message(names, declared, declared.message)
    for extend in file.extends:
        _check_extend(names, extend, package)
    for service in file.services:
        for rpc in service.rpcs:
            for kind in (rpc.request, rpc.response):
                _resolve(names, kind, package, f"{service.name}.{rpc.name}")


def _check_message(names: Names, declared: Declared, message: Message) -> None:
    numbers: dict[int, str] = {}
    taken: set[str] = set()
    reserved = _ReservedNumbers(message.reserved)
    reserved_names = {name for one in message.reserved for name in one.names}
    for one in message.all_fields():
        place = f"{declared.name}.{one.name}"
        if one.number in numbers:
            raise InvalidSchema(f"field number {one.number} is used by {numbers[one.number]!r} and {one.name!r}", place)
        if one.name in taken:
            raise InvalidSchema(f"{one.name!r} is declared twice in {declared.name!r}", place)
        if one.number in reserved:
            raise InvalidSchema(f"field number {one.number} is reserved", place)
        if one.name in reserved_names:
            raise InvalidSchema(f"the field name {one.name!r} is reserved", place)
        numbers[one.number] = one.name
        taken.add(one.name)
        _check_field(names, one, declared.full_name, place)
    for oneof in message.oneofs:
        if oneof.name in taken:
            raise InvalidSchema(f"{oneof.name!r} is declared twice in {declared.name!r}", declared.name)
        taken.add(oneof.name)
    for enum in message.enums:
        _check_enum(enum, declared.file, f"{declared.name}.{enum.name}")
    for extend in message.extends:
        _check_extend(names, extend, declared.full_name)


class _ReservedNumbers:
    """Ranges that may overlap, asked for many numbers."""

    def __init__(self, reserved: list[Reserved]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(one for group in reserved for one in group.ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]


def _check_field(names: Names, one: Field, scope: str, place: str) -> None:
    if one.type not in SCALARS and one.group is None:
        _resolve(names, one.type, scope, place)


def _check_extend(names: Names, extend: Extend, scope: str) -> None:
    _resolve(names, extend.type, scope, f"extend {extend.type}")
    for one in extend.fields:
        _check_field(names, one, scope, f"extend {extend.type}.{one.name}")


def _resolve(names: Names, name: str, scope: str, place: str) -> Declared:
    found = names.find(name, scope)
    if found is None:
        raise InvalidSchema(f"{name!r} is not defined", place)
    return found


def _check_enum(enum: Enum, file: File, place: str) -> None:
    if not enum.values:
        raise InvalidSchema(f"the enum {enum.name!r} has no values", place)
    if file.syntax == "proto3" and enum.values[0].number != 0:
        raise InvalidSchema(f"the first value of the enum {enum.name!r} is not 0, which proto3 asks for", place)
    allows_alias = any(_is_true(option, "allow_alias") for option in enum.options)
    reserved = _ReservedNumbers(enum.reserved)
    numbers: set[int] = set()
    taken: set[str] = set()
    for value in enum.values:
        if value.name in taken:
            raise InvalidSchema(f"{value.name!r} is declared twice in {enum.name!r}", place)
        if value.number in numbers and not allows_alias:
            raise InvalidSchema(f"the value {value.number} of {enum.name!r} has two names and no allow_alias", place)
        if value.number in reserved:
            raise InvalidSchema(f"the value {value.number} of {enum.name!r} is reserved", place)
        numbers.add(value.number)
        taken.add(value.name)


def _is_true(option: Option, name: str) -> bool:
    return option.name == name and option.value.text == "true"
