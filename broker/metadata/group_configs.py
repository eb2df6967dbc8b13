"""The configs of a group (resource type GROUP): their types, rules, defaults, and what holds for one group.

Names, defaults, rules and messages are those of Apache Kafka 4.3.1 (measured); the documentation is ours. A group keeps
only what was set on it, as text; everything else comes from the broker's config of the related name
(`consumer.session.timeout.ms` from `group.consumer.session.timeout.ms`). A group need not exist to have configs.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.errors import InvalidConfig
from broker.groups.group_numbers import (
    CONSUMER_ASSIGNMENT_INTERVAL_MS,
    CONSUMER_HEARTBEAT_INTERVAL_MS,
    CONSUMER_SESSION_TIMEOUT_MS,
)
from broker.metadata.broker_configs import ConfigType
from broker.metadata.config_entries import (
    BrokerLayers,
    ConfigEntry,
    ConfigSource,
    Synonym,
    synonyms_of,
    value_of,
)
from broker.metadata.config_values import AtLeast, OneOf, Rule, Value, invalid_value, parse, to_text

SHARE_SESSION_TIMEOUT_MS: Final = "share.session.timeout.ms"
SHARE_HEARTBEAT_INTERVAL_MS: Final = "share.heartbeat.interval.ms"
SHARE_ASSIGNMENT_INTERVAL_MS: Final = "share.assignment.interval.ms"
SHARE_RECORD_LOCK_DURATION_MS: Final = "share.record.lock.duration.ms"
SHARE_DELIVERY_COUNT_LIMIT: Final = "share.delivery.count.limit"
SHARE_PARTITION_MAX_RECORD_LOCKS: Final = "share.partition.max.record.locks"
SHARE_AUTO_OFFSET_RESET: Final = "share.auto.offset.reset"
SHARE_ISOLATION_LEVEL: Final = "share.isolation.level"
SHARE_RENEW_ACKNOWLEDGE_ENABLE: Final = "share.renew.acknowledge.enable"

_DURATION: Final = re.compile(r"[+]?P(?=.)([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]{0,9})?S)?)?", re.I)
"""ISO 8601, without a sign before any part: the reset may not look into the future."""


@dataclass(frozen=True, slots=True)
class GroupConfigDefinition:
    """What is known of one group config."""

    name: str
    type: ConfigType
    rule: Rule | None
    documentation: str
    default: str | None = None
    """Of a config that has no broker config behind it."""
    lowest: str | None = None
    """The broker config below which it may not be set, and `highest` the one above which."""
    highest: str | None = None

    @property
    def broker_config(self) -> str:
        """Where its default comes from, unless it has one of its own."""
        return f"group.{self.name}"


def _offset_reset(name: str, value: Value) -> None:
    assert isinstance(value, str)
    kind, colon, duration = value.partition(":")
    if value in ("earliest", "latest") or (kind == "by_duration" and colon and _DURATION.fullmatch(duration)):
        return
    shapes = "either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'"
    raise invalid_value(name, value, f"Invalid value `{value}` for configuration {name}. The value must be {shapes}.")


def _bounded(name: str, rule: Rule, documentation: str) -> GroupConfigDefinition:
    """A number that the broker bounds by `group.<kind>.min.<rest>` and `group.<kind>.max.<rest>`."""
    kind, _, rest = name.partition(".")
    lowest, highest = f"group.{kind}.min.{rest}", f"group.{kind}.max.{rest}"
    return GroupConfigDefinition(name, ConfigType.INT, rule, documentation, lowest=lowest, highest=highest)


_DEFINITIONS: Final = (
    _bounded(CONSUMER_HEARTBEAT_INTERVAL_MS, AtLeast(1), "How often members of a consumer group are to heartbeat."),
    _bounded(
        CONSUMER_SESSION_TIMEOUT_MS, AtLeast(1), "How long a member of a consumer group may be silent until it is out."
    ),
    _bounded(
        CONSUMER_ASSIGNMENT_INTERVAL_MS, AtLeast(0), "The shortest time between two assignments of a consumer group."
    ),
    _bounded(SHARE_HEARTBEAT_INTERVAL_MS, AtLeast(1), "How often members of a share group are to heartbeat."),
    _bounded(SHARE_SESSION_TIMEOUT_MS, AtLeast(1), "How long a member of a share group may be silent until it is out."),
    _bounded(SHARE_ASSIGNMENT_INTERVAL_MS, AtLeast(0), "The shortest time between two assignments of a share group."),
    _bounded(
        SHARE_RECORD_LOCK_DURATION_MS, AtLeast(1000), "How long a record that a share consumer acquired is its own."
    ),
    _bounded(SHARE_DELIVERY_COUNT_LIMIT, AtLeast(2), "How often a record is delivered to a share group at most."),
    GroupConfigDefinition(
        SHARE_PARTITION_MAX_RECORD_LOCKS,
        ConfigType.INT,
        AtLeast(100),
        "How many records of a partition may be acquired by a share group at a time.",
        lowest="group.share.min.partition.max.record.locks",
        highest="group.share.max.partition.max.record.locks",
    ),
    GroupConfigDefinition(
        SHARE_AUTO_OFFSET_RESET,
        ConfigType.STRING,
        _offset_reset,
        "Where a share group begins to read a partition: `earliest`, `latest`, or `by_duration:` and an ISO 8601 "
        "duration before now.",
        default="latest",
    ),
    GroupConfigDefinition(
        SHARE_ISOLATION_LEVEL,
        ConfigType.STRING,
        OneOf(("read_committed", "read_uncommitted")),
        "Whether a share group is given records of transactions that are open or were aborted.",
        default="read_uncommitted",
    ),
    GroupConfigDefinition(
        SHARE_RENEW_ACKNOWLEDGE_ENABLE,
        ConfigType.BOOLEAN,
        None,
        "Whether share consumers may prolong their lock on a record.",
        default="true",
    ),
    _bounded("streams.heartbeat.interval.ms", AtLeast(1), "How often members of a streams group are to heartbeat."),
    _bounded(
        "streams.session.timeout.ms", AtLeast(1), "How long a member of a streams group may be silent until it is out."
    ),
    _bounded(
        "streams.assignment.interval.ms", AtLeast(0), "The shortest time between two assignments of a streams group."
    ),
    GroupConfigDefinition(
        "streams.num.standby.replicas",
        ConfigType.INT,
        AtLeast(0),
        "How many standby replicas each task has.",
        highest="group.streams.max.standby.replicas",
    ),
    GroupConfigDefinition(
        "streams.initial.rebalance.delay.ms",
        ConfigType.INT,
        AtLeast(0),
        "How long a new streams group waits for more members before its first assignment.",
    ),
)

DEFINITIONS: Final[Mapping[str, GroupConfigDefinition]] = {each.name: each for each in _DEFINITIONS}

_HEARTBEATS: Final = tuple(
    (f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms") for kind in ("consumer", "share", "streams")
)


def check(settings: Mapping[str, str], layers: BrokerLayers) -> None:
    """Whether exactly these settings could hold for a group. Raises InvalidConfig, in Kafka's words."""
    unknown = next((name for name in settings if name not in DEFINITIONS), None)
    if unknown is not None:
        raise InvalidConfig(f"Unknown group config name: {unknown}")
    values = {name: typed_value(name, settings, layers) for name in DEFINITIONS}
    for name in settings:
        _check_bounds(DEFINITIONS[name], values[name], layers)
    for session, heartbeat in _HEARTBEATS:
        if _number(values[session]) <= _number(values[heartbeat]):
            raise InvalidConfig(f"{session} must be greater than {heartbeat}")


