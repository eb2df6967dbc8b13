"""The document of the proxy's routes, and the page that shows it."""

import re

import httpx
import jsonschema
import pytest

from app.rest.app import DOCUMENTATION, OUR_ROUTES, V2_ROUTES, V3_ROUTES
from app.rest.openapi.document import BY_ROUTE

ROUTES = [
    f"{method} {template}"
    for routes in (*V2_ROUTES, *V3_ROUTES, *OUR_ROUTES, DOCUMENTATION.routes)
    for method, template, _ in routes.found
]


def test_every_route_is_described_and_nothing_else() -> None:
    assert sorted(BY_ROUTE) == sorted(ROUTES)
    assert len(ROUTES) > 80


async def test_the_document_names_every_route(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    told = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert sorted(told) == sorted(ROUTES)


async def test_its_schemas_are_schemas_and_its_references_lead_somewhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    components = answer.json()["components"]
    for schema in components["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r'"#/components/(\w+)/([^"]+)"', answer.text))
    assert references
    assert all(name in components[section] for section, name in references)


async def test_every_operation_has_an_id_of_its_own_and_tells_its_errors(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert {"400", "404", "500", "503"} <= operation["responses"].keys()


async def test_examples_fit_their_schemas(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    checked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema.validate(content["example"], schema, cls=jsonschema.Draft202012Validator)
                    checked += 1
                else:
                    raise AssertionError(f"{method} {path} has a body and no example")
    assert checked > 30


async def test_the_page_shows_every_operation_with_a_curl_line(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/", headers={"accept": "text/html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for route in ROUTES:
        method, _, path = route.partition(" ")
        assert f'{method}</span><code class="path">{path}</code>' in answer.text
    assert answer.text.count("curl -sS") == len(ROUTES) + 1
    assert "http://rest.example:8082/v3/clusters/$CLUSTER/topics" in answer.text


async def test_the_page_is_strict_and_asks_no_other_host(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "script" not in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    links = re.findall(r'<link [^>]*href="([^"]+)"', answer.text)
    assert links
    for link in links:
        assert not link.startswith(("http", "/"))
        assert (await client.get(f"/docs/{link}")).status_code == 200


async def test_the_style_finds_its_fonts_and_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    style = (await client.get("/docs/static/css/caudal.css")).text
    fonts = set(re.findall(r'url\("\.\./([^"]+)"\)', style))
    assert len(fonts) == 4
    for font in fonts:
        answer = await client.get(f"/docs/static/{font}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "font/woff2")
    assert (await client.get("/docs/static/js/caudal.js")).status_code == 404
    assert (await client.get("/docs/static/css/..%2f..%2fjs%2fcaudal.js")).status_code == 404


async def test_a_host_header_cannot_put_html_into_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/", headers={"host": "<script>alert(1)</script>"})
    assert "<script" not in answer.text
    assert "&lt;script" in answer.text


async def test_without_its_slash_the_page_leads_to_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (308, "docs/")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/"])
async def test_only_reading_is_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path)
    assert answer.status_code == 405
    assert answer.json()["error_code"] == 405
