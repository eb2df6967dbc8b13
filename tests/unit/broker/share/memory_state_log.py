"""A `ShareStateLog` in memory, and the shares on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker.config import BrokerConfig
from broker.errors import KafkaError
from broker.groups.deadlines import Now
from broker.groups.records import OffsetsRecord
from broker.share import ShareConfigs, ShareKey, Shares

WALL_START_MS = 1_790_000_000_000


class MemoryStateLog:
    """`failure`, when set, is what the next appends raise."""

    is_strict = False

    def __init__(self) -> None:
        self.records: list[OffsetsRecord] = []
        self.start = 0
        self.failure: KafkaError | None = None

    def append(self, key: ShareKey, record: OffsetsRecord, *, wall_ms: int) -> int:
        if self.failure is not None:
            raise self.failure
        self.records.append(record)
        return len(self.records) - 1

    def read(self) -> Iterator[tuple[OffsetsRecord, int]]:
        return iter([(record, at) for at, record in enumerate(self.records) if at >= self.start])

    def when_durable(self, callback) -> None:
        callback(None)

    def index_of(self, key: ShareKey) -> int:
        return 0

    def prune(self, needed_from: dict[int, int]) -> None:
        self.start = max(self.start, needed_from.get(0, 0))

    def forget(self) -> None:
        self.records.clear()


class SameForAllGroups:
    """Configs of groups: `overrides`, else what the broker has."""

    def __init__(self, config: BrokerConfig, overrides: Mapping[str, str] | None = None) -> None:
        self.config = config
        self.overrides = overrides or {}

    def value(self, group_id: str, name: str) -> object:
        if name in self.overrides:
            return self.overrides[name]
        own = {
            "share.auto.offset.reset": "latest",
            "share.isolation.level": "read_uncommitted",
            "share.renew.acknowledge.enable": True,
        }
        return own[name] if name in own else getattr(self.config, f"group_{name.replace('.', '_')}")

    def number(self, group_id: str, name: str) -> int:
        return int(str(self.value(group_id, name)))


def shares_on(
    log: MemoryStateLog, overrides: dict[str, str] | None = None, updates_per_snapshot: int = 500, **config: int
) -> Shares:
    """Shares with what the log holds; `overrides` are the configs of every group."""
    configs = ShareConfigs(SameForAllGroups(BrokerConfig(**config), overrides))
    shares = Shares(log, configs, updates_per_snapshot=updates_per_snapshot)
    for _ in shares.load_in_steps():
        pass
    return shares


def at(monotonic_ms: int) -> Now:
    return Now(monotonic_ms, WALL_START_MS + monotonic_ms)
