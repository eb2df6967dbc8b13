"""Turn the schema of a message into the Python source of its decoder for one version.

The source is one function without inner calls: structs and arrays are unfolded in place, neighbouring fields of fixed
width, together with the length or tag count that follows them, are read by a single `struct` call. Ends are not
checked before each slice: a slice past the end comes out short, the position still moves on, and the next read or the
last line fails. A position never moves back.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from broker.protocol.primitives import DecodeError, Fields, Message, decode_uvarint, long_uvarint, skip_tags
from broker.protocol.schema import FIXED_FORMATS, WireField, default_source, fields_of
from broker.protocol.source_writer import SourceWriter

Decoder = Callable[[memoryview, int], Any]

ARRAY_ITEMS_COMMON: Final = 8
"""Arrays of fewer items, replicas for instance, find their reader in a list instead of a cache."""

# Differs from Kafka: an array in a request has a limit, because half a MB of empty names makes half a GB of answers.
REQUEST_ARRAY_ITEMS_MAX: Final = 100_000
"""Several times what any client asks at once; answers have no limit."""


def compile_decoder(message_type: type[Message], version: int) -> Decoder:
    """A function of (data, at) that returns the message or raises DecodeError."""
    writer = DecoderWriter(message_type, version)
    decoder: Decoder = writer.compiled("decode", writer.source())
    return decoder


class DecoderWriter(SourceWriter):
    """Writes the source of one decoder. Methods write the lines that read what they are named after."""

    def __init__(self, message_type: type[Message], version: int) -> None:
        self._limits_arrays = message_type.__name__.endswith("Request")
        super().__init__(
            message_type,
            version,
            {
                "DecodeError": DecodeError,
                "array_reader": array_reader,
                "long_uvarint": long_uvarint,
                "malformed": (struct.error, IndexError, UnicodeDecodeError),
                "read_uvarint": decode_uvarint,
                "skip_tags": skip_tags,
            },
        )

    def source(self) -> str:
        name = f"{self._type.__name__} v{self._version}"
        self._struct(self._type, "message")
        return "\n".join(
            [
                "def decode(data, at):",
                "    size = len(data)",
                "    try:",
                *self._lines,
                "    except malformed as error:",
                f'        raise DecodeError(f"{name}: {{error}}") from error',
                "    if at > size:",
                f'        raise DecodeError(f"{name} is cut short: {{size}} bytes, {{at}} wanted")',
                "    return message",
            ]
        )

    def _struct(self, struct_type: type[Fields], result: str) -> None:
        """One struct, into the variable `result`."""
        fields = fields_of(struct_type, self._version)
        variables = {field.name: self._name(field.name) for field in fields}
        for field in fields:
            if field.tag is None:
                self._field(field, variables[field.name])
        if self._flexible:
            self._tags(struct_type, [field for field in fields if field.tag is not None], variables)
        self._flush()
        self.namespace[struct_type.__name__] = struct_type
        names = list(struct_type.__struct_fields__)
        while names and names[-1] not in variables:
            names.pop()  # the constructor knows the defaults of what comes last
        values = [variables.get(name) or default_source(struct_type, name) for name in names]
        self._line(f"{result} = {struct_type.__name__}({', '.join(values)})")

    def _field(self, field: WireField, variable: str) -> None:
        if field.is_array:
            self._array(field, variable)
        elif field.struct is not None:
            self._nested(field, field.struct, variable)
        elif field.wire_type in FIXED_FORMATS:
            self._run.append((FIXED_FORMATS[field.wire_type], variable))
        else:
            self._bytes(field, variable)

    def _nested(self, field: WireField, struct_type: type[Fields], variable: str) -> None:
        if not field.is_nullable:
            self._struct(struct_type, variable)
            return
        marker = self._name("marker")
        self._run.append(("b", marker))  # -1 null, 1 not (KIP-893)
        self._flush()
        self._line(f"{variable} = None")
        self._line(f"if {marker} >= 0:")
        with self._indented():
            self._struct(struct_type, variable)

    def _bytes(self, field: WireField, variable: str) -> None:
        """A string, bytes or records. Only records stay slices of the data."""
        is_string = field.wire_type == "string"
        end = self._length(field, "h" if is_string else "i", variable)
        with self._indented():
            self._line(f"{end} += at")
            # tobytes().decode() takes a third of the time of str(slice, "utf-8").
            suffix = ".tobytes().decode()" if is_string else ".tobytes()" if field.wire_type == "bytes" else ""
            self._line(f"{variable} = data[at:{end}]{suffix}")
            self._line(f"at = {end}")

    def _array(self, field: WireField, variable: str) -> None:
        count = self._length(field, "i", variable)
        format_ = FIXED_FORMATS.get(field.wire_type)
        width = struct.calcsize(f">{format_}") if format_ else 1  # nothing that may be in an array is smaller
        with self._indented():
            limit = f" or {count} > {REQUEST_ARRAY_ITEMS_MAX}" if self._limits_arrays else ""
            self._line(f"if {count} * {width} > size - at{limit}:")
            self._line(f'    raise DecodeError(f"{field.name} claims {{{count}}} items")')
            if format_:
                readers = f"array_readers_{format_}"
                self.namespace[readers] = [array_reader(format_, size) for size in range(ARRAY_ITEMS_COMMON)]
                reader = (
                    f'({readers}[{count}] if {count} < {ARRAY_ITEMS_COMMON} else array_reader("{format_}", {count}))'
                )
                self._line(f"{variable} = [*{reader}(data, at)] if {count} else []")
                self._line(f"at += {count} * {width}")
                return
            item = self._name("item")
            self._line(f"{variable} = []")
            self._line(f"for _ in range({count}):")
            with self._indented():
                self._field(field.item(), item)
                self._line(f"{variable}.append({item})")

    def _length(self, field: WireField, classic_format: str, variable: str) -> str:
        """A length or count, and what null means. What the caller writes next, indented, is for a value."""
        length = self._name("length")
        self._run.append(("B" if self._flexible else classic_format, length))
        self._flush()
        if self._flexible:
            self._line(f"if {length} > 127:")
            self._line(f"    {length}, at = long_uvarint(data, at, {length})")
            self._line(f"{length} -= 1")
        self._line(f"if {length} < 0:")
        with self._indented():
            refused = f'raise DecodeError(f"{field.name} has length {{{length}}}")'
            if not field.is_nullable:
                self._line(refused)
            else:
                if not self._flexible:
                    self._line(f"if {length} < -1:")
                    self._line(f"    {refused}")
                self._line(f"{variable} = None")
        self._line("else:")
        return length

    def _tags(self, struct_type: type[Fields], tagged: list[WireField], variables: dict[str, str]) -> None:
        """The section that ends each flexible struct. Unknown tags are skipped (KIP-482)."""
        count, tag, end = self._name("tags"), self._name("tag"), self._name("end")
        self._run.append(("B", count))
        self._flush()
        for field in tagged:
            self._line(f"{variables[field.name]} = {default_source(struct_type, field.name)}")
        self._line(f"if {count}:")
        with self._indented():
            if not tagged:
                self._line(f"at = skip_tags(data, at, {count})")
                return
            self._line(f"if {count} > 127:")
            self._line(f"    {count}, at = long_uvarint(data, at, {count})")
            self._line(f"for _ in range({count}):")
            with self._indented():
                self._line(f"{tag}, at = read_uvarint(data, at)")
                self._line(f"{end}, at = read_uvarint(data, at)")
                self._line(f"{end} += at")
                for field in tagged:
                    self._line(f"if {tag} == {field.tag}:")
                    with self._indented():
                        self._field(field, variables[field.name])
                        self._flush()
                self._line(f"if at > {end} or {end} > size:")
                self._line(f'    raise DecodeError(f"tag {{{tag}}} does not fit its size")')
                self._line(f"at = {end}")

    def _flush(self) -> None:
        """The one call that reads all fields of the run."""
        if not self._run:
            return
        format_ = self._run_format()
        targets = ", ".join(variable for _, variable in self._run)
        if format_ == ">B":
            self._line(f"{targets} = data[at]")
        else:
            reader = "read_" + format_[1:].replace("?", "o")
            self.namespace[reader] = struct.Struct(format_).unpack_from
            self._line(f"{targets}{',' if len(self._run) == 1 else ''} = {reader}(data, at)")
        self._line(f"at += {struct.calcsize(format_)}")
        self._run.clear()


@lru_cache(maxsize=512)
def array_reader(item_format: str, count: int) -> Callable[[memoryview, int], tuple[Any, ...]]:
    """The function that reads `count` items of fixed width."""
    return struct.Struct(f">{count}{item_format}" if item_format != "16s" else ">" + "16s" * count).unpack_from
