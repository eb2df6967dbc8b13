"""The topic: what stands in it, other writers, restarts."""

import json

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from app.registry.settings import RegistrySettings
from tests.conftest import wait_until
from tests.integration.registry.running_registry import RunningRegistry, running_registry

RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}


def read_all(bootstrap_servers: str, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Every record of the topic, by librdkafka."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "reader", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[bytes | None, bytes | None]] = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.append((message.key(), message.value()))
    consumer.close()
    return found


def create_topic(bootstrap_servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)


def write(bootstrap_servers: str, topic: str, *records: tuple[str, object]) -> None:
    """Records as somebody else writes them; None is a tombstone, bytes are written as they are."""
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    for key, value in records:
        shown = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        producer.produce(topic, key=key.encode(), value=shown, partition=0)
    assert producer.flush(10) == 0


def test_records_are_those_of_the_original(
    registry: RunningRegistry, bootstrap_servers: str, settings: RegistrySettings
) -> None:
    registry.register("s", RECORD)
    registry.http.put("/config/s", json={"compatibility": "FULL"})
    registry.http.put("/mode/s", json={"mode": "READWRITE"})
    registry.http.delete("/subjects/s")
    registry.http.delete("/subjects/s?permanent=true")
    text = json.dumps(json.dumps(RECORD, separators=(",", ":")))
    schema_key = b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    config_key, mode_key = (b'{"keytype":"%s","subject":"s","magic":0}' % name for name in (b"CONFIG", b"MODE"))
    assert read_all(bootstrap_servers, settings.kafkastore_topic) == [
        (schema_key, f'{{"subject":"s","version":1,"id":1,"schema":{text},"deleted":false}}'.encode()),
        (config_key, b'{"compatibilityLevel":"FULL","subject":"s"}'),
        (mode_key, b'{"mode":"READWRITE","subject":"s"}'),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}', b'{"subject":"s","version":1}'),
        (schema_key, None),
        (mode_key, None),
        (config_key, None),
    ]


def test_a_topic_of_the_original_is_read(bootstrap_servers: str, settings: RegistrySettings) -> None:
    topic = settings.kafkastore_topic
    create_topic(bootstrap_servers, topic)

    def schema(subject: str, version: int, schema_id: int, text: str, **more: object) -> tuple[str, object]:
        key = f'{{"keytype":"SCHEMA","subject":"{subject}","version":{version},"magic":1}}'
        value = {"subject": subject, "version": version, "id": schema_id, "schema": text, "deleted": False, **more}
        return key, value

    write(
        bootstrap_servers,
        topic,
        ('{"keytype":"NOOP","magic":0}', None),
        ('{"keytype":"CONFIG","subject":null,"magic":0}', {"subject": None, "compatibilityLevel": "NONE"}),
        ('{"keytype":"MODE","magic":0}', {"subject": None, "mode": "READWRITE"}),
        schema("a", 1, 3, '"int"', md5="unused", futureField={"x": 1}),
        schema("a", 2, 9, '"long"', deleted=True),
        schema("b", 1, 3, '"int"'),
        schema("c", 1, 10, '"string"'),
        schema("c", 2, 11, '"bytes"'),
        ('{"keytype":"DELETE_SUBJECT","subject":"c","magic":0}', {"subject": "c", "version": 1}),
        schema("d", 1, 12, '"float"'),
        ('{"keytype":"SCHEMA","subject":"d","version":1,"magic":1}', None),
        (
            '{"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0}',
            {"tenant": "default", "context": ".ctx"},
        ),
        schema(":.ctx:e", 1, 1, "{}", schemaType="JSON"),
        ('{"keytype":"ASSOC","resource":"r","magic":0}', {"x": 1}),
        ("no json at all", b"{"),
        ('{"keytype":"SCHEMA","subject":"f","version":1,"magic":1}', b'{"subject":"f","id":"x"}'),
    )
    with running_registry(bootstrap_servers, settings) as registry:
        assert registry.get("/subjects") == [":.ctx:e", "a", "b", "c"]
        assert registry.get("/subjects/a/versions?deleted=true") == [1, 2]
        assert registry.get("/subjects/c/versions") == [2]
        assert registry.get("/schemas/ids/3/subjects") == ["a", "b"]
        assert registry.get("/config") == {"compatibilityLevel": "NONE"}
        assert registry.get("/contexts") == [".", ".ctx"]
        assert [one.offset for one in registry.service.store.skipped] == [14, 15]
        assert registry.service.store.view.unknown_keytypes == {"ASSOC": 1}
        assert registry.register("g", RECORD)["id"] == 13


def test_a_registry_moves_with_its_topic(
    registry: RunningRegistry, bootstrap_servers: str, settings: RegistrySettings
) -> None:
    """As a mirror copies it: every record in its order, tombstones too."""
    registry.register("s", RECORD)
    registry.register("gone", ["null", "int"])
    registry.register(":.eu:s", RECORD)
    registry.http.put("/config/s", json={"compatibility": "FULL"})
    registry.http.delete("/subjects/gone")
    registry.http.delete("/subjects/gone?permanent=true")
    records = read_all(bootstrap_servers, settings.kafkastore_topic)
    moved = RegistrySettings(kafkastore_topic=f"{settings.kafkastore_topic}-moved")
    create_topic(bootstrap_servers, moved.kafkastore_topic)
    write(bootstrap_servers, moved.kafkastore_topic, *((key.decode(), value) for key, value in records if key))
    with running_registry(bootstrap_servers, moved) as other:
        for path in ("/subjects?deleted=true", "/contexts", "/config/s", "/schemas/ids/1", "/schemas/ids/1/subjects"):
            assert other.get(path) == registry.get(path), path
        assert [one["guid"] for one in other.get("/schemas")] == [one["guid"] for one in registry.get("/schemas")]
        assert other.register("next", ["null", "long"])["id"] == registry.register("next", ["null", "long"])["id"]


def test_what_another_writer_adds_appears(
    registry: RunningRegistry, bootstrap_servers: str, settings: RegistrySettings
) -> None:
    registry.register("s", RECORD)
    key = '{"keytype":"SCHEMA","subject":"theirs","version":1,"magic":1}'
    value = {"subject": "theirs", "version": 1, "id": 40, "schema": '"int"', "deleted": False}
    write(bootstrap_servers, settings.kafkastore_topic, (key, value))
    wait_until(lambda: registry.get("/subjects") == ["s", "theirs"])
    assert registry.register("t", ["null", "int"])["id"] == 41


def test_a_restart_finds_everything(bootstrap_servers: str, settings: RegistrySettings) -> None:
    with running_registry(bootstrap_servers, settings) as registry:
        before = [registry.register(f"s{number}", {**RECORD, "name": f"R{number}"}) for number in range(20)]
        registry.http.delete("/subjects/s3")
    with running_registry(bootstrap_servers, settings) as registry:
        after = [registry.get(f"/subjects/s{number}/versions/1?deleted=true") for number in range(20)]
        assert [one["id"] for one in after] == [one["id"] for one in before]
        assert "s3" not in registry.get("/subjects")
        assert registry.register("next", RECORD)["id"] == 21
