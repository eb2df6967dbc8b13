"""Avro payloads: Avro's binary encoding, and its JSON encoding for the eye and for HTTP.

By our own code and not by fastavro, which tests hold it against: fastavro takes 1.5 for an int and "x" for a boolean,
names no place, does not know the JSON encoding of a value alone, and a crafted payload of a recursive schema overflows
its C stack, which ends the process. Closures made once per schema are as fast.
"""

from collections.abc import Sequence

import msgspec

from app.registry.formats.avro import AvroSchema
from app.registry.payloads.avro_reader import Reader, compile_reader
from app.registry.payloads.avro_writer import Misfit, compile_writer
from app.registry.payloads.json_text import read_all
from app.schemas.ports import InvalidPayload

_encode = msgspec.json.Encoder().encode


class AvroCodec:
    """The JSON encoding is Avro's: `{"string": "x"}` in unions, bytes as ISO-8859-1, logical types as what they are
    made of. A union's value is also taken without its type where only one type can be meant."""

    def __init__(self, schema: AvroSchema) -> None:
        self._write = compile_writer(schema.root)
        self._reader: Reader = compile_reader(schema.root)

    def encode_all(self, texts: Sequence[bytes]) -> list[bytes]:
        write = self._write
        payloads = []
        for index, value in enumerate(read_all(texts)):
            payload = bytearray()
            try:
                write(value, payload)
            except Misfit as misfit:
                raise InvalidPayload(misfit.reason, misfit.pointer, index) from None
            except RecursionError:
                raise InvalidPayload("the value is nested too deeply", index=index) from None
            payloads.append(bytes(payload))
        return payloads

    def decode(self, payload: bytes) -> bytes:
        try:
            return _encode(self._reader.read(payload))
        except RecursionError:
            raise InvalidPayload("the value is nested too deeply") from None
