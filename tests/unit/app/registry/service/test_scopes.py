"""Configs, modes, contexts, aliases."""

import json
from dataclasses import replace

import pytest

from app.registry.routes import create_registry
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings
from tests.unit.app.registry.service.conftest import Api, WaitingCluster, record


async def test_the_level_of_everything_and_of_a_subject(api: Api) -> None:
    assert (await api("GET", "/config")).body == {"compatibilityLevel": "BACKWARD"}
    missing = await api("GET", "/config/s")
    assert (missing.status, missing.code) == (404, 40408)
    assert missing.body["message"] == "Subject 's' does not have subject-level compatibility configured"
    assert (await api("GET", "/config/s", defaultToGlobal=True)).body == {"compatibilityLevel": "BACKWARD"}
    assert (await api("PUT", "/config", {"compatibility": "FULL"})).body == {"compatibility": "FULL"}
    assert (await api("PUT", "/config/s", {"compatibility": "none"})).status == 200
    assert (await api("GET", "/config/s")).body == {"compatibilityLevel": "NONE"}
    assert (await api("DELETE", "/config/s")).body == {"compatibilityLevel": "NONE"}
    assert (await api("DELETE", "/config/s")).code == 40401
    assert (await api("GET", "/config/s", defaultToGlobal=True)).body == {"compatibilityLevel": "FULL"}
    assert (await api("DELETE", "/config")).body == {"compatibilityLevel": "FULL"}
    assert (await api("GET", "/config")).body == {"compatibilityLevel": "BACKWARD"}


async def test_bad_levels_subjects_and_rules(api: Api) -> None:
    bad = await api("PUT", "/config", {"compatibility": "SIDEWARD"})
    assert (bad.status, bad.code) == (422, 42203)
    assert (await api("PUT", "/config/__EMPTY", {"compatibility": "NONE"})).code == 42208
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE"}]}
    assert (await api("PUT", "/config/s", {"defaultRuleSet": rules})).code == 42210
    assert (await api("PUT", "/config")).status == 422


async def test_a_change_keeps_what_it_does_not_name_and_null_takes_away(api: Api) -> None:
    await api("PUT", "/config/s", {"compatibility": "FULL", "normalize": True})
    await api("PUT", "/config/s", {"compatibilityGroup": "major"})
    assert (await api("GET", "/config/s")).body == {
        "normalize": True,
        "compatibilityLevel": "FULL",
        "compatibilityGroup": "major",
    }
    await api("PUT", "/config/s", {"normalize": None})
    assert "normalize" not in (await api("GET", "/config/s")).body


async def test_transitive_looks_at_all_versions(api: Api) -> None:
    await api("PUT", "/config", {"compatibility": "NONE"})
    await api.register("s", record(a="int", b="string"))
    await api.register("s", record(a="int"))
    await api("PUT", "/config", {"compatibility": "BACKWARD"})
    body = {"schema": json.dumps(record(a="int", b=("long", 0)))}
    path = "/compatibility/subjects/s/versions"
    assert (await api("POST", path, body)).body == {"is_compatible": True}
    await api("PUT", "/config", {"compatibility": "BACKWARD_TRANSITIVE"})
    assert (await api("POST", path, body)).body == {"is_compatible": False}
    told = await api("POST", path, body, verbose=True)
    assert "{oldSchemaVersion: 1}" in told.body["messages"]
    assert (await api("POST", f"{path}/2", body)).body == {"is_compatible": True}


async def test_compatibility_answers_at_the_edges(api: Api) -> None:
    await api.register("s", record(a="int"))
    path = "/compatibility/subjects/s/versions"
    assert (await api("POST", f"{path}/latest", {"schema": '"int"'})).body == {"is_compatible": False}
    assert (await api("POST", "/compatibility/subjects/t/versions/latest", {"schema": '"int"'})).body == {
        "is_compatible": True
    }
    assert (await api("POST", f"{path}/7", {"schema": '"int"'})).code == 40402
    assert (await api("POST", f"{path}/x", {"schema": '"int"'})).code == 42202
    assert (await api("POST", f"{path}/latest", {"schema": "{"})).code == 42201
    told = await api("POST", f"{path}/latest", {"schema": "{"}, verbose=True)
    assert (told.status, told.body["is_compatible"], len(told.body["messages"])) == (200, False, 1)


