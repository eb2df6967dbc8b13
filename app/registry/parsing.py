"""Texts into schemas, off the loop when they are large, and remembered: the same schemas are sent again and again."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from app.registry.contracts import Metadata, RuleSet
from app.registry.formats import parse
from app.registry.schema import ParsedSchema, Reference, ResolvedReference

T = TypeVar("T")
_Key: TypeAlias = tuple[str | None, str, tuple[ResolvedReference, ...], tuple[Reference, ...], bool]

IN_THREAD_MIN_CHARS = 20_000  # a few milliseconds of work
THREADS_MAX = 2  # hostile schemas take turns
REMEMBERED_MAX = 2_000
REMEMBERED_CHARS_MAX = 1_000_000  # of text; what is made of it takes some twenty times that


class Parser:
    """Reads schemas for one registry."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[_Key, ParsedSchema] = OrderedDict()
        self._remembered_chars = 0
        self._threads = asyncio.Semaphore(THREADS_MAX)

    async def parse(
        self,
        schema_type: str | None,
        text: str,
        resolved: tuple[ResolvedReference, ...] = (),
        *,
        references: tuple[Reference, ...] = (),
        validate_new: bool = True,
        metadata: Metadata | None = None,
        rule_set: RuleSet | None = None,
    ) -> ParsedSchema:
        """references: the schema's own, as they are to be stored. Raises InvalidSchema, SchemaTooLarge."""
        key: _Key = (schema_type, text, resolved, references, validate_new)
        parsed = self._remembered.get(key)
        if parsed is None:
            parsed = await self.off_loop(
                lambda: parse(schema_type, text, resolved, validate_new=validate_new),
                len(text) + sum(len(one.text) for one in resolved),
            )
            if parsed.references != references:
                parsed = replace(parsed, references=references)
            self._remember(key, parsed)
        else:
            self._remembered.move_to_end(key)
        if metadata is None and rule_set is None:
            return parsed
        return parsed.with_contract(metadata, rule_set)

    async def off_loop(self, work: Callable[[], T], chars: int) -> T:
        """Do the work here if it is about little text, else in a thread."""
        if chars < IN_THREAD_MIN_CHARS:
            return work()
        async with self._threads:
            return await asyncio.to_thread(work)

    def _remember(self, key: _Key, parsed: ParsedSchema) -> None:
        self._remembered[key] = parsed
        self._remembered_chars += _chars(key)
        while len(self._remembered) > REMEMBERED_MAX or self._remembered_chars > REMEMBERED_CHARS_MAX:
            dropped, _ = self._remembered.popitem(last=False)
            self._remembered_chars -= _chars(dropped)


def _chars(key: _Key) -> int:
    return len(key[1]) + _resolved_chars(key[2])


def _resolved_chars(resolved: Sequence[ResolvedReference]) -> int:
    return sum(len(one.text) for one in resolved)
