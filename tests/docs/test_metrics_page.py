"""docs/metrics.md is the catalogue of metrics: the broker's, and the web process's."""

import re
from pathlib import Path

from app.web_metrics import catalogue as web
from broker.metrics import catalogue as broker

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
OF_BROKER, OF_WEB = PAGE.read_text().split("# Metrics of the web process")


def rows(text: str) -> list[str]:
    return re.findall(r"^\| `.*$", text, re.MULTILINE)


def test_metrics_page_is_the_catalogue() -> None:
    missing = [row for row in broker.reference_rows() if row not in rows(OF_BROKER)]
    assert not missing, "\n".join(["put these rows into docs/metrics.md:", *missing])
    assert len(rows(OF_BROKER)) == len(broker.reference_rows())


def test_metrics_page_is_the_catalogue_of_the_web_process() -> None:
    missing = [row for row in web.reference_rows() if row not in rows(OF_WEB)]
    assert not missing, "\n".join(["put these rows into docs/metrics.md:", *missing])
    assert len(rows(OF_WEB)) == len(web.reference_rows())
