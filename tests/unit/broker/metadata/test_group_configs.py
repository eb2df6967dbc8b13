"""Configs of single groups: what may be set, what holds then, and that it outlives the broker."""

from pathlib import Path

import pytest

from broker.config import BrokerConfig, broker_config
from broker.errors import InvalidConfig
from broker.metadata import group_configs
from broker.metadata.config_entries import ConfigSource
from broker.metadata.dynamic_configs import DynamicConfigs


@pytest.fixture
def configs(tmp_path: Path) -> DynamicConfigs:
    return DynamicConfigs(tmp_path, BrokerConfig())


def test_a_groups_own_setting_holds_for_it_alone_and_after_a_restart(configs: DynamicConfigs, tmp_path: Path):
    configs.replace_of_group("mine", {"consumer.session.timeout.ms": "50000"})
    reopened = DynamicConfigs(tmp_path, BrokerConfig())
    reopened.open()
    for each in (configs, reopened):
        assert each.group_configs.number("mine", "consumer.session.timeout.ms") == 50_000
        assert each.group_configs.number("other", "consumer.session.timeout.ms") == 45_000
        assert list(each.names_of_groups()) == ["mine"]


def test_a_group_without_settings_is_forgotten(configs: DynamicConfigs):
    configs.replace_of_group("mine", {"share.isolation.level": "read_committed"})
    assert configs.group_configs.value("mine", "share.isolation.level") == "read_committed"
    configs.replace_of_group("mine", {})
    assert list(configs.names_of_groups()) == []
    assert configs.group_configs.value("mine", "share.isolation.level") == "read_uncommitted"


def test_the_brokers_config_holds_for_groups_without_one_at_once(configs: DynamicConfigs):
    configs.replace({"group.consumer.assignment.interval.ms": "300"}, for_cluster=False)
    assert configs.group_configs.number("any", "consumer.assignment.interval.ms") == 300


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("nope", "1", "Unknown group config name: nope"),
        ("consumer.session.timeout.ms", "0", "Value must be at least 1"),
        ("consumer.session.timeout.ms", "44999", "greater than or equal to group.consumer.min.session.timeout.ms"),
        ("share.delivery.count.limit", "11", "less than or equal to group.share.max.delivery.count.limit"),
        ("share.auto.offset.reset", "by_duration:-PT1H", "by_duration:<PnDTnHnMn.nS>"),
        ("share.auto.offset.reset", "by_duration:P", "by_duration:<PnDTnHnMn.nS>"),
        ("streams.num.standby.replicas", "3", "group.streams.max.standby.replicas"),
    ],
)
def test_a_setting_that_cannot_hold_is_refused(configs: DynamicConfigs, name: str, text: str, reason: str):
    with pytest.raises(InvalidConfig) as refused:
        group_configs.check({name: text}, configs.layers)
    assert reason in str(refused.value)


def test_a_session_is_longer_than_its_heartbeats(tmp_path: Path):
    broker = broker_config({"group.consumer.max.heartbeat.interval.ms": "60000"})
    layers = DynamicConfigs(tmp_path, broker).layers
    with pytest.raises(InvalidConfig) as refused:
        group_configs.check({"consumer.heartbeat.interval.ms": "50000"}, layers)
    assert "must be greater than consumer.heartbeat.interval.ms" in str(refused.value)


def test_described_are_all_with_where_they_come_from(configs: DynamicConfigs):
    entries = {
        each.name: each for each in group_configs.describe({"share.session.timeout.ms": "50000"}, configs.layers)
    }
    assert len(entries) == 17
    own, inherited = entries["share.session.timeout.ms"], entries["share.heartbeat.interval.ms"]
    assert (own.value, own.source) == ("50000", ConfigSource.GROUP)
    assert [each.name for each in own.synonyms] == ["share.session.timeout.ms", "group.share.session.timeout.ms"]
    assert (inherited.value, inherited.source) == ("5000", ConfigSource.DEFAULT)
    assert all(each.documentation for each in entries.values())
