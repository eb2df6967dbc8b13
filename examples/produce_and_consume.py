"""Keyed records in, a consumer group out, with aiokafka."""

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

KAFKA = os.environ.get("KAFKA", "localhost:9092")
TOPIC = "example-orders"


async def main() -> None:
    async with AIOKafkaProducer(bootstrap_servers=KAFKA) as producer:
        for number in range(10):
            await producer.send_and_wait(TOPIC, key=b"customer-%d" % (number % 3), value=b"order %d" % number)
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=KAFKA, group_id="example-billing", auto_offset_reset="earliest"
    )
    async with consumer:
        for _ in range(10):
            record = await consumer.getone()
            print(record.partition, record.offset, record.key.decode(), record.value.decode())
        await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
