"""The produce form's keys and values that are JSON by a schema: the latest of a subject."""

from app.control_center.produce_form import BY_SCHEMA, ProduceForm
from app.schemas.framing import write_id
from app.schemas.ports import InvalidPayload, SchemaAccess, SchemaAccessError


async def encode_by_schema(
    form: ProduceForm, schemas: SchemaAccess | None, topic: str
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The bytes of `key` and `value` where the form says that a schema makes them; and what is wrong, by field."""
    framed: dict[str, bytes] = {}
    errors: dict[str, str] = {}
    fields = (
        ("key", form.key_kind, form.key, form.key_subject),
        ("value", form.value_kind, form.value, form.value_subject),
    )
    for name, kind, text, subject in fields:
        if kind != BY_SCHEMA:
            continue
        if schemas is None:
            errors[name] = "There is no Schema Registry."
            continue
        try:
            schema = await schemas.by_version(subject.strip() or f"{topic}-{name}", None)
        except SchemaAccessError as error:
            errors[f"{name}_subject"] = f"{str(error).rstrip('.')}."
            continue
        try:
            (payload,) = schema.codec.encode_all([text.encode(errors="replace")])
        except InvalidPayload as error:
            errors[name] = f"This does not fit {schema.subject}, version {schema.version}: {error}."
            continue
        framed[name] = write_id(schema.id) + payload
    return framed, errors
