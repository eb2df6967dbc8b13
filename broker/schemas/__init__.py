"""Broker-side schema validation: records of topics that ask for it must carry a schema id that is registered."""

from broker.schemas.known_schemas import SCHEMAS_TOPIC, KnownSchemas, NoSchemas
from broker.schemas.read_ahead import ReadAhead
from broker.schemas.record_check import (
    REFUSED_RECORDS_MAX,
    VALIDATING,
    RecordCheck,
    RefusedRecord,
    Strategy,
    record_check,
)

__all__ = [
    "REFUSED_RECORDS_MAX",
    "SCHEMAS_TOPIC",
    "VALIDATING",
    "KnownSchemas",
    "NoSchemas",
    "ReadAhead",
    "RecordCheck",
    "RefusedRecord",
    "Strategy",
    "record_check",
]
