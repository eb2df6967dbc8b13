"""The steps with aiokafka."""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import BrokerResponseError, KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata

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
)

KAFKAS_NAMES = {
    "INVALID_TOPIC": "INVALID_TOPIC_EXCEPTION",
    "MESSAGE_SIZE_TOO_LARGE": "MESSAGE_TOO_LARGE",
}
SOURCES = {
    1: "DYNAMIC_TOPIC_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
}
NO_CONSUMER_PROTOCOL = "aiokafka has no consumer protocol (KIP-848)"
NO_GROUP_DELETION = "aiokafka's admin client deletes no groups"


def error_name(error: Exception) -> str | None:
    if isinstance(error, BrokerResponseError):
        return KAFKAS_NAMES.get(error.message, str(error.message))
    return type(error).__name__ if isinstance(error, KafkaError) else None


def check(code: int) -> None:
    """Its admin client hands on most error codes as they came."""
    if code:
        raise for_code(code)


async def until(ask: Callable[[], Any], is_settled: Callable[[Any], bool]) -> Any:
    """Ask until the answer is settled: Kafka's broker learns of what its controller has done a little later."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_settled(answer := await ask()) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return answer


class Script:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.main, self.group = plan.name("main"), plan.name("readers")
        self._known_admin: AIOKafkaAdminClient | None = None
        self._members: list[AIOKafkaConsumer] = []
        self._transactional: AIOKafkaProducer | None = None

    async def _admin(self) -> AIOKafkaAdminClient:
        if self._known_admin is None:
            self._known_admin = AIOKafkaAdminClient(bootstrap_servers=self.plan.bootstrap)
            await self._known_admin.start()
        return self._known_admin

    async def _create(self, name: str, partitions: int = 1, replicas: int = 1, **config: str) -> None:
        configs = {key.replace("_", "."): value for key, value in config.items()}
        answer = await (await self._admin()).create_topics(
            [NewTopic(name, partitions, replicas, topic_configs=configs)]
        )
        check(answer.topic_errors[0][1])
        await until((await self._admin()).list_topics, lambda names: name in names)

    # -- topics and configs

    async def describe_cluster(self) -> Any:
        found = await (await self._admin()).describe_cluster()
        return {
            "nodes": [node["node_id"] for node in found["brokers"]],
            "controller": found["controller_id"],
            "has_cluster_id": bool(found["cluster_id"]),
        }

    async def create_topic(self) -> Any:
        await self._create(self.main, PARTITIONS, retention_ms="86400000")
        return "created"

    async def create_topic_again(self) -> Any:
        await self._create(self.main, PARTITIONS)

    async def create_topic_bad_name(self) -> Any:
        await self._create(f"{self.main} and more")

    async def create_topic_bad_config(self) -> Any:
        await self._create(self.plan.name("bad"), retention_ms="soon")

    async def create_topic_too_many_replicas(self) -> Any:
        await self._create(self.plan.name("bad"), replicas=3)

    async def _describe(self, topic: str) -> Any:
        (found,) = await (await self._admin()).describe_topics([topic])
        check(found["error_code"])
        return found

    async def describe_topic(self) -> Any:
        found = await self._describe(self.main)
        partitions = [
            [each["partition"], each["leader"], each["replicas"], each["isr"]] for each in found["partitions"]
        ]
        return {"is_internal": found["is_internal"], "partitions": sorted(partitions)}

    async def describe_unknown_topic(self) -> Any:
        await self._describe(self.plan.name("unknown"))

    async def _topics(self) -> list[str]:
        names = await (await self._admin()).list_topics()
        return sorted(name.removeprefix(f"{self.plan.prefix}-") for name in names if name.startswith(self.plan.prefix))

    async def list_topics(self) -> Any:
        return await until(self._topics, bool)

    async def _alter(self, name: str, value: str) -> Any:
        resource = ConfigResource(ConfigResourceType.TOPIC, self.main, {name: value})
        (answer,) = await (await self._admin()).alter_configs([resource])
        check(answer.resources[0][0])
        return "altered"

    async def alter_config(self) -> Any:
        return await self._alter("retention.ms", RETENTION_MS)

    async def _configs(self) -> dict[str, Any]:
        resource = ConfigResource(ConfigResourceType.TOPIC, self.main)
        (answer,) = await (await self._admin()).describe_configs([resource])
        check(answer.resources[0][0])
        return {entry[0]: entry for entry in answer.resources[0][4]}

    async def describe_config(self) -> Any:
        found = await until(self._configs, lambda configs: configs["retention.ms"][1] == RETENTION_MS)
        return {
            name: f"{value} {SOURCES[source]} read-only:{is_read_only} sensitive:{is_sensitive}"
            for name, value, is_read_only, source, is_sensitive, *_ in sorted(found.values())
        }

    async def alter_config_unknown_name(self) -> Any:
        await self._alter("nope", "1")

    async def alter_config_bad_value(self) -> Any:
        await self._alter("cleanup.policy", "tidy")

    async def _grow(self, partitions: int) -> int:
        name = self.plan.name("grown")
        await (await self._admin()).create_partitions({name: NewPartitions(partitions)})

        async def count() -> int:
            return len((await self._describe(name))["partitions"])

        found: int = await until(count, lambda number: number == partitions)
        return found

    async def create_partitions(self) -> Any:
        await self._create(self.plan.name("grown"))
        return await self._grow(3)

    async def create_partitions_fewer(self) -> Any:
        return await self._grow(2)

    # -- produce

    async def _send(self, topic: str, records: list[dict[str, Any]], **config: Any) -> Any:
        given = {"bootstrap_servers": self.plan.bootstrap, "enable_idempotence": True, "acks": "all", "linger_ms": 5}
        async with AIOKafkaProducer(**{**given, **config}) as producer:
            sent = [await producer.send(topic, **record) for record in records]
            return await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_S)

    async def _produce(self, codec: str) -> Any:
        records = [
            {"key": each.key, "value": each.value, "headers": each.headers, "timestamp_ms": each.timestamp_ms}
            for each in self.plan.records(codec)
        ]
        sent = await self._send(self.main, records, compression_type=None if codec == "none" else codec)
        return sorted(f"{each.partition}:{each.offset}" for each in sent)

    async def produce_none(self) -> Any:
        return await self._produce("none")

    async def produce_gzip(self) -> Any:
        return await self._produce("gzip")

    async def produce_snappy(self) -> Any:
        return await self._produce("snappy")

    async def produce_lz4(self) -> Any:
        return await self._produce("lz4")

    async def produce_zstd(self) -> Any:
        return await self._produce("zstd")

    async def produce_too_large(self) -> Any:
        await self._create(self.plan.name("small"), max_message_bytes="1000")
        await self._send(self.plan.name("small"), [{"value": b"x" * 5000}])

    async def produce_to_unknown_topic(self) -> Any:
        await self._send(self.plan.name("unknown"), [{"value": b"x"}], request_timeout_ms=1500)

    async def produce_too_old(self) -> Any:
        await self._create(self.plan.name("fresh"), message_timestamp_before_max_ms="3600000")
        await self._send(self.plan.name("fresh"), [{"value": b"x", "timestamp_ms": self.plan.now_ms - 7200000}])

    async def produce_without_key_to_compacted(self) -> Any:
        await self._create(self.plan.name("compacted"), cleanup_policy="compact")
        await self._send(self.plan.name("compacted"), [{"value": b"x"}])

    async def _offsets(self, which: str) -> dict[int, int]:
        partitions = [TopicPartition(self.main, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.plan.bootstrap) as consumer:
            found = await getattr(consumer, which)(partitions)
        return {each.partition: found[each] for each in partitions}

    async def list_offsets(self) -> Any:
        first, end = await self._offsets("beginning_offsets"), await self._offsets("end_offsets")
        return {str(number): [first[number], end[number]] for number in sorted(first)}

    async def offsets_for_times(self) -> Any:
        asked = {TopicPartition(self.main, number): self.plan.now_ms + 30 for number in range(PARTITIONS)}
        async with AIOKafkaConsumer(bootstrap_servers=self.plan.bootstrap) as consumer:
            found = await consumer.offsets_for_times(asked)
        return {str(each.partition): [at.offset, at.timestamp - self.plan.now_ms] for each, at in found.items()}

    # -- consumer groups

    def _consumer(self, *topics: str, **config: Any) -> AIOKafkaConsumer:
        given = {
            "bootstrap_servers": self.plan.bootstrap,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "fetch_max_wait_ms": 50,
            "heartbeat_interval_ms": 300,
        }
        return AIOKafkaConsumer(*topics, **{**given, **config})

    async def _joined(self) -> AIOKafkaConsumer:
        consumer = self._consumer(self.main, group_id=self.group)
        await consumer.start()
        return consumer

    async def _read(self, consumer: AIOKafkaConsumer, is_enough: Callable[[list[Any]], bool]) -> list[Any]:
        found: list[Any] = []
        deadline = time.monotonic() + PATIENCE_S
        while not is_enough(found):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(records)
            if time.monotonic() > deadline:
                raise TimeoutError(f"read {len(found)} records only")
        return found

    async def consume_all(self) -> Any:
        self._members = [await self._joined()]
        lines: dict[str, list[str]] = {str(number): [] for number in range(PARTITIONS)}
        for each in await self._read(self._members[0], lambda found: len(found) == len(CODECS) * RECORDS_PER_CODEC):
            line = self.plan.shown(each.offset, each.key, each.value, each.headers, each.timestamp)
            lines[str(each.partition)].append(line)
        return lines

    async def commit(self) -> Any:
        half = {
            TopicPartition(self.main, number): OffsetAndMetadata(end // 2, "half")
            for number, end in (await self._offsets("end_offsets")).items()
        }
        await self._members[0].commit(half)
        found = await self._group_offsets(self.group)
        return {str(each.partition): f"{at.offset} {at.metadata}" for each, at in sorted(found.items())}

    async def _group_offsets(self, group: str) -> Any:
        return await (await self._admin()).list_consumer_group_offsets(group)

    async def rebalance(self) -> Any:
        self._members.append(await self._joined())
        deadline = time.monotonic() + PATIENCE_S
        while not is_balanced(owned := [{p.partition for p in each.assignment()} for each in self._members]):
            await asyncio.sleep(0.02)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the members own {owned}")
        return rebalanced(owned)

    async def describe_group(self) -> Any:
        (answer,) = await (await self._admin()).describe_consumer_groups([self.group])
        code, _, state, protocol_type, protocol, members, *_ = answer.groups[0]
        check(code)
        owned = [
            number
            for _, _, _, _, assignment, *_ in members
            for _, numbers in ConsumerProtocolMemberAssignment.decode(assignment).assignment
            for number in numbers
        ]
        return {
            "state": state,
            "protocol": [protocol_type, protocol],
            "members": len(members),
            "assigned": sorted(owned),
        }

    async def delete_group_with_members(self) -> Any:
        raise NotOffered(NO_GROUP_DELETION)

    async def resume(self) -> Any:
        for each in self._members:
            await each.stop()
        left = sum(end - end // 2 for end in (await self._offsets("end_offsets")).values())
        member = await self._joined()
        offsets: dict[str, list[int]] = {str(number): [] for number in range(PARTITIONS)}
        for each in await self._read(member, lambda found: len(found) == left):
            offsets[str(each.partition)].append(each.offset)
        await member.stop()
        return offsets

    async def describe_empty_group(self) -> Any:
        return await self.describe_group()

    async def list_groups(self) -> Any:
        found = await (await self._admin()).list_consumer_groups()
        return sorted(
            f"{group.removeprefix(self.plan.prefix)} {protocol_type}"
            for group, protocol_type, *_ in found
            if group.startswith(f"{self.plan.prefix}-")
        )

    async def lag(self) -> Any:
        ends, committed = await self._offsets("end_offsets"), await self._group_offsets(self.group)
        return {str(each.partition): ends[each.partition] - at.offset for each, at in sorted(committed.items())}

    async def seek_out_of_range(self) -> Any:
        partition = TopicPartition(self.main, 0)
        async with self._consumer(auto_offset_reset="none") as consumer:
            consumer.assign([partition])
            consumer.seek(partition, 1_000_000)
            await self._read(consumer, lambda found: bool(found))

    # -- transactions

    async def _transactional_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(bootstrap_servers=self.plan.bootstrap, transactional_id=self.plan.name("tx"))
        await producer.start()
        return producer

    async def _begun(self, *values: bytes) -> AIOKafkaProducer:
        if self._transactional is None:
            await self._create(self.plan.name("tx"))
            self._transactional = await self._transactional_producer()
        await self._transactional.begin_transaction()
        for value in values:
            await self._transactional.send(self.plan.name("tx"), value)
        await self._transactional.flush()
        return self._transactional

    async def transaction_commit(self) -> Any:
        await (await self._begun(b"c0", b"c1")).commit_transaction()
        return "committed"

    async def transaction_abort(self) -> Any:
        await (await self._begun(b"a0", b"a1")).abort_transaction()
        return "aborted"

    async def transaction_offsets(self) -> Any:
        group = self.plan.name("tx-readers")
        await (await self._send_offset(group, 2, b"o0")).commit_transaction()
        first = await until(lambda: self._group_offsets(group), bool)
        await (await self._send_offset(group, 3)).abort_transaction()
        return [at.offset for found in (first, await self._group_offsets(group)) for at in found.values()]

    async def _send_offset(self, group: str, offset: int, *values: bytes) -> AIOKafkaProducer:
        producer = await self._begun(*values)
        position = {TopicPartition(self.main, 0): OffsetAndMetadata(offset, "")}
        await producer.send_offsets_to_transaction(position, group)
        return producer

    async def _values(self, isolation: str) -> list[str]:
        partition = TopicPartition(self.plan.name("tx"), 0)
        async with self._consumer(isolation_level=isolation) as consumer:
            consumer.assign([partition])
            consumer.seek(partition, 0)
            found = await self._read(consumer, lambda found: bool(found) and found[-1].value == b"o0")
        return [f"{each.offset} {each.value.decode()}" for each in found]

    async def read_committed(self) -> Any:
        return await self._values("read_committed")

    async def read_uncommitted(self) -> Any:
        return await self._values("read_uncommitted")

    async def transaction_fenced(self) -> Any:
        older = await self._begun(b"f0")
        newer = await self._transactional_producer()
        try:
            await older.commit_transaction()
        finally:
            await newer.stop()

    # -- the consumer protocol

    def consumer_protocol(self) -> Any:
        raise NotOffered(NO_CONSUMER_PROTOCOL)

    consumer_protocol_rebalance = consumer_protocol_group = consumer_protocol

    # -- security

    def _secure(self, mechanism: str, password: str = PASSWORD) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.plan.secure,
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=self.plan.ca),
            "sasl_mechanism": mechanism,
            "sasl_plain_username": USER,
            "sasl_plain_password": password,
        }

    async def _listed(self, login: dict[str, Any]) -> bool:
        admin = AIOKafkaAdminClient(**login)
        try:
            await admin.start()
            return self.main in await admin.list_topics()
        finally:
            await admin.close()

    async def scram_sha_256(self) -> Any:
        return await self._listed(self._secure("SCRAM-SHA-256"))

    async def scram_sha_512(self) -> Any:
        login, topic = self._secure("SCRAM-SHA-512"), self.plan.name("secret")
        await self._create(topic)
        await self._send(topic, [{"value": b"hush"}], **login)
        async with self._consumer(**login) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            (found,) = await self._read(consumer, lambda found: bool(found))
        return f"{found.offset} {found.value.decode()}"

    async def wrong_password(self) -> Any:
        await self._listed(self._secure("SCRAM-SHA-512", "guessed"))

    async def mechanism_not_enabled(self) -> Any:
        await self._listed(self._secure("PLAIN"))

    # -- deletion

    async def _delete_records(self, offset: int) -> Any:
        wanted = {TopicPartition(self.main, 0): RecordsToDelete(before_offset=offset)}
        (low_watermark,) = (await (await self._admin()).delete_records(wanted)).values()
        return low_watermark

    async def delete_records(self) -> Any:
        return [await self._delete_records(3), (await self._offsets("beginning_offsets"))[0]]

    async def delete_records_beyond_end(self) -> Any:
        await self._delete_records(1_000_000)

    def delete_group(self) -> Any:
        raise NotOffered(NO_GROUP_DELETION)

    delete_unknown_group = delete_group

    async def _delete_topic(self) -> None:
        answer = await (await self._admin()).delete_topics([self.main])
        check(answer.topic_error_codes[0][1])

    async def delete_topic(self) -> Any:
        await self._delete_topic()
        return await until(self._topics, lambda names: "main" not in names)

    async def delete_unknown_topic(self) -> Any:
        await self._delete_topic()


if __name__ == "__main__":
    asyncio.run(take_steps(Script(read_plan()), f"aiokafka {aiokafka.__version__}", error_name))
