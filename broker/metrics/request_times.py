"""The time requests took, as Kafka's dashboards want it: quantiles of late, beside sums and a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from broker.counters import BUCKET_SHIFT, TIME_BUCKETS, RequestStats
from broker.metrics.exposition import head, labels_text, sample, sum_and_count
from broker.metrics.names import request_name

QUANTILES: Final = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)
WINDOW_MS: Final = 60_000
HISTOGRAM_BUCKETS: Final = range(5, 27, 2)
"""The buckets shown: from 33 µs to 34 s, each four times the one before."""

_TOTAL: Final = "kafka_network_requestmetrics_totaltimems"
_HISTOGRAM: Final = "caudal_request_time_seconds"


class _Times:
    """Of one API over all its versions."""

    __slots__ = ("buckets", "remote_ns", "total_ns")

    def __init__(self) -> None:
        self.buckets = [0] * TIME_BUCKETS
        self.total_ns = self.remote_ns = 0


class RequestTimes:
    """Keeps two earlier readings, so that quantiles are of the last one to two windows."""

    def __init__(self) -> None:
        self._earlier: dict[str, list[int]] = {}
        self._recent: dict[str, list[int]] = {}
        self._recent_ms = 0

    def render(self, stats: Mapping[int, RequestStats], now_ms: int) -> Iterator[str]:
        """The families of times, each as one text."""
        by_api: dict[str, _Times] = {}
        for each in stats.values():
            times = by_api.setdefault(request_name(each.api_name), _Times())
            times.buckets = [one + more for one, more in zip(times.buckets, each.buckets, strict=True)]
            times.total_ns += each.total_ns
            times.remote_ns += each.remote_ns
        lines = [head(_TOTAL)]
        for api, times in by_api.items():
            earlier = self._earlier.get(api, [0] * TIME_BUCKETS)
            window = [now - before for now, before in zip(times.buckets, earlier, strict=True)]
            for quantile in QUANTILES:
                labels = labels_text(("request", "quantile"), (api, quantile))
                lines.append(sample(_TOTAL, quantile_ms(window, quantile), labels))
            labels = labels_text(("request",), (api,))
            lines.append(sample(_TOTAL + "_sum", times.total_ns / 1e6, labels))
            lines.append(sample(_TOTAL + "_count", sum(times.buckets), labels))
        yield "".join(lines)
        yield sum_and_count(
            "kafka_network_requestmetrics_localtimems",
            (((api,), (each.total_ns - each.remote_ns) / 1e6, sum(each.buckets)) for api, each in by_api.items()),
        )
        yield sum_and_count(
            "kafka_network_requestmetrics_remotetimems",
            (((api,), each.remote_ns / 1e6, sum(each.buckets)) for api, each in by_api.items()),
        )
        yield _histogram(by_api)
        if now_ms - self._recent_ms >= WINDOW_MS:
            self._earlier, self._recent_ms = self._recent, now_ms
            self._recent = {api: times.buckets for api, times in by_api.items()}


def quantile_ms(buckets: list[int], quantile: float) -> float:
    """About that quantile, in milliseconds; a bucket's times are taken as evenly spread. 0 without any."""
    wanted = quantile * sum(buckets)
    seen = 0
    for index, count in enumerate(buckets):
        if count and seen + count >= wanted:
            low = 0 if index == 0 else 1 << (index - 1)
            high = 1 << index
            return (low + (high - low) * (wanted - seen) / count) * (1 << BUCKET_SHIFT) / 1e6
        seen += count
    return 0.0


def _histogram(by_api: Mapping[str, _Times]) -> str:
    lines = [head(_HISTOGRAM)]
    for api, times in by_api.items():
        for index in HISTOGRAM_BUCKETS:
            bound_s = (1 << index << BUCKET_SHIFT) / 1e9
            labels = labels_text(("request", "le"), (api, f"{bound_s:.6g}"))
            lines.append(sample(_HISTOGRAM + "_bucket", sum(times.buckets[: index + 1]), labels))
        count = sum(times.buckets)
        lines.append(sample(_HISTOGRAM + "_bucket", count, labels_text(("request", "le"), (api, "+Inf"))))
        labels = labels_text(("request",), (api,))
        lines.append(sample(_HISTOGRAM + "_sum", times.total_ns / 1e9, labels))
        lines.append(sample(_HISTOGRAM + "_count", count, labels))
    return "".join(lines)
