"""REST API v2, described."""

from typing import Final

from app.rest.formats import BinaryRecord, JsonRecord
from app.rest.negotiation import V2, V2_EMBEDDED
from app.rest.openapi import answers_v2 as answers
from app.rest.openapi.described import ByMediaType, Described, Parameter, Surface

_JSON_RECORDS: Final = {"records": [{"key": "ada", "value": {"page": "/"}}]}
_SCHEMA_RECORDS: Final = {"value_schema_id": 1, "records": [{"value": {"name": "ada"}}]}
_RECORDS: Final = {
    V2_EMBEDDED["binary"]: {"records": [{"key": "YWRh", "value": "aGVsbG8="}]},
    V2_EMBEDDED["json"]: _JSON_RECORDS,
    V2_EMBEDDED["avro"]: _SCHEMA_RECORDS,
    V2_EMBEDDED["jsonschema"]: _SCHEMA_RECORDS,
    V2_EMBEDDED["protobuf"]: _SCHEMA_RECORDS,
}
_PARTITIONS: Final = {"partitions": [{"topic": "visits", "partition": 0}]}
_OFFSETS: Final = {"offsets": [{"topic": "visits", "partition": 0, "offset": 17}]}
_PRODUCED: Final = {200: answers.Produced, 401: answers.Produced, 403: answers.Produced}
_CONSUMED: Final = ByMediaType(
    dict.fromkeys((*V2_EMBEDDED.values(), V2), list[JsonRecord])
    | {V2_EMBEDDED["binary"]: list[BinaryRecord], V2: list[BinaryRecord]}
)
_INSTANCES = "/consumers/{group}/instances/{instance}"
_STATE: Final = frozenset({409})

SURFACE: Final = Surface(
    name="v2",
    description="REST API v2: records in and out, by consumer instances. Answers in application/vnd.kafka.v2+json.",
    error_media_types=(V2, "application/json"),
    operations={
        "GET /": Described("Says that the proxy is there", {200: {"type": "object"}}),
        "POST /": Described("Says that the proxy is there", {200: {"type": "object"}}, errors=frozenset({415})),
        "GET /brokers": Described("Ids of the brokers", {200: answers.Brokers}),
        "GET /topics": Described("Names of the topics", {200: list[str]}),
        "GET /topics/{topic}": Described("A topic with its configs and partitions", {200: answers.Topic}),
        "POST /topics/{topic}": Described("Append records to a topic", _PRODUCED, example=_RECORDS),
        "GET /topics/{topic}/partitions": Described("Partitions of a topic", {200: list[answers.Partition]}),
        "GET /topics/{topic}/partitions/{partition}": Described("A partition", {200: answers.Partition}),
        "POST /topics/{topic}/partitions/{partition}": Described(
            "Append records to one partition", _PRODUCED, example=_RECORDS
        ),
        "GET /topics/{topic}/partitions/{partition}/offsets": Described(
            "First and next offset of a partition", {200: answers.Offsets}
        ),
        "POST /consumers/{group}": Described(
            "Create a consumer instance in a group",
            {200: answers.Instance},
            errors=_STATE,
            body_is_optional=True,
            example={"name": "c1", "format": "json", "auto.offset.reset": "earliest"},
        ),
        f"DELETE {_INSTANCES}": Described("Leave the group and remove the instance", {204: None}),
        f"POST {_INSTANCES}/subscription": Described(
            "Subscribe to topics, by name or by pattern", {204: None}, errors=_STATE, example={"topics": ["visits"]}
        ),
        f"GET {_INSTANCES}/subscription": Described("What the instance is subscribed to", {200: answers.Subscription}),
        f"DELETE {_INSTANCES}/subscription": Described("Unsubscribe from everything", {204: None}),
        f"POST {_INSTANCES}/assignments": Described(
            "Read these partitions, without the group's doing", {204: None}, errors=_STATE, example=_PARTITIONS
        ),
        f"GET {_INSTANCES}/assignments": Described("What the instance reads", {200: answers.Assignment}),
        f"POST {_INSTANCES}/positions": Described(
            "Go to offsets, or to times", {204: None}, errors=_STATE, example=_OFFSETS
        ),
        f"POST {_INSTANCES}/positions/beginning": Described(
            "Go to the beginning of partitions", {204: None}, errors=_STATE, example=_PARTITIONS
        ),
        f"POST {_INSTANCES}/positions/end": Described(
            "Go to the end of partitions", {204: None}, errors=_STATE, example=_PARTITIONS
        ),
        f"POST {_INSTANCES}/offsets": Described(
            "Commit: these offsets, or without a body what was read",
            {200: {"type": "array", "maxItems": 0}},
            errors=_STATE,
            body_is_optional=True,
            example=_OFFSETS,
        ),
        f"GET {_INSTANCES}/offsets": Described(
            "Committed offsets of partitions",
            {200: answers.CommittedOffsets},
            parameters=(
                Parameter("topic", list[str], "Topics; one for each partition", required=True),
                Parameter("partition", list[int], "Partitions; one for each topic", required=True),
            ),
        ),
        f"GET {_INSTANCES}/records": Described(
            "The next records, in the instance's format",
            {200: _CONSUMED},
            parameters=(
                Parameter("timeout", int, "Wait no longer than this for records, in ms"),
                Parameter("max_bytes", int, "No more than this of keys and values"),
            ),
            errors=frozenset({408, 409}),
        ),
    },
)
