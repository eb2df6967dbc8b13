"""What the groups ask of the configs of a single group (resource type GROUP)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from broker.config import BrokerConfig

CONSUMER_ASSIGNMENT_INTERVAL_MS: Final = "consumer.assignment.interval.ms"
CONSUMER_HEARTBEAT_INTERVAL_MS: Final = "consumer.heartbeat.interval.ms"
CONSUMER_SESSION_TIMEOUT_MS: Final = "consumer.session.timeout.ms"


class GroupNumbers(Protocol):
    """Configs of groups that are numbers; `broker.metadata.group_configs.GroupConfigs` is one."""

    def number(self, group_id: str, name: str) -> int:
        """What holds for the group now."""


class BrokerNumbers:
    """The broker's own configs for every group, where nothing can be set for a single one."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config

    def number(self, group_id: str, name: str) -> int:
        """`group.<name>` of the broker."""
        value: int = getattr(self._config, f"group_{name.replace('.', '_')}")
        return value
