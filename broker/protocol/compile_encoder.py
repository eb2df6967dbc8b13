"""Turn the schema of a message into the Python source of its encoder for one version.

As in the decoder, everything is unfolded into one function, and neighbouring fields of fixed width are packed by a
single `struct` call together with the length or count that follows them.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from broker.protocol.primitives import EncodeError, Fields, Message, encode_uvarint
from broker.protocol.schema import FIXED_FORMATS, WireField, default_source, fields_of
from broker.protocol.source_writer import SourceWriter

Encoder = Callable[[Any, list[bytes | memoryview]], None]

OWN_CHUNK_BYTES_MIN: Final = 4096
"""Records of at least this size are handed on as they are; smaller ones are cheaper copied than sent apart."""


def compile_encoder(message_type: type[Message], version: int) -> Encoder:
    """A function of (message, chunks) that appends the encoded message to the chunks, or raises EncodeError."""
    writer = EncoderWriter(message_type, version)
    encoder: Encoder = writer.compiled("encode", writer.source())
    return encoder


class EncoderWriter(SourceWriter):
    """Writes the source of one encoder. Methods write the lines that write what they are named after."""

    def __init__(self, message_type: type[Message], version: int) -> None:
        super().__init__(
            message_type,
            version,
            {
                "EncodeError": EncodeError,
                "array_packer": array_packer,
                "unfit": (struct.error, AttributeError, TypeError, UnicodeEncodeError),
                "uvarint": encode_uvarint,
            },
        )

    def source(self) -> str:
        self._struct(self._type, "message")
        self._flush()
        return "\n".join(
            [
                "def encode(message, chunks):",
                "    parts = []",
                "    write = parts.append",
                "    try:",
                *self._lines,
                "        pass",
                "    except unfit as error:",
                f'        raise EncodeError(f"{self._type.__name__} v{self._version}: {{error}}") from error',
                "    if parts:",
                '        chunks.append(b"".join(parts))',
            ]
        )

    def _struct(self, struct_type: type[Fields], variable: str) -> None:
        """The struct that a variable holds. The last run is left open for what follows."""
        fields = fields_of(struct_type, self._version)
        for field in fields:
            if field.tag is None:
                self._field(field, f"{variable}.{field.name}")
        if self._flexible:
            self._tags(struct_type, [field for field in fields if field.tag is not None], variable)

    def _field(self, field: WireField, value: str) -> None:
        if field.is_array:
            self._array(field, value)
        elif field.struct is not None:
            self._nested(field, field.struct, value)
        elif field.wire_type in FIXED_FORMATS:
            self._run.append((FIXED_FORMATS[field.wire_type], value))
        else:
            self._bytes(field, value)

    def _nested(self, field: WireField, struct_type: type[Fields], value: str) -> None:
        nested = value
        if "." in value:
            nested = self._name(field.name)
            self._line(f"{nested} = {value}")
        if not field.is_nullable:
            self._struct(struct_type, nested)
            return
        self._flush()
        self._line(f"if {nested} is None:")
        self._line('    write(b"\\xff")')  # -1 null, 1 not (KIP-893)
        self._line("else:")
        with self._indented():
            self._run.append(("b", "1"))
            self._struct(struct_type, nested)
            self._flush()

    def _bytes(self, field: WireField, value: str) -> None:
        """A string, bytes or records with its length."""
        data = self._name(field.name)
        is_string = field.wire_type == "string"
        self._line(f"{data} = {value}")
        if not field.is_nullable:
            self._present_bytes(field, data, is_string)
            return
        run = self._run
        self._line(f"if {data} is None:")
        with self._indented():
            self._run = [*run, ("B", "0") if self._flexible else ("h" if is_string else "i", "-1")]
            self._flush()
        self._line("else:")
        with self._indented():
            self._run = run
            self._present_bytes(field, data, is_string)

    def _present_bytes(self, field: WireField, data: str, is_string: bool) -> None:
        length = self._name("length")
        if is_string:
            self._line(f"{data} = {data}.encode()")
        self._line(f"{length} = len({data}){' + 1' if self._flexible else ''}")
        self._length(length, "h" if is_string else "i")
        if field.wire_type != "records":
            self._line(f"write({data})")
            return
        self._line(f"if {length} > {OWN_CHUNK_BYTES_MIN}:")
        self._line('    chunks.append(b"".join(parts))')
        self._line("    parts.clear()")
        self._line(f"    chunks.append({data})")
        self._line("else:")
        self._line(f"    write({data})")

    def _array(self, field: WireField, value: str) -> None:
        items, count = self._name(field.name), self._name("count")
        size = f"len({items}){' + 1' if self._flexible else ''}"
        null = 0 if self._flexible else -1
        self._line(f"{items} = {value}")
        self._line(f"{count} = {f'{null} if {items} is None else {size}' if field.is_nullable else size}")
        self._length(count, "i")
        if field.wire_type in FIXED_FORMATS:
            self._line(f"if {items}:")
            self._line(f'    write(array_packer("{FIXED_FORMATS[field.wire_type]}", len({items}))(*{items}))')
            return
        item = self._name("item")
        self._line(f"for {item} in {items}{' or ()' if field.is_nullable else ''}:")
        with self._indented():
            self._field(field.item(), item)
            self._flush()

    def _length(self, length: str, classic_format: str) -> None:
        """End the run with a length or count: a compact one is nearly always a single byte."""
        if not self._flexible:
            self._run.append((classic_format, length))
            self._flush()
            return
        run = self._run
        self._line(f"if {length} < 128:")
        with self._indented():
            self._run = [*run, ("B", length)]
            self._flush()
        self._line("else:")
        with self._indented():
            self._run = run
            self._flush()
            self._line(f"write(uvarint({length}))")

    def _tags(self, struct_type: type[Fields], tagged: list[WireField], variable: str) -> None:
        """The section that ends each flexible struct: only fields that differ from their default are in it."""
        if not tagged:
            self._run.append(("B", "0"))
            return
        values, conditions = {}, {}
        for field in tagged:
            value = values[field.name] = self._name(field.name)
            self._line(f"{value} = {variable}.{field.name}")
            conditions[field.name] = self._is_default(struct_type, field, value)
        run, sections = self._run, self._name("sections")
        self._line("if " + " and ".join(conditions.values()) + ":")
        with self._indented():
            self._run = [*run, ("B", "0")]
            self._flush()
        self._line("else:")
        with self._indented():
            self._run = run
            self._flush()
            self._line(f"{sections} = []")
            for field in tagged:
                self._line(f"if not ({conditions[field.name]}):")
                with self._indented():
                    self._tagged_field(field, values[field.name], sections)
            self._line(f"write(uvarint(len({sections})))")
            self._line(f"parts += {sections}")

    def _tagged_field(self, field: WireField, value: str, sections: str) -> None:
        """One tagged field, encoded apart because its size comes first, then added to the sections."""
        outer_parts, outer_write, section = self._name("parts"), self._name("write"), self._name("section")
        self._line(f"{outer_parts}, {outer_write} = parts, write")
        self._line("parts = []")
        self._line("write = parts.append")
        self._field(field, value)
        self._flush()
        self._line(f'{section} = b"".join(parts)')
        self._line(f"parts, write = {outer_parts}, {outer_write}")
        self._line(f"{sections}.append(uvarint({field.tag}) + uvarint(len({section})) + {section})")

    def _is_default(self, struct_type: type[Fields], field: WireField, value: str) -> str:
        """The condition under which a tagged field stays out. A struct does so as None or with all its defaults."""
        if field.struct is not None and not field.is_array and not field.is_nullable:
            default = self._name("default")
            self.namespace[default] = field.struct()
            return f"({value} is None or {value} == {default})"
        default = default_source(struct_type, field.name)
        if default == "None":
            return f"{value} is None"
        return f"not {value}" if default == "[]" and not field.is_nullable else f"{value} == {default}"

    def _flush(self) -> None:
        """The one call that packs all fields of the run."""
        if not self._run:
            return
        format_ = self._run_format()
        values = [value for _, value in self._run]
        if all(value.lstrip("-").isdigit() for value in values):
            self._line(f"write({struct.pack(format_, *map(int, values))!r})")
        else:
            packer = "pack_" + format_[1:].replace("?", "o")
            self.namespace[packer] = struct.Struct(format_).pack
            self._line(f"write({packer}({', '.join(values)}))")
        self._run = []


@lru_cache(maxsize=512)
def array_packer(item_format: str, count: int) -> Callable[..., bytes]:
    """The function that packs `count` items of fixed width."""
    return struct.Struct(f">{count}{item_format}" if item_format != "16s" else ">" + "16s" * count).pack
