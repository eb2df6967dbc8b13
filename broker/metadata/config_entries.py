"""Where a config's value comes from: the layers of settings, and the entry that DescribeConfigs shows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from broker.metadata.broker_configs import ConfigType


class ConfigSource(IntEnum):
    """The source codes of DescribeConfigs v1+; the strongest first, for topics and brokers."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


BrokerLayers: TypeAlias = tuple[tuple[ConfigSource, Mapping[str, str]], ...]
"""Broker configs as text by name, the strongest layer first: set for this broker while running, set for all brokers
while running, in the properties file, Kafka's default."""


@dataclass(frozen=True, slots=True)
class Synonym:
    """A setting that decides a config, or would if the stronger ones were not there."""

    name: str
    value: str | None
    source: ConfigSource


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One config as DescribeConfigs answers it. A sensitive value is None."""

    name: str
    value: str | None
    source: ConfigSource
    type: ConfigType | None
    """None for what has no type: log levels, and broker configs that Kafka does not know."""
    synonyms: tuple[Synonym, ...] = ()
    is_read_only: bool = False
    is_sensitive: bool = False
    documentation: str | None = None


def value_of(name: str, layers: BrokerLayers) -> str | None:
    """The strongest setting of a broker config, or None."""
    for _, settings in layers:
        if name in settings:
            return settings[name]
    return None


def synonyms_of(names: Iterable[str], layers: BrokerLayers, *, is_sensitive: bool = False) -> tuple[Synonym, ...]:
    """All settings of a config that goes by several names, the strongest first; the first name is the config's own.

    What stands before the first setting under its own name is left out, so `log.retention.hours` alone does not show as
    a synonym of `log.retention.ms`. Surprising, but it is what Kafka answers (measured), and tools compare.
    """
    ordered = tuple(names)
    found = list(_settings(ordered, layers, is_sensitive))
    while found and found[0].name != ordered[0]:
        found.pop(0)
    return tuple(found)


def _settings(names: tuple[str, ...], layers: BrokerLayers, is_sensitive: bool) -> Iterator[Synonym]:
    for source, settings in layers:
        for name in names:
            if name in settings:
                yield Synonym(name, None if is_sensitive else settings[name], source)
