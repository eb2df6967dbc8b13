"""Quantiles and sums of request times, and labels as Prometheus reads them."""

import pytest
from hypothesis import given
from hypothesis.strategies import text
from prometheus_client.parser import text_string_to_metric_families

from broker.counters import TIME_BUCKETS, RequestStats
from broker.metrics.exposition import family
from broker.metrics.loop_lag import REMEMBERED, LoopLag
from broker.metrics.request_times import WINDOW_MS, RequestTimes, quantile_ms


def took(*taken_ms: float) -> RequestStats:
    stats = RequestStats("OFFSET_COMMIT", 8)
    for each in taken_ms:
        stats.took(int(each * 1e6))
    return stats


def rendered(times: RequestTimes, stats: RequestStats, now_ms: int) -> dict[tuple[str, ...], float]:
    found = {}
    for piece in times.render({1: stats}, now_ms):
        for metric in text_string_to_metric_families(piece):
            for sample in metric.samples:
                found[(sample.name, *sample.labels.values())] = sample.value
    return found


@pytest.mark.parametrize(("quantile", "low", "high"), [(0.5, 0.8, 1.2), (0.95, 60, 140), (0.999, 60, 140)])
def test_a_quantile_is_right_within_its_bucket(quantile, low, high):
    assert low <= quantile_ms(took(*[1] * 90, *[100] * 10).buckets, quantile) <= high


def test_without_requests_a_quantile_is_zero():
    assert quantile_ms([0] * TIME_BUCKETS, 0.99) == 0


def test_quantiles_forget_what_is_long_ago_and_sums_do_not():
    times, stats = RequestTimes(), took(*[1000] * 100)
    name = ("kafka_network_requestmetrics_totaltimems", "OffsetCommit", "0.5")
    assert rendered(times, stats, WINDOW_MS)[name] > 500
    assert rendered(times, stats, 2 * WINDOW_MS)[name] > 500
    for _ in range(100):
        stats.took(1_000_000)
    found = rendered(times, stats, 3 * WINDOW_MS)
    assert found[name] < 2
    assert found["kafka_network_requestmetrics_totaltimems_count", "OffsetCommit"] == 200
    assert found["kafka_network_requestmetrics_totaltimems_sum", "OffsetCommit"] == pytest.approx(100_100)


def test_time_spent_waiting_is_told_from_time_spent_working():
    stats = took(100)
    stats.remote_ns = 90_000_000
    found = rendered(RequestTimes(), stats, 0)
    assert found["kafka_network_requestmetrics_localtimems_sum", "OffsetCommit"] == pytest.approx(10)
    assert found["kafka_network_requestmetrics_remotetimems_sum", "OffsetCommit"] == pytest.approx(90)


def test_the_histogram_is_cumulative():
    found = rendered(RequestTimes(), took(0.01, 1, 1, 100, 100_000), 0)
    buckets = [value for key, value in found.items() if key[0] == "caudal_request_time_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[-1]) == (1, 5)


@given(text())
def test_any_label_comes_back_as_it_was(value):
    lines = family("caudal_connections_refused_total", [((value,), 1)])
    (metric,) = text_string_to_metric_families(lines)
    assert metric.samples[0].labels == {"listener": value}


def test_the_worst_lag_is_that_of_the_last_minute():
    lag = LoopLag()
    lag.note(5.0)
    assert lag.longest_s == 5.0
    for _ in range(REMEMBERED):
        lag.note(0.5)
    assert (lag.longest_s, lag.count, lag.total_s) == (0.5, REMEMBERED + 1, 5.0 + REMEMBERED / 2)
