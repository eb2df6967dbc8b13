"""One run of aiokafka producing to one broker, in a process of its own; prints one JSON line.

python -m benchmarks.aiokafka_client BOOTSTRAP TOPIC COUNT SIZE
"""

import asyncio
import json
import sys
import time

import aiokafka
import uvloop

AHEAD = 1_000
"""Records sent before the first of them has to be acknowledged."""


async def produce(bootstrap: str, topic: str, count: int, size: int) -> float:
    """Seconds for count records with acks=all, from the first call to the last acknowledgement."""
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=131_072
    )
    await producer.start()
    value = bytes(size)
    try:
        await producer.partitions_for(topic)
        started = time.perf_counter()
        for _ in range(count // AHEAD):
            futures = [await producer.send(topic, value) for _ in range(AHEAD)]
            await asyncio.gather(*futures)
        return time.perf_counter() - started
    finally:
        await producer.stop()


def main() -> None:
    bootstrap, topic, count, size = sys.argv[1:]
    print(json.dumps({"seconds": uvloop.run(produce(bootstrap, topic, int(count), int(size)))}))


if __name__ == "__main__":
    main()
