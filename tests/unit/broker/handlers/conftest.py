"""A broker without a network: its parts on a temporary folder, and handlers called as functions."""

import asyncio
import inspect
from pathlib import Path

import pytest

import broker.handlers  # noqa: F401  registers every API
from broker.clock import Clock
from broker.config import broker_config
from broker.dispatch import RequestContext, served_apis
from broker.fetch_sessions import FetchSessions
from broker.groups import GroupCoordinator, Now, OffsetStore
from broker.log import FlushPolicy, LogDirectory
from broker.metadata.dynamic_configs import DynamicConfigs
from broker.metadata.topics import TopicRegistry
from broker.producer_ids import ProducerIds
from broker.protocol.api_keys import ApiKey
from broker.schemas import KnownSchemas
from broker.share import SHARE_STATE_TOPIC, ShareConfigs, Shares, ShareSessions, ShareStateLog
from broker.transactions import TRANSACTIONS_TOPIC, Markers, TransactionCoordinator, TransactionLog
from tests.unit.broker.handlers.asking_groups import GroupApis


class ForgetfulOffsetsLog:
    """Keeps nothing: what these tests need of groups is in memory anyway."""

    is_strict = False

    open_transactions = ()

    def append(self, group_id, records, *, wall_ms, producer_id=-1, producer_epoch=-1):
        pass

    def is_kept_in(self, group_id, partition):
        return True

    def read(self):
        return iter(())

    def forget(self):
        pass


class HandlerBroker:
    """The parts that handlers use. Node id 1, as the measured Kafka had."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.config = broker_config({"node.id": "1", **settings})
        self.clock = Clock()
        self.logs = LogDirectory.open(folder, node_id=1, clock=self.clock, flush=FlushPolicy())
        self.configs = DynamicConfigs(folder, self.config)
        self.configs.open()
        self.topics = TopicRegistry(folder, self.logs, self.configs.log_config)
        self.topics.open()
        self.configs.on_change = self.topics.reconfigure_logs
        self.shares = Shares(
            ShareStateLog(existing=self.share_partitions, ensure=self.ensure_share_partitions),
            ShareConfigs(self.configs.group_configs),
        )
        self.groups = GroupCoordinator(OffsetStore(ForgetfulOffsetsLog()), self.config, self.topics, self.shares)
        producer_ids = ProducerIds(folder)
        self.transactions = TransactionCoordinator(
            TransactionLog(existing=self.transaction_partitions, ensure=self.ensure_transaction_partitions),
            Markers(self.topics.partition, self.groups),
            producer_ids,
            self.config,
        )
        self.transactions.load(Now.by(self.clock))
        self.context = RequestContext(
            config=self.config,
            clock=self.clock,
            cluster_id=self.logs.cluster_id,
            configs=self.configs,
            topics=self.topics,
            logs=self.logs,
            groups=self.groups,
            producer_ids=producer_ids,
            transactions=self.transactions,
            fetch_sessions=FetchSessions(10),
            shares=self.shares,
            share_sessions=ShareSessions(10),
            schemas=KnownSchemas("_schemas", self.schemas_log),
            listener=self.config.listeners[0],
        )

    def schemas_log(self):
        return self.logs.get("_schemas", 0) if "_schemas" in self.topics else None

    def share_partitions(self):
        return self.topics.partitions(SHARE_STATE_TOPIC) if SHARE_STATE_TOPIC in self.topics else []

    def ensure_share_partitions(self):
        if SHARE_STATE_TOPIC not in self.topics:
            self.topics.create(SHARE_STATE_TOPIC, partition_count=1)
        return self.share_partitions()

    def transaction_partitions(self):
        return self.topics.partitions(TRANSACTIONS_TOPIC) if TRANSACTIONS_TOPIC in self.topics else []

    def ensure_transaction_partitions(self):
        if TRANSACTIONS_TOPIC not in self.topics:
            self.topics.create(TRANSACTIONS_TOPIC, partition_count=1)
        return self.transaction_partitions()

    def ask(self, request, version=None):
        """The answer to a request, by default in its newest version."""
        api = served_apis[ApiKey(request.API_KEY)]
        self.context.api_version = api.versions[-1] if version is None else version
        answer = api.handler(request, self.context)
        return asyncio.run(answer) if inspect.iscoroutine(answer) else answer


@pytest.fixture
def make_broker(tmp_path):
    """Start a HandlerBroker with Kafka's settings by name; only the last one made may be used."""
    made = []

    def make(**settings):
        if made:
            made.pop().logs.close()
        made.append(HandlerBroker(tmp_path, {name.replace("_", "."): value for name, value in settings.items()}))
        return made[0]

    yield make
    for each in made:
        each.logs.close()


@pytest.fixture
def handler_broker(make_broker):
    return make_broker()


@pytest.fixture
def groups(handler_broker):
    """The group APIs of that broker, with a topic `t` of two partitions."""
    return GroupApis(handler_broker)
