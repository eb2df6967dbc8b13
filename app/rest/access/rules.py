"""What a user may do: rules that allow operations on topics, consumer groups and the cluster."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
DECISIONS_REMEMBERED_MAX: Final = 4_096


class Operation(StrEnum):
    """What a request does with a resource."""

    PRODUCE = "produce"
    CONSUME = "consume"
    DESCRIBE = "describe"
    MANAGE = "manage"


class Kind(StrEnum):
    """What a request does it with."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows these operations, by these HTTP methods, on resources whose name fits one of the patterns.

    Patterns are whole names with `*` and `?`. The cluster (brokers, its configs, ACLs) has no name: `cluster` says it.
    """

    operations: frozenset[Operation]
    methods: frozenset[str] = METHODS
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    cluster: bool = False

    def allows(self, operation: Operation, method: str, kind: Kind, name: str) -> bool:
        if operation not in self.operations or method not in self.methods:
            return False
        if kind is Kind.CLUSTER:
            return self.cluster
        patterns = self.topics if kind is Kind.TOPIC else self.groups
        return any(fnmatchcase(name, pattern) for pattern in patterns)


class Principal:
    """One user and the rules in force for it; a changed users file makes new ones."""

    def __init__(self, name: str, rules: Iterable[Rule]) -> None:
        self.name = name
        self.rules = tuple(rules)
        self._remembered = lru_cache(DECISIONS_REMEMBERED_MAX)(self._decide)

    def may(self, operation: Operation, method: str, kind: Kind, name: str = "") -> bool:
        """Whether any rule allows it. A method is judged as its own; HEAD is GET."""
        return self._remembered(operation, "GET" if method == "HEAD" else method, kind, name)

    def _decide(self, operation: Operation, method: str, kind: Kind, name: str) -> bool:
        return any(rule.allows(operation, method, kind, name) for rule in self.rules)
