"""The steps with confluent-kafka, the Python face of librdkafka."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import confluent_kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from tests.conformance.python.script import (
    CODECS,
    PARTITIONS,
    PASSWORD,
    PATIENCE_S,
    RECORDS_PER_CODEC,
    RETENTION_MS,
    USER,
    Plan,
    is_balanced,
    read_plan,
    rebalanced,
    take_steps,
    until,
)

KAFKAS_NAMES = {
    "TOPIC_EXCEPTION": "INVALID_TOPIC_EXCEPTION",
    "UNKNOWN_TOPIC_OR_PART": "UNKNOWN_TOPIC_OR_PARTITION",
    "MSG_SIZE_TOO_LARGE": "MESSAGE_TOO_LARGE",
}


def error_name(error: Exception) -> str | None:
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        name = str(error.args[0].name())
        return KAFKAS_NAMES.get(name, name)
    return None


class Script:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.main, self.group = plan.name("main"), plan.name("readers")
        self.admin = AdminClient(self._config())
        self._members: list[Consumer] = []
        self._transactional: Producer | None = None

    def _config(self, **more: Any) -> dict[str, Any]:
        given = {key.replace("_", "."): value for key, value in more.items()}
        return {"bootstrap.servers": self.plan.bootstrap, "log_level": 0, "error_cb": lambda _: None, **given}

    def _create(self, name: str, partitions: int = 1, replicas: int = 1, **config: str) -> None:
        topic = NewTopic(name, partitions, replicas, config={key.replace("_", "."): config[key] for key in config})
        self.admin.create_topics([topic])[name].result(PATIENCE_S)
        until(lambda: self.admin.list_topics(timeout=PATIENCE_S).topics, lambda topics: name in topics)

    # -- topics and configs

    def describe_cluster(self) -> Any:
        found = self.admin.describe_cluster().result(PATIENCE_S)
        return {
            "nodes": [node.id for node in found.nodes],
            "controller": found.controller.id,
            "has_cluster_id": bool(found.cluster_id),
        }

    def create_topic(self) -> Any:
        self._create(self.main, PARTITIONS, retention_ms="86400000")
        return "created"

    def create_topic_again(self) -> Any:
        self._create(self.main, PARTITIONS)

    def create_topic_bad_name(self) -> Any:
        self._create(f"{self.main} and more")

    def create_topic_bad_config(self) -> Any:
        self._create(self.plan.name("bad"), retention_ms="soon")

    def create_topic_too_many_replicas(self) -> Any:
        self._create(self.plan.name("bad"), replicas=3)

    def _describe(self, topic: str) -> Any:
        return self.admin.describe_topics(TopicCollection([topic]))[topic].result(PATIENCE_S)

    def describe_topic(self) -> Any:
        found = self._describe(self.main)
        return {
            "is_internal": found.is_internal,
            "partitions": [
                [each.id, each.leader.id, [node.id for node in each.replicas], [node.id for node in each.isr]]
                for each in found.partitions
            ],
        }

    def describe_unknown_topic(self) -> Any:
        self._describe(self.plan.name("unknown"))

    def _topics(self) -> list[str]:
        names = self.admin.list_topics(timeout=PATIENCE_S).topics
        return sorted(name.removeprefix(f"{self.plan.prefix}-") for name in names if name.startswith(self.plan.prefix))

    def list_topics(self) -> Any:
        return until(self._topics, bool)

    def _alter(self, name: str, value: str) -> None:
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.main, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(PATIENCE_S)

    def alter_config(self) -> Any:
        self._alter("retention.ms", RETENTION_MS)
        return "altered"

    def describe_config(self) -> Any:
        resource = ConfigResource(ResourceType.TOPIC, self.main)
        found = until(
            lambda: self.admin.describe_configs([resource])[resource].result(PATIENCE_S),
            lambda configs: configs["retention.ms"].value == RETENTION_MS,
        )
        return {
            name: f"{entry.value} {ConfigSource(entry.source).name}"
            f"{' read-only' if entry.is_read_only else ''}{' sensitive' if entry.is_sensitive else ''}"
            for name, entry in sorted(found.items())
        }

    def alter_config_unknown_name(self) -> Any:
        self._alter("nope", "1")

    def alter_config_bad_value(self) -> Any:
        self._alter("cleanup.policy", "tidy")

    def _grow(self, partitions: int) -> int:
        name = self.plan.name("grown")
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(PATIENCE_S)
        return until(lambda: len(self._describe(name).partitions), lambda count: count == partitions)

    def create_partitions(self) -> Any:
        self._create(self.plan.name("grown"))
        return self._grow(3)

    def create_partitions_fewer(self) -> Any:
        return self._grow(2)

    # -- produce

    def _send(self, topic: str, records: list[dict[str, Any]], **config: Any) -> list[Message]:
        producer = Producer(self._config(enable_idempotence=True, acks="all", linger_ms=5, **config))
        delivered: list[tuple[KafkaError | None, Message]] = []
        for record in records:
            producer.produce(topic, on_delivery=lambda error, message: delivered.append((error, message)), **record)
        producer.flush(PATIENCE_S)
        for error, _ in delivered:
            if error:
                raise KafkaException(error)
        return [message for _, message in delivered]

    def _produce(self, codec: str) -> Any:
        records = [
            {"key": each.key, "value": each.value, "headers": each.headers, "timestamp": each.timestamp_ms}
            for each in self.plan.records(codec)
        ]
        sent = self._send(self.main, records, compression_type=codec)
        return sorted(f"{message.partition()}:{message.offset()}" for message in sent)

    def produce_none(self) -> Any:
        return self._produce("none")

    def produce_gzip(self) -> Any:
        return self._produce("gzip")

    def produce_snappy(self) -> Any:
        return self._produce("snappy")

    def produce_lz4(self) -> Any:
        return self._produce("lz4")

    def produce_zstd(self) -> Any:
        return self._produce("zstd")

    def produce_too_large(self) -> Any:
        self._create(self.plan.name("small"), max_message_bytes="1000")
        self._send(self.plan.name("small"), [{"value": b"x" * 5000}])

    def produce_to_unknown_topic(self) -> Any:
        self._send(self.plan.name("unknown"), [{"value": b"x"}], topic_metadata_propagation_max_ms=500)

    def produce_too_old(self) -> Any:
        self._create(self.plan.name("fresh"), message_timestamp_before_max_ms="3600000")
        self._send(self.plan.name("fresh"), [{"value": b"x", "timestamp": self.plan.now_ms - 7200000}])

    def produce_without_key_to_compacted(self) -> Any:
        self._create(self.plan.name("compacted"), cleanup_policy="compact")
        self._send(self.plan.name("compacted"), [{"value": b"x"}])

    def _offsets(self, spec: OffsetSpec, topic: str | None = None, partitions: int = PARTITIONS) -> dict[int, int]:
        asked = {TopicPartition(topic or self.main, number): spec for number in range(partitions)}
        return {each.partition: f.result(PATIENCE_S).offset for each, f in self.admin.list_offsets(asked).items()}

    def list_offsets(self) -> Any:
        first, end = self._offsets(OffsetSpec.earliest()), self._offsets(OffsetSpec.latest())
        return {str(number): [first[number], end[number]] for number in sorted(first)}

    def offsets_for_times(self) -> Any:
        return {str(n): at for n, at in sorted(self._offsets(OffsetSpec.for_timestamp(self.plan.now_ms + 30)).items())}

    # -- consumer groups

    def _consumer(self, group: str, **config: Any) -> Consumer:
        settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "fetch_wait_max_ms": 50}
        if config.get("group_protocol") != "consumer":  # There the broker says how often.
            settings["heartbeat_interval_ms"] = 300
        return Consumer(self._config(group_id=group, **{**settings, **config}))

    def _read(self, consumer: Consumer, is_enough: Callable[[list[Message]], bool]) -> list[Message]:
        found: list[Message] = []
        deadline = time.monotonic() + PATIENCE_S
        while not is_enough(found):
            message = consumer.poll(0.1)
            if message is not None:
                if message.error():
                    raise KafkaException(message.error())
                found.append(message)
            if time.monotonic() > deadline:
                raise TimeoutError(f"read {len(found)} records only")
        return found

    def _joined(self, topic: str, group: str, **config: Any) -> Consumer:
        consumer = self._consumer(group, **config)
        consumer.subscribe([topic])
        return consumer

    @property
    def _all(self) -> Callable[[list[Message]], bool]:
        return lambda found: len(found) == len(CODECS) * RECORDS_PER_CODEC

    def consume_all(self) -> Any:
        self._members = [self._joined(self.main, self.group)]
        lines: dict[str, list[str]] = {str(number): [] for number in range(PARTITIONS)}
        for each in self._read(self._members[0], self._all):
            line = self.plan.shown(each.offset(), each.key(), each.value(), each.headers(), each.timestamp()[1])
            lines[str(each.partition())].append(line)
        return lines

    def commit(self) -> Any:
        half = [
            TopicPartition(self.main, number, end // 2, metadata="half")
            for number, end in self._offsets(OffsetSpec.latest()).items()
        ]
        self._members[0].commit(offsets=half, asynchronous=False)
        asked = [TopicPartition(self.main, number) for number in range(PARTITIONS)]
        found = self._members[0].committed(asked, PATIENCE_S)
        return {str(each.partition): f"{each.offset} {each.metadata}" for each in found}

    def _rebalance(self, joined: Consumer) -> Any:
        self._members.append(joined)
        deadline = time.monotonic() + PATIENCE_S
        while not is_balanced(owned := [{p.partition for p in each.assignment()} for each in self._members]):
            for each in self._members:
                each.poll(0.05)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the members own {owned}")
        return rebalanced(owned)

    def rebalance(self) -> Any:
        return self._rebalance(self._joined(self.main, self.group))

    def _described(self, group: str) -> Any:
        found = until(
            lambda: self.admin.describe_consumer_groups([group])[group].result(PATIENCE_S),
            lambda described: described.state.name in ("STABLE", "EMPTY"),
        )
        owned = [[each.partition for each in member.assignment.topic_partitions] for member in found.members]
        return {
            "state": found.state.name,
            "type": found.type.name,
            "assignor": found.partition_assignor,
            "coordinator": found.coordinator.id,
            "members": len(found.members),
            "assigned": sorted(itertools.chain.from_iterable(owned)),
            "client_ids": sorted({member.client_id for member in found.members}),
        }

    def describe_group(self) -> Any:
        return self._described(self.group)

    def _delete_group(self, group: str) -> None:
        self.admin.delete_consumer_groups([group])[group].result(PATIENCE_S)

    def delete_group_with_members(self) -> Any:
        self._delete_group(self.group)

    def _leave(self) -> None:
        for each in self._members:
            each.close()
        self._members = []

    def resume(self) -> Any:
        self._leave()
        ends = self._offsets(OffsetSpec.latest())
        left = sum(end - end // 2 for end in ends.values())
        member = self._joined(self.main, self.group)
        offsets: dict[str, list[int]] = {str(number): [] for number in range(PARTITIONS)}
        for each in self._read(member, lambda found: len(found) == left):
            offsets[str(each.partition())].append(each.offset())
        member.close()
        return offsets

    def describe_empty_group(self) -> Any:
        return self._described(self.group)

    def list_groups(self) -> Any:
        found = self.admin.list_consumer_groups().result(PATIENCE_S).valid
        mine = [each for each in found if each.group_id.startswith(f"{self.plan.prefix}-")]
        return sorted(
            f"{each.group_id.removeprefix(self.plan.prefix)} {each.state.name} {each.type.name}"
            f"{' simple' if each.is_simple_consumer_group else ''}"
            for each in mine
        )

    def _committed(self, group: str) -> dict[int, int]:
        asked = [ConsumerGroupTopicPartitions(group)]
        found = until(
            lambda: self.admin.list_consumer_group_offsets(asked, require_stable=True)[group].result(PATIENCE_S),
            lambda offsets: all(each.error is None for each in offsets.topic_partitions),
        )
        return {each.partition: each.offset for each in found.topic_partitions}

    def lag(self) -> Any:
        ends, committed = self._offsets(OffsetSpec.latest()), self._committed(self.group)
        return {str(number): ends[number] - committed[number] for number in sorted(ends)}

    def seek_out_of_range(self) -> Any:
        consumer = self._consumer(self.plan.name("lost"), auto_offset_reset="error")
        consumer.assign([TopicPartition(self.main, 0, 1_000_000)])
        try:
            self._read(consumer, lambda found: bool(found))
        finally:
            consumer.close()

    # -- transactions

    def _begun(self, *values: bytes) -> Producer:
        producer = self._transactional
        if producer is None:
            self._create(self.plan.name("tx"))
            config = self._config(transactional_id=self.plan.name("tx"), linger_ms=0)
            self._transactional = producer = Producer(config)
            producer.init_transactions(PATIENCE_S)
        producer.begin_transaction()
        for value in values:
            producer.produce(self.plan.name("tx"), value)
        producer.flush(PATIENCE_S)
        return producer

    def transaction_commit(self) -> Any:
        self._begun(b"c0", b"c1").commit_transaction(PATIENCE_S)
        return "committed"

    def transaction_abort(self) -> Any:
        self._begun(b"a0", b"a1").abort_transaction(PATIENCE_S)
        return "aborted"

    def transaction_offsets(self) -> Any:
        group = self.plan.name("tx-readers")
        consumer = self._consumer(group)
        seen = []
        for offset, values in ((2, [b"o0"]), (3, [])):
            producer = self._begun(*values)
            position = [TopicPartition(self.main, 0, offset)]
            producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), PATIENCE_S)
            if offset == 2:
                producer.commit_transaction(PATIENCE_S)
            else:
                producer.abort_transaction(PATIENCE_S)
            seen.append(until(lambda: self._committed(group), bool)[0])
        consumer.close()
        return seen

    def _values(self, isolation: str) -> list[str]:
        consumer = self._consumer(self.plan.name("tx-values"), isolation_level=isolation)
        consumer.assign([TopicPartition(self.plan.name("tx"), 0, 0)])
        found = self._read(consumer, lambda found: bool(found) and found[-1].value() == b"o0")
        consumer.close()
        return [f"{each.offset()} {each.value().decode()}" for each in found]

    def read_committed(self) -> Any:
        return self._values("read_committed")

    def read_uncommitted(self) -> Any:
        return self._values("read_uncommitted")

    def transaction_fenced(self) -> Any:
        older = self._begun(b"f0")
        newer = Producer(self._config(transactional_id=self.plan.name("tx")))
        newer.init_transactions(PATIENCE_S)
        older.commit_transaction(PATIENCE_S)

    # -- the consumer protocol

    def consumer_protocol(self) -> Any:
        self._members = [self._joined(self.main, self.plan.name("modern"), group_protocol="consumer")]
        found = self._read(self._members[0], self._all)
        return {str(n): sum(each.partition() == n for each in found) for n in range(PARTITIONS)}

    def consumer_protocol_rebalance(self) -> Any:
        return self._rebalance(self._joined(self.main, self.plan.name("modern"), group_protocol="consumer"))

    def consumer_protocol_group(self) -> Any:
        described = self._described(self.plan.name("modern"))
        self._leave()
        return described

    # -- security

    def _secure(self, mechanism: str, password: str = PASSWORD) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.plan.secure,
            "security_protocol": "SASL_SSL",
            "ssl_ca_location": self.plan.ca,
            "sasl_mechanism": mechanism,
            "sasl_username": USER,
            "sasl_password": password,
        }

    def scram_sha_256(self) -> Any:
        admin = AdminClient(self._config(**self._secure("SCRAM-SHA-256")))
        return self.main in admin.list_topics(timeout=PATIENCE_S).topics

    def scram_sha_512(self) -> Any:
        login, topic = self._secure("SCRAM-SHA-512"), self.plan.name("secret")
        self._create(topic)
        self._send(topic, [{"value": b"hush"}], **login)
        consumer = self._consumer(self.plan.name("secret-readers"), **login)
        consumer.assign([TopicPartition(topic, 0, 0)])
        (found,) = self._read(consumer, lambda found: bool(found))
        consumer.close()
        return f"{found.offset()} {found.value().decode()}"

    def _refused_login(self, login: dict[str, Any]) -> None:
        told: list[KafkaError] = []
        client = AdminClient({**self._config(**login), "error_cb": told.append})
        deadline = time.monotonic() + PATIENCE_S
        while not any(error.code() == KafkaError._AUTHENTICATION for error in told):
            client.poll(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError(f"told only {told}")
        raise KafkaException(KafkaError(KafkaError._AUTHENTICATION))

    def wrong_password(self) -> Any:
        self._refused_login(self._secure("SCRAM-SHA-512", "guessed"))

    def mechanism_not_enabled(self) -> Any:
        self._refused_login(self._secure("PLAIN"))

    # -- deletion

    def _delete_records(self, offset: int) -> Any:
        (deleted,) = self.admin.delete_records([TopicPartition(self.main, 0, offset)]).values()
        return deleted.result(PATIENCE_S).low_watermark

    def delete_records(self) -> Any:
        return [self._delete_records(3), self._offsets(OffsetSpec.earliest())[0]]

    def delete_records_beyond_end(self) -> Any:
        self._delete_records(1_000_000)

    def delete_group(self) -> Any:
        self._delete_group(self.group)
        return self.list_groups()

    def delete_unknown_group(self) -> Any:
        self._delete_group(self.group)

    def _delete_topic(self) -> None:
        self.admin.delete_topics([self.main])[self.main].result(PATIENCE_S)

    def delete_topic(self) -> Any:
        self._delete_topic()
        return until(self._topics, lambda names: "main" not in names)

    def delete_unknown_topic(self) -> Any:
        self._delete_topic()


if __name__ == "__main__":
    version = f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"
    asyncio.run(take_steps(Script(read_plan()), version, error_name))
