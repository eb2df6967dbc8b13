"""What this broker knows of the Schema Registry's schemas: it reads the topic `_schemas` in its own log.

Nothing is read before a topic asks for validation. From then on whoever asks reads first what was appended since, so
an id that the registry has acknowledged is known, and there is no clock and no network in between.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Final

from broker.errors import CorruptMessage, InvalidRecord
from broker.log import PartitionLog
from broker.protocol.record_batch import iter_batches, iter_records, read_header
from broker.schemas.record_names import (
    Messages,
    NoName,
    avro_name,
    json_schema_name,
    message_names,
    read_messages,
)
from broker.schemas.registry_records import decode_text
from broker.schemas.schema_versions import BadRecord, SchemaVersions, Version

log = logging.getLogger(__name__)

SCHEMAS_TOPIC: Final = "_schemas"
READ_BYTES_MAX: Final = 256 * 1024
"""So much of the log is read at a time: a few milliseconds of work."""


class NoSchemas(InvalidRecord):
    """This broker holds no registry's topic, so no schema is known."""


class KnownSchemas:
    """Schema ids and names as of the end of `_schemas`.

    `version` rises whenever something may have changed. `find_log` gives the topic's log as of now; it may raise what
    opening a log raises.
    """

    def __init__(self, topic: str, find_log: Callable[[], PartitionLog | None]) -> None:
        self.topic = topic
        self.version = 0
        self.versions = SchemaVersions()
        self._find_log = find_log
        self._log: PartitionLog | None = None
        self._log_start_offset = 0
        self._next_offset = 0
        self._names: dict[bytes, str | Messages] = {}
        """By guid: what `names` has made of a schema's text."""

    def catch_up(self) -> None:
        """Read what was appended since. Raises NoSchemas, KafkaStorageError, or PartitionRecovering after a crash."""
        source = self._log
        if (
            source is not None
            and source.high_watermark == self._next_offset
            and source.log_start_offset == self._log_start_offset
            and source is self._find_log()
        ):
            return
        for _ in self.catch_up_in_steps():
            pass

    def catch_up_in_steps(self) -> Iterator[None]:
        """The same, a few milliseconds a step; others may read on in between."""
        source = self._find_log()
        if source is None:
            self._forget(None)
            raise NoSchemas(
                f"this broker has no topic '{self.topic}', so no schema is known to it: validation needs a Schema "
                "Registry that keeps its schemas in this cluster, and at least one schema in it"
            )
        if (
            source is not self._log
            or source.log_start_offset != self._log_start_offset
            or source.high_watermark < self._next_offset
        ):
            self._forget(source)
        while source is self._log and self._next_offset < source.high_watermark:
            self._read_some(source)
            yield

    def names(self, version: Version, indexes: tuple[int, ...] | None) -> list[str]:
        """The full names that a record of this schema can have; one, save for some Protobuf indexes.

        Raises NoName; KafkaStorageError.
        """
        known = self._names.get(version.guid)
        if known is None:
            known = self._names[version.guid] = self._read_names(version)
        if isinstance(known, str):
            return [known]
        if indexes is None:
            raise NoName("no message indexes follow it, and its schema is Protobuf")
        found = message_names(known, indexes)
        if not found:
            raise NoName(f"it has no message at {list(indexes)}")
        return found

    def _read_names(self, version: Version) -> str | Messages:
        text = self._text_at(version.offset)
        if version.schema_type == "PROTOBUF":
            return read_messages(text)
        return json_schema_name(text) if version.schema_type == "JSON" else avro_name(text)

    def _text_at(self, offset: int) -> str:
        """The schema's text in the record at that offset, which compaction keeps while the schema is registered."""
        assert self._log is not None, "a version comes from a log"
        try:
            for batch in iter_batches(self._log.read(offset=offset, bytes_max=1)):
                for record in iter_records(batch):
                    if record.offset == offset and record.value is not None:
                        return decode_text(record.value).schema
        except CorruptMessage as error:
            raise NoName(f"it cannot be read: {error}") from error
        raise NoName("its record is no longer in the log")

    def _read_some(self, source: PartitionLog) -> None:
        self.version += 1
        try:
            data = source.read(offset=self._next_offset, bytes_max=READ_BYTES_MAX)
            if not data:  # the last offsets were compacted away
                self._next_offset = source.high_watermark
            for batch in iter_batches(data):
                self._take(batch)
        except CorruptMessage as error:
            self._next_offset = self._after_damage(source)
            log.error("schemas in a damaged part of %s are not known: %s", self.topic, error)

    def _take(self, batch: memoryview) -> None:
        header, skipped, why = read_header(batch), 0, ""
        if not header.is_control:
            for record in iter_records(batch):
                if record.offset < self._next_offset:
                    continue
                try:
                    self.versions.apply(record.key, record.value, record.offset)
                except BadRecord as error:
                    skipped, why = skipped + 1, f"{record.offset}: {error}"
        if skipped:
            log.warning("records skipped topic=%s count=%d the last at offset %s", self.topic, skipped, why)
        self._next_offset = max(self._next_offset, header.last_offset + 1)

    def _after_damage(self, source: PartitionLog) -> int:
        """Where to read on: behind the damaged range, or else behind the batch that cannot be read."""
        for quarantine in source.quarantines:
            if quarantine.start_offset <= self._next_offset < quarantine.end_offset:
                return quarantine.end_offset
        return self._next_offset + 1

    def _forget(self, source: PartitionLog | None) -> None:
        """Begin anew: another log, or one whose beginning was deleted."""
        self.version += 1
        self.versions = SchemaVersions()
        self._names.clear()
        self._log = source
        self._next_offset = self._log_start_offset = 0 if source is None else source.log_start_offset
