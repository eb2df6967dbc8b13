"""The steps with kafka-python."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import BrokerResponseError, KafkaError, KafkaTimeoutError, for_code
from kafka.structs import OffsetAndMetadata

from tests.conformance.python.script import (
    CODECS,
    PARTITIONS,
    PASSWORD,
    PATIENCE_S,
    RECORDS_PER_CODEC,
    RETENTION_MS,
    USER,
    NotOffered,
    Plan,
    is_balanced,
    read_plan,
    rebalanced,
    take_steps,
    until,
)

KAFKAS_NAMES = {
    "INVALID_TOPIC": "INVALID_TOPIC_EXCEPTION",
    "MESSAGE_SIZE_TOO_LARGE": "MESSAGE_TOO_LARGE",
}
NO_CONSUMER_PROTOCOL = "kafka-python has no consumer protocol (KIP-848)"


def error_name(error: Exception) -> str | None:
    if isinstance(error, BrokerResponseError) and not isinstance(error, KafkaTimeoutError):
        return kafkas_name(error)
    return type(error).__name__ if isinstance(error, KafkaError) else None


class Script:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.main, self.group = plan.name("main"), plan.name("readers")
        self.admin = KafkaAdminClient(bootstrap_servers=plan.bootstrap)
        self._members: list[KafkaConsumer] = []
        self._transactional: KafkaProducer | None = None

    def _create(self, name: str, partitions: int = 1, replicas: int = 1, **config: str) -> None:
        configs = {key.replace("_", "."): value for key, value in config.items()}
        asked = {"num_partitions": partitions, "replication_factor": replicas, "configs": configs}
        self.admin.create_topics({name: asked}, wait_for_metadata=True)

    # -- topics and configs

    def describe_cluster(self) -> Any:
        found = self.admin.describe_cluster()
        return {
            "nodes": [node["broker_id"] for node in found["brokers"]],
            "controller": found["controller_id"],
            "has_cluster_id": bool(found["cluster_id"]),
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
        (found,) = self.admin.describe_topics([topic])
        if found["error_code"]:
            raise for_code(found["error_code"])
        return found

    def describe_topic(self) -> Any:
        found = self._describe(self.main)
        partitions = [
            [each["partition_index"], each["leader_id"], each["replica_nodes"], each["isr_nodes"]]
            for each in found["partitions"]
        ]
        return {"is_internal": found["is_internal"], "partitions": sorted(partitions)}

    def describe_unknown_topic(self) -> Any:
        self._describe(self.plan.name("unknown"))

    def _topics(self) -> list[str]:
        names = self.admin.list_topics()
        return sorted(name.removeprefix(f"{self.plan.prefix}-") for name in names if name.startswith(self.plan.prefix))

    def list_topics(self) -> Any:
        return until(self._topics, bool)

    def _alter(self, name: str, value: str) -> Any:
        resource = ConfigResource(ConfigResourceType.TOPIC, self.main, {name: value})
        (result,) = self.admin.alter_configs([resource], raise_on_unknown=False)["topic"].values()
        return named(result, "altered")

    def alter_config(self) -> Any:
        return self._alter("retention.ms", RETENTION_MS)

    def _configs(self) -> Any:
        resource = ConfigResource(ConfigResourceType.TOPIC, self.main)
        return self.admin.describe_configs([resource], config_filter="all")["topic"][self.main]

    def describe_config(self) -> Any:
        found = until(self._configs, lambda configs: configs["retention.ms"]["value"] == RETENTION_MS)
        return {
            name: f"{entry['value']} {entry['config_source']} {entry['config_type']}"
            f"{' read-only' if entry['read_only'] else ''}{' sensitive' if entry['is_sensitive'] else ''}"
            for name, entry in sorted(found.items())
        }

    def alter_config_unknown_name(self) -> Any:
        return self._alter("nope", "1")

    def alter_config_bad_value(self) -> Any:
        return self._alter("cleanup.policy", "tidy")

    def _grow(self, partitions: int) -> int:
        name = self.plan.name("grown")
        self.admin.create_partitions({name: partitions})
        return until(lambda: len(self._describe(name)["partitions"]), lambda count: count == partitions)

    def create_partitions(self) -> Any:
        self._create(self.plan.name("grown"))
        return self._grow(3)

    def create_partitions_fewer(self) -> Any:
        return self._grow(2)

    # -- produce

    def _send(self, topic: str, records: list[dict[str, Any]], **config: Any) -> Any:
        given = {"bootstrap_servers": self.plan.bootstrap, "enable_idempotence": True, "acks": "all", "linger_ms": 5}
        producer = KafkaProducer(**{**given, **config})
        try:
            sent = [producer.send(topic, **record) for record in records]
            return [each.get(PATIENCE_S) for each in sent]
        finally:
            producer.close(1)

    def _produce(self, codec: str) -> Any:
        records = [
            {
                "key": each.key,
                "value": each.value,
                "headers": [header for header in each.headers if header[1] is not None],  # It refuses a null.
                "timestamp_ms": each.timestamp_ms,
            }
            for each in self.plan.records(codec)
        ]
        sent = self._send(self.main, records, compression_type=None if codec == "none" else codec)
        return sorted(f"{each.partition}:{each.offset}" for each in sent)

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
        self._send(self.plan.name("unknown"), [{"value": b"x"}], max_block_ms=1500)

    def produce_too_old(self) -> Any:
        self._create(self.plan.name("fresh"), message_timestamp_before_max_ms="3600000")
        self._send(self.plan.name("fresh"), [{"value": b"x", "timestamp_ms": self.plan.now_ms - 7200000}])

    def produce_without_key_to_compacted(self) -> Any:
        self._create(self.plan.name("compacted"), cleanup_policy="compact")
        self._send(self.plan.name("compacted"), [{"value": b"x"}])

    def _offsets(self, spec: Any) -> dict[int, int]:
        asked = {TopicPartition(self.main, number): spec for number in range(PARTITIONS)}
        return {each.partition: found.offset for each, found in self.admin.list_partition_offsets(asked).items()}

    def list_offsets(self) -> Any:
        first, end = self._offsets(OffsetSpec.EARLIEST), self._offsets(OffsetSpec.LATEST)
        return {str(number): [first[number], end[number]] for number in sorted(first)}

    def offsets_for_times(self) -> Any:
        return {str(number): offset for number, offset in sorted(self._offsets(self.plan.now_ms + 30).items())}

    # -- consumer groups

    def _consumer(self, group: str, **config: Any) -> KafkaConsumer:
        given = {
            "bootstrap_servers": self.plan.bootstrap,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "fetch_max_wait_ms": 50,
            "heartbeat_interval_ms": 300,
        }
        return KafkaConsumer(group_id=group, **{**given, **config})

    def _joined(self) -> KafkaConsumer:
        consumer = self._consumer(self.group)
        consumer.subscribe([self.main])
        return consumer

    def _read(self, consumer: KafkaConsumer, is_enough: Callable[[list[Any]], bool]) -> list[Any]:
        found: list[Any] = []
        deadline = time.monotonic() + PATIENCE_S
        while not is_enough(found):
            # It returns what it has at once; a join that outlasts it would be forgotten (see REPEATS_MAX).
            for records in consumer.poll(timeout_ms=5_000).values():
                found.extend(records)
            if time.monotonic() > deadline:
                raise TimeoutError(f"read {len(found)} records only")
        return found

    def consume_all(self) -> Any:
        self._members = [self._joined()]
        lines: dict[str, list[str]] = {str(number): [] for number in range(PARTITIONS)}
        for each in self._read(self._members[0], lambda found: len(found) == len(CODECS) * RECORDS_PER_CODEC):
            line = self.plan.shown(each.offset, each.key, each.value, each.headers, each.timestamp)
            lines[str(each.partition)].append(line)
        return lines

    def commit(self) -> Any:
        half = {
            TopicPartition(self.main, number): OffsetAndMetadata(end // 2, "half", -1)
            for number, end in self._offsets(OffsetSpec.LATEST).items()
        }
        self._members[0].commit(half)
        found = {each.partition: self._members[0].committed(each, metadata=True) for each in half}
        return {str(number): f"{found[number].offset} {found[number].metadata}" for number in sorted(found)}

    def rebalance(self) -> Any:
        self._members.append(self._joined())
        deadline = time.monotonic() + PATIENCE_S
        while not is_balanced(owned := [{p.partition for p in each.assignment()} for each in self._members]):
            for each in self._members:
                each.poll(timeout_ms=50)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the members own {owned}")
        return rebalanced(owned)

    def _described(self, group: str) -> Any:
        found = until(
            lambda: self.admin.describe_groups([group])[group],
            lambda described: described["group_state"] in ("Stable", "Empty"),
        )
        owned = [
            number
            for member in found["members"]
            for topic in member["member_assignment"]["assigned_partitions"]
            for number in topic["partitions"]
        ]
        return {
            "state": found["group_state"],
            "protocol": [found["protocol_type"], found["protocol_data"]],
            "members": len(found["members"]),
            "assigned": sorted(owned),
            "hosts": sorted({member["client_host"] for member in found["members"]}),
        }

    def describe_group(self) -> Any:
        return self._described(self.group)

    def _delete_group(self) -> Any:
        return named(self.admin.delete_groups([self.group])[self.group], "deleted")

    def delete_group_with_members(self) -> Any:
        return self._delete_group()

    def resume(self) -> Any:
        for each in self._members:
            each.close()
        left = sum(end - end // 2 for end in self._offsets(OffsetSpec.LATEST).values())
        member = self._joined()
        offsets: dict[str, list[int]] = {str(number): [] for number in range(PARTITIONS)}
        for each in self._read(member, lambda found: len(found) == left):
            offsets[str(each.partition)].append(each.offset)
        member.close()
        return offsets

    def describe_empty_group(self) -> Any:
        return self.describe_group()

    def list_groups(self) -> Any:
        mine = [each for each in self.admin.list_groups() if each["group_id"].startswith(f"{self.plan.prefix}-")]
        return sorted(
            " ".join(
                [
                    each["group_id"].removeprefix(self.plan.prefix),
                    each["protocol_type"],
                    each["group_state"],
                    each["group_type"],
                ]
            )
            for each in mine
        )

    def _committed(self, group: str) -> dict[int, int]:
        return {each.partition: at.offset for each, at in self.admin.list_group_offsets(group)[group].items()}

    def lag(self) -> Any:
        ends, committed = self._offsets(OffsetSpec.LATEST), self._committed(self.group)
        return {str(number): ends[number] - committed[number] for number in sorted(ends)}

    def seek_out_of_range(self) -> Any:
        consumer = self._consumer(self.plan.name("lost"), auto_offset_reset="none")
        partition = TopicPartition(self.main, 0)
        consumer.assign([partition])
        consumer.seek(partition, 1_000_000)
        try:
            self._read(consumer, lambda found: bool(found))
        finally:
            consumer.close()

    # -- transactions

    def _transactional_producer(self) -> KafkaProducer:
        producer = KafkaProducer(bootstrap_servers=self.plan.bootstrap, transactional_id=self.plan.name("tx"))
        producer.init_transactions()
        return producer

    def _begun(self, *values: bytes) -> KafkaProducer:
        if self._transactional is None:
            self._create(self.plan.name("tx"))
            self._transactional = self._transactional_producer()
        self._transactional.begin_transaction()
        for value in values:
            self._transactional.send(self.plan.name("tx"), value)
        self._transactional.flush()
        return self._transactional

    def transaction_commit(self) -> Any:
        self._begun(b"c0", b"c1").commit_transaction()
        return "committed"

    def transaction_abort(self) -> Any:
        self._begun(b"a0", b"a1").abort_transaction()
        return "aborted"

    def transaction_offsets(self) -> Any:
        group = self.plan.name("tx-readers")
        self._send_offset(group, 2, b"o0").commit_transaction()
        seen = [until(lambda: self._committed(group), bool)[0]]
        self._send_offset(group, 3).abort_transaction()
        return [*seen, self._committed(group)[0]]

    def _send_offset(self, group: str, offset: int, *values: bytes) -> KafkaProducer:
        producer = self._begun(*values)
        producer.send_offsets_to_transaction({TopicPartition(self.main, 0): OffsetAndMetadata(offset, "", -1)}, group)
        return producer

    def _values(self, isolation: str) -> list[str]:
        consumer = self._consumer(self.plan.name("tx-values"), isolation_level=isolation)
        partition = TopicPartition(self.plan.name("tx"), 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        found = self._read(consumer, lambda found: bool(found) and found[-1].value == b"o0")
        consumer.close()
        return [f"{each.offset} {each.value.decode()}" for each in found]

    def read_committed(self) -> Any:
        return self._values("read_committed")

    def read_uncommitted(self) -> Any:
        return self._values("read_uncommitted")

    def transaction_fenced(self) -> Any:
        older = self._begun(b"f0")
        newer = self._transactional_producer()
        try:
            older.commit_transaction()
        finally:
            newer.close(1)

    # -- the consumer protocol

    def consumer_protocol(self) -> Any:
        raise NotOffered(NO_CONSUMER_PROTOCOL)

    consumer_protocol_rebalance = consumer_protocol_group = consumer_protocol

    # -- security

    def _secure(self, mechanism: str, password: str = PASSWORD) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.plan.secure,
            "security_protocol": "SASL_SSL",
            "ssl_cafile": self.plan.ca,
            "sasl_mechanism": mechanism,
            "sasl_plain_username": USER,
            "sasl_plain_password": password,
        }

    def scram_sha_256(self) -> Any:
        return self.main in KafkaAdminClient(**self._secure("SCRAM-SHA-256")).list_topics()

    def scram_sha_512(self) -> Any:
        login, topic = self._secure("SCRAM-SHA-512"), self.plan.name("secret")
        self._create(topic)
        self._send(topic, [{"value": b"hush"}], **login)
        consumer = self._consumer(self.plan.name("secret-readers"), **login)
        consumer.assign([TopicPartition(topic, 0)])
        (found,) = self._read(consumer, lambda found: bool(found))
        consumer.close()
        return f"{found.offset} {found.value.decode()}"

    def _refused_login(self, login: dict[str, Any]) -> None:
        """It only ever raises a timeout: what the broker said is lost where it comes with the end of the connection."""
        KafkaAdminClient(**login, bootstrap_timeout_ms=1500)

    def wrong_password(self) -> Any:
        self._refused_login(self._secure("SCRAM-SHA-512", "guessed"))

    def mechanism_not_enabled(self) -> Any:
        self._refused_login(self._secure("PLAIN"))

    # -- deletion

    def _delete_records(self, offset: int) -> Any:
        (deleted,) = self.admin.delete_records({TopicPartition(self.main, 0): offset}).values()
        return deleted["low_watermark"]

    def delete_records(self) -> Any:
        return [self._delete_records(3), self._offsets(OffsetSpec.EARLIEST)[0]]

    def delete_records_beyond_end(self) -> Any:
        self._delete_records(1_000_000)

    def delete_group(self) -> Any:
        return [self._delete_group(), self.list_groups()]

    def delete_unknown_group(self) -> Any:
        return self._delete_group()

    def delete_topic(self) -> Any:
        self.admin.delete_topics([self.main])
        return until(self._topics, lambda names: "main" not in names)

    def delete_unknown_topic(self) -> Any:
        self.admin.delete_topics([self.main])


def named(result: str, done: str) -> Any:
    """It answers some errors as text with the class's name in it."""
    if result == "OK":
        return done
    name = re.search(r"\w+Error", result)
    assert name is not None, result
    return {"error": kafkas_name(getattr(kafka.errors, name[0]))}


def kafkas_name(error: Any) -> str:
    return KAFKAS_NAMES.get(error.message, str(error.message))


if __name__ == "__main__":
    asyncio.run(take_steps(Script(read_plan()), f"kafka-python {kafka.__version__}", error_name))
