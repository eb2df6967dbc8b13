"""docs/metrics.md is the catalogue of metrics."""

import re
from pathlib import Path

from broker.metrics.catalogue import reference_rows

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_metrics_page_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `.*$", PAGE.read_text(), re.MULTILINE)
    missing = [row for row in reference_rows() if row not in rows]
    assert not missing, "\n".join(["put these rows into docs/metrics.md:", *missing])
    assert len(rows) == len(reference_rows())
