"""One run of confluent-kafka against one broker, in a process of its own; prints one JSON line.

python -m benchmarks.librdkafka_client BOOTSTRAP TOPIC produce|consume COUNT SIZE
"""

import json
import sys
import time

from confluent_kafka import Consumer, Producer


def produce(bootstrap: str, topic: str, count: int, size: int) -> float:
    """Seconds for count idempotent records with acks=all, from the first call to the last acknowledgement."""
    failures = 0

    def acknowledged(error: object, _message: object) -> None:
        nonlocal failures
        failures += error is not None

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "delivery.report.only.error": True,
            "on_delivery": acknowledged,
        }
    )
    producer.list_topics(topic, timeout=10)
    value = bytes(size)
    started = time.perf_counter()
    for _ in range(count):
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.01)
    producer.flush()
    seconds = time.perf_counter() - started
    assert failures == 0, f"{failures} records were refused"
    return seconds


def consume(bootstrap: str, topic: str, count: int, size: int) -> float:
    """Seconds from the first record to the last of count."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 1_048_576,
            "queued.max.messages.kbytes": 262_144,
            # Without these it rests for a second whenever 100,000 records wait in it, and measures that.
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 10,
            "check.crcs": False,
        }
    )
    consumer.subscribe([topic])
    seen = 0
    started = 0.0
    while seen < count:
        messages = consumer.consume(10_000, timeout=10)
        if not messages:
            raise AssertionError(f"only {seen} of {count} records came")
        if seen == 0:
            started = time.perf_counter()
        seen += len(messages)
    seconds = time.perf_counter() - started
    consumer.close()
    return seconds


def main() -> None:
    bootstrap, topic, what, count, size = sys.argv[1:]
    run = produce if what == "produce" else consume
    print(json.dumps({"seconds": run(bootstrap, topic, int(count), int(size))}))


if __name__ == "__main__":
    main()
