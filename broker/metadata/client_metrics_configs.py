"""The configs of client metrics subscriptions (resource type CLIENT_METRICS, KIP-714): kept, checked and shown.

No client is asked for its metrics, as on a Kafka broker without a telemetry plugin. Names, defaults, rules and messages
are those of Apache Kafka 4.3.1 (measured); the documentation is ours.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.errors import InvalidConfig, InvalidRequest
from broker.metadata.broker_configs import ConfigType
from broker.metadata.config_entries import ConfigEntry, ConfigSource, Synonym
from broker.metadata.config_values import parse, to_text

INTERVAL_MS_MIN: Final = 100
INTERVAL_MS_MAX: Final = 3_600_000

MATCH_KEYS: Final = frozenset(
    {"client_instance_id", "client_id", "client_software_name", "client_software_version"}
    | {"client_source_address", "client_source_port"}
)


@dataclass(frozen=True, slots=True)
class ClientMetricsConfigDefinition:
    """What is known of one config of a subscription."""

    name: str
    type: ConfigType
    default: str
    documentation: str


DEFINITIONS: Final[Mapping[str, ClientMetricsConfigDefinition]] = {
    each.name: each
    for each in (
        ClientMetricsConfigDefinition(
            "interval.ms", ConfigType.INT, "300000", "How often clients are to push their metrics."
        ),
        ClientMetricsConfigDefinition(
            "match", ConfigType.LIST, "", "Which clients are meant: `client_id=<regex>` and the like."
        ),
        ClientMetricsConfigDefinition(
            "metrics", ConfigType.LIST, "", "Prefixes of the names of the metrics that are wanted; `*` for all."
        ),
    )
}


def check(settings: Mapping[str, str]) -> None:
    """Whether exactly these settings could hold. Raises InvalidRequest or InvalidConfig, in Kafka's words."""
    unknown = next((name for name in settings if name not in DEFINITIONS), None)
    if unknown is not None:
        raise InvalidRequest(f"Unknown client metrics configuration: {unknown}")
    for name, text in settings.items():
        value = parse(name, text, DEFINITIONS[name].type)
        if isinstance(value, tuple) and "" in value:
            raise InvalidConfig(f"Configuration '{name}' values must not be empty.")
        if isinstance(value, int) and not INTERVAL_MS_MIN <= value <= INTERVAL_MS_MAX:
            bounds = f"interval must be between {INTERVAL_MS_MIN} and {INTERVAL_MS_MAX} (1 hour)"
            raise InvalidRequest(f"Invalid value {value} for {name}, {bounds}")
        if name == "match":
            assert isinstance(value, tuple)
            for pattern in value:
                _check_pattern(pattern)


def _check_pattern(pattern: str) -> None:
    key, equals, expression = pattern.partition("=")
    is_known = bool(equals) and "=" not in expression and key.strip() in MATCH_KEYS
    try:
        re.compile(expression)
    except re.error:
        is_known = False
    if not is_known:
        raise InvalidConfig(f"Illegal client matching pattern: {pattern}")


def describe(settings: Mapping[str, str], names: Iterable[str] | None = None) -> list[ConfigEntry]:
    """The configs of a subscription with these settings, in alphabetical order; None or no names means all of them."""
    return [_entry(name, settings) for name in sorted(DEFINITIONS.keys() & set(names or DEFINITIONS))]


def _entry(name: str, settings: Mapping[str, str]) -> ConfigEntry:
    definition = DEFINITIONS[name]
    text = settings.get(name)
    value = to_text(parse(name, definition.default if text is None else text, definition.type))
    source = ConfigSource.DEFAULT if text is None else ConfigSource.CLIENT_METRICS
    synonyms = () if text is None else (Synonym(name, value, source),)
    return ConfigEntry(name, value, source, definition.type, synonyms, documentation=definition.documentation)
