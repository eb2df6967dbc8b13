"""Records as these reads tell them: one JSON object each, complete, with timestamp and headers."""

import base64
from collections.abc import Callable
from typing import Final

import msgspec

from app.cluster.messages import BrowsedRecord
from app.http.errors import BadRequest

_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode
_NULL: Final = msgspec.Raw(b"null")


class Header(msgspec.Struct):
    name: str
    value: str | None
    """base64."""


class Told(msgspec.Struct, omit_defaults=True):
    """key_error and value_error say why bytes are not told in the format that was asked for; they are then base64."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: msgspec.Raw | str | None
    value: msgspec.Raw | str | None
    headers: list[Header]
    key_error: str = ""
    value_error: str = ""


Shown = tuple[msgspec.Raw | str | None, str]
Reading = Callable[[bytes | None], Shown]


def _binary(data: bytes | None) -> Shown:
    return None if data is None else base64.b64encode(data).decode(), ""


def _string(data: bytes | None) -> Shown:
    if data is None:
        return None, ""
    try:
        return data.decode(), ""
    except UnicodeDecodeError as error:
        return base64.b64encode(data).decode(), f"no UTF-8: {error.reason} at byte {error.start}"


def _json(data: bytes | None) -> Shown:
    if data is None:
        return None, ""
    try:
        if not data.isascii():
            data.decode()
        return _decode_raw(data), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return base64.b64encode(data).decode(), f"no JSON: {error}"


READINGS: Final[dict[str, Reading]] = {"binary": _binary, "string": _string, "json": _json}


def teller(topic: str, formats: str) -> Callable[[BrowsedRecord], bytes]:
    """What writes records as JSON. formats: one of READINGS, or two as `key,value`. Raises BadRequest."""
    key_format, _, value_format = formats.partition(",")
    try:
        read_key, read_value = READINGS[key_format], READINGS[value_format or key_format]
    except KeyError as error:
        raise BadRequest(f"format is {error}; it can be {', '.join(READINGS)}, or two of them as key,value") from None

    def tell(record: BrowsedRecord) -> bytes:
        (key, key_error), (value, value_error) = read_key(record.key), read_value(record.value)
        headers = [
            Header(name, None if data is None else base64.b64encode(data).decode()) for name, data in record.headers
        ]
        return _encode(
            Told(
                topic,
                record.partition,
                record.offset,
                record.timestamp_ms,
                key,
                value,
                headers,
                key_error,
                value_error,
            )
        )

    return tell
