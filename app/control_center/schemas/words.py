"""What the registry's own words mean, in sentences."""

from collections.abc import Mapping

from app.registry.errors import SchemaError
from app.registry.refusals import IncompatibleSchema, RegistryError

LEVELS: Mapping[str, str] = {
    "BACKWARD": "Consumers with the new version read what the last one wrote. Update consumers first.",
    "BACKWARD_TRANSITIVE": "Consumers with the new version read what any earlier one wrote. Update consumers first.",
    "FORWARD": "Consumers with the last version read what the new one writes. Update producers first.",
    "FORWARD_TRANSITIVE": "Consumers with any earlier version read what the new one writes. Update producers first.",
    "FULL": "The last version and the new one read each other. Update in any order.",
    "FULL_TRANSITIVE": "Every earlier version and the new one read each other. Update in any order.",
    "NONE": "Nothing is checked: any change is taken, and may break who reads.",
}
ALLOWED: Mapping[str, str] = {
    "BACKWARD": "remove fields, add fields with a default",
    "BACKWARD_TRANSITIVE": "remove fields, add fields with a default",
    "FORWARD": "add fields, remove fields with a default",
    "FORWARD_TRANSITIVE": "add fields, remove fields with a default",
    "FULL": "add and remove fields with a default",
    "FULL_TRANSITIVE": "add and remove fields with a default",
    "NONE": "anything",
}
MODES: Mapping[str, str] = {
    "READWRITE": "Schemas can be registered and deleted.",
    "READONLY": "Nothing can be registered, deleted or set.",
    "READONLY_OVERRIDE": "Nothing can be changed anywhere, whatever subjects say.",
    "IMPORT": "Only schemas that bring their own id and version are taken: for moving a registry in.",
    "FORWARD": "Nothing can be registered here: this registry follows another one.",
}
TYPES: Mapping[str, str] = {"AVRO": "Avro", "JSON": "JSON Schema", "PROTOBUF": "Protobuf"}
_MORE_WORDS = {42206: "Other schemas refer to it", 42205: "The mode does not allow it"}


def type_words(schema_type: str) -> str:
    return TYPES.get(schema_type, schema_type)


def explain(error: RegistryError | SchemaError) -> str:
    """A sentence for a person, with the registry's own words and error code."""
    if isinstance(error, IncompatibleSchema):
        return f"It is not compatible with an earlier version (error {error.error_code})."
    said = str(error).strip().rstrip(".")
    before = _MORE_WORDS.get(error.error_code)
    code = f"error {error.error_code}"
    return f"{before}: {said} ({code})." if before else f"{said[:1].upper()}{said[1:]} ({code})."
