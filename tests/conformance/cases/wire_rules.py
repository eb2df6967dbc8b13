"""Wire rules: frames, headers, versions, tags, and what a client gets that breaks them."""

import struct

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import encode, request_type
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.primitives import encode_uvarint
from tests.conformance.asking import CLOSED, Side, built
from tests.conformance.table import Table
from tests.integration.broker.wire_client import batch

TABLE = Table("wire")
TOPIC = "wi-wire"

TELEMETRY = "GetTelemetrySubscriptions closes the connection, because it is not advertised; Kafka answers."
LENGTHS = "A length below -1 closes the connection, because it is no null; Kafka takes it for one."
LETTERS = (
    "Bytes that are no UTF-8 close the connection, because Kafka reads them as U+FFFD and takes several names for one."
)

SERVED = {
    ApiKey.PRODUCE: 13,
    ApiKey.FETCH: 18,
    ApiKey.LIST_OFFSETS: 11,
    ApiKey.METADATA: 13,
    ApiKey.OFFSET_COMMIT: 10,
    ApiKey.OFFSET_FETCH: 10,
    ApiKey.FIND_COORDINATOR: 6,
    ApiKey.JOIN_GROUP: 9,
    ApiKey.CREATE_TOPICS: 7,
    ApiKey.DESCRIBE_CLUSTER: 2,
    ApiKey.CONSUMER_GROUP_HEARTBEAT: 1,
}


def prepare(at: Side) -> None:
    at.topic(TOPIC)


def closes(at: Side, data: bytes) -> str:
    """What comes back for these bytes on a fresh connection: CLOSED, or the answer's bytes."""
    with at.connection() as wire:
        wire.socket.sendall(data)
        return CLOSED if wire.is_closed_without_answer() else "answered"


