"""Bodies, query parameters and answers of the API."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from app.http import exchange, json_body
from app.http.errors import HttpError
from app.http.exchange import Response
from app.http.media_types import JSON, Offers
from app.http.routing import Routes
from app.registry.inline_tags import Entity, EntityTags, TagChange
from app.registry.inline_tags.entity import Kind, merged
from app.registry.populating import NewSchema
from app.registry.records import (
    MetadataJson,
    ReferenceJson,
    RuleSetJson,
    from_metadata,
    from_references,
    from_rule_set,
    to_metadata,
    to_references,
    to_rule_set,
)
from app.registry.refusals import InvalidVersion
from app.registry.registry import LATEST
from app.registry.service import RegistryService
from app.registry.view import Content, Version

T = TypeVar("T")
Request: TypeAlias = exchange.Request[RegistryService]

V1 = "application/vnd.schemaregistry.v1+json"
_ANY_VERSION = "application/vnd.schemaregistry+json"
OFFERS = Offers({V1: 1.0, _ANY_VERSION: 0.9, JSON: 0.5})
CONSUMED = frozenset({V1, _ANY_VERSION, JSON, "application/octet-stream"})
VERSION_MAX = 2**31 - 1
SCHEMAS_MAX = 1_000  # in one answer


class UnprocessableEntity(HttpError):
    """A body that is required and not there."""

    status, error_code, default_message = 422, 422, "The request body must not be empty"


class SchemaEntity(Struct, frozen=True, rename="camel"):
    """A record or a field of a schema."""

    entity_path: str | None = None
    entity_type: Kind | None = None


class SchemaTags(Struct, frozen=True, rename="camel"):
    """Tags at one place of a schema."""

    schema_entity: SchemaEntity
    tags: list[str] | None = None

    def to_tags(self) -> EntityTags:
        entity = self.schema_entity
        return EntityTags(Entity.of(entity.entity_type, entity.entity_path or ""), tuple(self.tags or ()))


class SchemaBody(Struct, frozen=True, rename="camel"):
    """What is registered, looked up, or checked."""

    schema: str | None = None
    schema_type: str | None = None
    references: list[ReferenceJson] | None = None
    metadata: MetadataJson | None = None
    rule_set: RuleSetJson | None = None
    version: int | None = None
    id: int | None = None
    schema_tags_to_add: list[SchemaTags] | None = None
    schema_tags_to_remove: list[SchemaTags] | None = None
    propagate_schema_tags: bool | None = None

    def to_schema(self) -> NewSchema:
        return NewSchema(
            self.schema,
            self.schema_type or None,
            to_references(self.references),
            to_metadata(self.metadata),
            to_rule_set(self.rule_set),
            self.version or 0,
            None if self.id is None or self.id < 0 else self.id,
            tag_changes(self.schema_tags_to_add, self.schema_tags_to_remove),
            bool(self.propagate_schema_tags),
        )


class SchemaAnswer(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A schema with all that is known of it; what is None is left out."""

    subject: str | None = None
    version: int | None = None
    id: int | None = None
    max_id: int | None = None
    guid: str | None = None
    schema_type: str | None = None
    references: list[ReferenceJson] | None = None
    metadata: MetadataJson | None = None
    rule_set: RuleSetJson | None = None
    schema: str | None = None
    schema_tags: list[SchemaTags] | None = None
    ts: int | None = None
    deleted: bool | None = None
    aliases: list[str] | None = None


def tag_changes(added: Sequence[SchemaTags] | None, removed: Sequence[SchemaTags] | None) -> tuple[TagChange, ...]:
    return merged((one.to_tags() for one in added or ()), (one.to_tags() for one in removed or ()))


def routes() -> Routes:
    return Routes(consumes=CONSUMED, offers=OFFERS)


def version_answer(one: Version, text: str | None = None, **more: Any) -> SchemaAnswer:
    """A registered version; text: the schema in another form than the canonical one."""
    return content_answer(
        one.content,
        text,
        subject=one.subject,
        version=one.version,
        id=one.id,
        ts=one.timestamp_ms or None,
        deleted=one.is_deleted or None,
        **more,
    )


def registered_answer(one: Version, text: str | None = None) -> SchemaAnswer:
    """What a registration answers: the id, and since 8.0 all that was stored."""
    return msgspec.structs.replace(version_answer(one, text), subject=None)


def content_answer(content: Content, text: str | None = None, **more: Any) -> SchemaAnswer:
    """A schema by its id or guid."""
    references: list[ReferenceJson] | None = more.pop("references", None) or from_references(content.references)
    return SchemaAnswer(
        guid=str(UUID(bytes=content.guid)),
        schema_type=content.schema_type,
        references=references,
        metadata=from_metadata(content.metadata),
        rule_set=from_rule_set(content.rule_set),
        schema=content.text if text is None else text,
        **more,
    )


async def read(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The body. Raises UnprocessableEntity for none, BadRequest for one of another shape."""
    body = await json_body.read_utf8(request)
    if not body or body.isspace() or body.strip() == b"null":
        raise UnprocessableEntity
    return json_body.decode(decoder, body)


def answer(request: Request, value: object, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    return Response(200, json_body.encode(value), request.media_type, headers)


def flag(request: Request, name: str) -> bool:
    return bool(request.scope["query_string"] or "query" in request.__dict__) and (
        request.query.get(name, "").lower() == "true"
    )


def page(request: Request, found: Sequence[T], *, default: int = -1, maximum: int | None = None) -> Sequence[T]:
    """The part of a list that offset and limit ask for; a limit that is none or too high is the default one."""
    offset, limit = _number(request, "offset", 0), _number(request, "limit", default)
    if limit <= 0 or (maximum is not None and limit > maximum):
        limit = default
    offset = max(offset, 0)
    return found[offset : offset + limit] if limit > 0 else found[offset:]


def _number(request: Request, name: str, default: int) -> int:
    try:
        return int(request.query.get(name) or default)
    except ValueError:
        return default


def version_number(text: str) -> int:
    """Raises InvalidVersion (42202). LATEST for `latest` and -1."""
    if text in ("latest", "-1"):
        return LATEST
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:11]) <= VERSION_MAX):
        raise InvalidVersion(text)
    return int(text)
