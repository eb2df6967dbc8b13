"""The registry as the REST Proxy and the pages ask it: schemas with codecs, without HTTP."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import uvicorn

from app.registry import access
from app.registry.access import InProcessSchemas
from app.registry.registry import NewSchema
from app.registry.routes import create_registry
from app.registry.schema import Reference
from app.registry.service import RegistryService, SingleNode, create_service
from app.registry.settings import RegistrySettings
from app.schemas.ports import RegistryFailed, SchemaNotFound, UnreadableSchema
from tests.unit.app.registry.service.conftest import WaitingCluster, record


@pytest.fixture
def schemas(service: RegistryService) -> InProcessSchemas:
    return InProcessSchemas(service)


async def register(service: RegistryService, subject: str, schema: object, *references: Reference) -> int:
    return (await service.registry.register(subject, NewSchema(json.dumps(schema), references=references))).id


async def test_a_schema_comes_with_what_is_known_of_it(schemas: InProcessSchemas, service: RegistryService) -> None:
    schema_id = await register(service, "users", record("User", n="string"))
    known = await schemas.by_id(schema_id)
    assert (known.id, known.schema_type, known.subject, known.version, known.name) == (1, "AVRO", "users", 1, "User")
    assert await schemas.by_guid(known.guid) == known
    assert await schemas.by_version("users", None) == known
    assert await schemas.by_version("users", 1) == known
    assert known.codec.decode(known.codec.encode_all([b'{"n":"x"}'])[0]) == b'{"n":"x"}'


async def test_a_codec_is_made_once(
    schemas: InProcessSchemas, service: RegistryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CODECS_MAX", 2)
    ids = [await register(service, f"s{number}", record(f"R{number}")) for number in range(3)]
    first = (await schemas.by_id(ids[0])).codec
    assert (await schemas.by_id(ids[0], "s0")).codec is first
    assert (await schemas.register("s0", "AVRO", json.dumps(record("R0")))).codec is first
    await schemas.by_id(ids[1])
    assert (await schemas.by_id(ids[0])).codec is first
    await schemas.by_id(ids[2])  # the second was used least recently
    assert (await schemas.by_id(ids[0])).codec is first
    await schemas.by_id(ids[1])
    await schemas.by_id(ids[2])
    assert (await schemas.by_id(ids[0])).codec is not first


async def test_a_schema_with_references_is_read_with_them(schemas: InProcessSchemas, service: RegistryService) -> None:
    await register(service, "address", record("Address", city="string"))
    schema_id = await register(service, "user", record("User", home="Address"), Reference("Address", "address", 1))
    known = await schemas.by_id(schema_id)
    text = b'{"home":{"city":"Rome"}}'
    assert known.codec.decode(known.codec.encode_all([text])[0]) == text


async def test_a_subject_is_named_where_it_has_the_schema(schemas: InProcessSchemas, service: RegistryService) -> None:
    for subject in ("a", "b"):
        await register(service, subject, record())
    assert (await schemas.by_id(1)).subject == "a"
    assert (await schemas.by_id(1, "b")).subject == "b"
    elsewhere = await schemas.by_id(1, "c")
    assert (elsewhere.subject, elsewhere.version, elsewhere.id) == (None, None, 1)


async def test_ids_of_a_context_are_its_own(schemas: InProcessSchemas, service: RegistryService) -> None:
    await register(service, "s", record("R"))
    await register(service, ":.other:s", record("Other"))
    assert (await schemas.by_id(1)).name == "R"
    assert (await schemas.by_id(1, ":.other:s")).name == "Other"
    await register(service, ":.other:t", record("Third"))
    by_its_subject = await schemas.by_id(2, "t")  # an unqualified subject may stand in another context
    assert (by_its_subject.name, by_its_subject.subject, by_its_subject.version) == ("Third", ":.other:t", 1)
    assert (await schemas.by_version(":.other:s", None)).name == "Other"


async def test_what_was_deleted_softly_still_reads(schemas: InProcessSchemas, service: RegistryService) -> None:
    schema_id = await register(service, "s", record())
    await service.deletion.delete_subject("s", permanent=False)
    assert (await schemas.by_id(schema_id)).subject == "s"
    with pytest.raises(SchemaNotFound, match="Subject 's' not found"):
        await schemas.by_version("s", None)


async def test_what_is_not_there_is_not_found(schemas: InProcessSchemas, service: RegistryService) -> None:
    await register(service, "s", record())
    with pytest.raises(SchemaNotFound, match="id 9"):
        await schemas.by_id(9)
    with pytest.raises(SchemaNotFound, match="guid"):
        await schemas.by_guid(uuid4())
    with pytest.raises(SchemaNotFound, match="Version 2 not found"):
        await schemas.by_version("s", 2)


async def test_registering_finds_refuses_and_fails(schemas: InProcessSchemas, service: RegistryService) -> None:
    known = await schemas.register("s", "AVRO", json.dumps(record("R", a="int")))
    assert await schemas.register("s", "AVRO", json.dumps(record("R", a="int"))) == known
    with pytest.raises(RegistryFailed, match="incompatible"):
        await schemas.register("s", "AVRO", '"string"')
    for text in ("", "{", '{"type":"record"}'):
        with pytest.raises(UnreadableSchema, match=r"."):
            await schemas.register("s", "AVRO", text)
    with pytest.raises(UnreadableSchema, match="no JSON"):
        await schemas.name_of("AVRO", "{")
    assert await schemas.name_of("AVRO", json.dumps(record("Named"))) == "Named"
    assert service.registry.subjects() == ["s"]


async def test_a_schema_that_nothing_can_fit_is_a_failure(schemas: InProcessSchemas) -> None:
    with pytest.raises(RegistryFailed, match="No payload can be read or written"):
        await schemas.register("s", "PROTOBUF", 'syntax = "proto3"; enum E { ZERO = 0; }')


async def test_a_registry_that_is_not_read_yet_fails() -> None:
    cluster = WaitingCluster()
    service = create_service(
        admin=cluster, producer=cluster, settings=RegistrySettings(kafkastore_timeout_ms=10)
    )  # never started
    with pytest.raises(RegistryFailed, match="cannot answer yet"):
        await InProcessSchemas(service).by_id(1)


class Elsewhere(SingleNode):
    """Another node may write."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[str | None]:
        yield self.url


