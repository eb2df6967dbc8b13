"""The Schema Registry's pages: register, evolve, be refused with the reason shown, fix, compare, delete."""

import json
import re

import pytest
from playwright.sync_api import expect

from app.registry.contracts import Metadata, Rule, RuleSet
from app.registry.records import ConfigUpdate
from app.registry.registry import NewSchema
from app.registry.schema import Reference
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_accessibility import AXE, RULES

pytestmark = pytest.mark.browser

ORDER = """{
  "type": "record",
  "name": "Order",
  "fields": [
    { "name": "id", "type": "long" }
  ]
}"""
WITH_NOTE = ORDER.replace(" }\n  ]", ' },\n    { "name": "note", "type": "string" }\n  ]')


@pytest.fixture
def place(place_with_registry):
    return place_with_registry


@pytest.mark.parametrize("has_javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_subject_from_its_making_to_its_end(place, open_page, has_javascript):
    with open_page(java_script_enabled=has_javascript) as page:
        page.goto(f"{place.url}/clusters/prod/topics/orders")
        page.click("text=Register orders-value")
        expect(page.locator("#subject")).to_have_value("orders-value")
        page.fill("#schema", ORDER.replace('"long"', '"lnog"'))
        page.click("button:has-text('Register')")
        expect(page.locator("#schema-error")).to_contain_text("Line 5: Undefined name: lnog.")
        page.fill("#schema", ORDER)
        page.click("button:has-text('Register')")
        expect(page.locator(".toast")).to_contain_text("Version 1 of orders-value was registered with id 1.")

        page.click(".actions >> text=New version")
        page.fill("#schema", WITH_NOTE)
        page.click("button:has-text('Register')")
        reason = page.locator(".reason")
        expect(reason).to_contain_text("Line 6. The field 'note' at path '/fields/1' in the new schema has no default")
        expect(reason.locator(".marked")).to_contain_text('{ "name": "note", "type": "string" }')
        expect(page.locator("#schema")).to_have_value(WITH_NOTE)
        page.fill("#schema", WITH_NOTE.replace('"type": "string"', '"type": "string", "default": ""'))
        page.click("button:has-text('Check compatibility')")
        expect(page.locator("#outcome")).to_contain_text("BACKWARD compatible with version 1: it can be registered.")
        page.click("button:has-text('Register')")
        expect(page.locator(".toast")).to_contain_text("Version 2 of orders-value was registered with id 2.")

        page.click("nav.tabs >> text=Compare")
        expect(page.locator("table.diff tr.added .new")).to_contain_text('"name": "note"')
        expect(page.locator("table.diff tr.removed")).to_have_count(0)

        page.click("nav.tabs >> text=Settings")
        page.check("input[name=level][value=FULL]")
        page.click("button:has-text('Save level')")
        expect(page.locator(".toast")).to_contain_text("must be FULL from now on")
        page.fill("#delete-confirm", "orders-value")
        page.click("button:has-text('Delete subject')")
        expect(page.locator(".toast")).to_contain_text("Subject orders-value was soft-deleted")
        page.fill("#delete-confirm", "orders-value")
        page.click("button:has-text('Delete for good')")
        expect(page.locator(".toast")).to_contain_text("Subject orders-value was deleted for good.")
        expect(page.locator("main")).to_contain_text("No schema is registered yet.")


def test_the_editor_numbers_its_lines_indents_and_lets_go(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/schemas/new?subject=s-value")
        page.click("#schema")
        page.keyboard.type("{")
        page.keyboard.press("Enter")
        page.keyboard.type('"type": "lnog"')
        expect(page.locator("#schema")).to_have_value('{\n  "type": "lnog"')
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("}")
        expect(page.locator("#schema")).to_have_value('{\n  "type": "lnog"\n}')
        expect(page.locator(".gutter pre > *")).to_have_count(3)
        page.click("button:has-text('Check compatibility')")
        expect(page.locator(".gutter b")).to_have_text("2")
        page.click("#schema")
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") != "schema"
        expect(page.locator("#schema")).to_have_value('{\n  "type": "lnog"\n}')


def test_a_list_is_searched_and_filtered_as_one_types(place, open_page):
    registry = place.registry.registry
    for number in range(60):
        place.run(registry.register(f"stream-{number:02}-value", NewSchema('"long"')))
    place.run(registry.register("events-value", NewSchema('{"type":"object"}', "JSON")))
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/schemas")
        page.keyboard.press("/")
        page.keyboard.type("stream-1", delay=20)
        expect(page.locator("tbody tr")).to_have_count(10)
        page.fill("main input[name=q]", "")
        page.select_option("select[name=type]", "JSON")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("events-value")
        expect(page).to_have_url(re.compile("type=JSON$"))


@pytest.fixture
def furnished(place):
    """A registry in which every part of the pages has something to show."""
    registry, scopes = place.registry.registry, place.registry.scopes
    fields = [{"name": "id", "type": "long"}, {"name": "address", "type": "Address"}]
    order = {"type": "record", "name": "Order", "fields": fields}
    address = '{"type":"record","name":"Address","fields":[{"name":"street","type":"string"}]}'
    rules = RuleSet(domain_rules=(Rule("checked", kind="CONDITION", mode="WRITE", type="CEL", expr="id > 0"),))
    place.run(registry.register("address-value", NewSchema(address)))
    reference = (Reference("Address", "address-value", 1),)
    place.run(registry.register("orders-value", NewSchema(json.dumps(order), references=reference)))
    fields.append({"name": "note", "type": "string", "default": ""})
    contract = Metadata(tags={"Order.note": ("PII",)}, properties={"owner": "shop"})
    order_with_note = NewSchema(json.dumps(order), references=reference, metadata=contract, rule_set=rules)
    place.run(registry.register("orders-value", order_with_note))
    place.run(registry.register(":.dev:orders-value", NewSchema('"long"')))
    place.run(registry.register("x" * 240, NewSchema('"long"')))
    place.run(registry.register("gone", NewSchema('"long"')))
    place.run(place.registry.deletion.delete_subject("gone", permanent=False))
    place.run(scopes.update_config("orders-value", ConfigUpdate(compatibility="FULL", normalize=True)))
    place.run(scopes.set_mode("address-value", "READONLY"))
    return place


REFUSED = "refused"
PAGES = (
    "schemas?deleted=1",
    "schemas/new?example=PROTOBUF",
    "schemas/settings",
    "schemas/orders-value",
    "schemas/orders-value/diff",
    "schemas/orders-value/settings",
    "schemas/address-value/evolve",
    f"schemas/{'x' * 240}",
    REFUSED,
)
RICHEST = (PAGES[0], "schemas/orders-value", "schemas/orders-value/diff", REFUSED)


def open_path(page, place, path):
    if path != REFUSED:
        page.goto(f"{place.url}/clusters/prod/{path}")
        return
    page.goto(f"{place.url}/clusters/prod/schemas/orders-value/evolve")
    page.fill("#schema", page.input_value("#schema").replace('"long"', '"string"'))
    page.click("button:has-text('Check compatibility')")
    expect(page.locator(".reason").first).to_be_visible()


def broken_rules(page, path, rules):
    result = page.evaluate("rules => axe.run({runOnly: rules})", rules)
    return [(path, one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"]]


@pytest.mark.parametrize(("viewport", "paths"), [(DESKTOP, PAGES), (PHONE, RICHEST)], ids=["desktop", "phone"])
def test_no_page_of_the_registry_breaks_a_rule(furnished, open_page, viewport, paths):
    found = []
    with open_page(viewport=viewport, color_scheme="light", reduced_motion="reduce", bypass_csp=True) as page:
        for path in paths:
            open_path(page, furnished, path)
            page.add_script_tag(path=str(AXE))
            found += broken_rules(page, path, RULES)
            if viewport == DESKTOP and path in RICHEST:
                page.emulate_media(color_scheme="dark")
                found += broken_rules(page, f"{path} in the dark", ["color-contrast"])
                page.emulate_media(color_scheme="light")
    assert found == []


def test_no_page_of_the_registry_is_wider_than_its_window(furnished, open_page):
    too_wide = []
    with open_page() as page:
        for path in PAGES:
            open_path(page, furnished, path)
            for width in (320, 390, 1440):
                page.set_viewport_size({"width": width, "height": 800})
                needed = page.evaluate("document.documentElement.scrollWidth")
                if needed > width:
                    too_wide.append((path, width, needed))
    assert too_wide == []
