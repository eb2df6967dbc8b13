"""Reading `_schemas` before a producer has to wait for it, in steps that others do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from broker.errors import KafkaError
from broker.schemas.known_schemas import KnownSchemas
from broker.schemas.record_check import VALIDATING

if TYPE_CHECKING:
    from broker.metadata.topics import TopicRegistry


class ReadAhead:
    """To be run now and then. Where no topic validates it costs a comparison, after a change a look at all topics."""

    def __init__(self, schemas: KnownSchemas, topics: TopicRegistry) -> None:
        self._schemas = schemas
        self._topics = topics
        self._as_of = -1
        self._is_wanted = False

    def steps(self) -> Iterator[None]:
        """Read on, a few milliseconds a step. What cannot be read is told to the producers that need it."""
        if self._topics.version != self._as_of:
            self._as_of = self._topics.version
            self._is_wanted = any(topic.configs and VALIDATING & topic.configs.keys() for topic in self._topics)
        if self._is_wanted:
            with suppress(KafkaError):
                yield from self._schemas.catch_up_in_steps()
