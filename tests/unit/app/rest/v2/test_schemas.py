"""Formats with schemas, over a registry in memory: which schema is taken, what is refused and with which code."""

import json
from uuid import UUID

import httpx
import pytest

from app.kafka.ports import RecordToSend
from app.registry.access import InProcessSchemas
from app.registry.registry import NewSchema
from app.registry.service import RegistryService
from app.rest import RestSettings
from app.schemas.framing import VALUE_HEADER, write_guid, write_id
from tests.memory_cluster import MemoryCluster

USER = json.dumps({"type": "record", "name": "User", "fields": [{"name": "name", "type": ["null", "string"]}]})
JSON_USER = '{"type":"object","properties":{"name":{"type":"string"}}}'
PROTO_USER = 'syntax = "proto3"; message User { string name = 1; }'
TEXTS = {"avro": USER, "jsonschema": JSON_USER, "protobuf": PROTO_USER}
INSTANCE = "/consumers/g/instances/c"


@pytest.fixture
def schemas(service: RegistryService) -> InProcessSchemas:
    return InProcessSchemas(service)


async def produce(client: httpx.AsyncClient, body: object, embedded: str = "avro", topic: str = "single") -> object:
    headers = {"Content-Type": f"application/vnd.kafka.{embedded}.v2+json"}
    content = body if isinstance(body, str) else json.dumps(body)
    answer = await client.post(f"/topics/{topic}", content=content, headers=headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["error_code"])


async def register(service: RegistryService, subject: str, text: str = USER, schema_type: str = "AVRO") -> int:
    return (await service.registry.register(subject, NewSchema(text, schema_type))).id


def stored(cluster: MemoryCluster) -> list[tuple[bytes | None, bytes | None]]:
    return [(one.key, one.value) for one in cluster.topics["single"].partitions[0].records]


@pytest.mark.parametrize("embedded", ["avro", "jsonschema", "protobuf"])
async def test_a_schema_is_registered_under_the_topic_and_used(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService, embedded: str
) -> None:
    schema = {"key_schema": TEXTS[embedded], "value_schema": TEXTS[embedded]}
    record = {"key": {"name": None if embedded == "avro" else "k"}, "value": {"name": "ada"}}
    answer = await produce(client, {**schema, "records": [record]}, embedded)
    assert isinstance(answer, dict)
    assert (answer["key_schema_id"], answer["value_schema_id"]) == (1, 1)
    assert service.registry.subjects() == ["single-key", "single-value"]
    payload = {"avro": b"\x02\x06ada", "jsonschema": b'{"name":"ada"}', "protobuf": b"\x00\x0a\x03ada"}[embedded]
    assert stored(cluster)[0][1] == write_id(1) + payload
    again = await produce(client, {**schema, "records": [record] * 3}, embedded)
    assert isinstance(again, dict)
    assert again["value_schema_id"] == 1
    assert [len(service.registry.versions(subject)) for subject in service.registry.subjects()] == [1, 1]


async def test_records_of_several_partitions_keep_their_order_and_ids(
    client: httpx.AsyncClient, service: RegistryService
) -> None:
    schema_id = await register(service, "orders-value")
    records = [{"value": {"name": str(index)}, "partition": index % 3} for index in range(4)]
    answer = await produce(client, {"value_schema_id": schema_id, "records": records}, topic="orders")
    assert isinstance(answer, dict)
    assert [(one["partition"], one["offset"]) for one in answer["offsets"]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert (answer["key_schema_id"], answer["value_schema_id"]) == (None, schema_id)


async def test_a_null_is_written_by_the_schema_and_what_is_absent_is_kafkas_null(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    body = {"value_schema": '["null","string"]', "records": [{"value": None}, {}]}
    assert isinstance(await produce(client, body), dict)
    assert stored(cluster) == [(None, write_id(1) + b"\x00"), (None, None)]


class TestNullIsKafkas:
    @pytest.fixture
    def settings(self) -> RestSettings:
        return RestSettings(null_request_body_always_publishes_empty_record=True)

    async def test_a_null_is_kafkas_by_setting(self, client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
        body = {"value_schema": '["null","string"]', "key_schema": USER, "records": [{"key": None, "value": None}]}
        assert isinstance(await produce(client, body), dict)
        assert stored(cluster) == [(None, None)]


async def test_nulls_alone_need_no_schema(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    assert isinstance(await produce(client, {"records": [{"value": None}, {"key": None}]}), dict)
    assert stored(cluster) == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"records": [{"value": 1}]}, (422, 42202)),
        ({"records": [{"key": 1, "value": None}]}, (422, 42201)),
        ({"records": [{"value": {}}], "value_schema_id": 7}, (408, 40801)),
        ({"records": [{"value": {}}], "value_schema_id": "x"}, (400, 400)),
        ({"records": [{"value": {}}], "value_schema": {"type": "string"}}, (400, 400)),
        ({"records": [{"value": {}}], "value_schema": "{"}, (422, 42205)),
        ({"records": [{"value": {}}], "value_schema": ""}, (422, 42205)),
        ({"records": [{"value": {}}], "value_schema": '{"type":"record"}'}, (422, 42205)),
        ({"records": [{"value": {"name": 1}}], "value_schema": USER}, (400, 400)),
        ({"records": [{"value": None}], "value_schema": USER}, (400, 400)),
        ({"records": [{"value": "x", "partition": -1}], "value_schema": '"string"'}, (422, 422)),
        ('{"records":[{"value":"\\ud800"}],"value_schema":"\\"string\\""}', (400, 400)),
        ('{"records":[{"value":' + "[" * 3000 + "]" * 3000 + '}],"value_schema":"\\"string\\""}', (400, 400)),
    ],
)
async def test_a_request_that_cannot_be_written_fails_as_a_whole(
    client: httpx.AsyncClient, cluster: MemoryCluster, body: object, expected: tuple[int, int]
) -> None:
    assert await produce(client, body) == expected
    assert stored(cluster) == []


