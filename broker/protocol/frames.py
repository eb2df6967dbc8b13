"""Frames: an int32 size, a header, a message body. Both ends of the connection are here.

Frames are handed in without their size and handed out with it.
"""

from struct import Struct as Layout
from struct import error as LayoutError  # noqa: N812  it is an exception of the struct module
from typing import Final

from msgspec import Struct

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import decode, encode, encode_into, response_type
from broker.protocol.messages import FLEXIBLE_FROM, NEVER
from broker.protocol.primitives import DecodeError, Message, skip_tags

SIZE_BYTES: Final = 4

_request_header: Final = Layout(">hhih")
_size_and_request_header: Final = Layout(">ihhih")
_size_and_correlation: Final = Layout(">ii")
_correlation: Final = Layout(">i")


class RequestHeader(Struct, frozen=True, gc=False):
    """What precedes a request's body; `body_at` is where in the frame the body starts.

    The key and version are as the client sent them and may be unknown to us.
    """

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body_at: int


def decode_request_header(frame: bytes | memoryview) -> RequestHeader:
    """Read request header v1, or v2 (with tagged fields) before a flexible version. Raises DecodeError.

    The client id has an int16 length in both.
    """
    try:
        api_key, api_version, correlation_id, length = _request_header.unpack_from(frame)
        at = 10
        client_id = None
        if length >= 0:
            at += length
            client_id = str(frame[10:at], "utf-8")
        if api_version >= FLEXIBLE_FROM.get(api_key, NEVER):
            at = skip_tags(frame, at + 1, frame[at])
    except (LayoutError, IndexError, UnicodeDecodeError) as error:
        raise DecodeError(f"request header: {error}") from error
    if at > len(frame) or length < -1:
        raise DecodeError("request header is cut short or its client id has a negative length")
    return RequestHeader(api_key, api_version, correlation_id, client_id, at)


def request_frame(api_key: int, version: int, correlation_id: int, client_id: str | None, message: Message) -> bytes:
    """A whole request, size included."""
    client = b"" if client_id is None else client_id.encode()
    client_length = -1 if client_id is None else len(client)
    tags = b"\0" if version >= FLEXIBLE_FROM[api_key] else b""
    body = encode(message, version)
    size = _request_header.size + len(client) + len(tags) + len(body)
    return b"".join(
        (_size_and_request_header.pack(size, api_key, version, correlation_id, client_length), client, tags, body)
    )


def response_frame(api_key: int, version: int, correlation_id: int, message: Message) -> list[bytes | memoryview]:
    """A whole response, size included, as chunks to be sent one after the other; large records stay uncopied."""
    flexible = api_key != ApiKey.API_VERSIONS and version >= FLEXIBLE_FROM[api_key]
    chunks: list[bytes | memoryview] = [b""]
    encode_into(message, version, chunks)
    size = sum(map(len, chunks)) + 4 + flexible
    header = _size_and_correlation.pack(size, correlation_id)
    chunks[0] = header + b"\0" if flexible else header
    return chunks


def decode_response(api_key: int, version: int, frame: bytes | memoryview) -> tuple[int, Message]:
    """The correlation id and the message of a response. Raises DecodeError."""
    at = 4
    try:
        (correlation_id,) = _correlation.unpack_from(frame)
        if api_key != ApiKey.API_VERSIONS and version >= FLEXIBLE_FROM[api_key]:
            at = skip_tags(frame, at + 1, frame[at])
    except (LayoutError, IndexError) as error:
        raise DecodeError(f"response header: {error}") from error
    return correlation_id, decode(response_type(api_key), version, frame, at)
