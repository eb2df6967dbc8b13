"""What a route cannot say of itself: its purpose, its query, its answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

AnswerType: TypeAlias = object
"""A type, a schema as dict, None for no body, or a ByMediaType."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or a header; kind is a type or a schema."""

    name: str
    kind: object
    description: str
    required: bool = False
    place: str = "query"


@dataclass(frozen=True, slots=True)
class ByMediaType:
    """An answer that looks different in each media type."""

    types: Mapping[str, AnswerType]


@dataclass(frozen=True, slots=True)
class Described:
    """One operation. answers: by status, those of success; errors: statuses besides those that any request may meet.

    example: a body that works, or one per media type. headers: of the answers of success, name to meaning.
    """

    summary: str
    answers: Mapping[int, AnswerType]
    parameters: tuple[Parameter, ...] = ()
    errors: frozenset[int] = frozenset()
    example: object = None
    body_is_optional: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surface:
    """A part of the document: its name, what it is, its operations by `METHOD /path`, the types of its errors."""

    name: str
    description: str
    operations: Mapping[str, Described]
    error_media_types: tuple[str, ...]


ERRORS_ANY: Final = frozenset({400, 401, 403, 404, 406, 429, 500, 503})
ERRORS_WITH_BODY: Final = frozenset({408, 413, 415, 422})

PATH_PARAMETERS: Final[Mapping[str, str]] = {
    "cluster_id": "Id of the cluster; GET /v3/clusters tells it",
    "broker_id": "Id of a broker",
    "topic": "Name of a topic",
    "partition": "Number of a partition, from 0 on",
    "name": "Name of a config, as Kafka spells it",
    "group": "Id of a consumer group",
    "consumer": "Member id of a consumer in its group",
    "instance": "Name of a consumer instance",
}
