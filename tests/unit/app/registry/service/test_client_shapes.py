"""The requests that clients of other languages make, as they make them, and what those need in the answer.

Headers of Java's HttpURLConnection as it sends them (Java 17; Java 8 and 11 write `*; q=.2`), of axios, .NET and Go.
Paths and query parameters are those of each open-source registry client.
"""

import json
from typing import Any
from urllib.parse import quote

import pytest

from app.registry.service import RegistryService
from tests.unit.app.registry.service.conftest import V1, Api, record

JAVA = {
    "Content-Type": V1,
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "User-Agent": "Java/17.0.15",
    "Accept": "text/html, image/gif, image/jpeg, */*; q=0.2",
}
CLIENTS = {
    "java": JAVA,
    "java 8": {**JAVA, "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"},
    "java of 8.x": {**JAVA, "Confluent-Accept-Unknown-Properties": "true", "Confluent-Client-Version": "java/8.1.1"},
    "javascript": {"Content-Type": V1, "Accept": "application/json, text/plain, */*", "User-Agent": "axios/1.12.2"},
    "dotnet": {
        "Content-Type": f"{V1}; charset=utf-8",
        "Accept": f"{V1}, application/vnd.schemaregistry+json, application/json",
    },
    "go": {"Content-Type": V1, "Accept": f"{V1}, application/vnd.schemaregistry+json, application/json"},
}
ORDER = json.dumps(record("Order", id="long"))
EVOLVED = json.dumps(record("Order", id="long", note=("string", "")))


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, api: Api) -> Api:
    """The API as one of these clients calls it."""
    api.http.headers.update(CLIENTS[request.param])
    return api


async def call(client: Api, method: str, path: str, body: object = None) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body)
    answer = await client.http.request(method, path, content=content)
    assert answer.headers["content-type"].partition(";")[0] in (V1, "application/json")
    return answer.status_code, answer.json()


async def test_a_serializer_that_registers(client: Api) -> None:
    status, registered = await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER})
    assert (status, registered["id"]) == (200, 1)
    body = {"schema": ORDER, "schemaType": "AVRO", "references": []}
    assert (await call(client, "POST", "/subjects/t-value/versions?normalize=false", body))[1]["id"] == 1
    for deleted in ("false", "true"):  # its id, then its version
        path = f"/subjects/t-value?normalize=false&deleted={deleted}"
        status, found = await call(client, "POST", path, {"schema": ORDER})
        assert (status, found["subject"], found["version"], found["id"]) == (200, "t-value", 1, 1)
        assert json.loads(found["schema"]) == json.loads(ORDER)


async def test_a_serializer_that_only_looks_up(client: Api) -> None:
    path = "/subjects/t-value?normalize=false&deleted=false"
    status, error = await call(client, "POST", path, {"schema": ORDER})
    assert (status, error) == (404, {"error_code": 40401, "message": "Subject 't-value' not found."})
    await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER})
    status, error = await call(client, "POST", path, {"schema": EVOLVED})
    assert (status, error) == (404, {"error_code": 40403, "message": "Schema not found"})


async def test_a_serializer_of_the_latest_version(client: Api) -> None:
    metadata = {"properties": {"major": "2"}}
    await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER})
    body = {"schema": EVOLVED, "metadata": metadata}
    await call(client, "POST", "/subjects/t-value/versions?normalize=false", body)
    for path in (
        "/subjects/t-value/versions/latest",
        "/subjects/t-value/versions/latest?format=",
        "/subjects/t-value/metadata?key=major&value=2&deleted=false",
        "/subjects/t-value/versions/2?deleted=false",
        "/subjects/t-value/versions/2?deleted=true",
    ):
        status, found = await call(client, "GET", path)
        assert (status, found["id"], found["version"], found["metadata"]) == (200, 2, 2, metadata), path
        assert json.loads(found["schema"]) == json.loads(EVOLVED)


async def test_a_deserializer(client: Api) -> None:
    registered = (await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER}))[1]
    guid = registered["guid"]
    for path in (
        "/schemas/ids/1?fetchMaxId=false&subject=t-value",
        "/schemas/ids/1?fetchMaxId=false",
        "/schemas/ids/1?subject=",
        "/schemas/ids/1",
        "/schemas/ids/1?format=serialized&subject=t-value",
        f"/schemas/guids/{guid}",
    ):
        status, found = await call(client, "GET", path)
        assert (status, json.loads(found["schema"])) == (200, json.loads(ORDER)), path
    status, error = await call(client, "GET", "/schemas/ids/99?fetchMaxId=false&subject=t-value")
    assert (status, error) == (404, {"error_code": 40403, "message": "Schema 99 not found"})
    assert (await call(client, "GET", "/schemas/ids/1?fetchMaxId=true"))[1]["maxId"] == 1


async def test_references_are_fetched_one_by_one(client: Api) -> None:
    money = json.dumps(record("Money", units="long"))
    await call(client, "POST", "/subjects/shop%2FMoney/versions?normalize=false", {"schema": money})
    reference = {"name": "Money", "subject": "shop/Money", "version": 1}
    order = json.dumps(record("Order", total="Money"))
    body = {"schema": order, "schemaType": "AVRO", "references": [reference]}
    status, _ = await call(client, "POST", "/subjects/t-value/versions?normalize=false", body)
    assert status == 200
    assert (await call(client, "GET", "/schemas/ids/2?fetchMaxId=false&subject=t-value"))[1]["references"] == [
        reference
    ]
    found = (await call(client, "GET", "/subjects/shop%2FMoney/versions/1?deleted=true"))[1]
    assert json.loads(found["schema"]) == json.loads(money)
    assert (await call(client, "GET", "/subjects/shop%2FMoney/versions/1/referencedby")) == (200, [2])


