"""Registering by form: what is wrong stands beside its field, what was typed stays, reasons stand at their place."""

import html
import json

import pytest

from app.registry.records import ConfigUpdate
from tests.unit.app.control_center.conftest import words_of
from tests.unit.app.control_center.schemas.conftest import avro

NEW = "/clusters/prod/schemas/new"
EVOLVE = "/clusters/prod/schemas/orders-value/evolve"
BROKEN = """{
  "type": "record",
  "name": "Order",
  "fields": [
    { "name": "id", "type": "long" },
    { "name": "amount", "type": "string" },
    { "name": "channel", "type": "string" }
  ]
}"""


async def test_a_new_subject_is_registered(visitor, service):
    answer = await visitor.post(NEW, {"subject": " orders-value ", "type": "AVRO", "schema": avro(id="long")})
    page = await visitor.follow(answer)
    assert "Version 1 of orders-value was registered with id 1." in page
    assert service.registry.version("orders-value", 1).id == 1


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        ({"subject": ""}, "subject", "Write a name"),
        ({"subject": "__GLOBAL"}, "subject", "This name is kept by the registry"),
        ({"subject": "a\x07b"}, "subject", "characters that cannot be printed"),
        ({"type": "XML"}, "type", "Choose one of the three."),
        ({"schema": " \n"}, "schema", "Write the schema."),
        ({"schema": '{\n "type": "record"\n "name": "R"}'}, "schema", "Line 3, column 2: "),
        (
            {"schema": '{"type": "record",\n"name": "R",\n"fields": [\n{"name": "a", "type": "lnog"}]}'},
            "schema",
            "Line 4: Undefined name: lnog.",
        ),
        ({"schema": "[" * 100_000}, "schema", "nested"),
        ({"schema": '"' + "x" * 1_000_001 + '"'}, "schema", "The schema is larger than 1000000 bytes."),
        ({"type": "PROTOBUF", "schema": 'syntax = "proto3";\nmessage A {\n  strin\n}'}, "schema", "Line 4: "),
        (
            {"type": "PROTOBUF", "schema": 'syntax = "proto3";\nmessage A {\n  nope x = 1;\n}'},
            "schema",
            "'nope' is not defined",
        ),
        ({"type": "JSON", "schema": '{"type":\n"objekt"}'}, "schema", "Line 1: "),
        ({"reference-name-0": "a.B"}, "reference-error-0", "A reference has a name"),
        (
            {"reference-name-0": "a.B", "reference-subject-0": "b", "reference-version-0": "two"},
            "reference-error-0",
            "The version is a number",
        ),
        (
            {"reference-name-0": "a.B", "reference-subject-0": "b", "reference-version-0": "2"},
            "reference-error-0",
            "There is no version 2 of a subject b.",
        ),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(visitor, service, fields, place, words):
    sent = {"subject": "orders-value", "type": "AVRO", "schema": '"long"', **fields}
    answer = await visitor.post(NEW, sent)
    assert answer.status_code == 422
    assert words in words_of(answer)
    assert f'id="{place if place.startswith("reference") else f"{place}-error"}"' in answer.text
    assert not service.store.view.contents


async def test_a_subject_that_is_there_is_not_begun_anew(visitor, orders):
    answer = await visitor.post(NEW, {"subject": "orders-value", "type": "AVRO", "schema": avro(id="long", x="int")})
    assert answer.status_code == 422
    assert "This subject is there already." in words_of(answer)
    assert "/schemas/orders-value/evolve" in answer.text


async def test_a_refused_version_names_every_reason_with_its_line(visitor, orders):
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": BROKEN, "base": "2"})
    page = words_of(answer)
    assert answer.status_code == 422
    assert "Not BACKWARD compatible with version 2." in page
    assert "Line 6. The type of a field (path '/fields/1/type')" in page
    assert "Line 7. The field 'channel' at path '/fields/2'" in page
    assert 'data-marked="6,7"' in answer.text
    assert "2 reasons below" in page
    assert html.escape(BROKEN, quote=False).replace('"', "&#34;") in answer.text
    assert len(orders.registry.versions("orders-value")) == 2


async def test_a_check_writes_nothing_and_says_what_would_be(visitor, orders):
    schema = avro(id="long", amount="int", note=("string", ""), more=("int", 0))
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2", "do": "check"})
    assert answer.status_code == 200
    assert "BACKWARD compatible with version 2: it can be registered." in words_of(answer)
    assert len(orders.registry.versions("orders-value")) == 2


