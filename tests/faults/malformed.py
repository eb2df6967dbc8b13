"""Bytes that no Kafka client sends: what a port scanner, a broken client or an attacker might.

`Frame.is_refused` says that the broker must close the connection; of others only that nothing breaks is asked.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cramjam
from crc32c import crc32c

import broker.handlers  # noqa: F401  fills the table of served APIs
from broker.dispatch import served_apis
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import encode, flexible, request_type
from broker.protocol.compile_decoder import REQUEST_ARRAY_ITEMS_MAX
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.primitives import Fields, encode_uvarint
from broker.protocol.record_batch import Record, build_batch
from broker.protocol.schema import WireField, fields_of

TOPICS = ("fuzzed", "fuzzed-too", "compacted")
FRAME_BYTES_MAX = 100 * 1024 * 1024
HUGE_COUNT = 2**31 - 1
MANY_TAGS = 100_000
TOO_MANY_ITEMS = REQUEST_ARRAY_ITEMS_MAX + 1


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes to send on a fresh connection, and what they are."""

    kind: str
    data: bytes
    is_refused: bool = False


def sized(body: bytes) -> bytes:
    """A frame as it goes over the wire."""
    return struct.pack(">i", len(body)) + body


def request(api_key: int, version: int, body: bytes, *, client_id: bytes = b"fuzz", tags: bytes = b"\0") -> bytes:
    """A request's frame with exactly this body."""
    header = struct.pack(">hhih", api_key, version, 7, len(client_id)) + client_id
    return sized(header + (tags if flexible(api_key, version) else b"") + body)


def refused_frames(chance: random.Random) -> Iterator[Frame]:
    """One of each kind of frame that cannot be answered."""
    for size in (-1, -(2**31), 0, 1, 9, FRAME_BYTES_MAX + 1, HUGE_COUNT):
        yield Frame(f"size {size}", struct.pack(">i", size) + bytes(20), is_refused=True)
    yield Frame("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", is_refused=True)
    yield Frame("TLS", bytes.fromhex("1603010200010001fc0303") + chance.randbytes(500), is_refused=True)
    yield Frame("SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", is_refused=True)
    for key in (-1, 4, 93, 9_999, 32_767):
        yield Frame(f"API key {key}", sized(struct.pack(">hhih", key, 0, 1, -1)), is_refused=True)
    for key, api in served_apis.items():
        if key is not ApiKey.API_VERSIONS:
            for version in (-1, api.versions[-1] + 1, 32_767):
                yield Frame(f"{key.name} v{version}", request(key, version, bytes(20)), is_refused=True)
    yield from _impossible_counts()
    yield from _impossible_tags()
    for text in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"a\x80"):
        body = struct.pack(">ih", 1, len(text)) + text
        yield Frame("topic not UTF-8", request(ApiKey.METADATA, 1, body), is_refused=True)
        body = encode(MetadataRequest(), 1)
        yield Frame("client not UTF-8", request(ApiKey.METADATA, 1, body, client_id=text), is_refused=True)


def _impossible_counts() -> Iterator[Frame]:
    for api_key, before in _ARRAYS_FIRST:
        for version in served_apis[api_key].versions:
            for count in (HUGE_COUNT, 1_000_000, -2):
                if flexible(api_key, version):
                    body = before(version) + encode_uvarint((count + 1) & 0xFFFF_FFFF)
                else:
                    body = before(version) + struct.pack(">i", count)
                yield Frame(f"{api_key.name} v{version} with {count} items", request(api_key, version, body), True)
    for length in (HUGE_COUNT, 0xFFFF_FFFF):
        body = encode_uvarint(2) + bytes(16) + encode_uvarint(length)
        yield Frame("topic of 2 GB", request(ApiKey.METADATA, 12, body), is_refused=True)
    empty_names = encode_uvarint(TOO_MANY_ITEMS + 1) + b"\1" * TOO_MANY_ITEMS + b"\0\0"
    yield Frame("too many groups", request(ApiKey.DESCRIBE_GROUPS, 5, empty_names), is_refused=True)
    for overlong in (b"\xff\xff\xff\xff\xff\x01", b"\xff" * 10, b"\xff\xff\xff\xff\x7f", b"\x80" * 5):
        yield Frame("uvarint overflow", request(ApiKey.METADATA, 12, overlong + bytes(40)), is_refused=True)


