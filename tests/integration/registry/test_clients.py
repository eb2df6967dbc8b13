"""The clients that people use: confluent-kafka's registry client and serializers."""

import uuid

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.integration.registry.running_registry import RunningRegistry

USER = '{"type":"record","name":"User","fields":[{"name":"name","type":"string"},{"name":"age","type":"int"}]}'


def test_records_go_through_kafka_with_their_schema(registry: RunningRegistry, bootstrap_servers: str) -> None:
    topic = f"users-{uuid.uuid4().hex[:8]}"
    client = SchemaRegistryClient({"url": registry.url})
    context = SerializationContext(topic, MessageField.VALUE)
    serialize = AvroSerializer(client, USER)
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    producer.produce(topic, value=serialize({"name": "ada", "age": 36}, context))
    assert producer.flush(20) == 0

    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.error() is None
    value = message.value()
    assert value is not None
    assert value[:5] == b"\0\0\0\0\1"
    read = AvroDeserializer(SchemaRegistryClient({"url": registry.url}))
    assert read(value, context) == {"name": "ada", "age": 36}
    assert registry.get("/subjects") == [f"{topic}-value"]


def test_the_registry_client_finds_its_way(registry: RunningRegistry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    schema_id = client.register_schema("users/v1", Schema(USER, "AVRO"))
    assert client.get_subjects() == ["users/v1"]
    assert client.get_schema(schema_id).schema_type == "AVRO"
    assert client.lookup_schema("users/v1", Schema(USER, "AVRO")).version == 1
    assert client.get_latest_version("users/v1").schema_id == schema_id
    assert client.get_versions("users/v1") == [1]
    assert client.test_compatibility("users/v1", Schema('"int"', "AVRO")) is False
    client.set_compatibility("users/v1", "NONE")
    assert client.get_compatibility("users/v1") == "NONE"
    assert client.delete_subject("users/v1") == [1]
    with pytest.raises(SchemaRegistryError) as caught:
        SchemaRegistryClient({"url": registry.url}).get_version("users/v1", 1)
    assert (caught.value.http_status_code, caught.value.error_code) == (404, 40401)
