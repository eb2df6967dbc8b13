"""What holds for every page."""

import re

import pytest

from tests.unit.app.control_center.conftest import words_of

PAGES = {
    "/": "Clusters",
    "/clusters/prod": "prod is healthy",
    "/clusters/prod/topics": "Topics",
    "/clusters/prod/topics/new": "Create topic",
    "/clusters/prod/topics/orders": "orders",
    "/clusters/prod/topics/orders/messages": "orders",
    "/clusters/prod/topics/orders/partitions": "orders",
    "/clusters/prod/topics/orders/config": "orders",
    "/clusters/prod/topics/orders/settings": "orders",
    "/clusters/prod/groups": "Consumer groups",
    "/clusters/prod/groups/billing": "billing",
    "/clusters/prod/brokers": "Brokers",
    "/clusters/prod/brokers/1": "Broker 1",
    "/clusters/prod/brokers/1?tab=config": "Broker 1",
    "/clusters/prod/find?q=ord": "Find",
}
LIVE = [path for path in PAGES if not re.search(r"new|messages|config|settings|brokers/1|find", path)]
AS_JSON = [path for path in PAGES if not re.search(r"new|settings", path)]


@pytest.mark.parametrize(("path", "headline"), PAGES.items())
async def test_a_page_is_whole_without_javascript(visitor, path, headline):
    response = await visitor.get(path)
    assert response.status_code == 200
    assert response.text.count("<h1") == 1
    assert headline in words_of(response)
    assert response.text.count("<main") == 1
    assert '<html lang="en"' in response.text
    assert response.headers["cache-control"] == "private, no-cache"
    assert "HX-Request" in response.headers["vary"]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(visitor, path):
    response = await visitor.get(path)
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", response.text)
    scripts = re.findall(r"<script([^>]*)>", response.text)
    assert all('src="/ui/static/' in script or 'type="application/json"' in script for script in scripts)
    assert not re.search(r'(src|href|action)="(https?:)?//', response.text)
    assert "script-src 'self'; style-src 'self';" in response.headers["content-security-policy"]


@pytest.mark.parametrize("path", LIVE)
async def test_a_live_page_answers_204_until_something_changes(visitor, path, clock, cluster, sampler):
    fragment = await visitor.get(path, htmx=True)
    assert "<html" not in fragment.text
    assert fragment.headers["cache-control"] == "no-store"
    version = re.search(r'name="v" value="([^"]+)"', fragment.text)
    assert version is not None
    unchanged = await visitor.get(f"{path}?v={version[1]}", htmx=True)
    assert unchanged.status_code == 204
    assert unchanged.content == b""
    cluster.produce("orders", 0, b"one more")
    clock.advance(5_000)
    await sampler.refresh()
    assert (await visitor.get(f"{path}?v={version[1]}", htmx=True)).status_code == 200


@pytest.mark.parametrize("path", AS_JSON)
async def test_a_page_answers_json_under_the_same_address(visitor, path):
    response = await visitor.get(path, Accept="application/json")
    assert response.headers["content-type"] == "application/json"
    assert response.json()


async def test_a_page_restored_from_the_history_is_whole(visitor):
    response = await visitor.get("/clusters/prod/topics", htmx=True, **{"HX-History-Restore-Request": "true"})
    assert "<html" in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/clusters/other",
        "/clusters/prod/topics/nope",
        "/clusters/prod/groups/nope",
        "/clusters/prod/brokers/99",
        "/clusters/prod/brokers/x",
    ],
)
async def test_what_is_not_there_is_a_page_that_says_so(visitor, path):
    response = await visitor.get(path)
    assert response.status_code == 404
    assert "Not found" in words_of(response)
    assert "content-security-policy" in response.headers


@pytest.mark.parametrize("path", ["/nope", "/clusters/other", "/clusters/prod/topics/a", "/clusters/prod/groups/a"])
@pytest.mark.parametrize("wanted", ["json", "csv"])
async def test_a_program_that_asks_for_what_is_not_there_is_told_as_json(visitor, path, wanted):
    response = await visitor.get(f"{path}?format={wanted}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error_code"] == 404
    assert response.json()["message"].startswith("There is no ")


async def test_the_cluster_is_also_found_by_its_id(visitor):
    assert (await visitor.get("/clusters/memory-cluster-0000000/topics")).status_code == 200


async def test_the_bare_prefix_leads_to_the_first_page(visitor):
    response = await visitor.get("")
    assert response.status_code == 308
    assert response.headers["location"] == "/ui/"


async def test_times_are_in_the_readers_zone(visitor):
    visitor.client.cookies.set("caudal_zone", "-300")
    assert "as of 17:13:20" in words_of(await visitor.get("/clusters/prod"))
    visitor.client.cookies.set("caudal_zone", "330")
    assert "as of 03:43:20" in words_of(await visitor.get("/clusters/prod"))


async def test_pages_are_compressed(visitor):
    response = await visitor.get("/clusters/prod/topics", **{"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"


async def test_the_insecure_start_is_said_on_every_page(cluster, sampler, clock, settings):
    import dataclasses

    import httpx

    from app.control_center.access import ClusterAccess
    from app.control_center.app import create_control_center

    insecure = dataclasses.replace(settings, insecure=True)
    app = create_control_center(insecure, [ClusterAccess("", sampler, cluster, cluster)], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        for path in ("/ui/", "/ui/clusters/memory-cluster-0000000/topics", "/ui/nope"):
            page = await client.get(path, headers={"Accept": "text/html"})
            assert "anyone who reaches this address can read and change everything" in words_of(page)
