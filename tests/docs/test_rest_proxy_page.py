"""docs/rest-proxy.md names, for every operation of v3, the test that has a success from it on both kinds of cluster."""

import re
from pathlib import Path

from app.rest.app import V3_ROUTES
from tests.integration.rest import test_v3_operations

PAGE = (Path(__file__).parents[2] / "docs" / "rest-proxy.md").read_text()
ROWS = {
    f"{method} {template}": test
    for method, template, test in re.findall(r"^\| (\w+) `(/v3[^`]*)` \| `(test_\w+)` \|$", PAGE, re.MULTILINE)
}


def test_every_operation_has_its_row() -> None:
    served = {f"{method} {template}" for routes in V3_ROUTES for method, template, _ in routes.found}
    assert set(ROWS) == served


def test_every_row_names_the_test_that_proves_it() -> None:
    proven = {
        operation: name
        for name, test in vars(test_v3_operations).items()
        if name.startswith("test_")
        for operation in (*test.operations, test.refused)
        if operation
    }
    assert proven == ROWS
