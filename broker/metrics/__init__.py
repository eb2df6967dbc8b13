"""What the broker tells Prometheus: names as Kafka's dashboards know them, rendered when somebody asks."""

from broker.metrics.endpoint import MetricsEndpoint
from broker.metrics.loop_lag import LoopLag
from broker.metrics.rendering import MetricsRenderer
from broker.metrics.request_times import RequestTimes

__all__ = ["LoopLag", "MetricsEndpoint", "MetricsRenderer", "RequestTimes"]
