"""What it costs the broker to validate schema ids, and to read a registry of 100,000 schemas for the first time.

Batches come ready-made over one connection, so the broker is the limit; what counts is its CPU per record.
"""

import asyncio
import os
import time

import uvloop
from confluent_kafka.admin import AdminClient, NewTopic

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.ports import NewTopic as NewTopicToMake
from app.kafka.ports import RecordToSend
from app.kafka.producer import KafkaProducer
from app.registry.records import SchemaValue, schema_record
from benchmarks.brokers import RunningBroker, caudal_broker, machine
from benchmarks.raw_client import run
from benchmarks.schema_registry import LOADED_SCHEMAS, fill
from benchmarks.table import median, table
from broker.protocol.api_keys import ApiKey
from broker.protocol.compression import Codec
from broker.protocol.frames import request_frame
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch

RUNS = 5
SECONDS = 1.5
SCHEMA_ID = 1
VALUE_BYTES = 100
VALIDATED = {"confluent.value.schema.validation": "true"}


def frame(topic: str, record_count: int, codec: Codec) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    value = b"\0" + SCHEMA_ID.to_bytes(4, "big") + os.urandom(VALUE_BYTES - 5)
    batch = build_batch([Record(0, now_ms, None, value)] * record_count, codec=codec)
    partition = PartitionProduceData(index=0, records=batch)
    request = ProduceRequest(
        acks=-1, timeout_ms=30_000, topic_data=[TopicProduceData(name=topic, partition_data=[partition])]
    )
    return request_frame(ApiKey.PRODUCE, 9, 1, "bench", request)


def create(broker: RunningBroker, name: str, configs: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1, 1, config=configs)])[name].result(30)


async def register(servers: str, subject: str) -> None:
    admin, producer = KafkaClusterAdmin(servers), KafkaProducer(servers)
    await admin.create_topic(NewTopicToMake("_schemas", 1, 1, {"cleanup.policy": "compact"}))
    value = SchemaValue(subject, 1, SCHEMA_ID, schema='"bytes"')
    await producer.append("_schemas", 0, [RecordToSend(*schema_record(value))])
    await producer.close()
    await admin.close()


def cpu_us(broker: RunningBroker, data: bytes, record_count: int) -> float:
    """Microseconds of the broker's CPU per record."""
    before = broker.cpu_seconds()
    requests = uvloop.run(run(broker.bootstrap_servers, data, 1, SECONDS))["requests"]
    return (broker.cpu_seconds() - before) / (requests * record_count) * 1e6


def validating(runs: int) -> list[list[object]]:
    rows: list[list[object]] = []
    with caudal_broker() as broker:
        uvloop.run(register(broker.bootstrap_servers, "validated-value"))
        create(broker, "plain", {"retention.bytes": "100000000"})
        create(broker, "validated", {"retention.bytes": "100000000", **VALIDATED})
        for record_count, codec in ((1, Codec.NONE), (100, Codec.NONE), (1_000, Codec.NONE), (1_000, Codec.ZSTD)):
            measured: dict[str, list[float]] = {"plain": [], "validated": []}
            for _ in range(runs):
                for topic, found in measured.items():
                    found.append(cpu_us(broker, frame(topic, record_count, codec), record_count))
            plain, validated = (median(found) for found in measured.values())
            rows.append(
                [f"{record_count:,}", codec.name.lower(), plain, validated, validated - plain, validated / plain]
            )
    return rows


def first_reading() -> list[object]:
    """How long the first batch waits for 100,000 schemas, and what they take in the broker's memory."""
    with caudal_broker() as broker:
        asyncio.run(fill(broker.bootstrap_servers, LOADED_SCHEMAS))
        create(broker, "subject-0", {})
        create(broker, "validated", VALIDATED)
        before, started = broker.memory_mib(), time.perf_counter()
        uvloop.run(run(broker.bootstrap_servers, frame("validated", 1, Codec.NONE), 1, 0))
        seconds = time.perf_counter() - started
        return [f"{LOADED_SCHEMAS:,}", seconds, broker.memory_mib() - before]


def main() -> None:
    print(machine())
    columns = ("records a batch", "codec", "plain, µs a record", "validated, µs a record", "more, µs", "ratio")
    print(table(f"Broker CPU, values of {VALUE_BYTES} bytes, median of {RUNS} runs", columns, validating(RUNS)))
    print(table("The first batch that is validated", ("schemas", "waits, s", "memory, MiB"), [first_reading()]))


if __name__ == "__main__":
    main()
