"""Prometheus' text format, version 0.0.4: lines of a family and its samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from broker.metrics.catalogue import CATALOGUE, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def head(name: str) -> str:
    """The HELP and TYPE lines of a metric in the catalogue."""
    return head_of(CATALOGUE[name])


def head_of(metric: Metric) -> str:
    """Those of any metric."""
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n"


def sample(name: str, value: float, labels: str = "") -> str:
    """One line; `labels` as `labels_text` makes them."""
    return f"{name}{labels} {value}\n"


def labels_text(names: Sequence[str], values: Iterable[object]) -> str:
    """`{name="value",…}`, escaped; empty without names."""
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(str(value))}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def family(name: str, samples: Iterable[tuple[Sequence[object], float]]) -> str:
    """A whole family: of each sample the values of its labels, in the catalogue's order, and its value."""
    labels = CATALOGUE[name].labels
    return head(name) + "".join(sample(name, value, labels_text(labels, values)) for values, value in samples)


def single(name: str, value: float) -> str:
    """A family of one sample without labels."""
    return head(name) + sample(name, value)


def sum_and_count(name: str, samples: Iterable[tuple[Sequence[object], float, int]]) -> str:
    """A summary without quantiles."""
    labels = CATALOGUE[name].labels
    lines = [head(name)]
    for values, total, count in samples:
        text = labels_text(labels, values)
        lines += [sample(name + "_sum", total, text), sample(name + "_count", count, text)]
    return "".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
