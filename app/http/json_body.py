"""JSON bodies in and out, by msgspec: unknown fields are ignored, errors become 400 with the place that is wrong."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.http.errors import BadRequest, MalformedJson
from app.http.exchange import Request, Response
from app.http.media_types import JSON, parse_content_type

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body as the decoder's type. Raises MalformedJson, and BadRequest for values of the wrong kind."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Bad Request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"Malformed JSON: {error}") from error


def compact(body: bytes) -> bytes:
    """The same JSON without insignificant whitespace, as UTF-8 that is known to be valid.

    Done before decoding into `msgspec.Raw`, whose bytes are then what goes to Kafka: numbers and escapes stay as the
    client wrote them, so that no precision is lost. A lone surrogate escape is no character and therefore malformed.
    Raises MalformedJson.
    """
    try:
        if not body.isascii():
            body.decode()
        if b" " in body or b"\n" in body or b"\t" in body or b"\r" in body:
            body = msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"Malformed JSON: {error}") from error
    return body


async def read_utf8(request: Request[Any]) -> bytes:
    """The whole body as UTF-8; v3 also takes ISO-8859-1 when the content type says so."""
    return to_utf8(await request.body(), request.headers)


def to_utf8(body: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    charset = charset_of(headers)
    return body if charset == "utf-8" or body.isascii() else body.decode("latin-1").encode()


def charset_of(headers: Mapping[bytes, bytes]) -> str:
    """'utf-8' or 'iso-8859-1'. Raises BadRequest for another charset."""
    charset = parse_content_type(headers.get(b"content-type", b"")).charset or "utf-8"
    if charset not in ("utf-8", "iso-8859-1"):
        raise BadRequest(f"Charset {charset} is not supported; UTF-8 and ISO-8859-1 are")
    return charset


_encoder = msgspec.json.Encoder()
encode = _encoder.encode


def answer(request: Request[Any], value: object, *, status: int = 200) -> Response:
    """A JSON answer in the type that was negotiated."""
    return Response(status, encode(value), request.media_type or JSON)


def no_content() -> Response:
    return Response(204)