async def test_an_incompatible_schema_is_a_failure_of_the_registry(
    client: httpx.AsyncClient, service: RegistryService
) -> None:
    await register(service, "single-value")
    assert await produce(client, {"value_schema": '"int"', "records": [{"value": 1}]}) == (408, 40801)


async def test_an_id_of_another_format_is_an_invalid_schema(
    client: httpx.AsyncClient, service: RegistryService
) -> None:
    schema_id = await register(service, "single-value", JSON_USER, "JSON")
    assert await produce(client, {"value_schema_id": schema_id, "records": [{"value": {}}]}) == (422, 42205)


async def test_no_schema_is_registered_for_a_topic_that_is_not_there(
    client: httpx.AsyncClient, service: RegistryService
) -> None:
    body = {"value_schema": USER, "records": [{"value": {"name": None}}]}
    assert await produce(client, body, topic="nothing") == (404, 40401)
    assert service.registry.subjects() == []


async def test_a_refusal_names_the_record_of_a_large_request(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.add_topic("large")
    records = [{"value": "x" * 30} for _ in range(400)] + [{"value": 7}]
    headers = {"Content-Type": "application/vnd.kafka.avro.v2+json"}
    body = {"value_schema": '"string"', "records": records}
    answer = await client.post("/topics/large", json=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Bad Request: records[400].value does not fit schema 1: 7 is no string"


# --- reading -------------------------------------------------------------------------------------------------------


async def follow(client: httpx.AsyncClient, embedded: str) -> None:
    v2 = {"Content-Type": "application/vnd.kafka.v2+json"}
    config = {"name": "c", "format": embedded, "auto.offset.reset": "earliest"}
    assert (await client.post("/consumers/g", json=config, headers=v2)).status_code == 200
    answer = await client.post(f"{INSTANCE}/subscription", json={"topics": ["single"]}, headers=v2)
    assert answer.status_code == 204


async def read(client: httpx.AsyncClient, embedded: str) -> object:
    headers = {"Accept": f"application/vnd.kafka.{embedded}.v2+json"}
    answer = await client.get(f"{INSTANCE}/records", headers=headers)
    if answer.status_code != 200:
        return answer.status_code, answer.json()["error_code"], answer.json()["message"]
    assert answer.headers["content-type"] == f"application/vnd.kafka.{embedded}.v2+json"
    return [(record["key"], record["value"]) for record in answer.json()]


@pytest.mark.parametrize("embedded", ["avro", "jsonschema", "protobuf"])
async def test_what_was_produced_is_read_as_it_was(client: httpx.AsyncClient, embedded: str) -> None:
    value = {"name": {"string": "ä"} if embedded == "avro" else "ä"}
    body = {"value_schema": TEXTS[embedded], "records": [{"value": value}, {}]}
    assert isinstance(await produce(client, body, embedded), dict)
    await follow(client, embedded)
    assert await read(client, embedded) == [(None, value), (None, None)]


async def test_a_header_names_the_schema_by_its_guid(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService
) -> None:
    await register(service, "elsewhere", '"string"')
    found = service.registry.version("elsewhere", 1)
    header = (VALUE_HEADER, write_guid(UUID(bytes=found.content.guid)))
    cluster.produce("single", 0, RecordToSend(None, b"\x02x", headers=(header,)))
    await follow(client, "avro")
    assert await read(client, "avro") == [(None, "x")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"plain", "it names no schema"),
        (write_id(99) + b"x", "There is no schema of id 99"),
        (write_id(1) + b"\x08x", "a string of 4 bytes is announced where 1 are left"),
        (write_id(2) + b"{}", "its schema is of type JSON"),
    ],
)
async def test_bytes_that_do_not_decode_are_told_after_those_that_do(
    client: httpx.AsyncClient, cluster: MemoryCluster, service: RegistryService, data: bytes, told: str
) -> None:
    await register(service, "one", '"string"')
    await register(service, "two", JSON_USER, "JSON")
    cluster.produce("single", 0, write_id(1) + b"\x02x", data)
    await follow(client, "avro")
    assert await read(client, "avro") == [(None, "x")]
    answer = await read(client, "avro")
    assert isinstance(answer, tuple)
    assert answer[:2] == (408, 40801)
    assert told in answer[2]
