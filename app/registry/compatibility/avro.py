"""Can a reader's Avro schema read what a writer's schema wrote? Avro's schema resolution, as Java's library tells it.

Logical types do not count: a decimal of another precision is the same bytes. Paths are those of Java's
SchemaCompatibility: into the reader's schema, except for the branch of a union, which is the writer's.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.compatibility.stepping import drive
from app.registry.formats.avro_types import Array, AvroType, Enum, Field, Fixed, Map, Named, Record, Union
from app.registry.limits import Budget

# What a reader of the kind takes beside its own kind.
PROMOTIONS = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "bytes": frozenset({"string"}),
    "string": frozenset({"bytes"}),
}
SYMBOLS_LISTED_MAX = 100
PATH_SEGMENTS_MAX = 300  # of a path that is written out; what lies above is left out
_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

Path = tuple["Path", str] | None  # the segments from the innermost out: most paths are never written out


@dataclass(slots=True, eq=False)
class Found:
    """What is wrong with a pair of types and, by reference, with the pairs inside: shared, as types are."""

    broken: "list[tuple[str, AvroType | Field, AvroType, Path]]" = field(default_factory=list)
    inside: "list[Found]" = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.broken or self.inside)

    def include(self, other: "Found") -> None:
        if other:
            self.inside.append(other)


_Steps = Generator[tuple[AvroType, AvroType, Path], Found, Found]

_NOTHING = Found()


def avro_differences(reader: AvroType, writer: AvroType, budget: Budget) -> Iterator[Incompatibility]:
    """What keeps reader from reading writer's data; none when nothing does. Raises SchemaTooLarge by the budget.

    A pair of types that is met twice is told once.
    """
    seen: set[int] = set()
    stack = [drive(_Resolution(budget).compare, reader, writer, None)]
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        for error_type, ours, theirs, path in found.broken:
            yield _DESCRIBE[error_type](ours, theirs, path)
        stack += reversed(found.inside)


class _Resolution:
    """One comparison. Its steps are generators for stepping.drive: records may chain through a whole schema."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._known: dict[tuple[int, int], Found] = {}

    def compare(self, reader: AvroType, writer: AvroType, path: Path) -> _Steps:
        self._budget.spend()
        if reader.kind != writer.kind:
            return (yield from self._compare_kinds(reader, writer, path))
        match reader, writer:
            case Record(), Record():
                return (yield from self._compare_records(reader, writer, path))
            case Array(), Array():
                return (yield reader.items, writer.items, (path, "items"))
            case Map(), Map():
                return (yield reader.values, writer.values, (path, "values"))
            case Union(), Union():
                found = Found()
                for index, branch in enumerate(writer.branches):
                    if (yield reader, branch, path):
                        found.broken.append(("MISSING_UNION_BRANCH", reader, branch, (path, str(index))))
                return found
            case Enum(), Enum():
                found = Found()
                _compare_names(found, reader, writer, path)
                if reader.default is None and not set(reader.symbols).issuperset(writer.symbols):
                    found.broken.append(("MISSING_ENUM_SYMBOLS", reader, writer, (path, "symbols")))
                return found
            case Fixed(), Fixed():
                found = Found()
                _compare_names(found, reader, writer, path)
                if reader.size != writer.size:
                    found.broken.append(("FIXED_SIZE_MISMATCH", reader, writer, (path, "size")))
                return found
            case _:
                return _NOTHING

    def _compare_kinds(self, reader: AvroType, writer: AvroType, path: Path) -> _Steps:
        found = Found()
        if isinstance(writer, Union):
            for index, branch in enumerate(writer.branches):
                found.include((yield reader, branch, (path, str(index))))
            return found
        if isinstance(reader, Union):
            self._budget.spend(len(reader.branches) // 4)
            for branch in reader.branches:
                if _may_match(branch, writer) and not (yield branch, writer, path):
                    return _NOTHING
            found.broken.append(("MISSING_UNION_BRANCH", reader, writer, path))
        elif writer.kind not in PROMOTIONS.get(reader.kind, ()):
            found.broken.append(("TYPE_MISMATCH", reader, writer, path))
        return found

    def _compare_records(self, reader: Record, writer: Record, path: Path) -> _Steps:
        pair = (id(reader), id(writer))
        known = self._known.get(pair)
        if known is not None:
            return known
        self._known[pair] = _NOTHING  # a record that is being compared is taken to fit inside itself
        self._budget.spend(len(reader.fields) // 4)
        found = Found()
        _compare_names(found, reader, writer, path)
        for index, ours in enumerate(reader.fields):
            theirs = _writer_field(ours, writer)
            if theirs is None:
                if ours.has_default:
                    continue
                place = ((path, "fields"), str(index))
                # A reader may fall back to the default of the field's enum; Java holds that enum against the record.
                if isinstance(ours.type, Enum) and ours.type.default is not None:
                    found.include((yield ours.type, writer, (place, "type")))
                else:
                    found.inside.append(Found([("READER_FIELD_MISSING_DEFAULT_VALUE", ours, writer, place)]))
            elif ours.type.kind != theirs.type.kind or ours.type.kind not in _PRIMITIVES:
                found.include((yield ours.type, theirs.type, (((path, "fields"), str(index)), "type")))
        self._known[pair] = found
        return found


def _writer_field(ours: Field, writer: Record) -> Field | None:
    theirs = writer.by_name.get(ours.name)
    if theirs is None and ours.aliases:
        theirs = next((writer.by_name[alias] for alias in ours.aliases if alias in writer.by_name), None)
    return theirs


def _may_match(branch: AvroType, writer: AvroType) -> bool:
    """A cheap look before a branch is compared in full."""
    if isinstance(branch, Named) and isinstance(writer, Named):
        return branch.kind == writer.kind and (branch.name == writer.name or writer.full_name in branch.aliases)
    return branch.kind == writer.kind or writer.kind in PROMOTIONS.get(branch.kind, ())


def _compare_names(found: Found, reader: Record | Enum | Fixed, writer: Record | Enum | Fixed, path: Path) -> None:
    """Names match without their namespaces, or by an alias of the reader with it."""
    if reader.name != writer.name and writer.full_name not in reader.aliases:
        found.broken.append(("NAME_MISMATCH", reader, writer, (path, "name")))


def _written(path: Path) -> str:
    segments: list[str] = []
    while path is not None and len(segments) < PATH_SEGMENTS_MAX:
        path, segment = path
        segments.append(segment)
    return ("/…/" if path is not None else "/") + "/".join(reversed(segments))


def _type_mismatch(reader: AvroType, writer: AvroType, path: Path) -> Incompatibility:
    place = _written(path)
    return Incompatibility(
        "TYPE_MISMATCH",
        place,
        f"The type of a field (path '{place}') in the {{reader}} schema does not match the {{writer}} schema",
        f"reader type: {reader.kind.upper()} not compatible with writer type: {writer.kind.upper()}",
    )


def _missing_branch(reader: AvroType, writer: AvroType, path: Path) -> Incompatibility:
    place = _written(path)
    return Incompatibility(
        "MISSING_UNION_BRANCH",
        place,
        f"A union of the {{reader}} schema lacks a type that the {{writer}} schema has at path '{place}'",
        f"reader union lacking writer type: {writer.kind.upper()}",
    )


def _missing_default(ours: Field, writer: AvroType, path: Path) -> Incompatibility:
    place = _written(path)
    return Incompatibility(
        "READER_FIELD_MISSING_DEFAULT_VALUE",
        place,
        f"The field '{ours.name}' at path '{place}' in the {{reader}} schema has no default value and is missing in "
        "the {writer} schema",
        ours.name,
    )


def _name_mismatch(reader: Record | Enum | Fixed, writer: Record | Enum | Fixed, path: Path) -> Incompatibility:
    place = _written(path)
    return Incompatibility(
        "NAME_MISMATCH",
        place,
        f"The name of the schema has changed (path '{place}')",
        f"expected: {writer.full_name}",
    )


def _missing_symbols(reader: Enum, writer: Enum, path: Path) -> Incompatibility:
    place = _written(path)
    listed = f"[{', '.join(sorted(set(writer.symbols) - set(reader.symbols))[:SYMBOLS_LISTED_MAX])}]"
    return Incompatibility(
        "MISSING_ENUM_SYMBOLS",
        place,
        f"The {{reader}} schema lacks enum symbols '{listed}' at path '{place}' of the {{writer}} schema",
        listed,
    )


def _size_mismatch(reader: Fixed, writer: Fixed, path: Path) -> Incompatibility:
    place = _written(path)
    return Incompatibility(
        "FIXED_SIZE_MISMATCH",
        place,
        f"The size of the FIXED at path '{place}' in the {{reader}} schema does not match the {{writer}} schema",
        f"expected: {writer.size}, found: {reader.size}",
    )


_DESCRIBE: dict[str, Callable[..., Incompatibility]] = {
    "TYPE_MISMATCH": _type_mismatch,
    "MISSING_UNION_BRANCH": _missing_branch,
    "READER_FIELD_MISSING_DEFAULT_VALUE": _missing_default,
    "NAME_MISMATCH": _name_mismatch,
    "MISSING_ENUM_SYMBOLS": _missing_symbols,
    "FIXED_SIZE_MISMATCH": _size_mismatch,
}
