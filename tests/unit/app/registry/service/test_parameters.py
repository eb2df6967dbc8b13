"""Query parameters and fields of bodies, each with what it changes."""

import json
from typing import Any

import pytest

from app.kafka.ports import RecordToSend
from tests.unit.app.registry.service.conftest import Api, WaitingCluster, record

ORDER = {**record("Order", mail="string", total="Money"), "namespace": "shop"}
MONEY = {"name": "shop.Money", "subject": "money", "version": 1}
PROTO = 'syntax = "proto3";\npackage shop;\n\nmessage Order {\n  string mail = 1;\n  int64 total = 2;\n}\n'
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def tags(path: str, *names: str, kind: str = "sr_field") -> dict[str, Any]:
    return {"schemaEntity": {"entityPath": path, "entityType": kind}, "tags": list(names)}


async def register_order(api: Api, context: str = "") -> None:
    prefix = f":{context}:" if context else ""
    await api.register(f"{prefix}money", {**record("Money", units="long"), "namespace": "shop"})
    registered = await api.register(f"{prefix}order", ORDER, references=[MONEY])
    assert registered.status == 200, registered.body


# --- the form of an answer --------------------------------------------------------------------------------------------


async def test_format_resolved_writes_out_what_an_avro_schema_refers_to(api: Api) -> None:
    await register_order(api)
    await api("POST", "/subjects/order/versions/1/tags", {"metadata": {"properties": {"stage": "live"}}})
    for path in ("/subjects/order/versions/1", "/schemas/ids/2", "/subjects/order/metadata?key=stage&value=live"):
        joined = "&" if "?" in path else "?"
        answer = await api("GET", f"{path}{joined}format=resolved")
        assert json.loads(answer.body["schema"])["fields"][1]["type"]["fields"][0]["name"] == "units", path
        assert answer.body["references"] == [MONEY]
    for path in ("/subjects/order/versions/1/schema", "/schemas/ids/2/schema"):
        assert '"units"' in (await api.http.get(path, params={"format": "resolved"})).text, path
        assert '"units"' not in (await api.http.get(path, params={"format": "unheard-of"})).text, path
    body = {"schema": json.dumps(ORDER), "references": [MONEY]}
    for path in ("/subjects/order", "/subjects/order/versions"):
        assert '"units"' in (await api("POST", f"{path}?format=resolved", body)).body["schema"], path


async def test_a_circle_that_another_writer_made_is_told(api: Api, cluster: WaitingCluster) -> None:
    await api.register("s", '"int"')
    for number, (subject, other) in enumerate((("Ring", "Other"), ("Other", "Ring")), start=7):
        text = json.dumps(record(subject, x=other))
        reference = {"name": other, "subject": other, "version": 1}
        value = {"subject": subject, "version": 1, "id": number, "references": [reference], "schema": text}
        key = f'{{"keytype":"SCHEMA","subject":"{subject}","version":1,"magic":1}}'
        cluster.produce("_schemas", 0, RecordToSend(key.encode(), json.dumps(value).encode()))
    await api.register("s", '"long"')  # read after theirs
    assert json.loads((await api("GET", "/subjects/Ring/versions/1")).body["schema"])["name"] == "Ring"
    for path in ("/subjects/Ring/versions/1", "/schemas/ids/8"):
        refused = await api("GET", path, format="resolved")
        assert (refused.status, refused.code) == (422, 42201), path
        assert "refers to itself" in refused.body["message"]
    assert (await api.register("Ring", record("Ring"))).code == 42201


async def test_formats_of_protobuf(api: Api) -> None:
    text = (
        'syntax = "proto3"; import "google/protobuf/descriptor.proto"; message M { string a = 1 [(note) = "x"]; } '
        "extend google.protobuf.FieldOptions { string note = 50000; }"
    )
    await api.register("p", text, schemaType="PROTOBUF")
    plain = (await api("GET", "/schemas/ids/1", format="ignore_extensions")).body["schema"]
    assert (
        plain == 'syntax = "proto3";\n\nimport "google/protobuf/descriptor.proto";\n\nmessage M {\n  string a = 1;\n}\n'
    )
    serialized = (await api("GET", "/subjects/p/versions/1", format="serialized")).body["schema"]
    again = await api.register("q", serialized, schemaType="PROTOBUF")
    assert again.status == 200
    assert (await api("GET", "/subjects/p/versions/1", format="resolved")).body["schema"].startswith("syntax")


