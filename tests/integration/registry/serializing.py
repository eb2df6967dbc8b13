"""Records through a broker with confluent-kafka's serializers: one of each format, each with its own types."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import DeserializingConsumer, SerializingProducer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

AVRO_USER = (
    '{"type":"record","name":"User","namespace":"shop","fields":'
    '[{"name":"name","type":"string"},{"name":"age","type":"int"}]}'
)
JSON_USER = (
    '{"title":"shop.User","type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},'
    '"required":["name"],"additionalProperties":false}'
)
ADA = {"name": "ada lovelace", "age": 36}


def proto_classes() -> tuple[type, type]:
    """`shop.User`, and `shop.Order` of another file, which imports User's and a type that is built in."""
    pool = descriptor_pool.DescriptorPool()
    user = descriptor_pb2.FileDescriptorProto(name="shop/user.proto", package="shop", syntax="proto3")
    message = user.message_type.add(name="User")
    message.field.add(name="name", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    message.field.add(name="age", number=2, type=FieldDescriptorProto.TYPE_INT32, label=1)
    pool.Add(user)
    timestamp = descriptor_pb2.FileDescriptorProto()
    descriptor_pool.Default().FindFileByName("google/protobuf/timestamp.proto").CopyToProto(timestamp)
    pool.Add(timestamp)
    order = descriptor_pb2.FileDescriptorProto(name="shop/order.proto", package="shop", syntax="proto3")
    order.dependency.extend(["shop/user.proto", "google/protobuf/timestamp.proto"])
    order.message_type.add(name="Unused")
    message = order.message_type.add(name="Order")
    kind = FieldDescriptorProto.TYPE_MESSAGE
    message.field.add(name="buyer", number=1, type=kind, type_name=".shop.User", label=1)
    message.field.add(name="at", number=2, type=kind, type_name=".google.protobuf.Timestamp", label=1)
    pool.Add(order)
    found = [pool.FindMessageTypeByName(f"shop.{name}") for name in ("User", "Order")]
    return message_factory.GetMessageClass(found[0]), message_factory.GetMessageClass(found[1])


ProtoUser, ProtoOrder = proto_classes()


@dataclass(frozen=True)
class Format:
    """How a format is written and read: each takes a registry client and the serializer's own settings."""

    name: str
    schema: str
    value: Any
    serializer: Callable[..., Any]
    deserializer: Callable[..., Any]


FORMATS = {
    "AVRO": Format(
        "AVRO",
        AVRO_USER,
        ADA,
        lambda client, **conf: AvroSerializer(client, AVRO_USER, conf=conf),
        lambda client, **conf: AvroDeserializer(client, conf=conf or None),
    ),
    "JSON": Format(
        "JSON",
        JSON_USER,
        ADA,
        lambda client, **conf: JSONSerializer(JSON_USER, client, conf=conf),
        lambda client, **conf: JSONDeserializer(None, schema_registry_client=client, conf=conf or None),
    ),
    "PROTOBUF": Format(
        "PROTOBUF",
        "",
        ProtoUser(**ADA),
        lambda client, **conf: ProtobufSerializer(ProtoUser, client, conf={"use.deprecated.format": False, **conf}),
        lambda client, **conf: ProtobufDeserializer(ProtoUser, {"use.deprecated.format": False, **conf}, client),
    ),
}


def produce(bootstrap_servers: str, topic: str, serializer: Any, *values: Any) -> None:
    producer = SerializingProducer({"bootstrap.servers": bootstrap_servers, "value.serializer": serializer})
    failed = []
    for value in values:
        producer.produce(topic, value=value, on_delivery=lambda error, _: failed.append(error) if error else None)
    left = producer.flush(20)
    producer.close()
    assert (left, failed) == (0, [])


def consume(bootstrap_servers: str, topic: str, deserializer: Any, count: int) -> list[Any]:
    """The first values of a topic, in order."""
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"readers-of-{topic}",
            "auto.offset.reset": "earliest",
            "value.deserializer": deserializer,
        }
    )
    consumer.subscribe([topic])
    values = []
    try:
        while len(values) < count:
            message = consumer.poll(20)
            assert message is not None, f"{len(values)} of {count} came"
            assert message.error() is None
            values.append(message.value())
    finally:
        consumer.close()
    return values
