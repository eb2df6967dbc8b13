"""Records on the messages page by the schemas they name, and as somebody wants them read."""

import json
from uuid import UUID

import httpx
import pytest

from app.control_center.access import ClusterAccess
from app.control_center.app import create_control_center
from app.kafka.ports import RecordToSend
from app.registry.access import InProcessSchemas
from app.registry.registry import NewSchema
from app.registry.service import create_service
from app.schemas.framing import KEY_HEADER, write_guid, write_id
from tests.unit.app.control_center.conftest import Visitor, words_of
from tests.unit.app.registry.service.conftest import WaitingCluster

PAGE = "/clusters/prod/topics/read/messages"
USER = '{"type":"record","name":"User","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"]}]}'
PAYLOAD = b"\x82\x80\x80\x80\x80\x80\x80\x20\x02\x02x"  # id 9007199254740993, note "x"


@pytest.fixture
async def service():
    cluster = WaitingCluster()
    service = create_service(admin=cluster, producer=cluster)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def visitor(cluster, sampler, clock, settings, service):
    cluster.add_topic("read", partitions=1)
    await sampler.refresh()
    access = ClusterAccess("prod", sampler, cluster, cluster, payloads=InProcessSchemas(service))
    app = create_control_center(settings, [access], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        yield Visitor(client)


async def register(service, subject, text=USER, schema_type="AVRO"):
    return (await service.registry.register(subject, NewSchema(text, schema_type))).id


async def records(visitor, **query):
    answer = await visitor.get(f"{PAGE}?format=json&from=oldest&" + "&".join(f"{k}={v}" for k, v in query.items()))
    assert answer.status_code == 200
    return answer.json()["records"]


async def test_a_value_is_read_by_its_schema_and_the_schema_is_a_link(visitor, cluster, service):
    await register(service, "elsewhere")
    schema_id = await register(service, "read-value")
    cluster.produce("read", 0, write_id(schema_id) + PAYLOAD)
    page = await visitor.get(PAGE)
    assert '"id": 9007199254740993' in words_of(page)
    assert '"string": "x"' in words_of(page)
    assert "read by read-value, version 1 (AVRO, id 1)" in words_of(page)
    assert 'href="/ui/clusters/prod/schemas/read-value/v/1"' in page.text


async def test_the_schema_of_another_subject_is_named_by_it(visitor, cluster, service):
    schema_id = await register(service, "a/b")
    cluster.produce("read", 0, write_id(schema_id) + PAYLOAD)
    page = await visitor.get(PAGE)
    assert "read by a/b, version 1" in words_of(page)
    assert "/schemas/a%2Fb/v/1" in page.text


@pytest.mark.parametrize(
    ("schema_type", "text", "payload", "shown"),
    [
        ("AVRO", '"string"', b"\x02x", '"x"'),
        ("JSON", "{}", b'{"a":1.10}', '{"a":1.10}'),
        ("PROTOBUF", 'syntax = "proto3"; message M { int64 id = 1; }', b"\x00\x08\x01", '{"id":"1"}'),
    ],
)
async def test_every_format_is_read_in_keys_and_values(visitor, cluster, service, schema_type, text, payload, shown):
    data = write_id(await register(service, "s", text, schema_type)) + payload
    cluster.produce("read", 0, RecordToSend(data, data))
    (record,) = await records(visitor)
    assert (record["key"], record["value"]) == (shown, shown)
    assert record["key_schema"] == record["value_schema"] == {
        "id": 1, "type": schema_type, "subject": "s", "version": 1,
    }  # fmt: skip
    csv = (await visitor.get(f"{PAGE}?format=csv")).text
    assert shown.replace('"', '""') in csv


async def test_a_header_names_the_schema_of_a_key(visitor, cluster, service):
    await register(service, "s", '"string"')
    guid = UUID(bytes=service.registry.version("s", 1).content.guid)
    cluster.produce("read", 0, RecordToSend(b"\x02k", None, headers=((KEY_HEADER, write_guid(guid)),)))
    (record,) = await records(visitor)
    assert (record["key"], record["value"]) == ('"k"', None)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (write_id(1) + b"\x02", "It does not fit its schema: the payload ends too early."),
        (write_id(9) + b"abcd", "Its schema cannot be had: There is no schema of id 9."),
    ],
)
async def test_what_cannot_be_read_is_a_row_with_the_reason_and_the_bytes(visitor, cluster, service, data, told):
    await register(service, "read-value")
    cluster.produce("read", 0, data, b"next")
    page = words_of(await visitor.get(PAGE))
    assert told in page
    assert data.hex(" ") in page
    assert "next" in page
    broken, _ = await records(visitor)
    assert broken["value_error"] == told
    assert broken["value"] == data.decode()