def _impossible_tags() -> Iterator[Frame]:
    body = encode(MetadataRequest(), 12)
    unfinished = encode_uvarint(MANY_TAGS)
    for tags in (b"\xff" * 6, unfinished, encode_uvarint(1) + encode_uvarint(0) + encode_uvarint(HUGE_COUNT)):
        yield Frame("header tags", request(ApiKey.METADATA, 12, body, tags=tags), is_refused=True)
        yield Frame("body tags", request(ApiKey.METADATA, 12, body[:-1] + tags), is_refused=True)


_ARRAYS_FIRST = (
    (ApiKey.METADATA, lambda version: b""),
    (ApiKey.CREATE_TOPICS, lambda version: b""),
    (ApiKey.DESCRIBE_GROUPS, lambda version: b""),
    (ApiKey.DELETE_GROUPS, lambda version: b""),
    (ApiKey.DELETE_RECORDS, lambda version: b""),
    (ApiKey.CREATE_PARTITIONS, lambda version: b""),
    (ApiKey.DESCRIBE_CONFIGS, lambda version: b""),
    (ApiKey.LIST_OFFSETS, lambda version: struct.pack(">i", -1) + (b"\0" if version >= 2 else b"")),
    (ApiKey.OFFSET_FOR_LEADER_EPOCH, lambda version: struct.pack(">i", -1) if version >= 3 else b""),
)
"""APIs with an array near the start, and the bytes before it."""


def valid_requests(chance: random.Random) -> Iterator[Frame]:
    """A plausible request of every served API in every version: well-formed, not always sensible."""
    for key, api in served_apis.items():
        for version in api.versions:
            yield valid_request(key, version, chance)


def valid_request(key: ApiKey, version: int, chance: random.Random) -> Frame:
    body = encode(_filled(request_type(key), version, chance), version)  # type: ignore[arg-type]
    return Frame(f"{key.name} v{version}", request(key, version, body))


def cut_short(frame: Frame, chance: random.Random) -> Frame:
    """The request without its last bytes, in a frame that says so: every field is needed, so none may be answered."""
    body = frame.data[4:]
    return Frame(f"{frame.kind} cut short", sized(body[: chance.randrange(10, len(body))]), is_refused=True)


def flipped(frame: Frame, chance: random.Random) -> Frame:
    """The request with a few bits changed, behind its length."""
    data = bytearray(frame.data)
    for _ in range(chance.choice((1, 1, 1, 2, 5, 20))):
        data[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
    # Not ApiVersions in an unknown version: that one is answered.
    return Frame(f"{frame.kind} flipped", bytes(data))


def noise(chance: random.Random) -> Frame:
    """A frame of random bytes, or random bytes with a likely API key."""
    body = chance.randbytes(chance.randrange(10, 400))
    if chance.random() < 0.7:
        key = chance.choice(list(served_apis))
        version = chance.choice(served_apis[key].versions)
        body = struct.pack(">hhih", key, version, 1, -1) + body
    return Frame("noise", sized(body))


def bombs() -> Iterator[tuple[str, bytes]]:
    """(what, record batch) whose content is small, and claims or becomes gigabytes, or is no content at all."""
    zeros = bytes(64 << 20)
    gzip_member = bytes(cramjam.gzip.compress(zeros, 9))
    lz4_frame = bytes(cramjam.lz4.compress(zeros))
    zstd_frame = bytes(cramjam.zstd.compress(zeros, 9))
    claimed_snappy = encode_uvarint(HUGE_COUNT) + b"\xfe" * 100
    xerial = b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(claimed_snappy)) + claimed_snappy
    frames = {
        "gzip, 10 GB": (1, gzip_member * 160),
        "snappy claims 2 GB": (2, claimed_snappy),
        "xerial snappy claims 2 GB": (2, xerial),
        "snappy block of -1 bytes": (2, b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, -1)),
        "lz4, 4 GB": (3, lz4_frame * 64),
        "zstd, 10 GB": (4, zstd_frame * 160),
        "zstd, not zstd": (4, b"\x28\xb5\x2f\xfd" + b"\xff" * 64),
        "gzip, not gzip": (1, b"\x1f\x8b" + b"\xff" * 64),
    }
    for what, (codec, content) in frames.items():
        yield what, _batch_of(content, codec=codec, record_count=1)
    for count in (HUGE_COUNT, 2**20):
        yield f"{count} records in 8 bytes", _batch_of(bytes(8), codec=0, record_count=count)
    for length in (b"\xff\xff\xff\xff\x0f", b"\x01", b"\xff" * 9 + b"\x01", encode_uvarint(2**31)):
        yield f"record of length {length.hex()}", _batch_of(length + bytes(20), codec=0, record_count=1)


