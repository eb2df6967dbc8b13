"""JSON values into Avro's binary encoding: one function per type of a schema, made once."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from app.registry.formats.avro_types import Array, AvroType, Enum, Field, Fixed, Map, Named, Record, Union, name_of
from app.registry.payloads.json_text import excerpt

Writer: TypeAlias = Callable[[Any, bytearray], None]
Accepts: TypeAlias = Callable[[Any], bool]
Default: TypeAlias = Callable[[], bytes]

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_pack_double = struct.Struct("<d").pack
_pack_float = struct.Struct("<f").pack


class Misfit(Exception):
    """A value does not fit its type. The path is put together on the way out, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []

    @property
    def pointer(self) -> str:
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in reversed(self.path))


def varint(number: int) -> bytes:
    """A long: zig-zag, seven bits a byte, the lowest first."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    if rest < 0x80:
        return bytes((rest,))
    if rest < 0x200000:
        if rest < 0x4000:
            return bytes((rest & 0x7F | 0x80, rest >> 7))
        return bytes((rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14))
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


_SMALL = [varint(number) for number in range(8192)]  # lengths, counts, and most numbers


def compile_writer(root: AvroType) -> Writer:
    """The function that appends a value's bytes; it raises Misfit, and may leave half a value behind."""
    return _Compiler().writer(root)


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[int, Writer] = {}

    def writer(self, node: AvroType) -> Writer:
        match node:
            case Record():
                return self._record(node)
            case Union():
                return _union_writer([self._branch(index, branch) for index, branch in enumerate(node.branches)])
            case Array():
                return _array_writer(self.writer(node.items))
            case Map():
                return _map_writer(self.writer(node.values))
            case Enum():
                return _enum_writer(node)
            case Fixed():
                return _fixed_writer(node.size)
            case _:
                return _PRIMITIVES[node.kind]

    def _record(self, node: Record) -> Writer:
        known = self._records.get(id(node))
        if known is not None:
            return known
        fields: list[tuple[str, Writer]] = []
        defaults = {child.name: self._default(child) for child in node.fields if child.has_default}
        # Known before its fields are: they may hold the record itself.
        made = self._records[id(node)] = _record_writer(node.full_name, fields, defaults)
        fields += [(child.name, self.writer(child.type)) for child in node.fields]
        return made

    def _default(self, child: Field) -> Default:
        """Encoded when it is first needed: a schema that was stored long ago may hold a wrong one."""

        @cache
        def encode() -> bytes:
            branches = child.type.branches if isinstance(child.type, Union) else [child.type]
            for index, branch in enumerate(branches):
                written = bytearray(varint(index) if isinstance(child.type, Union) else b"")
                try:
                    self.writer(branch)(child.default, written)
                except Misfit:
                    continue
                return bytes(written)
            raise Misfit(f"the default of the field {child.name!r} does not fit its type")

        return encode

    def _branch(self, index: int, node: AvroType) -> "_Branch":
        return _Branch(node, name_of(node), varint(index), self.writer(node), _acceptor(node))


def _record_writer(full_name: str, fields: list[tuple[str, Writer]], defaults: dict[str, Default]) -> Writer:
    def write_rest(value: dict[str, Any], out: bytearray, first: str) -> None:
        """From the first field that is missing."""
        at = next(index for index, (name, _) in enumerate(fields) if name == first)
        for name, write in fields[at:]:
            if name in value:
                try:
                    write(value[name], out)
                except Misfit as misfit:
                    misfit.path.append(name)
                    raise
            elif name in defaults:
                out += defaults[name]()
            else:
                raise Misfit(f"the field {name!r} of {full_name} is missing")

    def refuse_unknown(value: dict[str, Any]) -> None:
        names = {name for name, _ in fields}
        for name in value:
            if name not in names:
                raise Misfit(f"{full_name} has no field {name!r}")

    def write_record(value: Any, out: bytearray) -> None:
        if type(value) is not dict:
            raise Misfit(f"{excerpt(value)} is no {full_name}: it is no object")
        name = ""
        try:
            for name, write in fields:
                write(value[name], out)
        except Misfit as misfit:
            misfit.path.append(name)
            raise
        except KeyError:
            write_rest(value, out, name)
            refuse_unknown(value)
        if len(value) > len(fields):
            refuse_unknown(value)

    return write_record


