"""Client quotas (KIP-13, KIP-546): the limits by user, client id and address, kept in `client_quotas.json`, and the
meters that say how long a client must wait.

A meter counts in seconds of the allowed rate: what was used stands for that much time, time pays it back, and beyond
the window (`quota.window.num` - 1 times `quota.window.size.seconds`) a client waits. Over one window this is the same
sum as Kafka's: observed rate minus limit, in parts of the limit, times the window.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from broker.errors import InvalidRequest
from broker.metadata.state_file import read_state, write_state

QUOTAS_FILE: Final = "client_quotas.json"

USER, CLIENT_ID, IP = "user", "client-id", "ip"
PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"

KEYS_OF_CLIENTS: Final = (PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE)
_FRACTIONAL: Final = (REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE)

QUOTA_MAX: Final = (1 << 63) - 1

METERS_MAX: Final = 10_000
"""Clients that are counted at a time; beyond this all begin anew."""

Entity = tuple[tuple[str, str | None], ...]
"""Types and names, sorted by type; the name None is the default of the type."""


class _Saved(msgspec.Struct):
    entity: list[tuple[str, str | None]]
    values: dict[str, float]


class _Limit(NamedTuple):
    """What holds for a client, and for whom it is counted together."""

    rate: float
    shared_by: tuple[str, str]


def entity_of(parts: Iterable[tuple[str, str | None]]) -> Entity:
    """Check and order an entity of a request. Raises InvalidRequest."""
    parts = sorted(parts, key=lambda part: part[0])
    kinds = [kind for kind, _ in parts]
    if not parts:
        raise InvalidRequest("Invalid empty client quota entity")
    # Differs from Kafka: an entity that names a kind twice is refused, because Kafka forgets the first name.
    if len(set(kinds)) < len(kinds):
        raise InvalidRequest("Duplicate entity type in client quota entity")
    for kind, name in parts:
        if kind not in (USER, CLIENT_ID, IP):
            raise InvalidRequest(f"Unhandled client quota entity type: {kind}")
        if name == "":
            raise InvalidRequest(f"Empty {kind} not supported")
    if IP in kinds and len(kinds) > 1:
        raise InvalidRequest("Invalid client quota entity: an ip stands alone")
    if kinds == [IP]:
        _check_ip(parts[0][1])
    return tuple(parts)


def _check_ip(name: str | None) -> None:
    # Differs from Kafka: an ip is an address, not a name of a host, because a name would have to be looked up.
    try:
        ipaddress.ip_address(name or "0.0.0.0")
    except ValueError as error:
        raise InvalidRequest(f"{name} is not a valid IP address") from error


def check_value(entity: Entity, key: str, value: float) -> None:
    """Raise InvalidRequest unless the quota can be set for the entity."""
    if key not in ((CONNECTION_CREATION_RATE,) if entity[0][0] == IP else KEYS_OF_CLIENTS):
        raise InvalidRequest(f"Invalid configuration key {key}")
    # Differs from Kafka: a quota that is not a number is refused, because it would limit nobody.
    if not value > 0:
        raise InvalidRequest(f"Quota {key} must be greater than 0")
    if not math.isfinite(value):
        raise InvalidRequest(f"Quota {key} must be finite")
    if key not in _FRACTIONAL and value > QUOTA_MAX:
        raise InvalidRequest(f"Configuration {key} must be at most {QUOTA_MAX}")
    if key not in _FRACTIONAL and value != int(value):
        raise InvalidRequest(f"Configuration {key} must be a whole number")


class ClientQuotas:
    """All quotas of a broker. `window_s` is how far a client may run ahead of its rate."""

    def __init__(self, folder: Path, *, window_s: float) -> None:
        self._path = folder / QUOTAS_FILE
        self._window_s = window_s
        self._values: dict[Entity, dict[str, float]] = {}
        self._limits: dict[tuple[str, str, str], _Limit | None] = {}
        self._meters: dict[tuple[str, str, str], tuple[float, float]] = {}
        self.limits_clients = self.limits_connections = False
        """Whether there is any quota of the kind at all."""
        self.throttled: dict[str, tuple[int, int]] = {}
        """By the API (or `connection`): how often clients had to wait, and how many milliseconds in all."""

    def open(self) -> None:
        """Read the file. Raises ValueError when it is damaged."""
        saved = read_state(self._path, list[_Saved]) or ()
        self._use({tuple((kind, name) for kind, name in each.entity): each.values for each in saved})

    def __iter__(self) -> Iterator[tuple[Entity, Mapping[str, float]]]:
        return iter(self._values.items())

    def change(self, changes: Mapping[Entity, Mapping[str, float | None]]) -> None:
        """Set quotas, or remove those given as None; on return they are on disk and count. Raises OSError."""
        values = {entity: dict(known) for entity, known in self._values.items()}
        for entity, wanted in changes.items():
            known = values.setdefault(entity, {})
            for key, value in wanted.items():
                known.pop(key, None)
                if value is not None:
                    known[key] = value
            if not known:
                del values[entity]
        if values != self._values:
            write_state(self._path, [_Saved(list(entity), known) for entity, known in values.items()])
            self._use(values)

    def wait_s(self, key: str, user: str, client_id: str, amount: float, now_s: float) -> float:
        """Count an amount (bytes, percent-seconds, mutations) against a client's quota; how long it must wait now."""
        found = self._limit(key, user, client_id)
        return 0.0 if found is None else self._count((key, *found.shared_by), amount / found.rate, now_s)

    def connection_wait_s(self, host: str, now_s: float) -> float:
        """Count a new connection against its address's quota; how long it must wait now."""
        for name in (host, None):
            rate = self._values.get(((IP, name),), {}).get(CONNECTION_CREATION_RATE)
            if rate is not None:
                return self._count((CONNECTION_CREATION_RATE, host, ""), 1 / rate, now_s)
        return 0.0

    def note_throttled(self, api_name: str, wait_ms: int) -> None:
        """Count a wait that a client was given."""
        count, total_ms = self.throttled.get(api_name, (0, 0))
        self.throttled[api_name] = count + 1, total_ms + wait_ms

    def _count(self, meter: tuple[str, str, str], used_s: float, now_s: float) -> float:
        ahead_s, counted_s = self._meters.get(meter, (0.0, now_s))
        ahead_s = max(ahead_s - (now_s - counted_s), 0.0) + used_s
        if len(self._meters) >= METERS_MAX:
            self._meters.clear()
        self._meters[meter] = (ahead_s, now_s)
        return max(ahead_s - self._window_s, 0.0)

    def _limit(self, key: str, user: str, client_id: str) -> _Limit | None:
        """The nearest quota, in Kafka's order."""
        asked = (key, user, client_id)
        if asked in self._limits:
            return self._limits[asked]
        found = None
        both, user_only, client_only = (user, client_id), (user, ""), ("", client_id)
        for entity, shared_by in (
            (((CLIENT_ID, client_id), (USER, user)), both),
            (((CLIENT_ID, None), (USER, user)), both),
            (((USER, user),), user_only),
            (((CLIENT_ID, client_id), (USER, None)), both),
            (((CLIENT_ID, None), (USER, None)), both),
            (((USER, None),), user_only),
            (((CLIENT_ID, client_id),), client_only),
            (((CLIENT_ID, None),), client_only),
        ):
            rate = self._values.get(entity, {}).get(key)
            if rate is not None:
                found = _Limit(rate, shared_by)
                break
        if len(self._limits) >= METERS_MAX:
            self._limits.clear()
        self._limits[asked] = found
        return found

    def _use(self, values: dict[Entity, dict[str, float]]) -> None:
        self._values = values
        self._limits, self._meters = {}, {}
        self.limits_connections = any(entity[0][0] == IP for entity in values)
        self.limits_clients = any(entity[0][0] != IP for entity in values)