async def test_a_json_schema_has_one_form(api: Api) -> None:
    await api.register("j", CLOSED, schemaType="JSON")
    shown = [
        (await api("GET", "/schemas/ids/1", format=name)).body["schema"] for name in ("", "resolved", "serialized")
    ]
    assert shown == [json.dumps(CLOSED, separators=(",", ":"))] * 3


async def test_references_are_qualified_where_asked(api: Api) -> None:
    await register_order(api, ".eu")
    path = "/subjects/:.eu:order/versions/1"
    assert (await api("GET", path)).body["references"] == [MONEY]
    qualified = {**MONEY, "subject": ":.eu:money"}
    assert (await api("GET", path, referenceFormat="qualified")).body["references"] == [qualified]
    by_id = await api("GET", "/schemas/ids/2", subject=":.eu:order", referenceFormat="qualified")
    assert by_id.body["references"] == [qualified]
    await register_order(api)
    assert (await api("GET", "/subjects/order/versions/1", referenceFormat="qualified")).body["references"] == [MONEY]


@pytest.mark.parametrize(
    ("schema_type", "schema", "path"),
    [
        ("AVRO", ORDER, "shop.Order.mail"),
        ("JSON", {"type": "object", "properties": {"mail": {"type": "string"}}}, "object.mail"),
        ("PROTOBUF", PROTO, "Order.mail"),
    ],
)
async def test_tags_are_added_found_kept_and_taken_away(api: Api, schema_type: str, schema: object, path: str) -> None:
    await api.register("money", {**record("Money", units="long"), "namespace": "shop"})
    more = {"schemaType": schema_type, "references": [MONEY] if schema_type == "AVRO" else []}
    plain = await api.register("s", schema, **more)
    added = await api.register("s", schema, **more, schemaTagsToAdd=[tags(path, "PII", "GDPR"), tags(path, "PII")])
    assert (added.status, added.body["version"], "PII" in added.body["schema"]) == (200, 2, True)
    assert added.body["metadata"]["properties"] == {"confluent:version": "2"}
    for place in ("/subjects/s/versions/2", f"/schemas/ids/{added.body['id']}"):
        for name in ("*", "GDPR", "no&findTags=PII"):
            answer = (await api("GET", f"{place}?findTags={name}")).body
            assert answer["schemaTags"] == [tags(path, "PII", "GDPR")], (place, name)
        assert "schemaTags" not in (await api("GET", place, findTags="OTHER")).body
        assert "schemaTags" not in (await api("GET", place)).body
    kept = await api.register("s", schema, **more, propagateSchemaTags=True)
    assert kept.body["schema"] == added.body["schema"]
    removed = await api.register("s", added.body["schema"], **more, schemaTagsToRemove=[tags(path, "PII", "GDPR")])
    assert (removed.body["version"], removed.body["schema"]) == (4, plain.body["schema"])
    nowhere = await api.register("s", schema, **more, schemaTagsToAdd=[tags("nowhere", "PII")])
    assert (nowhere.status, nowhere.code) == (422, 42201)
    empty = await api("POST", "/subjects/s/versions", {"schemaTagsToAdd": [tags(path, "PII")]})
    assert (empty.status, empty.code) == (422, 42201)
    odd = await api.register("s", schema, schemaTagsToAdd=[tags(path, "PII", kind="sr_table")])
    assert (odd.status, odd.code) == (400, 400)