@contextlib.asynccontextmanager
async def served(service: RegistryService) -> AsyncIterator[str]:
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_registry(service), lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    yield "http://{}:{}".format(*bound.getsockname())
    server.should_exit = True
    await serving


async def test_another_node_registers_what_this_one_may_not(cluster: WaitingCluster, service: RegistryService) -> None:
    """Its answer is taken as it is: this node's reader may be behind."""
    async with served(service) as url:
        behind = create_service(admin=cluster, producer=cluster, writer=Elsewhere(url))
        await behind.start()
        schemas = InProcessSchemas(behind)
        known = await schemas.register("a/b", "AVRO", json.dumps(record("R", a="int")))
        assert (known.id, known.subject, known.version, known.name) == (1, "a/b", 1, "R")
        assert known.codec.encode_all([b'{"a":1}']) == [b"\x02"]
        assert UUID(bytes=service.registry.version("a/b", 1).content.guid) == known.guid
        with pytest.raises(RegistryFailed, match="incompatible"):
            await schemas.register("a/b", "AVRO", '"string"')
        await behind.stop()


async def test_a_writer_that_does_not_answer_is_a_failure(cluster: WaitingCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        url = "http://{}:{}".format(*bound.getsockname())
    service = create_service(admin=cluster, producer=cluster, writer=Elsewhere(url))
    await service.start()
    with pytest.raises(RegistryFailed, match="does not answer"):
        await InProcessSchemas(service).register("s", "AVRO", '"int"')
    await service.stop()
