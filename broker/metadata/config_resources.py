"""What AlterConfigs and IncrementalAlterConfigs may change: a topic, this broker, the default of all brokers, a group,
or a subscription to client metrics.

Each kind of resource knows its present settings, checks new ones and puts them in place; the two APIs differ only in
how they come to the new settings. Messages are those of Apache Kafka 4.3.1 (measured).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from broker.errors import InvalidConfig, InvalidRequest, UnknownTopicOrPartition
from broker.metadata import client_metrics_configs, dynamic_configs, group_configs, topic_configs
from broker.metadata.broker_configs import ConfigType
from broker.metadata.config_entries import value_of
from broker.metadata.config_values import to_text
from broker.metadata.dynamic_configs import DynamicConfigs
from broker.metadata.topics import TopicRegistry, check_topic_name


class ResourceType(IntEnum):
    """Codes of the config APIs."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigResource(Protocol):
    """Something with settings of its own."""

    def settings(self) -> Mapping[str, str]:
        """What is set on it now."""

    def list_items(self, name: str, operation: str) -> list[str]:
        """The items of a list config that APPEND and SUBTRACT start from. Raises InvalidConfig if it is no list."""

    def check(self, settings: Mapping[str, str]) -> None:
        """Whether exactly these settings could hold. Raises KafkaError."""

    def replace(self, settings: Mapping[str, str]) -> None:
        """Let exactly these settings hold. Raises KafkaError."""


@dataclass(frozen=True, slots=True)
class TopicResource:
    """The configs of one topic."""

    name: str
    topics: TopicRegistry
    configs: DynamicConfigs

    def settings(self) -> Mapping[str, str]:
        return self.topics.named(self.name).configs

    def list_items(self, name: str, operation: str) -> list[str]:
        definition = topic_configs.DEFINITIONS.get(name)
        if definition is None:
            raise InvalidConfig(f"Unknown topic config name: {name}")
        if definition.type is not ConfigType.LIST:
            raise _no_list(name, operation)
        return _items(to_text(topic_configs.typed_value(name, self.settings(), self.configs.layers)))

    def check(self, settings: Mapping[str, str]) -> None:
        topic_configs.check_overrides(settings, self.configs.layers)

    def replace(self, settings: Mapping[str, str]) -> None:
        if dict(settings) != self.settings():
            self.topics.set_configs(self.name, settings)


@dataclass(frozen=True, slots=True)
class BrokerResource:
    """The dynamic configs of this broker, or of all brokers."""

    configs: DynamicConfigs
    for_cluster: bool

    def settings(self) -> Mapping[str, str]:
        return self.configs.of_cluster() if self.for_cluster else self.configs.of_broker()

    def list_items(self, name: str, operation: str) -> list[str]:
        if not dynamic_configs.is_list(name):
            raise InvalidConfig(f"Config value {operation.lower()} is not allowed for config key: {name}")
        layers = self.configs.layers[1 if self.for_cluster else 0 :]
        return _items(value_of(name, layers) or "")

    def check(self, settings: Mapping[str, str]) -> None:
        present = self.settings()
        changed = {name: text for name, text in settings.items() if present.get(name) != text}
        dynamic_configs.check(changed, for_cluster=self.for_cluster)

    def replace(self, settings: Mapping[str, str]) -> None:
        if dict(settings) != self.settings():
            self.configs.replace(settings, for_cluster=self.for_cluster)


@dataclass(frozen=True, slots=True)
class GroupResource:
    """The configs of one group, which need not exist."""

    group_id: str
    configs: DynamicConfigs

    def settings(self) -> Mapping[str, str]:
        return self.configs.of_group(self.group_id)

    def list_items(self, name: str, operation: str) -> list[str]:
        raise _no_list(name, operation)

    def check(self, settings: Mapping[str, str]) -> None:
        group_configs.check(settings, self.configs.layers)

    def replace(self, settings: Mapping[str, str]) -> None:
        if dict(settings) != self.settings():
            self.configs.replace_of_group(self.group_id, settings)


@dataclass(frozen=True, slots=True)
class ClientMetricsResource:
    """The configs of one subscription to client metrics."""

    name: str
    configs: DynamicConfigs

    def settings(self) -> Mapping[str, str]:
        return self.configs.of_client_metrics(self.name)

    def list_items(self, name: str, operation: str) -> list[str]:
        # Two of them are lists, but Kafka does not take them for such here (measured).
        raise _no_list(name, operation)

    def check(self, settings: Mapping[str, str]) -> None:
        client_metrics_configs.check(settings)

    def replace(self, settings: Mapping[str, str]) -> None:
        if dict(settings) != self.settings():
            self.configs.replace_of_client_metrics(self.name, settings)


def find_resource(
    resource_type: int, name: str, *, topics: TopicRegistry, configs: DynamicConfigs, node_id: int
) -> ConfigResource:
    """The resource to be changed. Raises InvalidRequest, InvalidTopicException or UnknownTopicOrPartition."""
    if resource_type == ResourceType.TOPIC:
        if not name:
            raise InvalidRequest("Default topic resources are not allowed.")
        check_topic_name(name)
        if name not in topics:
            raise UnknownTopicOrPartition(f"The topic '{name}' does not exist.")
        return TopicResource(name, topics, configs)
    if resource_type == ResourceType.BROKER:
        if name:
            check_node_id(name, node_id)
        return BrokerResource(configs, for_cluster=not name)
    if resource_type == ResourceType.GROUP:
        if not name:
            raise InvalidRequest("Default group resources are not allowed.")
        return GroupResource(name, configs)
    if resource_type == ResourceType.CLIENT_METRICS:
        if not name:
            raise InvalidRequest("Subscription name can't be empty")
        return ClientMetricsResource(name, configs)
    raise InvalidRequest(f"Unknown resource type {resource_type}")


def check_node_id(name: str, node_id: int) -> None:
    """Whether a broker resource is this broker. Raises InvalidRequest."""
    if not (name.isascii() and name.removeprefix("-").isdecimal()):
        raise InvalidRequest(f"Node id must be an integer, but it is: {name}")
    if int(name) != node_id:
        raise InvalidRequest(f"Unexpected broker id, expected {node_id}, but received {name}")


def _no_list(name: str, operation: str) -> InvalidConfig:
    return InvalidConfig(f"Can't {operation} to key {name} because its type is not LIST.")


def _items(text: str) -> list[str]:
    return text.split(",") if text else []