async def test_an_id_tells_the_subject_only_where_one_is_asked_for(api: Api) -> None:
    await api.register("s", '"int"')
    await api.register("t", '"long"')
    await api.register("t", '"int"', metadata=None)
    await api("PUT", "/config/t", {"compatibility": "NONE"})
    await api.register("t", '"int"')
    plain = (await api("GET", "/schemas/ids/1", fetchMaxId=True)).body
    assert ("subject" in plain, plain["maxId"]) == (False, 2)
    told = (await api("GET", "/schemas/ids/1", subject="t")).body
    assert (told["subject"], told["version"]) == ("t", 2)
    other = (await api("GET", "/schemas/ids/1", subject="unknown")).body
    assert (other["subject"], other["version"]) == ("t", 2)


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_every_list_has_pages(api: Api) -> None:
    await api.register("money", {**record("Money", units="long"), "namespace": "shop"})
    for number in range(4):
        order = {**ORDER, "name": f"Order{number}"}
        await api.register("orders", record("Base"))
        await api("PUT", "/config/orders", {"compatibility": "NONE"})
        await api.register(f"order{number}", order, references=[MONEY])
        await api.register("orders", record(f"R{number}"))
        await api.register(f"same{number}", '"int"')
        await api.register(f":.c{number}:s", '"int"')
    same_id = (await api("GET", "/subjects/same0/versions/1")).body["id"]
    for path in (
        "/subjects", "/subjects/orders/versions", "/subjects/money/versions/1/referencedby", "/contexts", "/schemas",
        f"/schemas/ids/{same_id}/subjects", f"/schemas/ids/{same_id}/versions",
    ):  # fmt: skip
        whole = (await api("GET", path)).body
        assert len(whole) >= 4, path
        assert (await api("GET", path, offset=1, limit=2)).body == whole[1:3], path
        assert (await api("GET", path, offset=3)).body == whole[3:], path
        assert (await api("GET", path, limit=-1)).body == (await api("GET", path, limit=0)).body == whole, path
        assert (await api("GET", path, offset=len(whole))).body == [], path


async def test_deleted_versions_as_negative_numbers(api: Api) -> None:
    await api.register("s", '"int"')
    await api.register("s", '"long"')
    await api("DELETE", "/subjects/s/versions/1")
    path = "/subjects/s/versions"
    assert (await api("GET", path, deletedAsNegative=True)).body == [-1, 2]
    assert (await api("GET", path, deletedOnly=True, deletedAsNegative=True)).body == [1]
    await api("DELETE", "/subjects/s")
    assert (await api("GET", path)).code == 40401
    assert (await api("GET", path, deletedAsNegative=True)).body == [-1, -2]


async def test_filters_of_the_list_of_schemas(api: Api) -> None:
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "type": "CEL", "mode": "WRITE"}]}
    await api.register("s", '"int"')
    await api.register("s", '"long"', ruleSet=rules)
    await api.register("long-name", '"int"')
    await api("PUT", "/config/short", {"alias": "long-name"})

    async def found(**query: object) -> list[tuple[str, int]]:
        return [(one["subject"], one["version"]) for one in (await api("GET", "/schemas", **query)).body]

    assert await found(latestOnly=True) == [("long-name", 1), ("s", 2)]
    assert await found(ruleType="CEL") == [("s", 2)]
    assert await found(subjectPrefix="s", latestOnly=True) == [("s", 2)]
    assert await found(subjectPrefix="sh") == []
    assert await found(subjectPrefix="sh", aliases=True) == [("long-name", 1)]
    assert await found(resourceType="topic") == []
    await api("DELETE", "/subjects/s/versions/2")
    assert await found(subjectPrefix="s", latestOnly=True) == [("s", 1)]
    assert await found(subjectPrefix="s", latestOnly=True, deleted=True) == [("s", 2)]


async def test_a_prefix_that_names_a_context_is_meant_so_inside_of_another(api: Api) -> None:
    for subject in ("s", ":.eu:s", ":.eu:t", ":.us:s"):
        await api.register(subject, '"int"')
    found = {
        prefix: (await api("GET", "/contexts/.eu/subjects", subjectPrefix=prefix)).body
        for prefix in ("", "s", ":.us:", ":.eu:t", ":*:", ":*:s")
    }
    assert found == {
        "": [":.eu:s", ":.eu:t"],
        "s": [":.eu:s"],
        ":.us:": [":.us:s"],
        ":.eu:t": [":.eu:t"],
        ":*:": [":.eu:s", ":.eu:t", ":.us:s", "s"],
        ":*:s": [":.eu:s", ":.us:s", "s"],
    }
    assert [one["subject"] for one in (await api("GET", "/contexts/us/schemas")).body] == [":.us:s"]


# --- lookup and registration ------------------------------------------------------------------------------------------


async def test_lookup_counts_what_the_version_before_and_the_config_lend(api: Api) -> None:
    await api.register("s", '"int"', metadata={"properties": {"owner": "ada"}})
    assert (await api("POST", "/subjects/s", {"schema": '"int"'})).body["version"] == 1
    await api("PUT", "/config/t", {"overrideMetadata": {"properties": {"stage": "live"}}})
    await api.register("t", '"int"')
    found = await api("POST", "/subjects/t", {"schema": '"int"'})
    assert found.body["metadata"]["properties"] == {"stage": "live"}
    other = {"schema": '"int"', "metadata": {"properties": {"owner": "bob"}}}
    assert (await api("POST", "/subjects/s", other)).code == 40403