async def test_only_versions_of_the_same_group_are_compared(api: Api) -> None:
    await api("PUT", "/config/s", {"compatibilityGroup": "major"})
    await api.register("s", record(a="int"), metadata={"properties": {"major": "1"}})
    other = await api.register("s", record(a="string"), metadata={"properties": {"major": "2"}})
    assert other.body["version"] == 2
    same = await api.register("s", record(a="bytes", b="int"), metadata={"properties": {"major": "2"}})
    assert same.status == 409


async def test_defaults_and_overrides_of_metadata(api: Api) -> None:
    await api("PUT", "/config/s", {
        "defaultMetadata": {"properties": {"owner": "nobody", "stage": "test"}},
        "overrideMetadata": {"properties": {"stage": "live"}},
    })  # fmt: skip
    answer = await api.register("s", record(a="int"), metadata={"properties": {"owner": "ada"}})
    assert answer.body["metadata"]["properties"] == {"owner": "ada", "stage": "live"}


async def test_an_alias_stands_for_another_subject(api: Api) -> None:
    await api.register("long-name", record(a="int"))
    await api("PUT", "/config/short", {"alias": "long-name"})
    assert (await api("GET", "/subjects/short/versions/1")).body["subject"] == "long-name"
    assert (await api("GET", "/schemas", aliases=True)).body[0]["aliases"] == ["short"]


async def test_read_only_refuses_every_write(api: Api) -> None:
    await api.register("s", record(a="int"))
    assert (await api("PUT", "/mode/s", {"mode": "READONLY"})).body == {"mode": "READONLY"}
    for method, path, body in (
        ("POST", "/subjects/s/versions", {"schema": '"int"'}),
        ("DELETE", "/subjects/s", None),
        ("DELETE", "/subjects/s/versions/1", None),
        ("PUT", "/config/s", {"compatibility": "NONE"}),
    ):
        answer = await api(method, path, body)
        assert (answer.status, answer.code) == (422, 42205), path
    assert (await api.register("s", record(a="int"))).body["id"] == 1
    assert (await api("DELETE", "/mode/s")).body == {"mode": "READONLY"}
    assert (await api("DELETE", "/mode/s")).code == 40401
    assert (await api.register("s", record(a="int", b=("int", 0)))).status == 200


async def test_modes_of_everything_and_of_a_subject(api: Api) -> None:
    assert (await api("GET", "/mode")).body == {"mode": "READWRITE"}
    missing = await api("GET", "/mode/s")
    assert (missing.status, missing.code) == (404, 40409)
    assert (await api("GET", "/mode/s", defaultToGlobal=True)).body == {"mode": "READWRITE"}
    bad = await api("PUT", "/mode", {"mode": "SOMETIMES"})
    assert (bad.status, bad.code) == (422, 42204)
    await api("PUT", "/mode/s", {"mode": "READWRITE"})
    await api("PUT", "/mode", {"mode": "READONLY_OVERRIDE"})
    assert (await api.register("s", '"int"')).code == 42205
    assert (await api("DELETE", "/mode", recursive=True)).body == {"mode": "READONLY_OVERRIDE"}
    assert (await api("GET", "/mode/s")).code == 40409
    assert (await api.register("s", '"int"')).status == 200


async def test_import_takes_ids_and_versions_as_they_come(api: Api) -> None:
    assert (await api.register("s", '"int"', id=7)).code == 42205
    await api("PUT", "/mode/s", {"mode": "IMPORT"})
    imported = await api.register("s", '"int"', id=7, version=3)
    assert (imported.body["id"], imported.body["version"]) == (7, 3)
    assert (await api.register("s", record(a="int"), id=7, version=4)).code == 42205
    assert (await api.register("s", record(a="int"))).code == 42205
    await api("PUT", "/mode/s", {"mode": "READWRITE"})
    assert (await api.register("t", '"long"')).body["id"] == 8


