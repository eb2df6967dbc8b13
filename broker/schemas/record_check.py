"""Whether the records of a batch carry schema ids that are registered for their topic (Confluent Server's validation).

Looked at are ids only, never the data behind them; a null key or value passes. An id is the prefix of a key or value,
byte 0 and an int32 or byte 1 and a guid, or the record header `__key_schema_id` or `__value_schema_id`, which counts
first. It must be registered, and not deleted, under the subject that the topic's strategy makes.
Source: Confluent Platform, "Validate Broker-side Schema IDs"; KIP-467 for errors by record.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from broker.protocol.record_batch import Record, iter_records
from broker.schemas.known_schemas import KnownSchemas
from broker.schemas.quick_look import PREFIX_BYTES, are_all_good
from broker.schemas.record_names import NoName, read_indexes
from broker.schemas.schema_versions import SchemaId, Version

VALIDATING: Final = frozenset({"confluent.key.schema.validation", "confluent.value.schema.validation"})
"""The topic configs of which one must be set, or else no record of the topic is checked."""

# Differs from Kafka: at most 1,000 refused records of a batch are named, because each costs a sentence in the answer.
REFUSED_RECORDS_MAX: Final = 1_000
"""So many refused records of a batch are named; then the rest is not looked at."""

CLASSIC_PREFIX_BYTES: Final = PREFIX_BYTES  # byte 0, int32 id
GUID_PREFIX_BYTES: Final = 17  # byte 1, guid

KNOWN_ANSWERS_MAX: Final = 10_000
"""So many prefixes are remembered by their answers, until something is registered."""


class Strategy(StrEnum):
    """`confluent.*.subject.name.strategy`: which subject an id must be registered under."""

    TOPIC_NAME = "io.confluent.kafka.serializers.subject.TopicNameStrategy"
    RECORD_NAME = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
    TOPIC_RECORD_NAME = "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"


class RefusedRecord(NamedTuple):
    """A record that may not be appended: its place in the batch, and why, in Confluent Server's words and ours."""

    batch_index: int
    message: str


class _Refused(Exception):
    """Why a key or value is refused: `key`, `value` or `header NAME`, a colon, the reason."""


def record_check(topic: str, configs: Mapping[str, object], schemas: KnownSchemas) -> "RecordCheck | None":
    """The check that a topic's configs ask for, given as typed values by their names; None for no check at all."""
    sides = [
        _Side(topic, what, Strategy(str(configs[f"confluent.{what}.subject.name.strategy"])), schemas)
        if configs[f"confluent.{what}.schema.validation"]
        else None
        for what in ("key", "value")
    ]
    return RecordCheck(schemas, *sides) if any(sides) else None


class RecordCheck:
    """What one topic demands of its records' keys and values; None is nothing."""

    def __init__(self, schemas: KnownSchemas, key: "_Side | None", value: "_Side | None") -> None:
        self._schemas = schemas
        self._key, self._value = key, value
        self._as_of = -1

    def find_refused(self, batch: memoryview) -> list[RefusedRecord]:
        """The records of a whole batch that may not be appended, the first REFUSED_RECORDS_MAX of them.

        Raises NoSchemas when no schema is known at all; CorruptMessage when the batch cannot be read; KafkaStorageError
        and PartitionRecovering when `_schemas` cannot be.
        """
        self._schemas.catch_up()
        key_side, value_side = self._key, self._value
        if self._as_of != self._schemas.version:
            for side in (key_side, value_side):
                if side is not None:
                    side.forget()
            self._as_of = self._schemas.version
        if are_all_good(
            batch,
            None if key_side is None else key_side.good,
            None if value_side is None else value_side.good,
        ):
            return []
        refused: list[RefusedRecord] = []
        for index, record in enumerate(iter_records(batch)):
            reason = self._reason(record)
            if reason is not None:
                refused.append(RefusedRecord(index, _message(index, record, reason)))
                if len(refused) == REFUSED_RECORDS_MAX:
                    break
        return refused

    def _reason(self, record: Record) -> str | None:
        try:
            if self._key is not None and record.key is not None:
                self._key.check(record.key, record.headers)
            if self._value is not None and record.value is not None:
                self._value.check(record.value, record.headers)
        except _Refused as refused:
            return str(refused)
        return None


