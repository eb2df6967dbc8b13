"""JSON Schema payloads: the JSON itself, held against the schema when it is written.

jsonschema-rs judges: 0.2 µs for a small record, no backtracking in patterns, nothing fetched.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs
import msgspec

from app.registry.errors import InvalidSchema
from app.registry.formats.json_schema import JsonSchema
from app.registry.payloads.json_misfit import UNEXPLAINED, explain, pointer
from app.registry.payloads.json_text import read_all
from app.schemas.ports import InvalidPayload

PATTERN_BYTES_MAX = 2_000_000  # of a compiled pattern
ADDRESSES_MAX = 10_000
BACKTRACKS_MAX = 100_000  # only patterns that look ahead or back, or refer back, are matched by trial

_VALIDATORS = {
    4: jsonschema_rs.Draft4Validator, 6: jsonschema_rs.Draft6Validator, 7: jsonschema_rs.Draft7Validator,
    2019: jsonschema_rs.Draft201909Validator, 2020: jsonschema_rs.Draft202012Validator,
}  # fmt: skip
_DRAFTS = {
    4: jsonschema_rs.Draft4, 6: jsonschema_rs.Draft6, 7: jsonschema_rs.Draft7,
    2019: jsonschema_rs.Draft201909, 2020: jsonschema_rs.Draft202012,
}  # fmt: skip
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


class JsonSchemaCodec:
    """A payload is the JSON text. It is not held against the schema when it is read, as Confluent's reader does not."""

    def __init__(self, schema: JsonSchema) -> None:
        """Raises InvalidSchema for a schema that no value can be held against."""
        self._schema = schema
        self._validator = _validator_of(schema)
        texts = (schema.canonical, *(one.text for one in schema.resolved_references))
        self._has_refs = any("$ref" in text or 'Ref"' in text for text in texts)

    def encode_all(self, texts: Sequence[bytes]) -> list[bytes]:
        is_valid = self._validator.is_valid
        for index, value in enumerate(read_all(texts)):
            try:
                fits = is_valid(value)
            except ValueError as error:
                raise InvalidPayload(_cut(str(error)), index=index) from None
            if not fits:
                raise self._misfit(value, index)
        return [bytes(text) for text in texts]

    def _misfit(self, value: Any, index: int) -> InvalidPayload:
        """The library tells the reason of every alternative of every alternative: where schemas refer to themselves,
        that never ends. Those are explained here, within bounds."""
        if self._has_refs:
            reason, path = explain(self._schema, value)
            return InvalidPayload(reason, path, index)
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return InvalidPayload(_cut(error.message), pointer(error.instance_path), index)
        except ValueError as error:
            return InvalidPayload(_cut(str(error)), index=index)
        return InvalidPayload(UNEXPLAINED, index=index)

    def decode(self, payload: bytes) -> bytes:
        try:
            if not payload.isascii():
                payload.decode()
            return bytes(_check_json(payload))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidPayload(f"the payload is no JSON: {error}") from None
        except RecursionError:
            raise InvalidPayload("the payload is nested too deeply") from None


def _validator_of(schema: JsonSchema) -> Any:
    """Patterns in linear time; where one needs more (lookaround, references back), by bounded trial."""
    try:
        return _build(schema, jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES_MAX))
    except (ValueError, jsonschema_rs.ReferencingError):
        pass
    try:
        return _build(
            schema, jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS_MAX, size_limit=PATTERN_BYTES_MAX)
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidSchema(f"no value can be held against this schema: {_cut(str(error))}") from None


def _build(schema: JsonSchema, patterns: Any) -> Any:
    resources = _addressed(schema)
    draft = _DRAFTS[schema.draft]
    return _VALIDATORS[schema.draft](
        schema.value,
        registry=jsonschema_rs.Registry(resources, draft=draft) if resources else None,
        pattern_options=patterns,
        offline=True,
        validate_formats=False,
    )


def _addressed(schema: JsonSchema) -> list[tuple[str, Any]]:
    """The registry's references by all addresses that a `$ref` to them can come to: their name stands beside every
    schema that has an address."""
    named = {name: resource for name, resource in schema.resources.items() if resource.root is not schema.value}
    bases = {schema.resource.base, *(resource.base for resource in named.values())} - {""}
    found = {name: resource.root for name, resource in named.items()}
    if len(bases) * len(named) <= ADDRESSES_MAX:
        for name, resource in named.items():
            for base in bases:
                found.setdefault(urljoin(base, name), resource.root)
    return list(found.items())


def _cut(message: str) -> str:
    line = message.splitlines()[0] if message else "the value does not fit"
    return line if len(line) <= 300 else f"{line[:300]}…"
