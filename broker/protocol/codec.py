"""Messages to bytes and back, for every API and version of Kafka 4.3.

The codec of a (message type, version) is compiled from the type's SCHEMA on first use and kept (see
`compile_decoder`, `compile_encoder`). Fields that a version lacks are left out when encoding and have their defaults
after decoding.
"""

from importlib import import_module
from typing import TypeVar, cast

from broker.protocol.api_keys import ApiKey
from broker.protocol.compile_decoder import Decoder, compile_decoder
from broker.protocol.compile_encoder import Encoder, compile_encoder
from broker.protocol.messages import API_MESSAGES, FLEXIBLE_FROM, NEVER
from broker.protocol.primitives import DecodeError, EncodeError, Message

__all__ = [
    "DecodeError",
    "EncodeError",
    "decode",
    "decoder",
    "encode",
    "encode_into",
    "encoder",
    "flexible",
    "request_header_version",
    "request_type",
    "response_header_version",
    "response_type",
]

MessageT = TypeVar("MessageT", bound=Message)


def decode(message_type: type[MessageT], version: int, data: bytes | memoryview, at: int = 0) -> MessageT:
    """Read a message body that starts at `at`.

    Record fields are memoryview slices of `data`, not copies: whoever keeps records of a buffer that will be reused
    must copy them. All else is copied. Bytes after the message are ignored, as Kafka does.
    Raises DecodeError for bytes that are no such message; time and memory stay in proportion to `data`.
    """
    decode_body = message_type.DECODERS.get(version) or decoder(message_type, version)
    message: MessageT = decode_body(data if type(data) is memoryview else memoryview(data), at)
    return message


def encode(message: Message, version: int) -> bytes:
    """The message as bytes. Raises EncodeError for null in a field that cannot be null, or a number out of range."""
    chunks: list[bytes | memoryview] = []
    message_type = type(message)
    (message_type.ENCODERS.get(version) or encoder(message_type, version))(message, chunks)
    return bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)


def encode_into(message: Message, version: int, chunks: list[bytes | memoryview]) -> None:
    """Append the encoded message to `chunks`; large record fields become chunks of their own, uncopied."""
    message_type = type(message)
    (message_type.ENCODERS.get(version) or encoder(message_type, version))(message, chunks)


def decoder(message_type: type[Message], version: int) -> Decoder:
    """The compiled function behind `decode`: (memoryview, at) -> message. For callers that keep it at hand."""
    found = message_type.DECODERS.get(version)
    if found is None:
        _check_version(message_type, version)
        found = message_type.DECODERS[version] = compile_decoder(message_type, version)
    return found


def encoder(message_type: type[Message], version: int) -> Encoder:
    """The compiled function behind `encode_into`: (message, chunks) -> None."""
    found = message_type.ENCODERS.get(version)
    if found is None:
        _check_version(message_type, version)
        found = message_type.ENCODERS[version] = compile_encoder(message_type, version)
    return found


def request_type(api_key: int) -> type[Message]:
    """The class of an API's requests. Raises KeyError for a key that clients do not use."""
    module, request, _ = API_MESSAGES[api_key]
    return cast(type[Message], getattr(import_module(f"broker.protocol.messages.{module}"), request))


def response_type(api_key: int) -> type[Message]:
    """The class of an API's responses. Raises KeyError for a key that clients do not use."""
    module, _, response = API_MESSAGES[api_key]
    return cast(type[Message], getattr(import_module(f"broker.protocol.messages.{module}"), response))


def flexible(api_key: int, version: int) -> bool:
    """Whether the version uses compact lengths and tagged fields (KIP-482). False for keys unknown to clients."""
    return version >= FLEXIBLE_FROM.get(api_key, NEVER)


def request_header_version(api_key: int, version: int) -> int:
    """2 (with tagged fields) for flexible versions, else 1."""
    return 2 if flexible(api_key, version) else 1


def response_header_version(api_key: int, version: int) -> int:
    """1 (with tagged fields) for flexible versions, else 0.

    Always 0 for ApiVersions: a client that asked in an unknown version must be able to read the answer (KIP-511).
    """
    return 1 if api_key != ApiKey.API_VERSIONS and flexible(api_key, version) else 0


def _check_version(message_type: type[Message], version: int) -> None:
    if version not in message_type.VERSIONS:
        raise ValueError(f"{message_type.__name__} has no version {version}")