async def test_a_long_of_kafkas_own_is_no_broken_schema_id(visitor, cluster):
    cluster.produce("read", 0, (77).to_bytes(8, "big"))
    (record,) = await records(visitor)
    assert "value_error" not in record
    assert "as an integer 77" in words_of(await visitor.get(PAGE))


@pytest.mark.parametrize(
    ("wanted", "data", "shown", "error"),
    [
        ("string", b'{"a": 1}', '{"a": 1}', None),
        ("string", b"\xff", "\ufffd", None),
        ("hex", b'{"a": 1}', "7b 22 61 22 3a 20 31 7d", None),
        ("json", b'{"a": 1}', '{"a": 1}', None),
        ("json", b"plain", "plain", "This is not JSON: "),
        ("schema", b"plain", "plain", "It names no schema."),
        ("schema", (77).to_bytes(8, "big"), "\x00" * 7 + "M", "Its schema cannot be had: "),
        ("nonsense", b"plain", "plain", None),
    ],
)
async def test_values_are_read_as_is_wanted(visitor, cluster, wanted, data, shown, error):
    cluster.produce("read", 0, data)
    (record,) = await records(visitor, value_as=wanted)
    assert record["value"] == shown
    assert record.get("value_error", "").startswith(error or "")
    assert ("value_error" in record) == (error is not None)
    page = await visitor.get(f"{PAGE}?value_as={wanted}&key_as={wanted}")
    assert page.status_code == 200
    chosen = wanted if wanted != "nonsense" else ""
    assert page.text.count(f'<option value="{chosen}" selected>') >= 2


async def test_without_a_registry_bytes_are_shown_as_they_look(cluster, sampler, clock, settings):
    cluster.add_topic("read", partitions=1)
    await sampler.refresh()
    cluster.produce("read", 0, write_id(1) + b"\x02x")
    app = create_control_center(settings, [ClusterAccess("prod", sampler, cluster, cluster)], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        page = await Visitor(client).get(PAGE)
        assert "schema id 1" in words_of(page)
        by_schema = await Visitor(client).get(f"{PAGE}?value_as=schema")
        assert "There is no Schema Registry." in words_of(by_schema)


async def test_a_large_value_is_cut_and_says_so(visitor, cluster, service):
    schema_id = await register(service, "read-value", '{"type":"array","items":"string"}')
    cluster.produce("read", 0, write_id(schema_id) + b"\x80\x80\x02" + b"\x14aaaaaaaaaa" * 16384 + b"\x00")
    page = words_of(await visitor.get(PAGE))
    assert "first 64.0 KiB of its text" in page
    (record,) = await records(visitor)
    assert len(json.loads(record["value"])) == 16384


# --- producing -----------------------------------------------------------------------------------------------------


def written(cluster):
    return [(one.key, one.value) for one in cluster.topics["read"].partitions[0].records]


async def test_a_record_is_produced_by_the_latest_schemas(visitor, cluster, service):
    await register(service, "keys", '"string"')
    await register(service, "read-value")
    fields = {
        "key_kind": "schema",
        "key": '"k"',
        "key_subject": " keys ",
        "value_kind": "schema",
        "value": '{"id": 9007199254740993, "note": "x"}',
        "value_subject": "",
    }
    page = await visitor.follow(await visitor.post(PAGE, fields))
    assert "The record was written to partition 0 at offset 0." in page
    assert written(cluster) == [(write_id(1) + b"\x02k", write_id(2) + PAYLOAD)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": '{"id": "x"}'}, 'This does not fit read-value, version 1: "x" is no long (at /id).'),
        ({"value": "{"}, "This does not fit read-value, version 1: this is no JSON"),
        ({"value": "{}", "value_subject": "nothing"}, "Subject 'nothing' not found."),
        ({"value": '{"id": 1, "note": null}', "key_kind": "schema", "key": "1"}, "Subject 'read-key' not found."),
    ],
)
async def test_what_a_schema_refuses_is_said_beside_the_field(visitor, cluster, service, fields, said):
    await register(service, "read-value")
    answer = await visitor.post(PAGE, {"value_kind": "schema", **fields})
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert 'aria-invalid="true"' in answer.text
    assert written(cluster) == []


async def test_without_a_registry_no_schema_is_offered(cluster, sampler, clock, settings):
    cluster.add_topic("read", partitions=1)
    await sampler.refresh()
    app = create_control_center(settings, [ClusterAccess("prod", sampler, cluster, cluster)], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        assert "by a schema" not in (await Visitor(client).get(PAGE)).text
        answer = await Visitor(client).post(PAGE, {"value_kind": "schema", "value": "{}"})
    assert answer.status_code == 422
    assert "There is no Schema Registry." in words_of(answer)
