"""Places of a schema that can have tags. Paths by format:

Avro: the record's full name, and that, a dot and the field's name. Protobuf: the same inside the package. JSON Schema:
the way from the root by kind, `object.address.object.street`, `object.items.array.object`, `anyof.1.object.x`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["sr_record", "sr_field"]
RECORD: Final = "sr_record"
FIELD: Final = "sr_field"


@dataclass(frozen=True, slots=True)
class Entity:
    """A record or a field. kind is RECORD or FIELD (`entityType`)."""

    kind: Kind
    path: str

    @classmethod
    def of(cls, kind: Kind | None, path: str) -> "Entity":
        """As clients write it: a leading dot says nothing."""
        return cls(kind or FIELD, path.removeprefix("."))


@dataclass(frozen=True, slots=True)
class EntityTags:
    """A place and its tags, in the order they stand there."""

    entity: Entity
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TagChange:
    """Tags that one place gets, and loses."""

    entity: Entity
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def apply(self, tags: Iterable[str]) -> list[str]:
        return [tag for tag in dict.fromkeys([*tags, *self.added]) if tag not in self.removed]


@dataclass(slots=True)
class _Merged:
    added: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)


def merged(added: Iterable[EntityTags], removed: Iterable[EntityTags]) -> tuple[TagChange, ...]:
    """One change per place, in the order the places are first named."""
    by_entity: dict[Entity, _Merged] = {}
    for one in added:
        by_entity.setdefault(one.entity, _Merged()).added.update(dict.fromkeys(one.tags))
    for one in removed:
        by_entity.setdefault(one.entity, _Merged()).removed.update(dict.fromkeys(one.tags))
    return tuple(TagChange(entity, tuple(one.added), tuple(one.removed)) for entity, one in by_entity.items())


def wanted(tags: Iterable[EntityTags], names: Sequence[str]) -> list[EntityTags]:
    """Those with one of the names; `*` is any."""
    return [one for one in tags if "*" in names or any(tag in names for tag in one.tags)]