def _array_writer(write: Writer) -> Writer:
    def write_array(value: Any, out: bytearray) -> None:
        if type(value) is not list:
            raise Misfit(f"{excerpt(value)} is no array")
        if value:
            out += varint(len(value))
            item: Any = None
            try:
                for item in value:
                    write(item, out)
            except Misfit as misfit:
                misfit.path.append(next(index for index, one in enumerate(value) if one is item))
                raise
        out.append(0)

    return write_array


def _map_writer(write: Writer) -> Writer:
    def write_map(value: Any, out: bytearray) -> None:
        if type(value) is not dict:
            raise Misfit(f"{excerpt(value)} is no map")
        if value:
            out += varint(len(value))
            key = ""
            try:
                for key, item in value.items():
                    _write_string(key, out)
                    write(item, out)
            except Misfit as misfit:
                misfit.path.append(key)
                raise
        out.append(0)

    return write_map


def _enum_writer(node: Enum) -> Writer:
    written = {symbol: varint(index) for index, symbol in enumerate(node.symbols)}

    def write_enum(value: Any, out: bytearray) -> None:
        found = written.get(value) if type(value) is str else None
        if found is None:
            raise Misfit(f"{excerpt(value)} is no symbol of {node.full_name}")
        out += found

    return write_enum


def _fixed_writer(size: int) -> Writer:
    def write_fixed(value: Any, out: bytearray) -> None:
        encoded = _latin1(value)
        if len(encoded) != size:
            raise Misfit(f"a fixed of {size} bytes is needed, these are {len(encoded)}")
        out += encoded

    return write_fixed


# --- unions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Branch:
    """One type of a union, with the index that stands before its value."""

    node: AvroType
    name: str
    prefix: bytes
    write: Writer
    accepts: Accepts


def _union_writer(branches: list[_Branch]) -> Writer:
    """`{"type": value}`, null, or the value alone if by its looks it fits one type only."""
    of_null = next((branch.prefix for branch in branches if branch.name == "null"), None)
    by_name: dict[str, _Branch] = {}
    for branch in branches:  # a full name wins over another's last part
        if isinstance(branch.node, Named):
            by_name.setdefault(branch.node.name, branch)
    by_name |= {branch.name: branch for branch in branches}
    names = ", ".join(branch.name for branch in branches)

    def write_union(value: Any, out: bytearray) -> None:
        if value is None and of_null is not None:
            out += of_null
            return
        if type(value) is dict and len(value) == 1:
            ((name, inner),) = value.items()
            branch = by_name.get(name)
            if branch is not None:
                out += branch.prefix
                try:
                    branch.write(inner, out)
                except Misfit as misfit:
                    misfit.path.append(name)
                    raise
                return
        branch = _meant(value, branches, names)
        out += branch.prefix
        branch.write(value, out)

    return write_union


def _meant(value: Any, branches: list[_Branch], names: str) -> _Branch:
    found = [branch for branch in branches if branch.accepts(value)]
    if len(found) > 1 and type(value) is int:  # a whole number is meant as one
        found = [branch for branch in found if branch.name in ("int", "long")] or found
    if not found:
        raise Misfit(f"{excerpt(value)} is none of the types {names}")
    if len(found) > 1:
        which = " and ".join(branch.name for branch in found)
        example = f'{{"{found[0].name}": {excerpt(value)}}}'
        raise Misfit(f"{excerpt(value)} fits {which}; say which, as {example}")
    return found[0]