async def test_a_build_that_checks_before_it_registers(client: Api) -> None:
    await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER})
    for path in (
        "/compatibility/subjects/t-value/versions/?normalize=false&verbose=true",  # with its slash at the end
        "/compatibility/subjects/t-value/versions?normalize=false&verbose=true",
        "/compatibility/subjects/t-value/versions/latest?normalize=false&verbose=true",
    ):
        status, found = await call(client, "POST", path, {"schema": EVOLVED, "schemaType": "AVRO", "references": []})
        assert (status, found["is_compatible"]) == (200, True), path
        status, found = await call(client, "POST", path, {"schema": '"int"'})
        assert (status, found["is_compatible"], "TYPE_MISMATCH" in found["messages"][0]) == (200, False, True), path
    refused = await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": '"int"'})
    assert refused[0] == 409
    assert refused[1].keys() == {"error_code", "message"}


async def test_configs_and_modes(client: Api) -> None:
    assert (await call(client, "GET", "/config"))[1]["compatibilityLevel"] == "BACKWARD"
    assert (await call(client, "GET", "/config/t-value?defaultToGlobal=false"))[1]["error_code"] == 40408
    assert (await call(client, "GET", "/config/t-value?defaultToGlobal=true"))[1]["compatibilityLevel"] == "BACKWARD"
    put = await call(client, "PUT", "/config/t-value", {"compatibility": "FULL"})
    assert put == (200, {"compatibility": "FULL"})
    assert (await call(client, "DELETE", "/config/t-value"))[1]["compatibilityLevel"] == "FULL"
    assert (await call(client, "GET", "/mode")) == (200, {"mode": "READWRITE"})
    assert (await call(client, "PUT", "/mode/t-value?force=false", {"mode": "READONLY"})) == (200, {"mode": "READONLY"})
    assert (await call(client, "GET", "/mode/t-value?defaultToGlobal=false")) == (200, {"mode": "READONLY"})
    assert (await call(client, "DELETE", "/mode/t-value")) == (200, {"mode": "READONLY"})
    assert (await call(client, "GET", "/mode/t-value?defaultToGlobal=false"))[1]["error_code"] == 40409


async def test_an_import_keeps_ids(client: Api) -> None:
    assert (await call(client, "PUT", "/mode?force=false", {"mode": "IMPORT"})) == (200, {"mode": "IMPORT"})
    body = {"schema": ORDER, "schemaType": "AVRO", "references": [], "version": 3, "id": 100}
    status, imported = await call(client, "POST", "/subjects/t-value/versions?normalize=false", body)
    assert (status, imported["id"]) == (200, 100)
    assert (await call(client, "GET", "/subjects/t-value/versions?deleted=false&deletedOnly=false")) == (200, [3])


async def test_lists_and_deletes(client: Api) -> None:
    await call(client, "POST", "/subjects/t-value/versions?normalize=false", {"schema": ORDER})
    assert (await call(client, "GET", "/subjects?deleted=false&deletedOnly=false&subjectPrefix=t")) == (
        200,
        ["t-value"],
    )
    assert (await call(client, "GET", "/subjects?deleted=false")) == (200, ["t-value"])
    schemas = await call(client, "GET", "/schemas?subjectPrefix=t&deleted=false&latestOnly=true")
    assert [one["subject"] for one in schemas[1]] == ["t-value"]
    assert (await call(client, "GET", "/schemas/ids/1/versions")) == (200, [{"subject": "t-value", "version": 1}])
    assert (await call(client, "GET", "/contexts")) == (200, ["."])
    assert (await call(client, "DELETE", "/subjects/t-value/versions/1?permanent=false")) == (200, 1)
    assert (await call(client, "DELETE", "/subjects/t-value/versions/1?permanent=true")) == (200, 1)
    assert (await call(client, "DELETE", "/subjects/t-value?permanent=false"))[1]["error_code"] == 40401


async def test_what_is_probed_before_each_record_answers_in_the_standard_shape(client: Api) -> None:
    probe = "/associations/resources/-/orders?resourceType=topic&associationType=value&offset=0&limit=-1"
    assert (await call(client, "GET", probe)) == (200, [])
    for method, path in [
        ("GET", "/dek-registry/v1/keks/orders?deleted=false"),
        ("POST", "/dek-registry/v1/keks"),
        ("GET", "/exporters"),
        ("GET", "/catalog/v1/types/tagdefs"),
        ("PATCH", "/subjects/t-value"),
    ]:
        status, error = await call(client, method, path, {} if method != "GET" else None)
        assert status in (404, 405), path
        assert error.keys() == {"error_code", "message"}, path
        assert error["error_code"] == status


@pytest.mark.parametrize("subject", ["a b-value", "größe-value", "a+b", "x:y", "100%", "a/b", ":.ctx:orders"])
async def test_subjects_are_one_part_of_the_path_however_they_are_written(
    api: Api, service: RegistryService, subject: str
) -> None:
    encoded = quote(subject, safe="")
    assert (await call(api, "POST", f"/subjects/{encoded}/versions?normalize=false", {"schema": ORDER}))[0] == 200
    assert (await call(api, "GET", f"/subjects/{encoded}/versions/1?deleted=true"))[1]["subject"] == subject
    assert (await call(api, "GET", f"/schemas/ids/1?fetchMaxId=false&subject={encoded}"))[0] == 200
    assert service.registry.subjects() == [subject]
