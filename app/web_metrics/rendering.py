"""The numbers that the parts keep anyway, as Prometheus' text, when somebody asks: 5 ms for every endpoint at once."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from app.rest.observation.request_stats import NO_ANSWER, Outcomes, RequestStats
from app.web_metrics.catalogue import CATALOGUE
from app.web_metrics.sources import Sources
from broker.metrics import process
from broker.metrics.exposition import head_of, labels_text, sample

SHOWN_BITS: Final = range(18, 36, 2)
"""The buckets shown, as powers of two nanoseconds: from 0.26 ms to 17 s, each four times the one before."""

_BOUNDS: Final = tuple((bits, f',le="{2**bits / 1e9!r}"}}') for bits in SHOWN_BITS)
_REQUESTS: Final = "caudal_rest_requests_total"
_TIMES: Final = "caudal_rest_request_duration_seconds"
_SENT: Final = "caudal_rest_response_bytes_total"


def render(sources: Sources) -> str:
    """Everything, in the text format 0.0.4."""
    return "".join((*_of_requests(sources.stats), *_singles(sources)))


def _singles(sources: Sources) -> Iterator[str]:
    context, producer, access_log = sources.context, sources.producer, sources.access_log
    consumers = context.consumers
    yield _single("caudal_rest_requests_in_flight", sources.stats.in_flight)
    yield _single("caudal_rest_consumer_instances", len(consumers))
    yield _single("caudal_rest_live_tails", context.tails.reader_count)
    yield _single("caudal_rest_produce_streams", sum(one.produce_streams for one in context.all_clusters))
    yield _single("caudal_rest_consumed_records_total", consumers.delivered.records)
    yield _single("caudal_rest_consumed_bytes_total", consumers.delivered.bytes)
    yield _single("caudal_web_produced_records_total", producer.records_appended)
    yield _single("caudal_web_produced_bytes_total", producer.bytes_appended)
    if access_log is not None:
        yield _single("caudal_rest_access_log_dropped_total", access_log.dropped_count)
    for name, value in process.readings():
        yield _single(name, value)


def _single(name: str, value: float) -> str:
    return head_of(CATALOGUE[name]) + sample(name, value)


def _of_requests(stats: RequestStats) -> Iterator[str]:
    requests, times, sent = ([head_of(CATALOGUE[name])] for name in (_REQUESTS, _TIMES, _SENT))
    for endpoint, status, outcomes in stats:
        labels = labels_text(("endpoint", "status"), (endpoint, "" if status == NO_ANSWER else status))
        requests.append(sample(_REQUESTS, sum(outcomes.buckets), labels))
        sent.append(sample(_SENT, outcomes.sent_bytes, labels))
        times += _histogram(outcomes, labels)
    yield from (*requests, *times, *sent)


def _histogram(outcomes: Outcomes, labels: str) -> Iterator[str]:
    """How many requests took at most each bound, in seconds; then their sum and their number."""
    counts = list(accumulate(outcomes.buckets))
    start = f"{_TIMES}_bucket{labels[:-1]}"
    for bits, bound in _BOUNDS:
        yield f"{start}{bound} {counts[bits]}\n"
    yield f'{start},le="+Inf"}} {counts[-1]}\n'
    yield sample(_TIMES + "_sum", outcomes.total_ns / 1e9, labels)
    yield sample(_TIMES + "_count", counts[-1], labels)
