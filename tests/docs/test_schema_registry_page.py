"""docs/schema-registry.md has a row for every endpoint and every error code, and names a test that exists."""

import re
from pathlib import Path

from app.registry import errors, refusals
from app.registry.compatibility import json_changes, protobuf
from app.registry.routes.app import ROUTES
from tests.unit.app.registry.compatibility import test_avro as avro_cases
from tests.unit.app.registry.compatibility import test_json_schema as json_cases
from tests.unit.app.registry.compatibility import test_protobuf as protobuf_cases

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "schema-registry.md").read_text()


def test_every_endpoint_has_its_row() -> None:
    rows = set(re.findall(r"^\| (\w+) `([^`]+)` \| `test_", PAGE, re.MULTILINE))
    assert rows == {(method, template) for routes in ROUTES for method, template, _ in routes.found}


def test_every_error_code_has_its_row() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d{5})\b.* \| `test_", PAGE, re.MULTILINE)}
    known = {
        one.error_code
        for module in (errors, refusals)
        for one in vars(module).values()
        if isinstance(one, type) and hasattr(one, "error_code")
    }
    assert rows == known - {refusals.IncompatibleSchema.error_code}


def test_every_named_test_exists() -> None:
    folders = [ROOT / "tests" / part for part in ("unit/app/registry", "integration/registry", "property")]
    texts = [file.read_text() for folder in folders for file in folder.rglob("test_*.py")]
    defined = {name for text in texts for name in re.findall(r"(?:def |^)(test_\w+)", text, re.MULTILINE)}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - defined == set()


def test_every_reason_to_refuse_has_its_row_and_its_case() -> None:
    section = PAGE.partition("## Why a schema is refused")[2].partition("\n## ")[0]
    told: dict[str, set[str]] = {}
    for kind, names in re.findall(r"^\| (Avro|Protobuf|JSON Schema|any) \| ([^|]+) \|", section, re.MULTILINE):
        told.setdefault(kind, set()).update(re.findall(r"`([A-Z_]+)`", names))
    cases = ROOT / "tests" / "unit" / "app" / "registry" / "compatibility"
    shown = {
        "Avro": {reason for _, _, found in avro_cases.REFUSED.values() for reason, _ in found},
        "Protobuf": {change.split()[0] for _, _, found in protobuf_cases.REFUSED.values() for change in found}
        - protobuf.COMPATIBLE,
        "JSON Schema": {change.split()[0] for _, _, found in json_cases.REFUSED.values() for change in found}
        - json_changes.COMPATIBLE,
    }
    for kind, names in shown.items():
        assert names - told[kind] == set()
    # Those that a case of its own shows, not a row of the tables.
    texts = "".join(file.read_text() for file in cases.glob("test_*.py"))
    bounds = {
        f"{name}_{verb}"
        for _, _, name, side in json_cases.BOUNDS
        for verb in ("ADDED", "DECREASED" if side == "upper" else "INCREASED")
    }
    for kind, names in told.items():
        left = names - shown.get(kind, set()) - bounds
        assert {name for name in left if f'"{name}' not in texts} == set()