async def test_lookup_goes_on_in_other_contexts(api: Api) -> None:
    await register_order(api, ".eu")
    body = {"schema": json.dumps(ORDER), "references": [{**MONEY, "subject": ":.eu:money"}]}
    assert (await api("POST", "/subjects/order", body)).code == 40401  # other references: another schema
    await api.register("money", {**record("Money", units="long"), "namespace": "shop"})
    found = await api("POST", "/subjects/order", {"schema": json.dumps(ORDER), "references": [MONEY]})
    assert (found.status, found.body["subject"]) == (200, ":.eu:order")
    assert (await api("POST", "/subjects/unknown", {"schema": "{"})).code == 42201


async def test_latest_as_a_version_is_told_in_the_metadata(api: Api) -> None:
    first = await api.register("s", '"int"', version=-1)
    assert first.body["metadata"]["properties"] == {"confluent:version": "1"}
    again = await api.register("s", '"int"', version=-1)
    assert (again.body["version"], again.body["id"]) == (1, first.body["id"])
    second = await api.register("s", '"long"', version=-1)
    assert second.body["metadata"]["properties"] == {"confluent:version": "2"}
    back = await api.register("s", '"int"', version=-1)
    assert back.status == 409
    await api("PUT", "/config/s", {"compatibility": "NONE"})
    assert (await api.register("s", '"int"', version=-1)).body["version"] == 3


async def test_defaults_and_overrides_of_rules(api: Api) -> None:
    def rules(*names: str, expr: str) -> dict[str, Any]:
        shared = {"kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": expr}
        return {"domainRules": [{"name": name, **shared} for name in names]}

    await api("PUT", "/config/s", {
        "defaultRuleSet": rules("a", "b", "c", expr="default"), "overrideRuleSet": rules("c", expr="override"),
    })  # fmt: skip
    answer = await api.register("s", record(a="int"), ruleSet=rules("b", "c", expr="own"))
    shown = [(one["name"], one["expr"]) for one in answer.body["ruleSet"]["domainRules"]]
    assert shown == [("a", "default"), ("b", "own"), ("c", "override")]


async def test_normalize_by_query_and_by_config(api: Api) -> None:
    sent = '{"properties":{"b":{},"a":{}},"additionalProperties":false}'
    sorted_text = '{"additionalProperties":false,"properties":{"a":{},"b":{}}}'
    await api("POST", "/subjects/s/versions?normalize=true", {"schema": sent, "schemaType": "JSON"})
    assert (await api("GET", "/subjects/s/versions/1")).body["schema"] == sorted_text
    body = {"schema": sent, "schemaType": "JSON"}
    assert (await api("POST", "/subjects/s", body)).code == 40403
    assert (await api("POST", "/subjects/s?normalize=true", body)).body["version"] == 1
    await api("PUT", "/config/s", {"normalize": True})
    assert (await api("POST", "/subjects/s", body)).body["version"] == 1
    assert (await api.register("s", sent, schemaType="JSON")).body["version"] == 1


# --- what a config asks -----------------------------------------------------------------------------------------------


async def test_reserved_fields_count_where_fields_are_validated(api: Api) -> None:
    reserved = {"properties": {"confluent:reserved": "b"}}
    await api("PUT", "/config", {"compatibility": "NONE"})
    assert (await api.register("s", record(a="int"), metadata=reserved)).status == 200
    assert (await api.register("s", record(b="int"), metadata=reserved)).status == 200
    await api("PUT", "/config/s", {"validateFields": True})
    refused = await api.register("s", record(a="int", b="int"), metadata=reserved)
    assert (refused.status, "FIELD_CONFLICTS_WITH_RESERVED_FIELD" in refused.body["message"]) == (409, True)
    assert "{validateFields: 'true', compatibility: 'NONE'}" in refused.body["message"]
    given_up = {"schema": json.dumps(record(a="int")), "metadata": {"properties": {}}}
    told = await api("POST", "/compatibility/subjects/s/versions/latest", given_up, verbose=True)
    assert (told.body["is_compatible"], "RESERVED_FIELD_REMOVED" in told.body["messages"][0]) == (False, True)
    await api("PUT", "/config/s", {"compatibility": "BACKWARD"})
    both = await api.register("s", record(b=("string", ""), c="int"), metadata=reserved)
    assert all(word in both.body["message"] for word in ("RESERVED", "TYPE_MISMATCH", "oldSchemaVersion: 2"))