def _batch_of(content: bytes, *, codec: int, record_count: int) -> bytes:
    """A record batch with a right checksum around any content."""
    whole = bytearray(build_batch([Record(0, 1_700_000_000_000, b"k", b"v")]))[:61] + content
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    struct.pack_into(">h", whole, 21, codec)
    struct.pack_into(">i", whole, 23, record_count - 1)
    struct.pack_into(">i", whole, 57, record_count)
    struct.pack_into(">I", whole, 17, crc32c(bytes(whole[21:])))
    return bytes(whole)


def many_tags() -> Frame:
    """A request with 100,000 unknown tagged fields, which Kafka's protocol allows (KIP-482)."""
    tags = encode_uvarint(MANY_TAGS) + b"".join(encode_uvarint(100 + at) + b"\0" for at in range(MANY_TAGS))
    body = encode(MetadataRequest(topics=[MetadataRequestTopic(name="fuzzed")]), 12)
    return Frame("100,000 tags", request(ApiKey.METADATA, 12, body[:-1] + tags, tags=tags))


def _filled(struct_type: type[Fields], version: int, chance: random.Random) -> Fields:
    """A struct with something in every field that the version has."""
    values = {}
    for field in fields_of(struct_type, version):
        if field.tag is None or chance.random() < 0.5:
            values[field.name] = _value(field, version, chance)
    return struct_type(**values)


def _value(field: WireField, version: int, chance: random.Random) -> object:
    if field.is_nullable and chance.random() < 0.1 and not (field.struct is None and not field.is_array):
        return None
    if field.is_array:
        return [_value(field.item(), version, chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    if field.struct is not None:
        return _filled(field.struct, version, chance)
    return _SIMPLE[field.wire_type](field.name, chance)


def _number(name: str, chance: random.Random) -> int:
    if name.endswith("_ms"):
        return chance.choice((0, 1, 50))  # so that little of what is valid waits
    if name == "num_partitions" or name == "count":
        return chance.choice((-1, 1, 2))
    return chance.choice((-1, 0, 0, 0, 1, 1, 2, 3))


def _string(name: str, chance: random.Random) -> str:
    if "group" in name:
        return chance.choice(("fuzzed-group", "other-group"))
    return chance.choice((*TOPICS, "retention.ms", "60000", "consumer", "range", "0", ""))


_SIMPLE = {
    "bool": lambda name, chance: chance.random() < 0.5,
    "float64": lambda name, chance: chance.random(),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), _number),
    **dict.fromkeys(("uint16", "uint32"), lambda name, chance: chance.choice((0, 1, 9092))),
    "uuid": lambda name, chance: chance.choice((bytes(16), chance.randbytes(16))),
    "string": _string,
    "bytes": lambda name, chance: chance.randbytes(chance.randrange(40)),
    "records": lambda name, chance: build_batch([Record(0, 1_700_000_000_000, b"k", b"v")]),
}
