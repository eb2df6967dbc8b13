"""Ids, versions, lookup, normalization, references."""

import asyncio
import json

from tests.unit.app.registry.service.conftest import Api, WaitingCluster, record


async def test_a_schema_gets_the_first_id_and_all_that_was_stored_comes_back(api: Api) -> None:
    answer = await api.register("s", record(a="int"))
    assert (answer.status, answer.body["id"], answer.body["version"], answer.body["schemaType"]) == (200, 1, 1, "AVRO")
    assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"


async def test_the_same_schema_again_is_the_same_version(api: Api, cluster: WaitingCluster) -> None:
    await api.register("s", record(a="int"))
    written = len(cluster.topics["_schemas"].partitions[0].records)
    again = await api.register("s", '{"type": "record",  "name": "R", "fields": [{"name": "a", "type": "int"}]}')
    assert (again.body["id"], again.body["version"]) == (1, 1)
    assert len(cluster.topics["_schemas"].partitions[0].records) == written


async def test_another_subject_shares_the_id(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api.register("t", record(b="int"))
    shared = await api.register("t", record(b="int", c=("int", 0)))
    other = await api.register("u", record(a="int"))
    assert [(one.body["id"], one.body["version"]) for one in (shared, other)] == [(3, 2), (1, 1)]


async def test_the_topic_is_made_by_the_first_write_alone(api: Api, cluster: WaitingCluster) -> None:
    assert (await api("GET", "/subjects")).body == []
    assert "_schemas" not in cluster.topics
    await api.register("s", '"string"')
    topic = cluster.topics["_schemas"]
    assert (len(topic.partitions), topic.configs["cleanup.policy"]) == (1, "compact")


async def test_many_at_once_with_one_content_get_one_id(api: Api) -> None:
    answers = await asyncio.gather(*(api.register(f"s{number % 5}", record(a="int")) for number in range(50)))
    assert {(one.status, one.body["id"], one.body["version"]) for one in answers} == {(200, 1, 1)}


async def test_many_at_once_in_one_subject_get_versions_one_after_the_other(api: Api) -> None:
    await api("PUT", "/config/s", {"compatibility": "NONE"})
    answers = await asyncio.gather(*(api.register("s", record(f"R{number}", a="int")) for number in range(20)))
    assert sorted(one.body["version"] for one in answers) == list(range(1, 21))
    assert sorted(one.body["id"] for one in answers) == list(range(1, 21))


async def test_lookup_finds_what_was_registered(api: Api) -> None:
    await api.register("s", record(a="int"))
    found = await api("POST", "/subjects/s", {"schema": json.dumps(record(a="int"), indent=2)})
    assert (found.status, found.body["subject"], found.body["version"], found.body["id"]) == (200, "s", 1, 1)
    absent = await api("POST", "/subjects/s", {"schema": json.dumps(record(b="int"))})
    assert (absent.status, absent.code, absent.body["message"]) == (404, 40403, "Schema not found")
    unknown = await api("POST", "/subjects/t", {"schema": json.dumps(record(a="int"))})
    assert (unknown.status, unknown.code, unknown.body["message"]) == (404, 40401, "Subject 't' not found.")


async def test_normalized_schemas_are_one(api: Api) -> None:
    shuffled = {"fields": [{"type": "int", "name": "a"}], "name": "R", "type": "record", "doc": "d"}
    first = await api("POST", "/subjects/s/versions?normalize=true", {"schema": json.dumps(shuffled)})
    ordered = {"type": "record", "name": "R", "doc": "d", "fields": [{"name": "a", "type": "int"}]}
    second = await api("POST", "/subjects/s/versions?normalize=true", {"schema": json.dumps(ordered)})
    assert first.body["version"] == second.body["version"] == 1


async def test_references_are_resolved_and_counted(api: Api) -> None:
    await api.register("money", record("Money", units="long"))
    reference = {"name": "Money", "subject": "money", "version": 1}
    order = await api.register("order", record("Order", total="Money"), references=[reference])
    assert (order.status, order.body["references"]) == (200, [reference])
    assert (await api("GET", "/subjects/money/versions/1/referencedby")).body == [order.body["id"]]
    resolved = await api("GET", "/schemas/ids/2", format="resolved")
    assert json.loads(resolved.body["schema"])["fields"][0]["type"]["name"] == "Money"


async def test_a_schema_with_its_references_written_out_is_found(api: Api) -> None:
    await api.register("money", record("Money", units="long"))
    reference = {"name": "Money", "subject": "money", "version": 1}
    await api.register("order", record("Order", total="Money"), references=[reference])
    whole = record("Order", total=record("Money", units="long"))
    found = await api("POST", "/subjects/order", {"schema": json.dumps(whole)})
    assert (found.status, found.body["version"]) == (200, 1)


async def test_a_deleted_version_whose_reference_is_gone_stands_in_nobodys_way(api: Api) -> None:
    await api.register("money", record("Money", units="long"))
    reference = {"name": "Money", "subject": "money", "version": 1}
    await api.register("order", record("Order", total="Money"), references=[reference])
    await api("DELETE", "/subjects/order")
    await api("DELETE", "/subjects/money")
    await api("DELETE", "/subjects/money", permanent=True)
    absent = await api("POST", "/subjects/order?deleted=true", {"schema": json.dumps(record(a="int"))})
    assert (absent.status, absent.code) == (404, 40403)
    assert (await api.register("order", record(a="int"))).body["version"] == 2


async def test_a_reference_to_nothing_is_an_invalid_schema(api: Api) -> None:
    reference = {"name": "Money", "subject": "money", "version": 1}
    answer = await api.register("order", record("Order", total="Money"), references=[reference])
    assert (answer.status, answer.code) == (422, 42201)
    assert 'No schema reference found for subject "money" and version 1' in answer.body["message"]


async def test_an_incompatible_schema_is_refused_with_the_reasons(api: Api) -> None:
    await api.register("s", record(a="int"))
    answer = await api.register("s", record(a="string"))
    assert (answer.status, answer.code) == (409, 409)
    assert "TYPE_MISMATCH" in answer.body["message"]
    assert "{validateFields: 'false', compatibility: 'BACKWARD'}" in answer.body["message"]


async def test_another_format_is_incompatible(api: Api) -> None:
    await api.register("s", record(a="int"))
    answer = await api.register("s", {"type": "object"}, schemaType="JSON")
    assert (answer.status, "different schema type" in answer.body["message"]) == (409, True)


async def test_what_is_wrong_with_a_schema_is_told(api: Api) -> None:
    for body in ({"schema": "{"}, {"schema": ""}, {}, {"schema": '"int"', "schemaType": "XML"}):
        answer = await api("POST", "/subjects/s/versions", body)
        assert (answer.status, answer.code) == (422, 42201), body
    assert (await api("POST", "/subjects/s/versions")).status == 422
    too_large = await api.register("s", record(a=("string", "x" * 1_000_001)))
    assert (too_large.status, too_large.code) == (422, 42209)


async def test_bodies_that_are_no_request(api: Api) -> None:
    answer = await api.http.post("/subjects/s/versions", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    answer = await api.http.post("/subjects/s/versions", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error_code"]) == (415, 415)
    answer = await api.http.get("/subjects", headers={"Accept": "text/plain"})
    assert (answer.status_code, answer.json()["error_code"]) == (406, 406)
    answer = await api.http.post("/subjects/s/versions", content=b"x" * 2_000_001)
    assert (answer.status_code, answer.json()["error_code"]) == (413, 413)


async def test_metadata_and_rules_are_part_of_the_content(api: Api) -> None:
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": "true"}]}
    plain = await api.register("s", record(a="int"))
    rich = await api.register("s", record(a="int"), metadata={"properties": {"owner": "ada"}}, ruleSet=rules)
    assert (rich.body["id"], rich.body["version"]) == (plain.body["id"] + 1, 2)
    got = (await api("GET", "/subjects/s/versions/2")).body
    assert got["metadata"] == {"properties": {"owner": "ada"}}
    assert got["ruleSet"]["domainRules"][0]["name"] == "r"
    kept = await api.register("s", record(a="int", b=("int", 0)))
    assert kept.body["metadata"] == {"properties": {"owner": "ada"}}


async def test_a_bad_rule_is_refused(api: Api) -> None:
    rules = {"domainRules": [{"name": "1", "kind": "CONDITION", "type": "CEL", "mode": "WRITE"}]}
    answer = await api.register("s", record(a="int"), ruleSet=rules)
    assert (answer.status, answer.code) == (422, 42210)


async def test_the_latest_version_with_metadata_is_found(api: Api) -> None:
    await api.register("s", record(a="int"), metadata={"properties": {"stage": "live", "owner": "ada"}})
    await api.register("s", record(a="int", b=("int", 0)), metadata={"properties": {"stage": "test"}})
    found = await api("GET", "/subjects/s/metadata?key=stage&value=live")
    assert (found.status, found.body["version"]) == (200, 1)
    assert (await api("GET", "/subjects/s/metadata?key=stage&value=none")).code == 40403
    assert (await api("GET", "/subjects/t/metadata?key=stage&value=live")).code == 40401


async def test_a_version_may_be_named_only_if_it_is_the_next(api: Api) -> None:
    await api.register("s", record(a="int"))
    answer = await api.register("s", record(a="int", b=("int", 0)), version=5)
    assert (answer.status, answer.code) == (422, 42201)
    assert (await api.register("s", record(a="int", b=("int", 0)), version=2)).body["version"] == 2


async def test_subjects_that_no_one_may_have(api: Api) -> None:
    for subject in ("__GLOBAL", "__EMPTY", "a\x01b"):
        answer = await api.register(subject, record(a="int"))
        assert (answer.status, answer.code) == (422, 42208), subject


async def test_a_subject_with_a_slash_is_one_subject(api: Api) -> None:
    await api.register("a/b c", record(a="int"))
    assert (await api("GET", "/subjects")).body == ["a/b c"]
    assert (await api("GET", "/subjects/a%2Fb%20c/versions/1")).body["subject"] == "a/b c"


async def test_unknown_fields_never_hurt(api: Api) -> None:
    answer = await api.register("s", record(a="int"), somethingNew={"x": 1}, schemaTagsToAdd=None)
    assert answer.status == 200


async def test_a_hostile_schema_does_not_hold_the_loop(api: Api) -> None:
    wide = record(**{f"f{number}": "int" for number in range(5_000)})
    registering = asyncio.create_task(api.register("wide", wide))
    answered = 0
    while not registering.done():
        assert (await api("GET", "/schemas/types")).status == 200
        answered += 1
        await asyncio.sleep(0)  # the client has no sockets, so it never lets go by itself
    assert (await registering).status == 200
    assert answered > 1


async def test_tags_make_a_new_version(api: Api) -> None:
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "type": "CEL", "mode": "WRITE"}]}
    await api.register("s", {**record(mail="string"), "namespace": "n"}, ruleSet=rules)
    entity = {"entityPath": "n.R.mail", "entityType": "sr_field"}
    body = {
        "tagsToAdd": [{"schemaEntity": entity, "tags": ["PII"]}],
        "metadata": {"properties": {"owner": "ada"}},
        "rulesToRemove": ["r"],
    }
    answer = await api("POST", "/subjects/s/versions/1/tags", body)
    assert (answer.status, answer.body["version"]) == (200, 2)
    assert json.loads(answer.body["schema"])["fields"][0]["confluent:tags"] == ["PII"]
    assert answer.body["metadata"]["properties"] == {"owner": "ada", "confluent:version": "2"}
    body = {"tagsToRemove": [{"schemaEntity": entity, "tags": ["PII"]}], "newVersion": 3}
    answer = await api("POST", "/subjects/s/versions/latest/tags", body)
    assert "confluent:tags" not in json.loads(answer.body["schema"])["fields"][0]
    nowhere = {"schemaEntity": {"entityPath": "n.R.phone", "entityType": "sr_field"}, "tags": ["PII"]}
    assert (await api("POST", "/subjects/s/versions/1/tags", {"tagsToAdd": [nowhere]})).code == 42201


async def test_json_schema_and_protobuf_are_taken_too(api: Api) -> None:
    imported = 'syntax = "proto3"; package p; message Money { int64 units = 1; }'
    await api.register("money.proto", imported, schemaType="PROTOBUF")
    order = 'syntax = "proto3"; package p; import "money.proto"; message Order { Money total = 1; }'
    reference = {"name": "money.proto", "subject": "money.proto", "version": 1}
    answer = await api.register("order", order, schemaType="PROTOBUF", references=[reference])
    assert (answer.status, answer.body["schemaType"], answer.body["references"]) == (200, "PROTOBUF", [reference])
    changed = order.replace("Money total", "string total")
    assert (await api.register("order", changed, schemaType="PROTOBUF", references=[reference])).status == 409
    closed = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    assert (await api.register("j", closed, schemaType="JSON")).body["schemaType"] == "JSON"
    narrowed = {**closed, "required": ["a"]}
    assert (await api.register("j", narrowed, schemaType="JSON")).status == 409
