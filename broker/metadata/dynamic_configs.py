"""Broker configs that change while the broker runs: for this broker, or as the default of all brokers.

Both kinds are kept in `dynamic-configs.json` of the data folder and hold until they are deleted. Which configs may
change, and the messages, are those of Apache Kafka 4.3.1 (measured). The defaults of topic configs
(`log.retention.ms`, `message.max.bytes` …) take effect at once; the others are kept and shown, for the tools that set
them.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from broker.config import DEFINITIONS, BrokerConfig
from broker.errors import InvalidConfig, InvalidRequest
from broker.log import LogConfig
from broker.metadata import topic_configs
from broker.metadata.broker_config_documentation import documentation_of
from broker.metadata.broker_configs import BrokerConfigDefinition, ConfigType
from broker.metadata.config_entries import BrokerLayers, ConfigEntry, ConfigSource, Synonym, synonyms_of
from broker.metadata.config_values import AtLeast, Value, parse
from broker.metadata.group_configs import GroupConfigs
from broker.metadata.state_file import read_state, write_state

log = logging.getLogger("broker.metadata")

DYNAMIC_CONFIGS_FILE: Final = "dynamic-configs.json"

DYNAMIC_ONLY: Final = {
    name: BrokerConfigDefinition(name, ConfigType.LONG, None, True)
    for name in (
        "follower.replication.throttled.rate",
        "leader.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    )
}
"""Configs that only exist once they were set while running: the limits of a partition reassignment, in bytes/s."""

FIXED_HERE: Final = frozenset({"listeners", "listener.security.protocol.map"})
# Differs from Kafka: listeners cannot change while running, because the addresses are bound once, at start.

PER_BROKER: Final = frozenset(
    {"max.connections.per.ip", "max.connections.per.ip.overrides", "principal.builder.class"}
    | {"sasl.enabled.mechanisms", "sasl.jaas.config", "sasl.mechanism.inter.broker.protocol"}
    | {name for name in DEFINITIONS if name.startswith(("sasl.kerberos.", "sasl.login.refresh."))}
)
"""Dynamic configs that make no sense as the default of all brokers."""

PER_LISTENER: Final = frozenset(
    {"ssl.key.password", "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location"}
    | {"ssl.keystore.password", "ssl.keystore.type", "ssl.truststore.certificates", "ssl.truststore.location"}
    | {"ssl.truststore.password", "ssl.truststore.type"}
)
"""Dynamic configs that are set as `listener.name.<name>.<config>` only."""

NAME_SYNONYMS: Final = {
    synonym.name: tuple(later.name for later in definition.broker_synonyms[at:])
    for definition in topic_configs.DEFINITIONS.values()
    for at, synonym in enumerate(definition.broker_synonyms)
}
"""Broker configs that go by several names, the strongest first."""

_LISTENER_PREFIX: Final = re.compile(r"listener\.name\.[^.]+\.(?=.)")
_MAY_BE_EMPTY: Final = (ConfigType.LIST, ConfigType.STRING)
_DEFAULTS: Final = {
    name: definition.default for name, definition in DEFINITIONS.items() if definition.default is not None
}


class _DynamicConfigsFile(msgspec.Struct):
    broker: dict[str, str]
    cluster: dict[str, str]
    groups: dict[str, dict[str, str]] = {}
    client_metrics: dict[str, dict[str, str]] = {}


class DynamicConfigs:
    """The broker's configs in layers, and the only way to change one while running.

    `on_change` is called after every change; the broker sets it to what makes the logs obey.
    """

    def __init__(self, folder: Path, config: BrokerConfig) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.layers: BrokerLayers = ()
        self._path = folder / DYNAMIC_CONFIGS_FILE
        # A key without a value, as `log.retention.ms=`, is as good as not there, save where empty means something.
        given = {name: text for name, text in config.given.items() if text or DEFINITIONS[name].type in _MAY_BE_EMPTY}
        node_id = str(config.node_id)
        self._given = {"broker.id": node_id, "log.dirs": str(folder), "node.id": node_id, **given}
        self._set = _DynamicConfigsFile(broker={}, cluster={})
        self._stack()
        self.group_configs = GroupConfigs({}, self.layers)
        """What holds for each group."""

    def open(self) -> None:
        """Read what was changed before. Raises ValueError when the file is damaged, OSError when it cannot be read."""
        self._set = read_state(self._path, _DynamicConfigsFile) or self._set
        self._stack()
        self.group_configs.refresh(self._set.groups, self.layers)

    def of_broker(self) -> Mapping[str, str]:
        """What was set for this broker alone."""
        return self._set.broker

    def of_cluster(self) -> Mapping[str, str]:
        """What was set as the default of all brokers."""
        return self._set.cluster

    def replace(self, settings: Mapping[str, str], *, for_cluster: bool) -> None:
        """Let exactly these settings hold for this broker, or as the default of all. `check` must have passed them.

        Raises OSError when they cannot be written; then nothing has changed.
        """
        self._save(msgspec.structs.replace(self._set, **{"cluster" if for_cluster else "broker": dict(settings)}))
        self._stack()
        self.group_configs.refresh(self._set.groups, self.layers)
        log.info("broker configs changed scope=%s names=%s", "all" if for_cluster else "this", ",".join(settings))
        self.on_change()

    def of_group(self, group_id: str) -> Mapping[str, str]:
        """What was set for one group."""
        return self._set.groups.get(group_id, {})

    def of_client_metrics(self, name: str) -> Mapping[str, str]:
        """What was set for one subscription to client metrics."""
        return self._set.client_metrics.get(name, {})

    def names_of_groups(self) -> Iterable[str]:
        """The groups that something is set for."""
        return self._set.groups

    def names_of_client_metrics(self) -> Iterable[str]:
        """The subscriptions to client metrics."""
        return self._set.client_metrics

    def replace_of_group(self, group_id: str, settings: Mapping[str, str]) -> None:
        """Let exactly these settings hold for a group, from its next heartbeat on. Raises OSError as `replace` does."""
        groups = _with(self._set.groups, group_id, settings)
        self._save(msgspec.structs.replace(self._set, groups=groups))
        self.group_configs.refresh(groups, self.layers)
        log.info("group configs changed group=%s names=%s", group_id, ",".join(settings))

    def replace_of_client_metrics(self, name: str, settings: Mapping[str, str]) -> None:
        """Let exactly these settings hold for a subscription. Raises OSError as `replace` does."""
        subscriptions = _with(self._set.client_metrics, name, settings)
        self._save(msgspec.structs.replace(self._set, client_metrics=subscriptions))
        log.info("client metrics configs changed subscription=%s names=%s", name, ",".join(settings))

    def _save(self, changed: _DynamicConfigsFile) -> None:
        write_state(self._path, changed)
        self._set = changed

    def log_config(self, overrides: Mapping[str, str]) -> LogConfig:
        """What a topic's own configs and the broker's defaults mean to its logs. Raises InvalidConfig."""
        topic_configs.check_overrides(overrides, self.layers)
        return topic_configs.log_config(overrides, self.layers)

    def describe_topic(self, overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[ConfigEntry]:
        """The configs of a topic with these overrides, in alphabetical order; `names` as in `describe`."""
        return topic_configs.describe(overrides, self.layers, names, defaults=self._topic_defaults)

    def describe(self, *, for_cluster: bool, names: Iterable[str] | None = None) -> list[ConfigEntry]:
        """All configs of this broker, or those set as the default of all, in alphabetical order.

        `names` keeps only those; None or none at all means every config.
        """
        known = set(self._set.cluster)
        if not for_cluster:
            known |= DEFINITIONS.keys() | self._set.broker.keys()
        return [self._entry(name, for_cluster) for name in sorted(known & set(names or known))]

    def _entry(self, name: str, for_cluster: bool) -> ConfigEntry:
        definition = definition_of(name)
        base = _LISTENER_PREFIX.sub("", name)
        # What Kafka does not know might be a password.
        is_sensitive = definition is None or definition.type is ConfigType.PASSWORD
        names = NAME_SYNONYMS.get(name, (name,) if base == name else (name, base))
        synonyms: tuple[Synonym, ...] = synonyms_of(names, self.layers, is_sensitive=is_sensitive)
        if for_cluster:
            synonyms = tuple(s for s in synonyms if s.source is ConfigSource.DYNAMIC_DEFAULT_BROKER)
        return ConfigEntry(
            name,
            synonyms[0].value if synonyms else None,
            synonyms[0].source if synonyms else ConfigSource.DEFAULT,
            definition.type if definition else None,
            synonyms,
            is_read_only=base != name or not is_dynamic(name),
            is_sensitive=is_sensitive,
            documentation=documentation_of(name),
        )

    def _stack(self) -> None:
        self.layers = (
            (ConfigSource.DYNAMIC_BROKER, self._set.broker),
            (ConfigSource.DYNAMIC_DEFAULT_BROKER, self._set.cluster),
            (ConfigSource.STATIC_BROKER, self._given),
            (ConfigSource.DEFAULT, _DEFAULTS),
        )
        self._topic_defaults = topic_configs.describe_defaults(self.layers)


def _with(resources: Mapping[str, dict[str, str]], name: str, settings: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The resources with these settings for one of them; one without any is not kept."""
    others = {each: own for each, own in resources.items() if each != name}
    return others | {name: dict(settings)} if settings else others


