"""docs/rest-proxy.md names, for every operation of v2 and every error code of both versions, a test on the wire."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.http.errors import HttpError
from app.rest.access.gate import TooManyRequests, Unauthorized
from app.rest.app import V2_ROUTES
from tests.docs.named_tests import source_of
from tests.integration.rest import test_v2_errors, test_v2_operations

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rest-proxy.md").read_text()
V2_PART = PAGE.split("\n## v2\n")[1].split("\n## v3\n")[0]
OPERATION_ROWS = {
    f"{method} {template}": test
    for method, template, test in re.findall(r"^\| (\w+) `(/[^`]*)` \| `(test_\w+)` \|$", V2_PART, re.MULTILINE)
}
V3_PART = PAGE.split("\n## v3\n")[1].split("\n## ")[0]
V3_CODE_ROWS = dict(re.findall(r"^\| (\d{3,5}) \| (.+) \|$", V3_PART, re.MULTILINE))
CODE_ROWS = dict(re.findall(r"^\| (\d{3,5}) \| (.+) \|$", V2_PART, re.MULTILINE))


def test_every_operation_has_its_row() -> None:
    assert set(OPERATION_ROWS) == {
        f"{method} {template}" for routes in V2_ROUTES for method, template, _ in routes.found
    }


def test_every_row_names_the_test_that_proves_it() -> None:
    proven = {
        operation: name
        for name, test in vars(test_v2_operations).items()
        if name.startswith("test_")
        for operation in test.operations
    }
    assert proven == OPERATION_ROWS


def test_every_code_has_its_row() -> None:
    places = ("app.http.errors", "app.rest.errors", "app.rest.access.")
    found = {str(error.error_code) for error in _subclasses(HttpError) if error.__module__.startswith(places)}
    assert {"401", "429"} == {str(error.error_code) for error in (Unauthorized, TooManyRequests)}
    assert set(CODE_ROWS) == set(V3_CODE_ROWS) == found


def test_every_code_is_met_by_the_test_that_is_named() -> None:
    """Most by those that say so themselves; the others by a test that exists and speaks of the code."""
    for code, proof in CODE_ROWS.items():
        if proof.startswith("–"):
            continue
        name = proof.strip("`")
        codes = getattr(getattr(test_v2_errors, name, None), "codes", None)
        if codes is not None:
            assert int(code) in codes, f"{name} does not reach {code}"
        else:
            source = source_of(name)
            assert code in source, f"{name} says nothing of {code}"


@pytest.mark.parametrize(("code", "proof"), V3_CODE_ROWS.items(), ids=V3_CODE_ROWS)
def test_every_code_of_v3_is_spoken_of_by_the_test_that_is_named(code: str, proof: str) -> None:
    """Or the row says why v3 has it not, and the one of v2 names a test."""
    if proof.startswith("–"):
        assert CODE_ROWS[code].startswith("`test_")
    else:
        assert re.search(rf"\b{code}\b", source_of(proof.strip("`"))), f"{proof} says nothing of {code}"


def _subclasses(cls: type[HttpError]) -> Iterator[type[HttpError]]:
    for one in cls.__subclasses__():
        yield one
        yield from _subclasses(one)
