"""Schemas through the REST Proxy and confluent-kafka's serializers: what one writes the other reads."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import timestamp_pb2, type_pb2
from google.protobuf.message import Message

from tests.integration.rest.running_proxy import RunningProxy

USER = json.dumps(
    {
        "type": "record",
        "name": "User",
        "namespace": "shop",
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "age", "type": ["null", "long"], "default": None},
            {"name": "picture", "type": "bytes", "default": ""},
        ],
    }
)
JSON_USER = '{"title":"User","type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
PROTO_STAMP = """syntax = "proto3";
package google.protobuf;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }"""


def produce(proxy: RunningProxy, topic: str, embedded: str, body: object) -> dict[str, Any]:
    answer = proxy.http.post(
        f"/topics/{topic}", json=body, headers={"Content-Type": f"application/vnd.kafka.{embedded}.v2+json"}
    )
    assert answer.status_code == 200, answer.text
    produced: dict[str, Any] = answer.json()
    assert [one["error"] for one in produced["offsets"]] == [None] * len(produced["offsets"])
    return produced


def consume(proxy: RunningProxy, topic: str, count: int = 1) -> list[Any]:
    """Values and keys as librdkafka reads them."""
    consumer = Consumer(
        {"bootstrap.servers": proxy.bootstrap_servers, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    assert [message.error() for message in messages] == [None] * count
    return messages


def write(proxy: RunningProxy, topic: str, serialize: Callable[..., bytes], *values: object) -> None:
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers})
    for value in values:
        headers: list[tuple[str, bytes]] = []
        context = SerializationContext(topic, MessageField.VALUE, headers)
        data = serialize(value, context)
        producer.produce(topic, value=data, headers=context.headers or None)
    assert producer.flush(30) == 0


def read(proxy: RunningProxy, topic: str, embedded: str) -> list[object]:
    with proxy.consumer(f"g-{topic}", format=embedded) as consumer:
        consumer.subscribe(topic)
        return [record["value"] for record in consumer.read(embedded=embedded, timeout_ms=10_000)]


def deserialize(one: Any, topic: str, message: Any) -> Any:
    return one(message.value(), SerializationContext(topic, MessageField.VALUE, message.headers()))


@pytest.fixture
def registry(proxy: RunningProxy) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": proxy.url})


def test_avro_by_text_and_by_id_is_read_by_confluents_deserializer(
    proxy: RunningProxy, registry: SchemaRegistryClient, topic: str
) -> None:
    proxy.create_topic(topic)
    first = produce(
        proxy,
        topic,
        "avro",
        {
            "key_schema": '"string"',
            "value_schema": USER,
            "records": [{"key": "k", "value": {"name": "ada", "age": {"long": 36}, "picture": "\u0000\u00ff"}}],
        },
    )
    again = produce(
        proxy,
        topic,
        "avro",
        {"value_schema_id": first["value_schema_id"], "records": [{"value": {"name": "bob", "age": 7}}]},
    )
    assert again["value_schema_id"] == first["value_schema_id"]
    assert registry.get_latest_version(f"{topic}-value").schema_id == first["value_schema_id"]
    assert registry.get_latest_version(f"{topic}-key").schema_id == first["key_schema_id"]
    messages = consume(proxy, topic, 2)
    users = [deserialize(AvroDeserializer(registry), topic, message) for message in messages]
    assert users == [
        {"name": "ada", "age": 36, "picture": b"\x00\xff"},
        {"name": "bob", "age": 7, "picture": b""},
    ]
    key = AvroDeserializer(registry)(messages[0].key(), SerializationContext(topic, MessageField.KEY))
    assert key == "k"


@pytest.mark.parametrize(
    "config", [{}, {"schema.id.serializer": header_schema_id_serializer}], ids=["prefix", "header"]
)
def test_what_confluents_avro_serializer_wrote_is_read(
    proxy: RunningProxy, registry: SchemaRegistryClient, topic: str, config: dict[str, Any]
) -> None:
    proxy.create_topic(topic)
    serialize = AvroSerializer(registry, USER, conf=config or None)
    write(proxy, topic, serialize, {"name": "ada", "age": 36, "picture": b"\xff"}, {"name": "bob", "picture": b""})
    assert read(proxy, topic, "avro") == [
        {"name": "ada", "age": {"long": 36}, "picture": "\u00ff"},
        {"name": "bob", "age": None, "picture": ""},
    ]


def test_json_schema_both_ways(proxy: RunningProxy, registry: SchemaRegistryClient, topic: str) -> None:
    proxy.create_topic(topic)
    produce(proxy, topic, "jsonschema", {"value_schema": JSON_USER, "records": [{"value": {"name": "ada"}}]})
    (message,) = consume(proxy, topic)
    assert deserialize(JSONDeserializer(JSON_USER, schema_registry_client=registry), topic, message) == {"name": "ada"}
    write(proxy, topic, JSONSerializer(JSON_USER, registry), {"name": "bob"})
    assert read(proxy, topic, "jsonschema") == [{"name": "ada"}, {"name": "bob"}]


@pytest.mark.parametrize(
    "config", [{}, {"schema.id.serializer": header_schema_id_serializer}], ids=["prefix", "header"]
)
def test_protobuf_both_ways(
    proxy: RunningProxy, registry: SchemaRegistryClient, topic: str, config: dict[str, Any]
) -> None:
    """A second message of its file (Field of type.proto) has its indexes."""
    proxy.create_topic(topic)
    stamp: type[Message] = timestamp_pb2.Timestamp
    produce(
        proxy,
        topic,
        "protobuf",
        {"value_schema": PROTO_STAMP, "records": [{"value": "2026-11-23T07:30:00Z"}]},
    )
    (message,) = consume(proxy, topic)
    read_back = deserialize(ProtobufDeserializer(stamp, {"use.deprecated.format": False}), topic, message)
    assert read_back.seconds == 1795419000
    other = f"{topic}-2"
    proxy.create_topic(other)
    field = type_pb2.Field(name="x", number=2**31 - 1)
    serialize = ProtobufSerializer(type_pb2.Field, registry, {"use.deprecated.format": False, **config})
    write(proxy, other, serialize, field)
    (value,) = read(proxy, other, "protobuf")
    assert isinstance(value, dict)
    assert (value["name"], value["number"], value["kind"]) == ("x", 2**31 - 1, "TYPE_UNKNOWN")


def test_data_that_does_not_fit_writes_nothing(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    body = {"value_schema": USER, "records": [{"value": {"name": "ada"}}, {"value": {"nome": "bob"}}]}
    answer = proxy.http.post(
        f"/topics/{topic}", json=body, headers={"Content-Type": "application/vnd.kafka.avro.v2+json"}
    )
    assert answer.status_code == 400
    assert "records[1].value" in answer.json()["message"]
    offsets: httpx.Response = proxy.http.get(f"/topics/{topic}/partitions/0/offsets")
    assert offsets.json() == {"beginning_offset": 0, "end_offset": 0}


def test_wrong_schemas_are_told_in_their_receipts(proxy: RunningProxy, topic: str) -> None:
    """42205 for a schema that is none, 42207 for one that is not there; the records beside them are stored."""
    proxy.create_topic(topic)
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    for data, code in (
        ({"type": "AVRO", "schema": "no schema", "data": 1}, 42205),
        ({"type": "PROTOBUF", "schema": "message {", "data": {}}, 42205),
        ({"schema_id": 123_456, "data": 1}, 42207),
        ({"schema_version": 99, "data": 1}, 42207),
        ({"type": "AVRO", "schema": '"int"', "data": "x"}, 42207),
    ):
        answer = proxy.http.post(
            url, content=json.dumps({"value": data}) + "{}", headers={"Content-Type": "application/json"}
        )
        wrong, right = [json.loads(line) for line in answer.iter_lines() if line]
        assert (wrong["error_code"], right["error_code"]) == (422, 200), data
        assert wrong["message"].startswith(f"Error: {code} : "), wrong["message"]
