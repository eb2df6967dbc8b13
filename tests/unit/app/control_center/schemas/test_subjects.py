"""Lists and pages of subjects: found, filtered, compared, linked."""

import json

import httpx

from app.control_center.access import ClusterAccess
from app.control_center.app import create_control_center
from app.metrics.sampler import Sampler
from app.registry.contracts import Metadata, Rule, RuleSet
from app.registry.records import ConfigUpdate
from app.registry.registry import NewSchema
from tests.unit.app.control_center.conftest import words_of
from tests.unit.app.control_center.schemas.conftest import avro

LIST = "/clusters/prod/schemas"


async def test_an_empty_registry_teaches(visitor):
    page = words_of(await visitor.get(LIST))
    assert "No schema is registered yet." in page
    assert "curl -X POST http://caudal/subjects/orders-value/versions" in page


async def test_the_list_shows_what_holds_for_each_subject(visitor, orders):
    await orders.scopes.update_config("orders-value", ConfigUpdate(compatibility="NONE"))
    await orders.scopes.set_mode("orders-value", "READONLY")
    rows = json.loads((await visitor.get(f"{LIST}?format=json")).text)
    assert [(row["name"], row["latest"], row["versions"], row["level"], row["mode"]) for row in rows] == [
        ("orders-value", 2, 2, "NONE", "READONLY")
    ]
    page = words_of(await visitor.get(LIST))
    assert "1 subject." in page
    assert "orders-value Avro 2 2 2 NONE READONLY" in page


async def test_search_filters_and_sorting(visitor, service):
    for name, kind in (("a-value", "AVRO"), ("b-value", "JSON"), (":.dev:a-value", "AVRO"), ("c-key", "AVRO")):
        await service.registry.register(name, NewSchema('"long"' if kind == "AVRO" else '{"type":"string"}', kind))

    async def names(query):
        return [row["name"] for row in json.loads((await visitor.get(f"{LIST}?format=json&{query}")).text)]

    assert await names("q=VALUE+a") == [":.dev:a-value", "a-value", "b-value"]
    assert await names("type=JSON") == ["b-value"]
    assert await names("context=.dev") == [":.dev:a-value"]
    assert await names("context=.&sort=name&dir=desc") == ["c-key", "b-value", "a-value"]
    assert await names("q=nothing") == []
    assert "No subject matches nothing" in words_of(await visitor.get(f"{LIST}?q=nothing"))


async def test_soft_deleted_subjects_are_shown_on_demand(visitor, orders):
    await orders.deletion.delete_subject("orders-value", permanent=False)
    assert "Every subject is soft-deleted." in words_of(await visitor.get(LIST))
    assert "orders-value soft-deleted" in words_of(await visitor.get(f"{LIST}?deleted=1"))
    page = words_of(await visitor.get(f"{LIST}/orders-value"))
    assert "This subject is soft-deleted." in page
    assert "Schemas 0" in page


async def test_the_rail_counts_subjects_that_are_not_deleted(visitor, orders):
    await orders.registry.register("gone", NewSchema('"long"'))
    await orders.deletion.delete_subject("gone", permanent=False)
    assert "Schemas 1" in words_of(await visitor.get("/clusters/prod"))


async def test_many_subjects_come_in_pages(visitor, service):
    for number in range(120):
        await service.registry.register(f"s-{number:03}", NewSchema('"long"'))
    page = await visitor.get(f"{LIST}?page=3")
    assert page.text.count("<tr data-row") == 20
    assert "by name, 101 to 120 of 120" in words_of(page)
    assert len(page.text) < 40_000


async def test_a_poll_without_a_change_is_answered_with_nothing(visitor, orders):
    page = await visitor.get(LIST, htmx=True)
    version = page.text.split('name="v" value="')[1].split('"')[0]
    assert (await visitor.get(f"{LIST}?v={version}", htmx=True)).status_code == 204
    await orders.registry.register("more", NewSchema('"long"'))
    changed = await visitor.get(f"{LIST}?v={version}", htmx=True)
    assert changed.status_code == 200
    assert "more" in changed.text


