"""docs/rest-operation.md names every endpoint of the REST Proxy, and every field of the access log."""

import re
from pathlib import Path

from app.rest.app import OUR_ROUTES, V2_ROUTES, V3_ROUTES
from app.rest.endpoint_names import name_of
from app.rest.observation.access_log import Line

PAGE = (Path(__file__).parents[2] / "docs" / "rest-operation.md").read_text()


def test_page_has_every_endpoint() -> None:
    served = {
        f"| `{name_of(method, template, endpoint.function.__name__)}` | {method} `{template}` |"
        for routes in (*V2_ROUTES, *V3_ROUTES, *OUR_ROUTES)
        for method, template, endpoint in routes.found
    }
    shown = set(re.findall(r"^\| `api\..*$", PAGE, re.MULTILINE))
    assert shown == served, "\n".join(["put these rows into docs/rest-operation.md:", *sorted(served - shown)])


def test_page_has_every_field_of_the_access_log() -> None:
    fields = PAGE.split("## Access log")[1].split("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE) == list(Line.__struct_fields__)
