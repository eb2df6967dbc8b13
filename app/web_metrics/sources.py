"""The parts of the web process that its metrics are read from."""

from dataclasses import dataclass

from app.kafka.producer import KafkaProducer
from app.rest.context import RestContext
from app.rest.observation.access_log import AccessLog
from app.rest.observation.request_stats import RequestStats


@dataclass(frozen=True, slots=True)
class Sources:
    stats: RequestStats
    context: RestContext
    producer: KafkaProducer
    access_log: AccessLog | None