def _check_bounds(definition: GroupConfigDefinition, value: Value, layers: BrokerLayers) -> None:
    name = definition.name
    if definition.lowest is not None and _number(value) < int(value_of(definition.lowest, layers) or 0):
        raise InvalidConfig(f"{name} must be greater than or equal to {definition.lowest}")
    if definition.highest is not None and _number(value) > int(value_of(definition.highest, layers) or 0):
        raise InvalidConfig(f"{name} must be less than or equal to {definition.highest}")


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def typed_value(name: str, settings: Mapping[str, str], layers: BrokerLayers) -> Value:
    """What a config comes to for a group with these settings. Raises InvalidConfig for a value that cannot be."""
    definition = DEFINITIONS[name]
    text = settings.get(name)
    if text is None:
        text = definition.default if definition.default is not None else value_of(definition.broker_config, layers)
        return parse(name, text or "", definition.type)
    value = parse(name, text, definition.type)
    if definition.rule is not None:
        definition.rule(name, value)
    return value


def describe(
    settings: Mapping[str, str], layers: BrokerLayers, names: Iterable[str] | None = None
) -> list[ConfigEntry]:
    """The configs of a group with these settings, in alphabetical order; None or no names means all of them."""
    return [_entry(name, settings, layers) for name in sorted(DEFINITIONS.keys() & set(names or DEFINITIONS))]


def _entry(name: str, settings: Mapping[str, str], layers: BrokerLayers) -> ConfigEntry:
    definition = DEFINITIONS[name]
    value = to_text(typed_value(name, settings, layers))
    synonyms: tuple[Synonym, ...]
    if definition.default is None:
        synonyms = synonyms_of((definition.broker_config,), layers)
    else:
        synonyms = (Synonym(name, definition.default, ConfigSource.DEFAULT),)
    if name in settings:
        synonyms = (Synonym(name, value, ConfigSource.GROUP), *synonyms)
    return ConfigEntry(
        name, value, synonyms[0].source, definition.type, synonyms, documentation=definition.documentation
    )


class GroupConfigs:
    """What holds for one group, for those who run groups: a look into a dict, unless the broker's configs changed."""

    def __init__(self, settings: Mapping[str, Mapping[str, str]], layers: BrokerLayers) -> None:
        self._defaults: dict[str, Value] = {}
        self._own: dict[str, dict[str, Value]] = {}
        self.refresh(settings, layers)

    def refresh(self, settings: Mapping[str, Mapping[str, str]], layers: BrokerLayers) -> None:
        """Take in what was changed: the settings by group, and the broker's."""
        self._defaults = {name: typed_value(name, {}, layers) for name in DEFINITIONS}
        self._own = {
            group_id: {name: typed_value(name, own, layers) for name in own if name in DEFINITIONS}
            for group_id, own in settings.items()
        }

    def value(self, group_id: str, name: str) -> Value:
        """A config of a group, typed: a duration in ms as int, a word as str, a switch as bool."""
        own = self._own.get(group_id)
        if own is None or name not in own:
            return self._defaults[name]
        return own[name]

    def number(self, group_id: str, name: str) -> int:
        """A config that is a number."""
        return _number(self.value(group_id, name))
