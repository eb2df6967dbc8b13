"""The produce form: what is typed, turned into the bytes of one record."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from random import randrange
from types import MappingProxyType

from app.cluster.topic_summaries import TopicSummary
from app.control_center.forms import Unreadable, parse_count
from app.control_center.visit import Visit
from app.kafka.partitioner import partition_of_key
from app.kafka.ports import RecordToSend
from broker.errors import InvalidRecord

BY_SCHEMA = "schema"
KEY_KINDS = (("none", "no key"), ("text", "text"), ("base64", "base64"))
VALIDATOR = "io.confluent.kafka.schemaregistry.validator.RecordSchemaValidator: "
"""Behind these words a broker says what is wrong with a record: `key: …`, `value: …` or `header NAME: …`."""
KINDS_BY_SCHEMA = ((BY_SCHEMA, "JSON, by a schema"),)
VALUE_KINDS = (("text", "text"), ("json", "JSON, checked"), ("base64", "base64"), ("null", "null (a tombstone)"))


@dataclass(frozen=True, slots=True)
class ProduceForm:
    """The fields as typed."""

    partition: str = ""
    key_kind: str = ""
    key: str = ""
    value_kind: str = "text"
    value: str = ""
    headers: str = ""
    key_subject: str = ""
    value_subject: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "ProduceForm":
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})

    @classmethod
    def from_query(cls, visit: Visit) -> "ProduceForm":
        """?key=… &value=… fill the form, so that a record to try can be sent as a link."""
        given = {name: visit.argument(name) for name in ("key", "value", "headers") if visit.argument(name)}
        return cls.of(given)


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    partition: int
    record: RecordToSend


@dataclass(frozen=True, slots=True)
class ProduceFormView:
    form: ProduceForm
    errors: Mapping[str, str]
    key_kinds: tuple[tuple[str, str], ...]
    value_kinds: tuple[tuple[str, str], ...]
    partitions: tuple[tuple[str, str], ...]
    action: str
    is_open: bool
    needs_key: bool
    has_schemas: bool


def parse_form(
    form: ProduceForm,
    partition_count: int,
    framed: Mapping[str, bytes] = MappingProxyType({}),
    schema_errors: Mapping[str, str] = MappingProxyType({}),
) -> tuple[PlacedRecord | None, dict[str, str]]:
    """The record and where it goes, or None and what is wrong by field.

    framed, schema_errors: what came of the fields that a schema makes (see produce_by_schema.py).
    """
    errors = dict(schema_errors)
    key = framed.get("key") if form.key_kind == BY_SCHEMA else _key(form, errors)
    value = framed.get("value") if form.value_kind == BY_SCHEMA else _value(form, errors)
    headers = _headers(form, errors)
    partition = _partition(form, key, partition_count, errors)
    if errors or partition is None:
        return None, errors
    return PlacedRecord(partition, RecordToSend(key=key, value=value, headers=headers)), {}


def refusal_by_field(error: Exception) -> dict[str, str]:
    """What a topic that validates schema ids has against a record, by field; {} for any other error."""
    _, validated, said = str(error).partition(VALIDATOR)
    place, colon, reason = said.partition(": ")
    if not (isinstance(error, InvalidRecord) and validated and colon):
        return {}
    side = "key" if "key" in place else "value"
    demand = f"The topic takes only a {side} with a registered schema id (confluent.{side}.schema.validation)"
    return {place if place in ("key", "value") else "headers": f"{demand}: {reason}."}


def _key(form: ProduceForm, errors: dict[str, str]) -> bytes | None:
    kind = form.key_kind or ("text" if form.key else "none")
    if kind == "none":
        if form.key:
            errors["key"] = "There is a key here, but “no key” is chosen."
        return None
    return _bytes(form.key, kind, "key", errors)


def _value(form: ProduceForm, errors: dict[str, str]) -> bytes | None:
    if form.value_kind == "null":
        if form.value:
            errors["value"] = "A tombstone has no value. Empty this field, or choose another kind."
        return None
    if form.value_kind == "json":
        try:
            json.loads(form.value)
        except (ValueError, RecursionError) as problem:
            errors["value"] = f"This is not JSON: {problem}."
    return _bytes(form.value, form.value_kind, "value", errors)


def _bytes(text: str, kind: str, field: str, errors: dict[str, str]) -> bytes:
    if kind != "base64":
        return text.encode("utf-8", errors="replace")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        errors[field] = "This is not base64."
        return b""


def _headers(form: ProduceForm, errors: dict[str, str]) -> tuple[tuple[str, bytes | None], ...]:
    """'name: value' on each line; a name alone is a header without value. Names may repeat."""
    headers: list[tuple[str, bytes | None]] = []
    for line in form.headers.splitlines():
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not name.strip():
            errors["headers"] = "Write each header as name: value on its own line."
        headers.append((name.strip(), value.strip().encode() if colon else None))
    return tuple(headers)


def _partition(form: ProduceForm, key: bytes | None, partition_count: int, errors: dict[str, str]) -> int | None:
    """As chosen, else by the key as Java's producer does, else any."""
    if form.partition:
        try:
            return parse_count(form.partition, least=0, most=partition_count - 1, what="partitions")
        except Unreadable:
            errors["partition"] = f"The topic has partitions 0 to {partition_count - 1}."
            return None
    return randrange(partition_count) if key is None else partition_of_key(key, partition_count)


def build_form(visit: Visit, topic: TopicSummary, form: ProduceForm, errors: Mapping[str, str]) -> ProduceFormView:
    by_key = ("", "by key, else any")
    has_schemas = visit.access.payloads is not None
    more_kinds = KINDS_BY_SCHEMA if has_schemas else ()
    return ProduceFormView(
        form=form,
        errors=defaultdict(str, errors),
        key_kinds=KEY_KINDS + more_kinds,
        value_kinds=VALUE_KINDS + more_kinds,
        partitions=(by_key, *((str(number), f"partition {number}") for number in range(topic.partition_count))),
        action=visit.links.topic(topic.name, "messages"),
        is_open=bool(errors) or form != ProduceForm(),
        needs_key=topic.cleanup_policy is not None and "compact" in topic.cleanup_policy,
        has_schemas=has_schemas,
    )
