"""What an import writes, in which order, and what stops it before anything is written."""

from typing import Any

import pytest

from app.schema_files.planning import plan_import
from app.schema_files.snapshot import SchemaVersion, ScopeSettings, Snapshot, TransferError


def version(subject: str, number: int = 1, schema_id: int = 1, *needs: str, **more: Any) -> SchemaVersion:
    references = [{"name": need, "subject": need, "version": 1} for need in needs]
    return SchemaVersion(subject, number, schema_id, "AVRO", more.pop("text", '"int"'), references, **more)


def snapshot(*versions: SchemaVersion, **scopes: ScopeSettings) -> Snapshot:
    return Snapshot({one.key: one for one in versions}, dict(scopes))


def refused(wanted: Snapshot, target: Snapshot) -> list[str]:
    with pytest.raises(TransferError) as told:
        plan_import(wanted, target)
    return str(told.value).splitlines()


def test_what_is_referred_to_comes_first() -> None:
    wanted = snapshot(
        version("a", 1, 1, "b", "c"),
        version("b", 1, 2, "c"),
        version("c", 1, 3, text='"c"', is_deleted=True),
        version(":.x:a", 1, 1, "b"),
        version(":.x:b", 1, 2, is_deleted=True),
    )
    plan = plan_import(wanted, snapshot())
    assert [one.subject for one in plan.registrations] == [":.x:b", "c", ":.x:a", "b", "a"]
    assert [one.subject for one in plan.deletions] == ["c", ":.x:b"]
    assert plan.subjects == [":.x:a", ":.x:b", "a", "b", "c"]


def test_what_is_there_stays_and_what_the_registry_has_besides_too() -> None:
    there = [version("a", 1, 1, metadata={"properties": {"x": "y"}, "tags": {}}), version("other", 1, 9, text='"o"')]
    wanted = snapshot(version("a", 1, 1, text=' "int"', metadata={"properties": {"x": "y"}}, rule_set={}))
    plan = plan_import(wanted, snapshot(*there))
    assert (plan.is_empty, plan.unchanged) == (True, 1)


def test_deleted_and_live_are_made_as_they_were() -> None:
    wanted = snapshot(version("a", is_deleted=True), version("b", 1, 2, text='"b"'))
    target = snapshot(version("a"), version("b", 1, 2, text='"b"', is_deleted=True))
    plan = plan_import(wanted, target)
    assert [list(map(str, part)) for part in (plan.registrations, plan.deletions)] == [["b version 1"], ["a version 1"]]
    assert list(plan.lines()) == ["register b version 1 with id 2", "delete a version 1"]


def test_every_conflict_is_told() -> None:
    wanted = snapshot(
        version("a", 1, 1),
        version("b", 1, 2, text='"new"'),
        version("c", 1, 3, text='"c"'),
        version("d", 1, 4, "nowhere", text='"d"'),
        version("e", 1, 4, text='"e"'),
    )
    target = snapshot(version("a", 1, 7), version("b", 1, 2, text='"old"'), version("z", 1, 3, text='"z"'))
    assert refused(wanted, target) == [
        "a version 1 has id 1 here and 7 in the registry",
        "b version 1 is another schema in the registry",
        "c version 1 has id 3, which z version 1 has in the registry",
        "d version 1 refers to nowhere version 1, which is neither here nor in the registry",
        "e version 1 and d version 1 are different schemas with one id, 4",
    ]


def test_many_conflicts_are_counted() -> None:
    many = snapshot(*(version(f"s{number:03}", 1, 1, text=f'"{number}"') for number in range(50)))
    assert refused(many, snapshot())[-1] == "and 29 more"


def test_a_circle_is_refused() -> None:
    wanted = snapshot(version("a", 1, 1, "b"), version("b", 1, 2, "a"), version("c", 1, 3, text='"c"'))
    assert refused(wanted, snapshot())[0].startswith("these refer to one another: ")


def test_ids_of_other_contexts_are_other_ids() -> None:
    plan = plan_import(snapshot(version(":.eu:a", 1, 1, text='"x"')), snapshot(version("a", 1, 1)))
    assert [one.subject for one in plan.registrations] == [":.eu:a"]


def test_settings_become_what_the_folder_says() -> None:
    wanted = snapshot(
        **{
            "": ScopeSettings({"compatibilityLevel": "FULL"}, "READWRITE"),
            "a": ScopeSettings({"normalize": True}, None),
            "b": ScopeSettings(None, "READONLY"),
        }
    )
    target = snapshot(
        **{
            "": ScopeSettings({"compatibilityLevel": "BACKWARD"}, "READWRITE"),
            "a": ScopeSettings({"normalize": True, "alias": "x", "validateFields": False}, "READWRITE"),
            "z": ScopeSettings({"alias": "y"}, "READONLY"),
        }
    )
    plan = plan_import(wanted, target)
    assert plan.configs == {"": {"compatibilityLevel": "FULL"}, "a": {"alias": None}}
    assert plan.modes == {"a": None, "b": "READONLY"}
    assert list(plan.lines())[-1] == "set the mode of 'b' to READONLY"


def test_a_config_that_the_mode_would_refuse_is_a_conflict() -> None:
    wanted = snapshot(version("b", 1, 5), **{name: ScopeSettings({"normalize": True}) for name in ("a", ":.c:a", "b")})
    locked = ScopeSettings(None, "READONLY")
    assert refused(wanted, snapshot(**{"a": locked, "b": locked, ":.c:": locked})) == [
        "the config of ':.c:a' differs and its mode is READONLY",
        "the config of 'a' differs and its mode is READONLY",
    ]
    assert refused(wanted, snapshot(**{"": ScopeSettings({}, "READONLY_OVERRIDE")})) == [
        "the registry is in mode READONLY_OVERRIDE"
    ]
