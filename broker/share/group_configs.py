"""The configs that a share group goes by: its own where they are set, else the broker's (KIP-932, KIP-848)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from broker.share.iso_duration import parse_duration
from broker.share.share_partition import Limits

if TYPE_CHECKING:
    from broker.config import BrokerConfig

SHARE_GROUP_CONFIGS: Final[Mapping[str, str | None]] = {
    "share.auto.offset.reset": None,
    "share.delivery.count.limit": "group_share_delivery_count_limit",
    "share.heartbeat.interval.ms": "group_share_heartbeat_interval_ms",
    "share.isolation.level": None,
    "share.partition.max.record.locks": "group_share_partition_max_record_locks",
    "share.record.lock.duration.ms": "group_share_record_lock_duration_ms",
    "share.session.timeout.ms": "group_share_session_timeout_ms",
}
"""Kafka's names, with the broker's attribute that is their default."""

AUTO_OFFSET_RESET_DEFAULT: Final = "latest"
ISOLATION_LEVEL_DEFAULT: Final = "read_uncommitted"
READ_COMMITTED: Final = "read_committed"
_BY_DURATION: Final = "by_duration:"


class OffsetReset(NamedTuple):
    """Where a group begins to read: the log's start, its end, or so long ago."""

    strategy: str
    """`earliest`, `latest` or `by_duration`."""
    duration: timedelta = timedelta(0)


GroupOverrides = Callable[[str], Mapping[str, str]]
"""The configs that are set for a group, by Kafka's name."""


def _no_overrides(group_id: str) -> Mapping[str, str]:
    return {}


class GroupConfigs:
    """What holds for each group now. Values of a group are checked by whoever lets them be set."""

    def __init__(self, config: BrokerConfig, overrides: GroupOverrides = _no_overrides) -> None:
        self._config = config
        self.overrides = overrides

    def share_heartbeat_interval_ms(self, group_id: str) -> int:
        """How often its members say that they are there."""
        return self._number(group_id, "share.heartbeat.interval.ms")

    def share_session_timeout_ms(self, group_id: str) -> int:
        """How long a member may be silent."""
        return self._number(group_id, "share.session.timeout.ms")

    def share_record_lock_duration_ms(self, group_id: str) -> int:
        """How long a member may hold a record."""
        return self._number(group_id, "share.record.lock.duration.ms")

    def share_limits(self, group_id: str) -> Limits:
        """How often a record is delivered, and how many may be in flight in a partition."""
        return Limits(
            delivery_count_max=self._number(group_id, "share.delivery.count.limit"),
            in_flight_max=self._number(group_id, "share.partition.max.record.locks"),
        )

    def share_auto_offset_reset(self, group_id: str) -> OffsetReset:
        """Where it begins in a partition that it has not read."""
        text = self.overrides(group_id).get("share.auto.offset.reset", AUTO_OFFSET_RESET_DEFAULT)
        if text.startswith(_BY_DURATION):
            return OffsetReset("by_duration", parse_duration(text.removeprefix(_BY_DURATION)))
        return OffsetReset(text.lower())

    def share_reads_committed(self, group_id: str) -> bool:
        """Whether its members see records of transactions only once they are committed."""
        level = self.overrides(group_id).get("share.isolation.level", ISOLATION_LEVEL_DEFAULT)
        return level.lower() == READ_COMMITTED

    def _number(self, group_id: str, name: str) -> int:
        given = self.overrides(group_id).get(name)
        if given is not None:
            return int(given)
        attribute = SHARE_GROUP_CONFIGS[name]
        assert attribute is not None
        value: int = getattr(self._config, attribute)
        return value
