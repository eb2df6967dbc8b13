"""Read, transform and write in one transaction with confluent-kafka: all of it happens, or nothing."""

import os

from confluent_kafka import Consumer, Producer, TopicPartition

KAFKA = os.environ.get("KAFKA", "localhost:9092")
SOURCE, TARGET = "example-words", "example-shouts"


def fill(count: int) -> None:
    producer = Producer({"bootstrap.servers": KAFKA})
    for number in range(count):
        producer.produce(SOURCE, f"word {number}")
    producer.flush()


def shout(count: int) -> None:
    """Move records in transactions; their offsets are committed with what was made of them."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": "example-shouters",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": KAFKA, "transactional.id": "example-shouter"})
    producer.init_transactions()
    consumer.subscribe([SOURCE])
    while count > 0:
        messages = consumer.consume(100, timeout=10)
        if not messages:
            raise SystemExit("no records came")
        producer.begin_transaction()
        for message in messages:
            producer.produce(TARGET, message.value().upper())
        last = messages[-1]
        producer.send_offsets_to_transaction(
            [TopicPartition(last.topic(), last.partition(), last.offset() + 1)], consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
        count -= len(messages)
    consumer.close()


def read(count: int) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": "example-readers",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([TARGET])
    while count > 0:
        for message in consumer.consume(100, timeout=10):
            print(message.value().decode())
            count -= 1
    consumer.close()


if __name__ == "__main__":
    fill(5)
    shout(5)
    read(5)
