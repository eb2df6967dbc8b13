"""confluent-kafka's serializers, unchanged: Avro, JSON Schema and Protobuf through our broker and through Kafka."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from confluent_kafka.schema_registry import (
    AsyncSchemaRegistryClient,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    header_schema_id_serializer,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry._async.avro import AsyncAvroDeserializer, AsyncAvroSerializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from app.registry.settings import RegistrySettings
from tests.integration.registry.running_registry import RunningRegistry, running_registry
from tests.integration.registry.serializing import (
    ADA,
    AVRO_USER,
    FORMATS,
    Format,
    ProtoOrder,
    ProtoUser,
    consume,
    produce,
)

Clients: TypeAlias = Callable[..., SchemaRegistryClient]


@pytest.fixture(scope="module")
def shared(bootstrap_servers: str) -> Iterator[RunningRegistry]:
    """One registry for these tests: each has its own topic, and so its own subjects."""
    settings = RegistrySettings(kafkastore_topic=f"_schemas-{uuid.uuid4().hex[:12]}")
    with running_registry(bootstrap_servers, settings) as registry:
        yield registry


@pytest.fixture
def topic() -> str:
    return f"users-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


@pytest.fixture
def client(shared: RunningRegistry) -> Iterator[Clients]:
    """Registry clients with empty caches, as other programs would have; closed at the end."""
    opened = []

    def open_client(url: str = shared.url) -> SchemaRegistryClient:
        opened.append(SchemaRegistryClient({"url": url}))
        return opened[-1]

    yield open_client
    for one in opened:
        one.close()


def context_of(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE, [])


def test_records_come_back_as_they_were_sent(
    shared: RunningRegistry, client: Clients, bootstrap_servers: str, topic: str, kind: Format
) -> None:
    produce(bootstrap_servers, topic, kind.serializer(client()), kind.value, None, kind.value)
    read = consume(bootstrap_servers, topic, kind.deserializer(client()), 3)
    assert read == [kind.value, None, kind.value]
    registered = shared.get(f"/subjects/{topic}-value/versions/latest")
    assert (registered["version"], registered["schemaType"]) == (1, kind.name)


def test_names_of_subjects_by_topic_and_record(
    shared: RunningRegistry, client: Clients, topic: str, kind: Format
) -> None:
    for strategy, subject in [
        (None, f"{topic}-value"),
        (topic_record_subject_name_strategy, f"{topic}-shop.User"),
        (record_subject_name_strategy, "shop.User"),
    ]:
        shared.http.delete("/subjects/shop.User")  # left by another format, whose schema this one may not follow
        shared.http.delete("/subjects/shop.User?permanent=true")
        conf = {"subject.name.strategy": strategy} if strategy else {}
        written = kind.serializer(client(), **conf)(kind.value, context_of(topic))
        found = shared.get(f"/subjects/{subject}/versions/1")
        assert int.from_bytes(written[1:5], "big") == found["id"]
        assert kind.deserializer(client(), **conf)(written, context_of(topic)) == kind.value


def test_who_may_not_register_finds_what_is_there(
    shared: RunningRegistry, client: Clients, topic: str, kind: Format
) -> None:
    closed = {"auto.register.schemas": False}
    with pytest.raises(SchemaRegistryError) as caught:
        kind.serializer(client(), **closed)(kind.value, context_of(topic))
    assert (caught.value.http_status_code, caught.value.error_code) == (404, 40401)
    opened = kind.serializer(client())(kind.value, context_of(topic))
    assert kind.serializer(client(), **closed)(kind.value, context_of(topic)) == opened


def test_the_latest_version_is_used_when_asked_for(
    shared: RunningRegistry, client: Clients, topic: str, kind: Format
) -> None:
    serialize = kind.serializer(client())
    first = serialize(kind.value, context_of(topic))
    text = shared.get(f"/subjects/{topic}-value/versions/1/schema") if kind.name != "PROTOBUF" else ""
    evolved = {
        "AVRO": lambda: json.dumps({**text, "fields": [*text["fields"], {"name": "vip", "type": "int", "default": 7}]}),
        "JSON": lambda: json.dumps({**text, "properties": {**text["properties"], "vip": {"type": "boolean"}}}),
        "PROTOBUF": lambda: (
            'syntax = "proto3"; package shop; message User { string name = 1; int32 age = 2; bool vip = 3; }'
        ),
    }[kind.name]()
    latest = client().register_schema(f"{topic}-value", Schema(evolved, kind.name))
    conf = {"auto.register.schemas": False, "use.latest.version": True}
    second = kind.serializer(client(), **conf)(kind.value, context_of(topic))
    assert int.from_bytes(second[1:5], "big") == latest > int.from_bytes(first[1:5], "big")
    read = kind.deserializer(client(), **{"use.latest.version": True})
    old, new = read(first, context_of(topic)), read(second, context_of(topic))
    if kind.name == "AVRO":  # the reader's schema fills in what was not written
        assert old == new == {**ADA, "vip": 7}
    else:
        assert old == new == kind.value


def test_normalized_schemas_are_one(shared: RunningRegistry, client: Clients, topic: str) -> None:
    shuffled = '{"name":"User","namespace":"shop","fields":[{"type":"string","name":"name"}],"type":"record"}'
    ordered = '{"type":"record","namespace":"shop","name":"User","fields":[{"name":"name","type":"string"}]}'
    conf = {"normalize.schemas": True}
    written = [
        AvroSerializer(client(), text, conf=conf)({"name": "ada"}, context_of(topic)) for text in (shuffled, ordered)
    ]
    assert written[0] == written[1]
    assert shared.get(f"/subjects/{topic}-value/versions") == [1]
    closed = AvroSerializer(client(), shuffled, conf={**conf, "auto.register.schemas": False})
    assert closed({"name": "ada"}, context_of(topic)) == written[0]


def test_avro_schemas_refer_to_others(shared: RunningRegistry, client: Clients, topic: str) -> None:
    registry = client()
    registry.register_schema(f"{topic}-user", Schema(AVRO_USER, "AVRO"))
    order = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"buyer","type":"shop.User"}]}'
    schema = Schema(order, "AVRO", [SchemaReference("shop.User", f"{topic}-user", 1)])
    written = AvroSerializer(registry, schema)({"buyer": ADA}, context_of(topic))
    assert AvroDeserializer(client())(written, context_of(topic)) == {"buyer": ADA}


def test_json_schemas_refer_to_others(shared: RunningRegistry, client: Clients, topic: str) -> None:
    registry = client()
    registry.register_schema(f"{topic}-user", Schema(FORMATS["JSON"].schema, "JSON"))
    order = '{"title":"Order","type":"object","properties":{"buyer":{"$ref":"user.json"}}}'
    schema = Schema(order, "JSON", [SchemaReference("user.json", f"{topic}-user", 1)])
    serialize = JSONSerializer(schema, registry)
    written = serialize({"buyer": ADA}, context_of(topic))
    read = JSONDeserializer(None, schema_registry_client=client())
    assert read(written, context_of(topic)) == {"buyer": ADA}
    with pytest.raises(Exception, match="not of type 'string'"):
        serialize({"buyer": {"name": 1}}, context_of(topic))


def test_protobuf_files_import_others(
    shared: RunningRegistry, client: Clients, bootstrap_servers: str, topic: str
) -> None:
    order = ProtoOrder(buyer=ProtoUser(**ADA))  # type: ignore[call-arg]
    order.at.seconds = 5  # type: ignore[attr-defined]
    serialize = ProtobufSerializer(ProtoOrder, client(), {"use.deprecated.format": False})
    produce(bootstrap_servers, topic, serialize, order)
    read = ProtobufDeserializer(ProtoOrder, {"use.deprecated.format": False}, client())
    assert consume(bootstrap_servers, topic, read, 1) == [order]
    registered = shared.get(f"/subjects/{topic}-value/versions/1")
    assert registered["references"] == [{"name": "shop/user.proto", "subject": "shop/user.proto", "version": 1}]
    assert 'import "shop/user.proto";' in registered["schema"]
    # The second message of the file: one index, after the id.
    assert serialize(order, context_of(topic))[5:7] == b"\2\2"


def test_the_id_travels_in_a_header(shared: RunningRegistry, client: Clients, topic: str, kind: Format) -> None:
    context = context_of(topic)
    serialize = kind.serializer(client(), **{"schema.id.serializer": header_schema_id_serializer})
    written = serialize(kind.value, context)
    guid = shared.get(f"/subjects/{topic}-value/versions/1")["guid"]
    assert context.headers[0][0] == "__value_schema_id"
    assert context.headers[0][1][:17] == b"\1" + uuid.UUID(guid).bytes
    assert kind.deserializer(client())(written, context) == kind.value


def test_contexts_by_their_address(shared: RunningRegistry, client: Clients, topic: str, kind: Format) -> None:
    inside = f"{shared.url}/contexts/.{topic}"
    written = kind.serializer(client(inside))(kind.value, context_of(topic))
    assert written[:5] == b"\0\0\0\0\1"  # the ids of a context are its own
    assert kind.deserializer(client(inside))(written, context_of(topic)) == kind.value
    assert shared.get(f"/subjects?subjectPrefix=:.{topic}:") == [f":.{topic}:{topic}-value"]
    assert client(inside).get_versions(f"{topic}-value") == [1]


def test_an_incompatible_schema_stops_the_producer(shared: RunningRegistry, client: Clients, topic: str) -> None:
    AvroSerializer(client(), AVRO_USER)(ADA, context_of(topic))
    text = '{"type":"record","name":"User","namespace":"shop","fields":[{"name":"mail","type":"string"}]}'
    with pytest.raises(SchemaRegistryError) as caught:
        AvroSerializer(client(), text)({"mail": "a@b"}, context_of(topic))
    assert caught.value.http_status_code == 409
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in caught.value.error_message


def test_the_associated_name_strategy_falls_back(shared: RunningRegistry, client: Clients, topic: str) -> None:
    conf = {"subject.name.strategy.type": "ASSOCIATED"}
    written = AvroSerializer(client(), AVRO_USER, conf=conf)(ADA, context_of(topic))
    assert AvroDeserializer(client(), conf=conf)(written, context_of(topic)) == ADA
    assert shared.get(f"/subjects/{topic}-value/versions") == [1]


def test_the_asynchronous_serializers(shared: RunningRegistry, topic: str) -> None:
    async def round_trip() -> Any:
        conf = {"url": shared.url}
        async with AsyncSchemaRegistryClient(conf) as writers, AsyncSchemaRegistryClient(conf) as readers:
            serialize = await AsyncAvroSerializer(writers, AVRO_USER)
            read = await AsyncAvroDeserializer(readers)
            return await read(await serialize(ADA, context_of(topic)), context_of(topic))

    assert asyncio.run(round_trip()) == ADA