async def test_a_forward_reason_points_into_the_older_version(visitor, orders):
    await orders.scopes.update_config("orders-value", ConfigUpdate(compatibility="FORWARD"))
    schema = avro(id="long", note=("string", ""))
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2", "do": "check"})
    assert "Version 2, line 6. The field 'amount' at path '/fields/1' in the old schema" in words_of(answer)


async def test_a_transitive_level_names_the_older_version_that_disagrees(visitor, orders):
    await orders.scopes.update_config("orders-value", ConfigUpdate(compatibility="FULL_TRANSITIVE"))
    schema = avro(id="long", amount="int", note="string")
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2"})
    assert "Not FULL_TRANSITIVE compatible with version 1." in words_of(answer)


async def test_the_same_schema_again_adds_nothing(visitor, orders):
    schema = avro(id="long", amount="int")
    checked = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2", "do": "check"})
    assert "This is version 1 already, with id 1" in words_of(checked)
    page = await visitor.follow(await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2"}))
    assert "is version 1 of orders-value already" in page
    assert len(orders.registry.versions("orders-value")) == 2


async def test_a_version_that_came_between_is_looked_at_first(visitor, orders):
    schema = avro(id="long", amount="int", note=("string", ""), more=("int", 0))
    late = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "1"})
    assert late.status_code == 422
    assert "Version 2 was registered since you opened this page." in words_of(late)
    assert 'name="base" value="2"' in late.text
    page = await visitor.follow(await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2"}))
    assert "Version 3 of orders-value was registered" in page


async def test_laying_out_changes_the_look_only(visitor, orders):
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": avro(id="long"), "base": "2", "do": "lay-out"})
    assert answer.status_code == 200
    assert "    { &#34;name&#34;: &#34;id&#34;, &#34;type&#34;: &#34;long&#34; }\n" in answer.text
    broken = await visitor.post(NEW, {"type": "AVRO", "schema": '{\n"type" 1}', "do": "lay-out"})
    assert "Line 2, column 8" in words_of(broken)
    assert "Write a name" not in words_of(broken)


async def test_references_are_registered_as_the_version_that_is(visitor, service):
    address = avro("Address", street="string")
    await visitor.post(NEW, {"subject": "address-value", "type": "AVRO", "schema": address})
    fields = {"reference-name-0": "Address", "reference-subject-0": "address-value", "reference-version-0": ""}
    schema = avro("Order", ship_to="Address")
    more = await visitor.post(NEW, {"subject": "o", "type": "AVRO", "schema": schema, "do": "reference", **fields})
    assert 'name="reference-name-1"' in more.text
    page = await visitor.follow(
        await visitor.post(NEW, {"subject": "orders-value", "type": "AVRO", "schema": schema, **fields})
    )
    assert "Refers to Address address-value, version 1" in page
    assert "Referred to by orders-value version 1" in words_of(
        await visitor.get("/clusters/prod/schemas/address-value")
    )


@pytest.mark.parametrize("mode", ["READONLY", "IMPORT"])
async def test_a_closed_subject_says_why_and_takes_nothing(visitor, orders, mode):
    await orders.scopes.set_mode("orders-value", mode, force=True)
    shown = await visitor.get(EVOLVE)
    assert f"The mode {mode}, set on orders-value" in words_of(shown)
    assert "<fieldset data-changes disabled data-closed>" in shown.text
    schema = avro(id="long", amount="int", note=("string", ""), more=("int", 0))
    answer = await visitor.post(EVOLVE, {"type": "AVRO", "schema": schema, "base": "2"})
    assert answer.status_code == 422
    assert "(error 42205)" in words_of(answer)


async def test_a_form_without_its_token_is_refused(visitor, service):
    answer = await visitor.client.post(f"/ui{NEW}", data={"subject": "s", "type": "AVRO", "schema": '"long"'})
    assert answer.status_code == 403
    assert not service.store.view.contents


async def test_examples_are_right_schemas(visitor, service):
    for kind in ("avro", "json", "protobuf"):
        page = await visitor.get(f"{NEW}?example={kind}&subject=s-{kind}")
        text = html.unescape(page.text.split("<textarea", 1)[1].split(">\n", 1)[1].split("</textarea>")[0])
        answer = await visitor.post(NEW, {"subject": f"s-{kind}", "type": kind.upper(), "schema": text})
        assert answer.status_code == 303, words_of(answer)
    assert json.loads((await visitor.get("/clusters/prod/schemas?format=json")).text)[2]["type"] == "PROTOBUF"
