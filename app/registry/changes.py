"""Changes asked for inside this process: by this node when it may write, else by the one that may, as the API does it.

Either way the change is in this node's view when a call returns.
"""

import asyncio
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from app.registry.errors import InvalidRuleSet, InvalidSchema, SchemaError, SchemaTooLarge
from app.registry.peer import exchange
from app.registry.populating import NewSchema
from app.registry.records import ConfigUpdate, from_metadata, from_references, from_rule_set
from app.registry.refusals import ForwardingFailed, IncompatibleSchema, RegistryError, StoreFailed
from app.registry.service import RegistryService

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryChanges:
    """Every method may raise RegistryError or SchemaError, the same whichever node wrote."""

    def __init__(self, service: RegistryService) -> None:
        self._service = service

    async def register(self, subject: str, schema: NewSchema, *, normalize: bool = False) -> int:
        """Returns the schema's id."""
        async with self._service.writer.writing() as leader:
            if leader is None:
                return (await self._service.registry.register(subject, schema, normalize=normalize)).id
            path = f"/subjects/{_segment(subject)}/versions" + ("?normalize=true" if normalize else "")
            answer = await self._ask(leader, "POST", path, _body(schema))
            return int(answer["id"])

    async def delete_version(self, subject: str, number: int, *, permanent: bool) -> None:
        async with self._service.writer.writing() as leader:
            if leader is None:
                await self._service.deletion.delete_version(subject, number, permanent=permanent)
                return
            query = "?permanent=true" if permanent else ""
            await self._ask(leader, "DELETE", f"/subjects/{_segment(subject)}/versions/{number}{query}")

    async def delete_subject(self, subject: str, *, permanent: bool) -> None:
        async with self._service.writer.writing() as leader:
            if leader is None:
                await self._service.deletion.delete_subject(subject, permanent=permanent)
                return
            query = "?permanent=true" if permanent else ""
            await self._ask(leader, "DELETE", f"/subjects/{_segment(subject)}{query}")

    async def set_level(self, scope: str | None, level: str | None) -> None:
        """Level None: the scope has none of its own any more; its other settings stay."""
        config = self._service.store.view.configs.get(scope)
        alone = config is None or all(
            getattr(config, name) is None
            for name in config.__struct_fields__
            if name not in ("compatibility_level", "subject")
        )
        async with self._service.writer.writing() as leader:
            if leader is None and level is None and alone:
                await self._service.scopes.delete_config(scope)
            elif leader is None:
                await self._service.scopes.update_config(scope, ConfigUpdate(compatibility_level=level))
            elif level is None and alone:
                await self._ask(leader, "DELETE", f"/config{_scope_path(scope)}")
            else:
                await self._ask(leader, "PUT", f"/config{_scope_path(scope)}", {"compatibilityLevel": level})

    async def set_mode(self, scope: str | None, mode: str | None, *, force: bool = False) -> None:
        """Mode None: the scope has none of its own any more."""
        async with self._service.writer.writing() as leader:
            if leader is None and mode is None:
                await self._service.scopes.delete_mode(scope)
            elif leader is None:
                await self._service.scopes.set_mode(scope, mode, force=force)
            elif mode is None:
                await self._ask(leader, "DELETE", f"/mode{_scope_path(scope)}")
            else:
                query = "?force=true" if force else ""
                await self._ask(leader, "PUT", f"/mode{_scope_path(scope)}{query}", {"mode": mode})

    async def _ask(self, url: str, method: str, path: str, body: object = None) -> Any:
        """The writer's answer, read back here too. Raises what the writer refused with."""
        sent = urllib.request.Request(
            f"{url}{path}",
            data=None if body is None else msgspec.json.encode(body),
            headers={"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE, "X-Forward": "false"},
            method=method,
        )
        try:
            status, content, _ = await asyncio.to_thread(exchange, sent)
            answer = msgspec.json.decode(content)
        except (OSError, ValueError) as error:
            raise ForwardingFailed(url, error) from error
        if status != 200:
            raise _refusal(answer)
        await self._service.store.catch_up()
        return answer


def _segment(name: str) -> str:
    return quote(name, safe="")


def _scope_path(scope: str | None) -> str:
    return "" if scope is None else f"/{_segment(scope)}"


def _body(schema: NewSchema) -> dict[str, object]:
    given = {
        "schema": schema.text,
        "schemaType": schema.schema_type,
        "references": from_references(schema.references),
        "metadata": from_metadata(schema.metadata),
        "ruleSet": from_rule_set(schema.rule_set),
        "version": schema.version or None,
        "id": schema.id,
    }
    return {name: value for name, value in given.items() if value is not None}


_SCHEMA_ERRORS: Mapping[int, type[SchemaError]] = {
    one.error_code: one for one in (InvalidSchema, SchemaTooLarge, InvalidRuleSet)
}


def _refusal(answer: object) -> Exception:
    """What another node answered, as the exception this one would have raised."""
    code, message = 0, str(answer)
    if isinstance(answer, dict):
        code, message = int(answer.get("error_code", 0)), str(answer.get("message", ""))
    if code in _SCHEMA_ERRORS:
        return _SCHEMA_ERRORS[code](message)
    if code in (409, IncompatibleSchema.error_code):
        return IncompatibleSchema(message=message)
    kind = next((one for one in RegistryError.__subclasses__() if one.error_code == code), StoreFailed)
    return kind(message=message)
