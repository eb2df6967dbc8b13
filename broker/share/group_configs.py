"""The configs that a share group goes by: its own where they are set, else the broker's (KIP-932, KIP-848)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from broker.share.iso_duration import parse_duration
from broker.share.share_partition import Limits

READ_COMMITTED: Final = "read_committed"
_BY_DURATION: Final = "by_duration:"


class OffsetReset(NamedTuple):
    """Where a group begins to read: the log's start, its end, or so long ago."""

    strategy: str
    """`earliest`, `latest` or `by_duration`."""
    duration: timedelta = timedelta(0)


class GroupValues(Protocol):
    """Configs of single groups by Kafka's name, as they hold now: `broker.metadata.group_configs.GroupConfigs`."""

    def value(self, group_id: str, name: str) -> object:
        """A config of the group: a number as int, a word as str."""

    def number(self, group_id: str, name: str) -> int:
        """One that is a number."""


class ShareConfigs:
    """What holds for each group now. Values of a group are checked by whoever lets them be set."""

    def __init__(self, values: GroupValues) -> None:
        self._values = values

    def share_heartbeat_interval_ms(self, group_id: str) -> int:
        """How often its members say that they are there."""
        return self._values.number(group_id, "share.heartbeat.interval.ms")

    def share_session_timeout_ms(self, group_id: str) -> int:
        """How long a member may be silent."""
        return self._values.number(group_id, "share.session.timeout.ms")

    def share_record_lock_duration_ms(self, group_id: str) -> int:
        """How long a member may hold a record."""
        return self._values.number(group_id, "share.record.lock.duration.ms")

    def share_limits(self, group_id: str) -> Limits:
        """How often a record is delivered, how many may be in flight in a partition, and whether locks are renewed."""
        return Limits(
            delivery_count_max=self._values.number(group_id, "share.delivery.count.limit"),
            in_flight_max=self._values.number(group_id, "share.partition.max.record.locks"),
            may_renew=bool(self._values.value(group_id, "share.renew.acknowledge.enable")),
        )

    def share_auto_offset_reset(self, group_id: str) -> OffsetReset:
        """Where it begins in a partition that it has not read."""
        text = str(self._values.value(group_id, "share.auto.offset.reset"))
        if text.startswith(_BY_DURATION):
            return OffsetReset("by_duration", parse_duration(text.removeprefix(_BY_DURATION)))
        return OffsetReset(text.lower())

    def share_reads_committed(self, group_id: str) -> bool:
        """Whether its members see records of transactions only once they are committed."""
        return str(self._values.value(group_id, "share.isolation.level")).lower() == READ_COMMITTED