def definition_of(name: str) -> BrokerConfigDefinition | None:
    """What is known of a broker config, with or without a `listener.name.<name>.` before it."""
    base = _LISTENER_PREFIX.sub("", name)
    return DEFINITIONS.get(base) or DYNAMIC_ONLY.get(base)


def is_dynamic(name: str) -> bool:
    """Whether a broker config that Kafka knows may change while the broker runs."""
    definition = definition_of(name)
    return definition is not None and definition.is_dynamic and name not in FIXED_HERE


def is_list(name: str) -> bool:
    """Whether a broker config is a list, which APPEND and SUBTRACT need."""
    definition = definition_of(name)
    return definition is not None and definition.type is ConfigType.LIST


def check(settings: Mapping[str, str], *, for_cluster: bool) -> None:
    """Check configs that shall hold from now on. Raises InvalidRequest, as Kafka does, in its order and words.

    A name that nobody knows passes, as in Kafka: plugins may have configs of their own.
    """
    fixed = [name for name in settings if definition_of(name) is not None and not is_dynamic(name)]
    if fixed:
        raise InvalidRequest(f"Cannot update these configs dynamically: [{', '.join(fixed)}]")
    without_listener = [name for name in settings if name in PER_LISTENER]
    if without_listener:
        rule = "These security configs can be dynamically updated only per-listener using the listener prefix"
        raise InvalidRequest(f"{rule}: [{', '.join(without_listener)}]")
    per_broker = [name for name in settings if name in PER_BROKER or _LISTENER_PREFIX.match(name)]
    if for_cluster and per_broker:
        rule = "Cannot update these configs at default cluster level, broker id must be specified"
        raise InvalidRequest(f"{rule}: [{', '.join(per_broker)}]")
    for name, text in settings.items():
        _check_value(name, text)


def _check_value(name: str, text: str) -> None:
    definition = definition_of(name)
    if definition is None:
        return
    topic_config = topic_configs.DEFINITION_BY_BROKER_CONFIG.get(name)
    try:
        value: Value = parse(name, text, definition.type)
        if topic_config is not None and topic_config.rule is not None:
            topic_config.rule(name, value)
        elif name in _POSITIVE:
            AtLeast(1)(name, value)
    except InvalidConfig as error:
        raise InvalidRequest(str(error)) from None
    if name == "log.retention.ms" and value == 0:
        raise InvalidRequest(
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"
        )


_POSITIVE: Final = frozenset(
    {"background.threads", "log.cleaner.threads", "num.io.threads", "num.network.threads", "num.replica.fetchers"}
    | {"num.recovery.threads.per.data.dir", "producer.id.expiration.ms"}
)
