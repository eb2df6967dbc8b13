"""Soft and permanent deletes, and what stands in their way."""

import pytest

from tests.unit.app.registry.service.conftest import Api, record


async def test_a_deleted_version_is_gone_from_lists_and_its_id_still_answers(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api.register("s", record(a="int", b=("int", 0)))
    answer = await api("DELETE", "/subjects/s/versions/1")
    assert (answer.status, answer.body) == (200, 1)
    assert (await api("GET", "/subjects/s/versions")).body == [2]
    assert (await api("GET", "/subjects/s/versions", deleted=True)).body == [1, 2]
    assert (await api("GET", "/subjects/s/versions", deletedOnly=True)).body == [1]
    assert (await api("GET", "/subjects/s/versions", deleted=True, deletedAsNegative=True)).body == [-1, 2]
    assert (await api("GET", "/subjects/s/versions/1")).code == 40402
    assert (await api("GET", "/subjects/s/versions/1", deleted=True)).body["deleted"] is True
    assert (await api("GET", "/schemas/ids/1")).status == 200
    assert (await api("GET", "/schemas/ids/1/versions")).body == []
    assert (await api("GET", "/schemas/ids/1/versions", deleted=True)).body == [{"subject": "s", "version": 1}]


async def test_latest_passes_over_deleted_versions(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api.register("s", record(a="int", b=("int", 0)))
    assert (await api("DELETE", "/subjects/s/versions/latest")).body == 2
    assert (await api("GET", "/subjects/s/versions/latest")).body["version"] == 1
    assert (await api("GET", "/subjects/s/versions/-1")).body["version"] == 1


async def test_a_version_is_deleted_softly_first(api: Api) -> None:
    await api.register("s", record(a="int"))
    early = await api("DELETE", "/subjects/s/versions/1", permanent=True)
    assert (early.status, early.code) == (404, 40407)
    assert early.body["message"] == "Subject 's' Version 1 was not deleted first before being permanently deleted"
    await api("DELETE", "/subjects/s/versions/1")
    twice = await api("DELETE", "/subjects/s/versions/1")
    assert (twice.status, twice.code) == (404, 40406)
    assert (await api("DELETE", "/subjects/s/versions/1", permanent=True)).body == 1
    assert (await api("GET", "/schemas/ids/1")).code == 40403
    assert (await api("DELETE", "/subjects/s/versions/1", permanent=True)).code == 40401


async def test_a_subject_is_deleted_softly_first(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api.register("s", record(a="int", b=("int", 0)))
    assert (await api("DELETE", "/subjects/s", permanent=True)).code == 40405
    assert (await api("DELETE", "/subjects/s")).body == [1, 2]
    assert (await api("GET", "/subjects")).body == []
    assert (await api("GET", "/subjects", deleted=True)).body == ["s"]
    assert (await api("GET", "/subjects", deletedOnly=True)).body == ["s"]
    again = await api("DELETE", "/subjects/s")
    assert (again.status, again.code) == (404, 40404)
    assert again.body["message"].startswith("Subject 's' was soft deleted.")
    assert (await api("GET", "/subjects/s/versions")).code == 40401
    assert (await api("DELETE", "/subjects/s", permanent=True)).body == [1, 2]
    assert (await api("GET", "/subjects", deleted=True)).body == []
    assert (await api("DELETE", "/subjects/s")).code == 40401


async def test_unknown_subjects_and_versions(api: Api) -> None:
    await api.register("s", record(a="int"))
    assert (await api("DELETE", "/subjects/s/versions/2")).code == 40402
    assert (await api("DELETE", "/subjects/t/versions/1")).code == 40401
    for version in ("0", "-2", "x", "2147483648", "1.5"):
        answer = await api("GET", f"/subjects/s/versions/{version}")
        assert (answer.status, answer.code) == (422, 42202), version


async def test_a_schema_deleted_softly_gets_a_new_version_and_keeps_its_id(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api("DELETE", "/subjects/s/versions/1")
    again = await api.register("s", record(a="int"))
    assert (again.body["id"], again.body["version"]) == (1, 2)
    assert (await api("GET", "/subjects/s/versions", deleted=True)).body == [2]


async def test_numbers_begin_anew_after_everything_is_gone_and_ids_do_not(api: Api) -> None:
    await api.register("s", record(a="int"))
    await api("DELETE", "/subjects/s")
    await api("DELETE", "/subjects/s", permanent=True)
    again = await api.register("s", record(b="int"))
    assert (again.body["id"], again.body["version"]) == (2, 1)


async def test_what_is_referred_to_stays(api: Api) -> None:
    await api.register("money", record("Money", units="long"))
    reference = {"name": "Money", "subject": "money", "version": 1}
    await api.register("order", record("Order", total="Money"), references=[reference])
    for path in ("/subjects/money", "/subjects/money/versions/1"):
        answer = await api("DELETE", path)
        assert (answer.status, answer.code) == (422, 42206), path
        assert answer.body["message"].startswith("One or more references exist to the schema")
    await api("DELETE", "/subjects/order")
    assert (await api("DELETE", "/subjects/money")).body == [1]


@pytest.mark.parametrize("path", ["/subjects/s", "/subjects/s/versions/1"])
async def test_a_subject_keeps_its_config_and_mode_until_it_is_gone_for_good(api: Api, path: str) -> None:
    await api.register("s", record(a="int"))
    await api("PUT", "/config/s", {"compatibility": "NONE"})
    await api("PUT", "/mode/s", {"mode": "READWRITE"})
    await api("DELETE", path)
    assert (await api("GET", "/config/s")).body == {"compatibilityLevel": "NONE"}
    assert (await api("GET", "/mode/s")).body == {"mode": "READWRITE"}
    await api("DELETE", path, permanent=True)
    assert ((await api("GET", "/config/s")).code, (await api("GET", "/mode/s")).code) == (40408, 40409)


async def test_a_subject_that_has_a_version_left_keeps_its_config(api: Api) -> None:
    await api.register("s", '"int"')
    await api.register("s", '"long"')
    await api("PUT", "/config/s", {"compatibility": "NONE"})
    await api("DELETE", "/subjects/s")
    await api("DELETE", "/subjects/s/versions/2", permanent=True)
    assert (await api("GET", "/config/s")).status == 200
    await api("DELETE", "/subjects/s/versions/1", permanent=True)
    assert (await api("GET", "/config/s")).code == 40408


async def test_lookup_of_a_deleted_schema(api: Api) -> None:
    await api.register("s", '"int"')
    await api.register("s", '"long"')
    await api("DELETE", "/subjects/s/versions/1")
    assert (await api("POST", "/subjects/s", {"schema": '"int"'})).code == 40403
    assert (await api("POST", "/subjects/s", {"schema": '"int"'}, deleted=True)).body["version"] == 1
