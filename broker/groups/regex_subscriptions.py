"""Which topics the regular expressions of one consumer group's members stand for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from broker.errors import InvalidRegularExpression
from broker.groups.consumer_records import ResolvedRegex, regex_record, regex_tombstone
from broker.topic_pattern import TopicPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.groups.records import OffsetsRecord
    from broker.groups.subscribed_topics import KnownTopics

log = logging.getLogger("broker.groups")

_NONE: Final[Mapping[str, ResolvedRegex]] = MappingProxyType({})


class RegexSubscriptions:
    """The expressions in use, resolved; `resolved` is replaced, never changed, so that a change can be undone."""

    def __init__(self, group_id: str, topics: KnownTopics) -> None:
        self.resolved: Mapping[str, ResolvedRegex] = _NONE
        self._group_id = group_id
        self._topics = topics
        self._patterns: dict[str, TopicPattern] = {}

    def check(self, expression: str | None) -> None:
        """Raise InvalidRegularExpression unless the expression is one."""
        if expression and expression not in self.resolved:
            TopicPattern(expression)

    def topics_of(self, expression: str) -> frozenset[str]:
        """The names that an expression stands for; none for one that is not resolved."""
        known = self.resolved.get(expression)
        return frozenset() if known is None else known.topics

    @property
    def topics(self) -> frozenset[str]:
        """The names that all expressions stand for."""
        return frozenset(name for known in self.resolved.values() for name in known.topics)

    def resolve(self, used: Collection[str], *, topics_changed: bool, now_ms: int) -> list[OffsetsRecord]:
        """Follow the expressions in use, and the topics; returns the records of what changed (wall clock `now_ms`).

        Differs from Kafka: at once, where Kafka resolves beside the request and looks for new topics every 10 s.
        """
        records: list[OffsetsRecord] = []
        resolved: dict[str, ResolvedRegex] = {}
        for expression in used:
            known = self.resolved.get(expression)
            if known is None or topics_changed:
                names = self._matching(expression)
                if known is None or known.topics != names:
                    known = ResolvedRegex(names, now_ms)
                    records.append(regex_record(self._group_id, expression, known, self._topics.version))
            resolved[expression] = known
        records += self.tombstones(gone for gone in self.resolved if gone not in resolved)
        self.resolved = resolved
        for expression in [each for each in self._patterns if each not in resolved]:
            del self._patterns[expression]
        return records

    def tombstones(self, expressions: Iterable[str]) -> list[OffsetsRecord]:
        """The records that delete these expressions."""
        return [regex_tombstone(self._group_id, expression) for expression in expressions]

    def _matching(self, expression: str) -> frozenset[str]:
        pattern = self._patterns.get(expression)
        if pattern is None:
            try:
                pattern = self._patterns[expression] = TopicPattern(expression)
            except InvalidRegularExpression as error:
                # It was checked when it came, so it is from the log of a broker that knows more than this one.
                log.warning("expression not understood group=%s error=%s", self._group_id, error)
                return frozenset()
        return pattern.matching(topic.name for topic in self._topics)
