"""How many connections the broker takes, in all, by address and by listener, and how fast (KIP-402, KIP-612).

A connection beyond a number is closed at once; one that comes too fast is taken and answered later.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker.config import LISTENER_PREFIX, BrokerConfig, ConfigError

UNLIMITED: Final = 2**31 - 1


class RateMeter:
    """Says how long the next one must wait, so that over the window no more come than the rate allows."""

    def __init__(self, rate: int, window_s: float) -> None:
        self.rate = rate
        self._window_s = window_s
        self._ahead_s = 0.0
        self._counted_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Count one; how long it must wait. Time is monotonic."""
        if self.rate >= UNLIMITED:
            return 0.0
        self._ahead_s = max(self._ahead_s - (now_s - self._counted_s), 0.0) + 1 / max(self.rate, 1)
        self._counted_s = now_s
        return max(self._ahead_s - self._window_s, 0.0)


@dataclass(slots=True)
class ConnectionLimits:
    """The limits of a broker; `limits_of` reads them from its settings."""

    connections: int = UNLIMITED
    per_host: int = UNLIMITED
    of_host: dict[str, int] = field(default_factory=dict)
    """`max.connections.per.ip.overrides`."""
    of_listener: dict[str, int] = field(default_factory=dict)
    """`listener.name.<name>.max.connections`, by the listener's name."""
    rate: RateMeter = field(default_factory=lambda: RateMeter(UNLIMITED, 1))
    listener_rates: dict[str, RateMeter] = field(default_factory=dict)

    @property
    def has_rates(self) -> bool:
        """Whether connections are to be counted by `wait_s` at all."""
        return self.rate.rate < UNLIMITED or bool(self.listener_rates)

    def exceeded(self, host: str, listener: str, *, count: int, host_count: int, listener_count: int) -> str:
        """The name of the limit that forbids one more connection beside so many; empty when none does."""
        if count >= self.connections:
            return "max.connections"
        if host_count >= self.of_host.get(host, self.per_host):
            return "max.connections.per.ip"
        if listener_count >= self.of_listener.get(listener, UNLIMITED):
            return f"{LISTENER_PREFIX}{listener.lower()}.max.connections"
        return ""

    def wait_s(self, listener: str, now_s: float) -> float:
        """Count a connection that was taken; how long its requests must wait (`max.connection.creation.rate`)."""
        meter = self.listener_rates.get(listener)
        return max(self.rate.wait_s(now_s), meter.wait_s(now_s) if meter is not None else 0.0)


def limits_of(config: BrokerConfig, value: Callable[[str], str | None] | None = None) -> ConnectionLimits:
    """The limits that the settings ask for; `value` looks up what may change while running. Raises ConfigError."""
    is_fixed = value is None
    value = value or config.value

    def number(name: str) -> int:
        return int(value(name) or UNLIMITED)

    def of_listeners(name: str) -> dict[str, int]:
        given = (
            (each.name, config.given.get(f"{LISTENER_PREFIX}{each.name.lower()}.{name}")) for each in config.listeners
        )
        return {listener: int(text) for listener, text in given if text}

    window_s = max((number("quota.window.num") - 1) * number("quota.window.size.seconds"), 1)
    rates = of_listeners("max.connection.creation.rate")
    return ConnectionLimits(
        connections=config.max_connections if is_fixed else number("max.connections"),
        per_host=config.max_connections_per_ip if is_fixed else number("max.connections.per.ip"),
        of_host=parse_overrides(value("max.connections.per.ip.overrides") or ""),
        of_listener=of_listeners("max.connections"),
        rate=RateMeter(number("max.connection.creation.rate"), window_s),
        listener_rates={listener: RateMeter(rate, window_s) for listener, rate in rates.items()},
    )


def parse_overrides(text: str) -> dict[str, int]:
    """`host:count,…`, of an IPv6 address in brackets or not. Raises ConfigError."""
    limits = {}
    for item in filter(None, map(str.strip, text.split(","))):
        host, colon, count = item.rpartition(":")
        host = host.strip().removeprefix("[").removesuffix("]")
        if not colon or not host or not count.strip().isdecimal():
            raise ConfigError(f"max.connections.per.ip.overrides={text}: expected host:count, separated by commas")
        limits[_canonical(host)] = int(count)
    return limits


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        # Differs from Kafka: overrides are by address, not by name, because a name would have to be looked up.
        raise ConfigError(f"max.connections.per.ip.overrides: {host} is no address") from None
