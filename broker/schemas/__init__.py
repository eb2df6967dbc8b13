"""Broker-side schema validation: records of topics that ask for it must carry a schema id that is registered."""

from broker.schemas.known_schemas import SCHEMAS_TOPIC, KnownSchemas, NoSchemas
from broker.schemas.record_check import REFUSED_RECORDS_MAX, RecordCheck, RefusedRecord, Strategy, record_check

__all__ = [
    "REFUSED_RECORDS_MAX",
    "SCHEMAS_TOPIC",
    "KnownSchemas",
    "NoSchemas",
    "RecordCheck",
    "RefusedRecord",
    "Strategy",
    "record_check",
]
