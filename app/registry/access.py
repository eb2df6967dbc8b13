"""The registry of this process as its neighbours see it (app.schemas.ports), without a way through HTTP."""

import asyncio
import urllib.request
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import quote
from uuid import UUID

import msgspec

from app.kafka.ports import ClusterUnreachable
from app.registry.contexts import context_of, qualify, split
from app.registry.errors import InvalidSchema, SchemaError
from app.registry.payloads import compile_codec
from app.registry.peer import exchange
from app.registry.populating import NewSchema
from app.registry.refusals import RegistryError, SubjectNotFound, VersionNotFound
from app.registry.registry import LATEST
from app.registry.routes.wire import V1, SchemaAnswer
from app.registry.schema import ParsedSchema
from app.registry.service import RegistryService
from app.registry.view import Version
from app.schemas.ports import KnownSchema, PayloadCodec, RegistryFailed, SchemaNotFound, UnreadableSchema
from broker.errors import KafkaError

CODECS_MAX = 1_000
CODECS_CHARS_MAX = 4_000_000  # of schema text, with what it refers to

_FAILURES = (RegistryError, ClusterUnreachable, KafkaError)
_answer = msgspec.json.Decoder(SchemaAnswer)


class InProcessSchemas:
    """SchemaAccess over a registry's service; its codecs are kept, the least recently used go first."""

    def __init__(self, service: RegistryService) -> None:
        self._service = service
        self._codecs: OrderedDict[tuple[str, bytes], tuple[PayloadCodec, str | None, int]] = OrderedDict()
        self._codecs_chars = 0

    async def by_id(self, schema_id: int, subject: str | None = None) -> KnownSchema:
        await self._ready()
        registry = self._service.registry
        if subject is not None:  # first, as a schema may be under very many subjects
            use = _use_of(registry.view.versions(registry.core.subject(subject)).values(), schema_id)
            if use is not None:
                return await self._known(use)
        found = registry.content_by_id(schema_id, subject)
        if found is None:
            raise SchemaNotFound(f"There is no schema of id {schema_id}")
        context, content = found
        if subject is not None and context != context_of(subject):
            qualified = qualify(context, split(subject).subject)
            use = _use_of(registry.view.versions(qualified).values(), schema_id)
            if use is not None:
                return await self._known(use)
        use = _use_of((one for one in content.uses.values() if context_of(one.subject) == context), schema_id)
        if use is None:
            raise SchemaNotFound(f"There is no schema of id {schema_id}")
        return await self._known(use, is_under_subject=subject is None)

    async def by_guid(self, guid: UUID) -> KnownSchema:
        await self._ready()
        content = self._service.registry.view.contents.get(guid.bytes)
        uses = [] if content is None else sorted(content.uses.values(), key=lambda use: (use.is_deleted, use.subject))
        if not uses:
            raise SchemaNotFound(f"There is no schema of guid {guid}")
        return await self._known(uses[0])

    async def by_version(self, subject: str, version: int | None) -> KnownSchema:
        await self._ready()
        try:
            found = self._service.registry.version(subject, LATEST if version is None else version)
        except (SubjectNotFound, VersionNotFound) as error:
            raise SchemaNotFound(error.message) from None
        return await self._known(found)

    async def name_of(self, schema_type: str, text: str) -> str | None:
        try:
            return (await self._service.registry.core.parser.parse(schema_type, text)).name
        except SchemaError as error:
            raise UnreadableSchema(str(error)) from None

    async def register(self, subject: str, schema_type: str, text: str) -> KnownSchema:
        if not text or text.isspace():  # to the registry itself it would mean the schema before
            raise UnreadableSchema("the schema is empty")
        await self._ready()
        schema = NewSchema(text, schema_type)
        registry = self._service.registry
        try:
            found = await registry.find_registered(subject, schema)
            if found is None:
                async with self._service.writer.writing() as leader_url:
                    if leader_url is not None:
                        return await self._register_at(leader_url, subject, schema_type, text)
                    found = await registry.register(subject, schema)
        except SchemaError as error:
            raise UnreadableSchema(str(error)) from None
        except _FAILURES as error:
            raise RegistryFailed(str(error)) from error
        return await self._known(found)

    async def _register_at(self, url: str, subject: str, schema_type: str, text: str) -> KnownSchema:
        """Another node writes; what it says is known here before it was read from the topic."""
        request = urllib.request.Request(
            f"{url}/subjects/{quote(subject, safe='')}/versions",
            data=msgspec.json.encode({"schema": text, "schemaType": schema_type}),
            headers={"Content-Type": V1, "X-Forward": "false"},
            method="POST",
        )
        try:
            status, body, _ = await asyncio.to_thread(exchange, request)
            if status != 200:
                raise RegistryFailed(body.decode(errors="replace"))
            written = _answer.decode(body)
        except (OSError, ValueError) as error:
            raise RegistryFailed(f"The registry's writer {url} does not answer: {error}") from error
        parsed = await self._service.registry.core.parser.parse(schema_type, text)
        guid = parsed.guid if written.guid is None else UUID(written.guid)
        codec, name = await self._codec((context_of(subject), guid.bytes), parsed)
        return KnownSchema(written.id or 0, guid, schema_type, subject, written.version, name, codec)

    async def _ready(self) -> None:
        store = self._service.store
        if store.is_ready:
            return
        try:
            await store.ready()
        except RegistryError as error:
            raise RegistryFailed(error.message) from None

    async def _known(self, use: Version, *, schema_id: int | None = None, is_under_subject: bool = True) -> KnownSchema:
        content = use.content
        key = (context_of(use.subject), content.guid)
        kept = self._codecs.get(key)
        if kept is not None:
            self._codecs.move_to_end(key)
            codec, name, _ = kept
        else:
            try:
                parsed = await self._service.registry.core.parse_stored(use)
            except SchemaError as error:
                raise RegistryFailed(f"The schema of id {use.id} cannot be read: {error}") from None
            codec, name = await self._codec(key, parsed)
        return KnownSchema(
            use.id,
            UUID(bytes=content.guid),
            content.schema_type,
            use.subject if is_under_subject else None,
            use.version if is_under_subject else None,
            name,
            codec,
        )

    async def _codec(self, key: tuple[str, bytes], parsed: ParsedSchema) -> tuple[PayloadCodec, str | None]:
        """key: context and guid, since the same guid may refer to other texts in another context."""
        chars = len(parsed.canonical) + sum(len(one.text) for one in parsed.resolved_references)
        try:
            codec = await self._service.registry.core.parser.off_loop(lambda: compile_codec(parsed), chars)
        except (InvalidSchema, RecursionError) as error:
            raise RegistryFailed(f"No payload can be read or written by this schema: {error}") from None
        if key not in self._codecs:
            self._codecs[key] = (codec, parsed.name, chars)
            self._codecs_chars += chars
        while len(self._codecs) > CODECS_MAX or (self._codecs_chars > CODECS_CHARS_MAX and len(self._codecs) > 1):
            _, (_, _, dropped_chars) = self._codecs.popitem(last=False)
            self._codecs_chars -= dropped_chars
        return codec, parsed.name


def _use_of(versions: Iterable[Version], schema_id: int) -> Version | None:
    """A version with this id: one that is not deleted, if there is one."""
    deleted = None
    for one in versions:
        if one.id == schema_id:
            if not one.is_deleted:
                return one
            deleted = one
    return deleted
