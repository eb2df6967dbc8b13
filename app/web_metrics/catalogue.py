"""Every metric of the web process. A table in `docs/metrics.md` is this one, and a test compares them."""

from collections.abc import Mapping
from typing import Final

from broker.metrics.catalogue import CATALOGUE as OF_BROKER
from broker.metrics.catalogue import COUNTER, GAUGE, HISTOGRAM, Metric, rows_of

_END: Final = ("endpoint", "status")

_METRICS: Final = (
    Metric(
        "caudal_rest_requests_total", COUNTER, _END,
        "Requests that have ended; without endpoint those that were refused before one was found, without status those "
        "whose client left before the answer.",
    ),
    Metric(
        "caudal_rest_request_duration_seconds", HISTOGRAM, _END,
        "The time from a request's headers to the end of its answer; live tails and streams of records last as long as "
        "they are open.",
    ),
    Metric("caudal_rest_response_bytes_total", COUNTER, _END, "Bytes of the bodies of answers, as sent."),
    Metric("caudal_rest_requests_in_flight", GAUGE, (), "Requests begun and not yet ended."),
    Metric("caudal_rest_consumer_instances", GAUGE, (), "Consumer instances."),
    Metric("caudal_rest_live_tails", GAUGE, (), "Listeners of live tails."),
    Metric("caudal_rest_produce_streams", GAUGE, (), "Streams of records that are open."),
    Metric("caudal_rest_consumed_records_total", COUNTER, (), "Records in answers of consumer instances."),
    Metric("caudal_rest_consumed_bytes_total", COUNTER, (), "Bytes of their keys and values."),
    Metric(
        "caudal_web_produced_records_total", COUNTER, (),
        "Records that the cluster has acknowledged to this process: those of the REST Proxy, of the pages and of the "
        "Schema Registry.",
    ),
    Metric("caudal_web_produced_bytes_total", COUNTER, (), "Bytes of their batches."),
    Metric(
        "caudal_rest_access_log_dropped_total", COUNTER, (),
        "Lines that the access log lost: the disk was full, or slower than the requests.",
    ),
    *(metric for name, metric in OF_BROKER.items() if name.startswith("process_")),
)  # fmt: skip

CATALOGUE: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _METRICS}


def reference_rows() -> list[str]:
    """The rows of the table in docs/metrics.md."""
    return rows_of(_METRICS)
