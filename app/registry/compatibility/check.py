"""The compatibility levels: which older schemas a new one is held against, and in which direction."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.limits import INCOMPATIBILITIES_MAX, Budget
from app.registry.schema import ParsedSchema, SchemaType


class CompatibilityLevel(StrEnum):
    """The levels of `/config`. BACKWARD: the new schema reads what was written with the old; FORWARD: the reverse."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_transitive(self) -> bool:
        """Whether all older schemas are looked at, not only the latest."""
        return self.endswith("_TRANSITIVE")

    @property
    def is_backward(self) -> bool:
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def is_forward(self) -> bool:
        return self.startswith(("FORWARD", "FULL"))


class CompatibilityPolicy(StrEnum):
    """How strict JSON Schema's open content models are taken; other formats know one policy."""

    STRICT = "STRICT"
    LENIENT = "LENIENT"


def check(
    level: CompatibilityLevel | str,
    new: ParsedSchema,
    previous: Sequence[ParsedSchema],
    *,
    policy: CompatibilityPolicy | str = CompatibilityPolicy.STRICT,
) -> list[Incompatibility]:
    """Every reason why new may not follow previous (oldest first) at this level; empty when it may.

    The caller picks previous: live versions, of the same compatibility group. Not transitive: only the last counts.
    Stops at the newest schema that refuses it, as one is enough. Raises SchemaTooLarge when one older schema takes more
    than limits.COMPARISONS_MAX steps; a caller with many of them, large ones, does this off the event loop.
    """
    level = CompatibilityLevel(level)
    if level is CompatibilityLevel.NONE:
        return []
    for older in reversed(previous if level.is_transitive else previous[-1:]):
        found = _check_pair(level, new, older, CompatibilityPolicy(policy))
        if found:
            return found
    return []


def _check_pair(
    level: CompatibilityLevel, new: ParsedSchema, older: ParsedSchema, policy: CompatibilityPolicy
) -> list[Incompatibility]:
    if new.schema_type is not older.schema_type:
        return [Incompatibility("SCHEMA_TYPE_CHANGED", "", "Incompatible because of different schema type")]
    found: list[Incompatibility] = []
    if level.is_backward:
        wrong = islice(differences(new, older, policy, Budget()), INCOMPATIBILITIES_MAX)
        found += (one.directed(reader="new", writer="old") for one in wrong)
    if level.is_forward:
        wrong = islice(differences(older, new, policy, Budget()), INCOMPATIBILITIES_MAX)
        found += (one.directed(reader="old", writer="new") for one in wrong)
    return list(dict.fromkeys(found))


def differences(
    reader: ParsedSchema, writer: ParsedSchema, policy: CompatibilityPolicy, budget: Budget
) -> Iterable[Incompatibility]:
    """Why reader cannot take everything that was written with writer. Both are of one format."""
    match reader.schema_type:
        case SchemaType.AVRO:
            from app.registry.compatibility.avro import avro_differences
            from app.registry.formats.avro import AvroSchema

            assert isinstance(reader, AvroSchema)
            assert isinstance(writer, AvroSchema)
            return avro_differences(reader.root, writer.root, budget)
        case SchemaType.JSON:
            from app.registry.compatibility.json_schema import json_differences
            from app.registry.formats.json_schema import JsonSchema

            assert isinstance(reader, JsonSchema)
            assert isinstance(writer, JsonSchema)
            return json_differences(reader, writer, is_lenient=policy is CompatibilityPolicy.LENIENT, budget=budget)
        case SchemaType.PROTOBUF:
            from app.registry.compatibility.protobuf import protobuf_differences
            from app.registry.formats.protobuf import ProtobufSchema

            assert isinstance(reader, ProtobufSchema)
            assert isinstance(writer, ProtobufSchema)
            return protobuf_differences(reader, writer, budget)