async def test_import_into_what_has_schemas_needs_force(api: Api) -> None:
    await api.register("s", '"int"')
    refused = await api("PUT", "/mode", {"mode": "IMPORT"})
    assert (refused.status, refused.code) == (422, 42205)
    assert (await api("PUT", "/mode", {"mode": "IMPORT"}, force=True)).status == 200
    await api("PUT", "/mode", {"mode": "READWRITE"})
    await api("DELETE", "/subjects/s")
    assert (await api("PUT", "/mode", {"mode": "IMPORT"})).status == 200
    assert (await api("GET", "/subjects", deleted=True)).body == []


@pytest.mark.parametrize("settings", [RegistrySettings(mode_mutability=False, incompatible_error_code=40901)])
async def test_settings_of_the_registry(api: Api) -> None:
    assert (await api("PUT", "/mode", {"mode": "READONLY"})).code == 42205
    await api.register("s", record(a="int"))
    answer = await api.register("s", record(a="string"))
    assert (answer.status, answer.code) == (409, 40901)


async def test_contexts_have_subjects_and_ids_of_their_own(api: Api) -> None:
    await api.register("s", '"int"')
    other = await api.register(":.test:s", '"long"')
    assert (other.body["id"], (await api("GET", "/contexts")).body) == (1, [".", ".test"])
    assert (await api("GET", "/contexts/.test/subjects/s/versions/1")).body["schema"] == '"long"'
    assert (await api("GET", "/contexts/test/schemas/ids/1")).body["schema"] == '"long"'
    assert (await api("GET", "/schemas/ids/1", subject=":.test:")).body["schema"] == '"long"'
    assert (await api("GET", "/schemas/ids/1")).body["schema"] == '"int"'
    assert (await api("GET", "/contexts/.test/subjects")).body == [":.test:s"]
    assert (await api("GET", "/subjects")).body == [":.test:s", "s"]
    assert (await api("GET", "/subjects", subjectPrefix=":.:")).body == ["s"]
    assert (await api("GET", "/subjects", subjectPrefix=":*:s")).body == [":.test:s", "s"]
    registered = await api("POST", "/contexts/.test/subjects/t/versions", {"schema": '"int"'})
    assert registered.body["id"] == 2
    lookup = await api("POST", "/contexts/.test/subjects/t", {"schema": '"int"'})
    assert lookup.body["subject"] == ":.test:t"


async def test_a_context_has_a_level_of_its_own(api: Api) -> None:
    await api("PUT", "/contexts/.test/config", {"compatibility": "NONE"})
    await api.register(":.test:s", record(a="int"))
    assert (await api.register(":.test:s", record(a="string"))).status == 200
    assert (await api("GET", "/config/:.test:s", defaultToGlobal=True)).body == {"compatibilityLevel": "NONE"}
    assert (await api("GET", "/config/:.test:")).body == {"compatibilityLevel": "NONE"}
    await api("PUT", "/config/:.__GLOBAL:", {"compatibility": "FULL"})
    assert (await api("GET", "/config/s", defaultToGlobal=True)).body == {"compatibilityLevel": "FULL"}


async def test_a_context_goes_when_it_is_empty(api: Api) -> None:
    await api.register(":.test:s", '"int"')
    refused = await api("DELETE", "/contexts/.test")
    assert (refused.status, refused.code) == (422, 42211)
    await api("DELETE", "/subjects/:.test:s")
    await api("DELETE", "/subjects/:.test:s", permanent=True)
    assert (await api("DELETE", "/contexts/.test")).status == 204
    assert (await api("GET", "/contexts")).body == ["."]


async def test_lists_have_pages(api: Api) -> None:
    for number in range(5):
        await api.register(f"s{number}", record(f"R{number}", a="int"))
    assert (await api("GET", "/subjects", offset=1, limit=2)).body == ["s1", "s2"]
    assert [one["subject"] for one in (await api("GET", "/schemas", limit=2, offset=3)).body] == ["s3", "s4"]
    assert len((await api("GET", "/schemas", subjectPrefix="s1")).body) == 1
    assert len((await api("GET", "/schemas", latestOnly=True)).body) == 5