def _message(index: int, record: Record, reason: str) -> str:
    sizes = f"key={len(record.key or b'')} bytes, value={len(record.value or b'')} bytes"
    return (
        f"Log record DefaultRecord(offset={index}, timestamp={record.timestamp_ms}, {sizes}) is rejected by the record "
        f"interceptor io.confluent.kafka.schemaregistry.validator.RecordSchemaValidator: {reason}"
    )


class _Side:
    """The keys, or the values, of one topic."""

    def __init__(self, topic: str, what: str, strategy: Strategy, schemas: KnownSchemas) -> None:
        self._topic, self._what, self._strategy, self._schemas = topic, what, strategy, schemas
        self._header = f"__{what}_schema_id"
        self.good: set[bytes] = set()
        """Classic prefixes that are right whatever follows them."""
        self._answers: dict[tuple[SchemaId, tuple[int, ...] | None], str] = {}
        """'' for an id that is right, else why not."""

    def forget(self) -> None:
        """Something may have been registered or deleted."""
        self.good.clear()
        self._answers.clear()

    def check(self, data: bytes, headers: tuple[tuple[str, bytes | None], ...]) -> None:
        """Raises _Refused."""
        for name, header in reversed(headers):
            if name == self._header:
                self._check(header or b"", f"header {name}")
                return
        self._check(data, self._what)

    def _check(self, data: bytes, place: str) -> None:
        schema_id: SchemaId
        if data[:1] == b"\0" and len(data) >= CLASSIC_PREFIX_BYTES:
            schema_id, at = int.from_bytes(data[1:CLASSIC_PREFIX_BYTES], "big"), CLASSIC_PREFIX_BYTES
        elif data[:1] == b"\1" and len(data) >= GUID_PREFIX_BYTES:
            schema_id, at = data[1:GUID_PREFIX_BYTES], GUID_PREFIX_BYTES
        else:
            raise _Refused(f"{place}: there is no schema id (byte 0, then an id of 4 bytes): it {_shown(data)}")
        is_by_topic = self._strategy is Strategy.TOPIC_NAME
        indexes = None if is_by_topic else self._indexes(schema_id, data, at)
        reason = self._answers.get((schema_id, indexes))
        if reason is None:
            reason = self._judge(schema_id, indexes)
            if len(self._answers) < KNOWN_ANSWERS_MAX:
                self._answers[schema_id, indexes] = reason
                if not reason and indexes is None and at == CLASSIC_PREFIX_BYTES:
                    self.good.add(data[:at])
        if reason:
            raise _Refused(f"{place}: {reason}")

    def _indexes(self, schema_id: SchemaId, data: bytes, at: int) -> tuple[int, ...] | None:
        found = self._schemas.versions.find(schema_id)
        return read_indexes(data, at) if found is not None and found.schema_type == "PROTOBUF" else None

    def _judge(self, schema_id: SchemaId, indexes: tuple[int, ...] | None) -> str:
        """'' if the id may stand in such a record, else why not."""
        said = f"schema id {schema_id}" if isinstance(schema_id, int) else f"schema guid {_uuid(schema_id)}"
        known = self._schemas.versions.find(schema_id)
        if self._strategy is Strategy.TOPIC_NAME:
            subjects = [f"{self._topic}-{self._what}"]
        elif known is None:
            return f"{said} is not registered"
        else:
            try:
                names = self._schemas.names(known, indexes)
            except NoName as error:
                return f"{said} names no record: {error}"
            subjects = [name if self._strategy is Strategy.RECORD_NAME else f"{self._topic}-{name}" for name in names]
        reasons = [self._judge_under(subject, schema_id, said, known) for subject in subjects]
        return "" if "" in reasons else reasons[0]

    def _judge_under(self, subject: str, schema_id: SchemaId, said: str, known: Version | None) -> str:
        found = self._schemas.versions.find_under(subject, schema_id)
        if found is not None:
            return f"{said} was deleted from subject '{subject}'" if found.is_deleted else ""
        if known is None:
            return f"{said} is not registered"
        elsewhere = "" if known.is_deleted or known.subject == subject else f", but under '{known.subject}'"
        return f"{said} is not registered under subject '{subject}'{elsewhere}"


def _shown(data: bytes) -> str:
    """The first bytes, so that a sender recognizes what was sent by mistake; no more of the data than that."""
    return f"begins with {data[:CLASSIC_PREFIX_BYTES].hex(' ')}" if data else "is empty"


def _uuid(guid: bytes) -> str:
    text = guid.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
