"""`caudal schemas export` and `import`, between running registries."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.registry.settings import RegistrySettings
from tests.integration.registry.running_registry import RunningRegistry, running_registry

MONEY = {"type": "record", "name": "Money", "fields": [{"name": "units", "type": "long"}]}
ORDER = {"type": "record", "name": "Order", "fields": [{"name": "total", "type": "Money"}]}
REFERENCE = {"name": "Money", "subject": "money", "version": 2}
RULES = {"domainRules": [{"name": "r", "kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": "true"}]}


@pytest.fixture
def other(bootstrap_servers: str) -> Iterator[RunningRegistry]:
    settings = RegistrySettings(kafkastore_topic=f"_schemas-{uuid.uuid4().hex[:12]}")
    with running_registry(bootstrap_servers, settings) as registry:
        yield registry


def caudal(*words: object) -> Result:
    return CliRunner().invoke(main, ["schemas", *map(str, words)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def register(registry: RunningRegistry, subject: str, schema: object, **more: Any) -> dict[str, Any]:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    answer = registry.http.post(f"/subjects/{subject}/versions", json={"schema": text, **more})
    assert answer.status_code == 200, answer.text
    registered: dict[str, Any] = answer.json()
    return registered


def fill(registry: RunningRegistry) -> None:
    """Some of everything: formats, references, contracts, contexts, deleted versions, settings, gaps in the ids."""
    register(registry, "gone", '"bytes"')
    register(registry, "zebra", MONEY)
    register(registry, "money", MONEY)
    register(registry, "money", {**MONEY, "doc": "v2"})
    register(registry, "a-order", ORDER, references=[REFERENCE], metadata={"properties": {"a": "b"}}, ruleSet=RULES)
    register(registry, "a%2Fb", '{"type":"object","properties":{"x":{"maximum":1.5}}}', schemaType="JSON")
    register(registry, "p", 'syntax = "proto3"; message M { string a = 1; }', schemaType="PROTOBUF")
    register(registry, ":.eu:money", '"long"')
    registry.http.delete("/subjects/gone")
    registry.http.delete("/subjects/gone?permanent=true")
    registry.http.delete("/subjects/money/versions/1")
    registry.http.delete("/subjects/zebra")
    registry.http.put("/config/a-order", json={"compatibility": "FULL", "normalize": True})
    registry.http.put("/config/:.eu:", json={"compatibility": "NONE"})
    registry.http.put("/config/short", json={"alias": "a-order"})
    registry.http.put("/mode/p", json={"mode": "READONLY"})


def test_a_registry_goes_through_files_with_its_ids_and_versions(
    registry: RunningRegistry, other: RunningRegistry, tmp_path: Path
) -> None:
    fill(registry)
    exported = caudal("export", tmp_path, "--url", registry.url)
    assert (exported.exit_code, exported.output.startswith("7 versions of 6 subjects are in ")) == (0, True)
    before = files(tmp_path)
    rehearsed = caudal("import", tmp_path, "--url", other.url, "--dry-run")
    assert "register a-order version 1 with id 4" in rehearsed.output.splitlines()
    assert other.get("/subjects?deleted=true") == []
    imported = caudal("import", tmp_path, "--url", other.url)
    assert imported.output == "7 versions registered, 2 deleted, 4 settings changed; 0 versions were there\n"

    assert files(tmp_path) == before
    assert other.get("/schemas") == [{**one, "ts": there["ts"]} for one, there in _both(registry, other, "/schemas")]
    for path in ("/subjects?deleted=true", "/subjects/money/versions?deleted=true", "/config/a-order", "/mode/p"):
        assert other.get(path) == registry.get(path), path
    assert other.http.get("/mode/money").status_code == 404
    assert caudal("export", tmp_path, "--url", other.url).output.endswith("; 0 files changed\n")
    assert files(tmp_path) == before
    again = caudal("import", tmp_path, "--url", other.url)
    assert again.output == "0 versions registered, 0 deleted, 0 settings changed; 7 versions were there\n"
    assert register(other, "next", '"int"')["id"] == register(registry, "next", '"int"')["id"]


def _both(one: RunningRegistry, other: RunningRegistry, path: str) -> list[tuple[Any, Any]]:
    return list(zip(one.get(path), other.get(path), strict=True))


def test_a_conflict_stops_an_import_before_anything_is_written(
    registry: RunningRegistry, other: RunningRegistry, tmp_path: Path
) -> None:
    fill(registry)
    caudal("export", tmp_path, "--url", registry.url)
    register(other, "theirs", '"string"')
    register(other, "p", '"int"')
    written = other.service.store.position
    refused = caudal("import", tmp_path, "--url", other.url)
    assert refused.exit_code == 1
    assert "caudal: p version 1 has id 6 here and 2 in the registry" in refused.output.splitlines()
    assert other.service.store.position == written


def test_an_import_that_fails_half_way_gives_the_modes_back_and_can_go_on(
    registry: RunningRegistry, other: RunningRegistry, tmp_path: Path
) -> None:
    fill(registry)
    caudal("export", tmp_path, "--url", registry.url)
    place = tmp_path / "contexts" / "_default" / "a-order" / "v1.avsc"
    whole = place.read_bytes()
    place.write_text('{"type": "record"}')
    other.http.put("/mode/p", json={"mode": "READWRITE"})
    failed = caudal("import", tmp_path, "--url", other.url)
    assert (failed.exit_code, "error 42201" in failed.output) == (1, True)
    assert other.get("/mode/p") == {"mode": "READWRITE"}
    assert other.http.get("/mode/a-order").status_code == 404
    assert register(other, "fresh", '"float"')["version"] == 1
    other.http.delete("/subjects/fresh")
    other.http.delete("/subjects/fresh?permanent=true")
    place.write_bytes(whole)
    assert caudal("import", tmp_path, "--url", other.url).exit_code == 0
    assert other.get("/subjects") == registry.get("/subjects")


def test_a_registry_whose_modes_may_not_be_changed_takes_no_import(
    registry: RunningRegistry, bootstrap_servers: str, settings: RegistrySettings, tmp_path: Path
) -> None:
    register(registry, "s", '"int"')
    caudal("export", tmp_path, "--url", registry.url)
    fixed = RegistrySettings(kafkastore_topic=f"{settings.kafkastore_topic}-fixed", mode_mutability=False)
    with running_registry(bootstrap_servers, fixed) as other:
        refused = caudal("import", tmp_path, "--url", other.url)
    assert refused.exit_code == 1
    assert refused.output == "caudal: PUT /mode/s: 422, error 42205: Mode changes are not allowed\n"


def test_a_registry_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = caudal("export", tmp_path / "new", "--url", "http://127.0.0.1:1")
    assert told.exit_code == 1
    assert told.output.startswith("caudal: cannot reach the Schema Registry at http://127.0.0.1:1: ")
    assert not (tmp_path / "new").exists()
