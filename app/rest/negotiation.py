"""The media types of the REST Proxy's versions; how they are chosen stands in app.http.media_types."""

from app.http.media_types import JSON, MediaType, Offers, parse_content_type

__all__ = ["JSON", "MediaType", "Offers", "parse_content_type"]

V2 = "application/vnd.kafka.v2+json"
V2_EMBEDDED = {
    "binary": "application/vnd.kafka.binary.v2+json",
    "json": "application/vnd.kafka.json.v2+json",
    "avro": "application/vnd.kafka.avro.v2+json",
    "jsonschema": "application/vnd.kafka.jsonschema.v2+json",
    "protobuf": "application/vnd.kafka.protobuf.v2+json",
}
_WITHOUT_VERSION = "application/vnd.kafka+json"

# Any Kafka v2 type is fine as Accept of an answer without records: clients send their embedded type everywhere.
V2_OFFERS = Offers({V2: 1.0, JSON: 0.9, _WITHOUT_VERSION: 0.9} | dict.fromkeys(V2_EMBEDDED.values(), 0.1))
# Binary is the default format of records: `*/*`, the plain v2 type and application/json all mean it.
RECORDS_OFFERS = Offers(
    dict.fromkeys(V2_EMBEDDED.values(), 0.1) | {V2_EMBEDDED["binary"]: 1.0, V2: 0.9, JSON: 0.5, _WITHOUT_VERSION: 0.5}
)
V3_OFFERS = Offers({JSON: 1.0})

V2_CONSUMED = frozenset({V2, *V2_EMBEDDED.values()})
V2_PRODUCE_CONSUMED = frozenset(V2_EMBEDDED.values())
V3_CONSUMED = frozenset({JSON})
