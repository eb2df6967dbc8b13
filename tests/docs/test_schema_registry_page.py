"""docs/schema-registry.md has a row for every endpoint and every error code, and names a test that exists."""

import re
from pathlib import Path

from app.registry import errors, refusals
from app.registry.routes.app import ROUTES

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
    folder = ROOT / "tests" / "unit" / "app" / "registry" / "service"
    defined = {name for file in folder.glob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= defined
