"""Records with schemas: which one a key or value means, what the receipt says, what is refused."""

import json

import httpx
import pytest

from app.registry.access import InProcessSchemas
from app.registry.registry import NewSchema
from app.registry.service import RegistryService
from app.schemas.framing import write_id
from tests.memory_cluster import MemoryCluster

PATH = "/v3/clusters/c-1/topics/single/records"
USER = '{"type":"record","name":"User","namespace":"shop","fields":[{"name":"name","type":"string"}]}'
PROTO_USER = 'syntax = "proto3"; package shop; message User { string name = 1; }'
JSON_USER = '{"title":"User","type":"object","required":["name"]}'


@pytest.fixture
def schemas(service: RegistryService) -> InProcessSchemas:
    return InProcessSchemas(service)


async def send(client: httpx.AsyncClient, *values: object, field: str = "value") -> list[dict[str, object]]:
    body = "".join(json.dumps({field: value}) for value in values)
    answer = await client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.split("\r\n") if line]


async def register(service: RegistryService, subject: str, text: str = USER, schema_type: str = "AVRO") -> int:
    return (await service.registry.register(subject, NewSchema(text, schema_type))).id


def stored(cluster: MemoryCluster) -> list[bytes | None]:
    return [record.value for record in cluster.topics["single"].partitions[0].records]


@pytest.mark.parametrize(
    ("kind", "text", "payload"),
    [
        ("AVRO", USER, b"\x06ada"),
        ("jsonschema", JSON_USER, b'{"name":"ada"}'),
        ("PROTOBUF", PROTO_USER, b"\x00\x0a\x03ada"),
    ],
)
async def test_a_schema_as_text_is_registered_under_the_topic(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService, kind: str, text: str, payload: bytes
) -> None:
    (receipt,) = await send(client, {"type": kind, "schema": text, "data": {"name": "ada"}})
    assert receipt["value"] == {
        "type": kind.upper(),
        "subject": "single-value",
        "schema_id": 1,
        "schema_version": 1,
        "size": 5 + len(payload),
    }
    assert stored(cluster) == [write_id(1) + payload]
    assert service.registry.subjects() == ["single-value"]


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [("topic_name", "single-key"), ("RECORD_NAME", "shop.User"), ("TOPIC_RECORD_NAME", "single-shop.User")],
)
async def test_a_strategy_makes_the_subject(
    client: httpx.AsyncClient, service: RegistryService, strategy: str, subject: str
) -> None:
    data = {"type": "AVRO", "schema": USER, "subject_name_strategy": strategy, "data": {"name": "ada"}}
    (receipt,) = await send(client, data, field="key")
    assert receipt["key"] == {"type": "AVRO", "subject": subject, "schema_id": 1, "schema_version": 1, "size": 9}
    (again,) = await send(
        client, {"schema_id": 1, "subject_name_strategy": strategy, "data": {"name": "ada"}}, field="key"
    )
    assert again["key"] == receipt["key"]
    assert service.registry.subjects() == [subject]


async def test_ids_versions_and_the_latest_are_looked_up(client: httpx.AsyncClient, service: RegistryService) -> None:
    first = await register(service, "single-value")
    wider = json.loads(USER)
    wider["fields"].append({"name": "age", "type": "int", "default": 0})
    second = await register(service, "single-value", json.dumps(wider))
    other = await register(service, "users", JSON_USER, "JSON")
    data = {"name": "ada"}
    receipts = await send(
        client,
        {"schema_id": first, "data": data},
        {"schema_version": 1, "data": data},
        {"schema_version": "latest", "data": data},
        {"data": data},
        {"subject": "users", "data": data},
        {"subject": "users", "schema_version": 1, "data": data},
        {"subject": "users", "schema_id": other, "data": data},
        {"type": "AVRO", "data": data},
    )
    told = [receipt["value"] for receipt in receipts]
    assert [(one["type"], one["subject"], one["schema_id"], one["schema_version"]) for one in told] == [  # type: ignore[index]
        ("AVRO", "single-value", first, 1),
        ("AVRO", "single-value", first, 1),
        ("AVRO", "single-value", second, 2),
        ("AVRO", "single-value", second, 2),
        *[("JSONSCHEMA", "users", other, 1)] * 3,
        ("AVRO", "single-value", second, 2),
    ]