async def test_by_id_by_guid_and_bare_text(api: Api) -> None:
    guid = (await api.register("s", '"int"')).body["guid"]
    await api.register(":.test:s", '"int"')
    by_id = await api("GET", "/schemas/ids/1")
    assert (by_id.body["guid"], "immutable" in by_id.headers["cache-control"]) == (guid, True)
    assert (await api.http.get("/schemas/ids/1/schema")).text == '"int"'
    assert (await api.http.get("/subjects/s/versions/1/schema")).text == '"int"'
    assert (await api("GET", "/schemas/ids/1", fetchMaxId=True)).body["maxId"] == 1
    assert (await api("GET", "/schemas/ids/1/subjects")).body == ["s"]
    assert (await api("GET", "/schemas/ids/1/versions")).body == [{"subject": "s", "version": 1}]
    assert (await api("GET", f"/schemas/guids/{guid}")).body["schema"] == '"int"'
    assert (await api("GET", f"/schemas/guids/{guid}/ids")).body == [
        {"context": ".", "id": 1},
        {"context": ".test", "id": 1},
    ]
    assert sorted((await api("GET", "/schemas/types")).body) == ["AVRO", "JSON", "PROTOBUF"]
    for path in ("/schemas/ids/9", "/schemas/ids/9/schema", "/schemas/ids/9/subjects", "/schemas/ids/9/versions"):
        answer = await api("GET", path)
        assert (answer.status, answer.code, answer.body["message"]) == (404, 40403, "Schema 9 not found"), path
    assert (await api("GET", "/schemas/guids/nope")).code == 40403


async def test_the_rest_of_the_surface(api: Api) -> None:
    assert (await api("GET", "/")).body == {}
    assert (await api("POST", "/")).body == {}
    assert (await api("GET", "/v1/metadata/id")).body["scope"]["clusters"] == {
        "kafka-cluster": "c-1",
        "schema-registry-cluster": "schema-registry",
    }
    assert set((await api("GET", "/v1/metadata/version")).body) == {"version", "commitId"}
    assert (await api("GET", "/v1/metadata/deployment")).body == {"attributes": []}
    assert (await api("GET", "/associations/resources/ns/name")).body == []
    assert (await api("GET", "/associations/subjects/s")).body == []
    assert (await api("GET", "/associations/resources/7")).body == []
    assert (await api("DELETE", "/associations/resources/7")).code == 40410


async def test_unknown_paths_and_methods_have_the_standard_shape(api: Api) -> None:
    unknown = await api("GET", "/nowhere/at/all")
    assert (unknown.status, unknown.body) == (404, {"error_code": 404, "message": "HTTP 404 Not Found"})
    wrong = await api("PUT", "/subjects")
    assert (wrong.status, wrong.code, wrong.headers["allow"]) == (405, 405, "GET")
    assert (await api("GET", "/schemas/ids/x")).code == 404


async def test_a_cluster_that_is_away(api: Api, cluster: WaitingCluster) -> None:
    await api.register("s", '"int"')
    cluster.away = True
    answer = await api.register("s", '"long"')
    assert (answer.status, answer.code) == (500, 50002)
    assert (await api("GET", "/schemas/ids/1")).status == 200
    cluster.away = False
    assert (await api.register("s", '"long"')).status == 200


async def test_a_cluster_that_was_never_there(cluster: WaitingCluster, settings: RegistrySettings) -> None:
    import httpx

    cluster.away = True
    impatient = replace(settings, kafkastore_timeout_ms=200)
    service: RegistryService = create_service(admin=cluster, producer=cluster, settings=impatient)
    await service.start()
    transport = httpx.ASGITransport(app=create_registry(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://r") as http:
        answer = await Api(http)("GET", "/subjects")
        assert (answer.status, answer.code) == (500, 50001)
    await service.stop()