def sized(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


for _size in (0, -1, -5, -(2**31), 2**31 - 1, 200 << 20, 100 * 1024 * 1024 + 1, 0x47455420):
    TABLE.case(f"a frame of {_size} bytes")(
        lambda at, size=_size: closes(at, struct.pack(">i", size) + b"x" * 40)  # type: ignore[misc]
    )
TABLE.case("HTTP")(lambda at: closes(at, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
TABLE.case("a TLS hello")(lambda at: closes(at, bytes.fromhex("1603010200010001fc0303") + bytes(500)))
TABLE.case("a header cut short")(lambda at: closes(at, sized(b"\0\x03\0\x0c\0\0")))
TABLE.case("a client id of negative length")(lambda at: closes(at, sized(struct.pack(">hhih", 3, 1, 7, -2))))
TABLE.case("a client id longer than the frame")(lambda at: closes(at, sized(struct.pack(">hhih", 3, 1, 7, 900))))


@TABLE.case("no client id at all is fine")
def _(at: Side) -> str:
    return closes(at, sized(struct.pack(">hhih", 3, 1, 7, -1) + struct.pack(">i", 0)))


for _key in (-1, 4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 71, 72, 73, 82, 93, 999, 32_767):
    TABLE.case(f"API key {_key}", differs=TELEMETRY if _key == 71 else None)(
        lambda at, key=_key: closes(at, sized(struct.pack(">hhih", key, 0, 7, -1) + bytes(20)))  # type: ignore[misc]
    )
for _api, _last in SERVED.items():
    for _version in (_last + 1, 32_767):
        TABLE.case(f"{_api.name} v{_version}")(
            lambda at, key=_api, version=_version: at.send_body(key, version, bytes(40), is_flexible=True)  # type: ignore[misc]
        )
for _api, _version in ((ApiKey.PRODUCE, 2), (ApiKey.FETCH, 3), (ApiKey.LIST_OFFSETS, 0), (ApiKey.CREATE_TOPICS, 1)):
    TABLE.case(f"{_api.name} v{_version}, gone since 4.0")(
        lambda at, key=_api, version=_version: at.send_body(key, version, bytes(40), is_flexible=False)  # type: ignore[misc]
    )
TABLE.case("a body that cannot be decoded")(lambda at: at.send_body(3, 12, b"\xff\xff\xff\xff\x0f" * 4))
TABLE.case("an array longer than the frame")(lambda at: at.send_body(3, 12, encode_uvarint(1000) + bytes(10)))
TABLE.case("an array of negative length that is not null", differs=LENGTHS)(
    lambda at: closes(at, sized(struct.pack(">hhihi", 3, 1, 7, -1, -2)))
)
TABLE.case("null where null is not allowed")(
    lambda at: at.send_body(19, 5, b"\0" + struct.pack(">i?", 1, False) + b"\0")
)
TABLE.case("a topic name that is not UTF-8", differs=LETTERS)(
    lambda at: closes(at, sized(struct.pack(">hhihih", 3, 1, 7, -1, 1, 2) + b"\xff\xfe"))
)


@TABLE.case("unknown tags in header and body are skipped")
def _(at: Side) -> str:
    body = encode(built(request_type(ApiKey.DESCRIBE_CLUSTER), {}), 0)
    tags = b"\2\x63\3abc\x7f\0"
    header = struct.pack(">hhih", ApiKey.DESCRIBE_CLUSTER, 0, 7, 4) + b"wire" + tags
    return closes(at, sized(header + body[:-1] + tags))


@TABLE.case("bytes behind the message are ignored")
def _(at: Side) -> str:
    body = encode(MetadataRequest(topics=[]), 12)
    return closes(at, sized(struct.pack(">hhih", 3, 12, 7, 4) + b"wire\0" + body + b"rest"))


for _version in (5, 99, 32_767):
    TABLE.case(f"ApiVersions v{_version} is answered in v0")(
        lambda at, version=_version: at.send_body(18, version, b"\2x\0021\0", is_flexible=True)  # type: ignore[misc]
    )
TABLE.case("ApiVersions of a negative version")(lambda at: at.send_body(18, 0xFFFF, b"\2x\0021\0", is_flexible=False))
for _name, _software in {"-": "1", "a b": "1", "ok": "v 1", "": "1", "x": "", "x" * 300: "1", "é": "1"}.items():
    TABLE.case(f"ApiVersions of the client software {_name[:9]!r} {_software!r}")(
        lambda at, name=_name, version=_software: (
            at.raw(  # type: ignore[misc]
                ApiKey.API_VERSIONS, 3, client_software_name=name, client_software_version=version
            ).error_code
        )
    )


@TABLE.case("the features in ApiVersions v3 and v4")
def _(at: Side) -> object:
    asked = {"client_software_name": "t", "client_software_version": "1"}
    shown = []
    for version in (0, 3, 4):
        answer = at.raw(ApiKey.API_VERSIONS, version, **asked)
        hidden = {"share.version", "streams.version", "kraft.version", "eligible.leader.replicas.version"}
        supported = [(each.name, each.min_version, each.max_version) for each in answer.supported_features]
        shown.append([sorted(each for each in supported if each[0] not in hidden), answer.error_code])
    return shown


def produce_without_acks(at: Side, topic: str, partition: int = 0) -> object:
    """What an erroneous Produce with acks=0 does to its connection, seen by a Metadata request behind it."""
    data = [{"index": partition, "records": bytes(batch(b"x"))}]
    with at.connection() as wire:
        produce = built(
            request_type(ApiKey.PRODUCE),
            {"acks": 0, "timeout_ms": 1000, "topic_data": [{"name": topic, "partition_data": data}]},
        )
        wire.send(produce, 9)
        try:
            return at.common(wire.ask(MetadataRequest(topics=[]), 12)).get("error_code", 0)
        except (EOFError, OSError):
            return CLOSED


TABLE.case("acks=0 has no answer")(lambda at: produce_without_acks(at, TOPIC))
TABLE.case("acks=0 to an unknown topic closes the connection")(lambda at: produce_without_acks(at, "wi-unknown"))
TABLE.case("acks=0 to an unknown partition closes the connection")(lambda at: produce_without_acks(at, TOPIC, 9))