async def test_a_version_with_its_contract_and_topic(visitor, orders):
    contract = Metadata(tags={"Order.id": ("PII",)}, properties={"owner": "shop", "key": "s3cret"}, sensitive=("key",))
    rules = RuleSet(domain_rules=(Rule("small", kind="CONDITION", mode="WRITE", type="CEL", expr="amount < 9"),))
    schema = avro(id="long", amount="int", note=("string", ""), more=("int", 0))
    await orders.registry.register("orders-value", NewSchema(schema, metadata=contract, rule_set=rules))
    answer = await visitor.get(f"{LIST}/orders-value")
    page = words_of(answer)
    assert "Version 3 latest" in page
    assert "Used by values of orders" in page
    assert "owner shop" in page
    assert "s3cret" not in answer.text
    assert "small domain, condition write CEL amount < 9" in page
    assert "Version 1" in words_of(await visitor.get(f"{LIST}/orders-value/v/1"))


async def test_pages_that_are_not_there(visitor, orders):
    for path in ("nope", "nope/evolve", "orders-value/v/9", "orders-value/v/x", "orders-value/diff?a=7"):
        assert (await visitor.get(f"{LIST}/{path}")).status_code == 404, path


async def test_versions_side_by_side(visitor, orders):
    answer = await visitor.get(f"{LIST}/orders-value/diff?a=1&b=2&format=json")
    compared = json.loads(answer.text)
    assert (compared["added"], compared["removed"]) == (1, 0)
    assert [row["new"].strip() for row in compared["rows"] if row["kind"] == "added"] == [
        '{ "name": "note", "type": "string", "default": "" }'
    ]
    page = await visitor.get(f"{LIST}/orders-value/diff")
    assert "Version 1 on the left, Version 2 on the right" in page.text


async def test_odd_names_are_shown_linked_and_opened(visitor, service):
    names = [".", "..", "new", "settings", "a/b", "50%", "<b>x</b>", "über 🦊", ":.dev:a b"]
    for name in names:
        await service.registry.register(name, NewSchema('"long"'))
    listed = await visitor.get(LIST)
    assert "<b>x</b>" not in listed.text
    hrefs = [part.split('"')[0] for part in listed.text.split('<a class="mono" href="')[1:]]
    assert len(hrefs) == len(names)
    for href in hrefs:
        for path in (href, *await _tabs(visitor, href)):
            answer = await visitor.get(path.removeprefix("/ui").replace("&amp;", "&"))
            assert answer.status_code == 200, path
            assert "Avro, 1 version" in words_of(answer), path


async def _tabs(visitor, href):
    page = await visitor.get(href.removeprefix("/ui").replace("&amp;", "&"))
    tabs = page.text.split('<nav class="tabs" aria-label="Subject">')[1].split("</nav>")[0]
    return [part.split('"')[0] for part in tabs.split('href="')[1:]]


async def test_a_topic_leads_to_its_schemas(visitor, orders):
    page = words_of(await visitor.get("/clusters/prod/topics/orders"))
    assert "Of its values orders-value version 2, BACKWARD" in page
    assert "Of its keys none under its name Register orders-key" in page


async def test_find_finds_subjects(visitor, orders):
    found = json.loads((await visitor.get("/clusters/prod/find?q=orders-v&format=json")).text)
    assert {"kind": "subject", "name": "orders-value", "href": "/ui/clusters/prod/schemas/orders-value"} in found


async def test_csv_has_all_rows(visitor, orders):
    answer = await visitor.get(f"{LIST}?format=csv")
    assert answer.text.splitlines()[1].startswith("orders-value,.,AVRO,2,2,0,2,BACKWARD,READWRITE,")


async def test_a_registry_that_still_reads_its_topic_says_so(visitor, service, monkeypatch):
    monkeypatch.setattr("app.control_center.schemas.desk.READY_WAIT_S", 0.01)
    await service.store.ready()
    service.store._forget()  # as after the topic began anew
    answer = await visitor.get(LIST)
    assert answer.status_code == 503
    assert "still reading its topic" in words_of(answer)
    assert (await visitor.get("/clusters/prod/topics/orders")).status_code == 200


async def test_without_a_registry_there_are_no_pages_of_it(visitor, desk, clock, settings, cluster):
    sampler = Sampler(cluster, clock=clock)
    app = create_control_center(settings, [ClusterAccess("prod", sampler, cluster, cluster)], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        assert (await client.get(f"/ui{LIST}")).status_code == 404
        assert "/schemas" not in (await client.get("/ui/clusters/prod")).text