async def test_an_id_may_be_of_another_subject(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService
) -> None:
    schema_id = await register(service, "elsewhere")
    (receipt,) = await send(client, {"schema_id": schema_id, "data": {"name": "ada"}})
    assert receipt["value"] == {"type": "AVRO", "schema_id": schema_id, "size": 9}
    assert stored(cluster) == [write_id(schema_id) + b"\x06ada"]


async def test_null_data_is_kafkas_null(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService
) -> None:
    receipts = await send(client, {"type": "AVRO", "schema": USER, "data": None}, {"schema_id": 9}, {"data": None})
    assert [receipt.get("value") for receipt in receipts] == [{"type": "AVRO", "size": 0}, None, None]
    assert stored(cluster) == [None, None, None]
    assert service.registry.subjects() == []


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ({"type": "AVRO", "schema": USER, "data": {"nome": 1}}, 422, "Error: 42207 : The value does not fit schema"),
        ({"type": "AVRO", "schema": "{", "data": 1}, 422, "Error: 42205 : Invalid schema"),
        ({"type": "AVRO", "schema": '"int"', "data": 1, "subject": "taken"}, 422, "Error: 42207 : Error serializing"),
        ({"schema_id": 99, "data": 1}, 422, "Error: 42207 : Error serializing message. There is no schema of id 99"),
        ({"schema_version": 9, "data": 1}, 422, "Error: 42207"),
        ({"data": 1}, 422, "Error: 42207"),
        ({"subject": "s", "subject_name_strategy": "RECORD_NAME", "schema_id": 1, "data": 1}, 400, "Only one of"),
        ({"schema_id": 1, "schema_version": 1, "data": 1}, 400, "Only one of schema_id and schema_version"),
        ({"type": "AVRO", "schema_id": 1, "data": 1}, 400, "schema_id takes no type"),
        ({"schema": USER, "data": 1}, 400, "schema needs a type"),
        ({"type": "JSON", "schema": USER, "data": 1}, 400, "takes no schema"),
        ({"type": "XML", "data": 1}, 400, "'XML'"),
        ({"subject_name_strategy": "MINE", "schema_id": 1, "data": 1}, 400, "'MINE', not one of"),
        ({"subject_name_strategy": "RECORD_NAME", "data": 1}, 400, "give a subject"),
        ({"schema_version": 0, "data": 1}, 400, "schema_version is 0"),
        ({"schema_version": "x", "data": 1}, 400, "schema_version is 'x'"),
        ({"type": "PROTOBUF", "subject": "taken", "data": {}}, 400, "the latest schema of taken is AVRO"),
    ],
)
async def test_what_cannot_be_written_fails_alone(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService, data: object, code: int, words: str
) -> None:
    await register(service, "taken", USER)
    receipts = await send(client, data, {"type": "STRING", "data": "x"})
    assert [receipt["error_code"] for receipt in receipts] == [code, 200]
    assert words in str(receipts[0]["message"])
    assert stored(cluster) == [b"x"]


async def test_a_batch_takes_schemas_too(client: httpx.AsyncClient, service: RegistryService) -> None:
    await register(service, "single-value")
    entries = [
        {"id": "a", "value": {"data": {"name": "ada"}}},
        {"id": "b", "value": {"data": {"name": 1}}},
    ]
    answer = await client.post(f"{PATH}:batch", json={"entries": entries})
    assert answer.status_code == 207
    told = answer.json()
    assert [one["value"]["schema_id"] for one in told["successes"]] == [1]
    assert [(one["id"], one["error_code"]) for one in told["failures"]] == [("b", 422)]