async def test_names_with_two_dollars_are_refused_where_fields_are_validated(api: Api) -> None:
    odd = {"type": "object", "properties": {"$$a": {}}}
    assert (await api.register("s", odd, schemaType="JSON")).status == 200
    await api("PUT", "/config/t", {"validateFields": True})
    refused = await api.register("t", odd, schemaType="JSON")
    assert (refused.status, refused.code) == (422, 42201)
    body = {"schema": json.dumps(odd), "schemaType": "JSON"}
    assert (await api("POST", "/compatibility/subjects/t/versions", body)).code == 42201


async def test_the_lenient_policy_lets_open_models_grow(api: Api) -> None:
    await api.register("s", {"type": "object", "properties": {"a": {}}}, schemaType="JSON")
    wider = {"type": "object", "properties": {"a": {}, "b": {"type": "string"}}}
    refused = await api.register("s", wider, schemaType="JSON")
    assert "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" in refused.body["message"]
    for policy in ("STRICT", "LOGICAL"):
        assert (await api("PUT", "/config/s", {"compatibilityPolicy": policy})).status == 200
        assert (await api.register("s", wider, schemaType="JSON")).status == 409
    await api("PUT", "/config/s", {"compatibilityPolicy": "lenient"})
    assert (await api.register("s", wider, schemaType="JSON")).body["version"] == 2
    assert (await api("PUT", "/config/s", {"compatibilityPolicy": "LAX"})).code == 42203


async def test_old_names_are_taken_where_new_schemas_are_not_validated(api: Api) -> None:
    odd = {"type": "record", "name": "R", "fields": [{"name": "a-b", "type": "int"}]}
    assert (await api.register("s", odd)).code == 42201
    await api("PUT", "/config/s", {"validateNewSchemas": False})
    assert (await api.register("s", odd)).status == 200


# --- tags of a version ------------------------------------------------------------------------------------------------


async def test_tagging_takes_the_rules_of_the_latest_version(api: Api) -> None:
    def rule(name: str) -> dict[str, str]:
        return {"name": name, "kind": "CONDITION", "type": "CEL", "mode": "WRITE"}

    await api.register("s", record(a="int"), ruleSet={"domainRules": [rule("first")]})
    await api.register("s", record(a="int", b=("int", 0)), ruleSet={"domainRules": [rule("second")]})
    body: dict[str, Any] = {"tagsToAdd": [tags("R.a", "PII")], "rulesToMerge": {"domainRules": [rule("third")]}}
    answer = await api("POST", "/subjects/s/versions/1/tags", body)
    assert [one["name"] for one in answer.body["ruleSet"]["domainRules"]] == ["second", "third"]
    assert answer.body["schema"].count('"name":"b"') == 0
    both = await api("POST", "/subjects/s/versions/1/tags", {**body, "ruleSet": {"domainRules": []}})
    assert (both.status, both.code) == (422, 42210)
    bad = {**body, "rulesToMerge": {"domainRules": [rule("1")]}}
    assert (await api("POST", "/subjects/s/versions/1/tags", bad)).code == 42210
    await api("DELETE", "/subjects/s/versions/1")
    assert (await api("POST", "/subjects/s/versions/1/tags", body)).code == 40402
    assert (await api("POST", "/subjects/t/versions/1/tags", body)).code == 40401


async def test_versions_that_refer_to_their_own_subject_go_together(api: Api) -> None:
    await api("PUT", "/config/s", {"compatibility": "NONE"})
    await api.register("s", record("A"))
    await api.register("s", record("B", a="A"), references=[{"name": "A", "subject": "s", "version": 1}])
    assert (await api("DELETE", "/subjects/s/versions/1")).code == 42206
    assert (await api("DELETE", "/subjects/s")).body == [1, 2]
    assert (await api("DELETE", "/subjects/s/versions/1", permanent=True)).code == 42206
    assert (await api("DELETE", "/subjects/s", permanent=True)).body == [1, 2]