def _acceptor(node: AvroType) -> Accepts:
    """Whether a value may be meant as this type, judged without looking inside: what is inside must not multiply."""
    match node:
        case Record():
            names = {child.name for child in node.fields}
            required = {child.name for child in node.fields if not child.has_default}
            return lambda value: type(value) is dict and required <= value.keys() <= names
        case Map():
            return lambda value: type(value) is dict
        case Array():
            return lambda value: type(value) is list
        case Enum():
            symbols = frozenset(node.symbols)
            return lambda value: type(value) is str and value in symbols
        case Fixed():
            size = node.size
            return lambda value: type(value) is str and len(value) == size and _is_latin1(value)
        case _:
            return _ACCEPTORS.get(node.kind, lambda value: False)


# --- primitives ----------------------------------------------------------------------------------------------------


def _write_null(value: Any, out: bytearray) -> None:
    del out
    if value is not None:
        raise Misfit(f"{excerpt(value)} is not null")


def _write_boolean(value: Any, out: bytearray) -> None:
    if value is True:
        out.append(1)
    elif value is False:
        out.append(0)
    else:
        raise Misfit(f"{excerpt(value)} is no boolean")


def _write_int(value: Any, out: bytearray) -> None:
    if type(value) is not int or not -0x80000000 <= value <= 0x7FFFFFFF:
        raise Misfit(f"{excerpt(value)} is no int")
    out += _SMALL[value] if 0 <= value < 8192 else varint(value)


def _write_long(value: Any, out: bytearray) -> None:
    if type(value) is not int or not -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        raise Misfit(f"{excerpt(value)} is no long")
    out += _SMALL[value] if 0 <= value < 8192 else varint(value)


def _write_float(value: Any, out: bytearray) -> None:
    try:
        out += _pack_float(value if type(value) is float or type(value) is int else _special(value))
    except (OverflowError, struct.error, TypeError):
        raise Misfit(f"{excerpt(value)} is no float") from None


def _write_double(value: Any, out: bytearray) -> None:
    try:
        out += _pack_double(value if type(value) is float or type(value) is int else _special(value))
    except (OverflowError, struct.error, TypeError):
        raise Misfit(f"{excerpt(value)} is no double") from None


def _special(value: Any) -> float | None:
    """What JSON numbers cannot say is a string."""
    return _NOT_FINITE.get(value) if type(value) is str else None


def _write_string(value: Any, out: bytearray) -> None:
    if type(value) is not str:
        raise Misfit(f"{excerpt(value)} is no string")
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise Misfit("the string has half of a surrogate pair, which is no character") from None
    size = len(encoded)
    out += _SMALL[size] if size < 8192 else varint(size)
    out += encoded


def _write_bytes(value: Any, out: bytearray) -> None:
    encoded = _latin1(value)
    out += varint(len(encoded))
    out += encoded


def _latin1(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit(f"{excerpt(value)} are no bytes: they are a string of the characters U+0000 to U+00FF")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise Misfit(f"{excerpt(value)} are no bytes: a character is beyond U+00FF") from None


def _is_latin1(value: str) -> bool:
    return value.isascii() or max(value) <= "\xff"


_PRIMITIVES: dict[str, Writer] = {
    "null": _write_null, "boolean": _write_boolean, "int": _write_int, "long": _write_long, "float": _write_float,
    "double": _write_double, "bytes": _write_bytes, "string": _write_string,
}  # fmt: skip
_ACCEPTORS: dict[str, Accepts] = {
    "boolean": lambda value: type(value) is bool,
    "int": lambda value: type(value) is int and -0x80000000 <= value <= 0x7FFFFFFF,
    "long": lambda value: type(value) is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF,
    "float": lambda value: type(value) in (int, float),
    "double": lambda value: type(value) in (int, float),
    "bytes": lambda value: type(value) is str and _is_latin1(value),
    "string": lambda value: type(value) is str,
}
