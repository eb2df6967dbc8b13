"""T1: kill -9 while idempotent producers send; nothing acknowledged is lost, doubled or out of order."""

import logging
import random
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.checker import LogHistory
from tests.faults.producers import (
    AiokafkaProducer,
    FranzGoProducer,
    Java3Producer,
    Java4Producer,
    LibrdkafkaProducer,
    LoadProducer,
    ProgramProducer,
    read_topic,
)

TOPIC = "load"
PARTITIONS = 100
KILLS = 3
START_SECONDS_MAX = 1.0
TOPIC_CONFIGS = [{}, {"internal.segment.bytes": "10000"}]
"""Kafka's defaults, and segments so small that the broker often dies while it begins one."""


CLIENTS: dict[str, list[type[LoadProducer]]] = {
    "python": [LibrdkafkaProducer, LibrdkafkaProducer, AiokafkaProducer, AiokafkaProducer],
    "java-and-go": [Java4Producer, Java3Producer, FranzGoProducer, FranzGoProducer],
}
JAVA_AND_GO = pytest.param("java-and-go", marks=[pytest.mark.java, pytest.mark.go])


@pytest.fixture(params=["python", JAVA_AND_GO])
def clients(request: pytest.FixtureRequest) -> list[type[LoadProducer]]:
    """Four producers, of which those that are built are built now."""
    kinds = CLIENTS[request.param]
    programs = [kind for kind in kinds if issubclass(kind, ProgramProducer)]
    if programs:
        for fixture in ("java_tools", "go_program"):  # skips, or fails in CI, without Java or Go
            request.getfixturevalue(fixture)
        for kind in programs:
            kind.command()
    return kinds


@pytest.fixture(autouse=True)
def _quiet_client() -> Iterator[None]:
    """aiokafka logs every attempt to reach a broker that is dead on purpose."""
    logger = logging.getLogger("aiokafka")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed(
    new_broker: Callable[..., BrokerUnderTest],
    clients: list[type[LoadProducer]],
    chance: random.Random,
    is_soak: bool,
    figures: Callable[..., None],
    within: Callable[..., None],
) -> None:
    duration_s = 60 if is_soak else 9
    broker = new_broker()
    broker.create_topic(TOPIC, PARTITIONS, chance.choice(TOPIC_CONFIGS))
    producers = [
        kind(f"{kind.__name__}-{number}", broker.bootstrap_servers, TOPIC, PARTITIONS, 2_000)
        for number, kind in enumerate(clients)
    ]
    for producer in producers:
        producer.start()
    start_seconds = kill_at_random(broker, chance, duration_s)
    start_cpu_seconds = broker.start_cpu_seconds
    for producer in producers:
        producer.stop()

    history = LogHistory(read=read_topic(broker.bootstrap_servers, TOPIC, PARTITIONS))
    for producer in producers:
        producer.add_to(history)
    figures(
        kills=KILLS,
        sent=len(history.sent),
        acknowledged=len(history.acknowledged),
        read=len(history.read),
        lost_or_doubled=len(history.violations()),
        start_s=max(start_seconds),
        start_cpu_s=start_cpu_seconds,
    )
    assert [failure for producer in producers for failure in producer.failures] == []
    assert len(history.acknowledged) == len(history.sent)
    assert history.violations()[:10] == []
    assert broker.unforeseen_lines() == []
    within(start_cpu_s=(start_cpu_seconds, START_SECONDS_MAX))  # the rest is what the clients take of the machine


def kill_at_random(broker: BrokerUnderTest, chance: random.Random, duration_s: float) -> list[float]:
    """Kill the broker at random moments and start it at once again; how long each start took."""
    begun = time.monotonic()
    start_seconds = []
    for moment in sorted(chance.uniform(0.1, 0.9) * duration_s for _ in range(KILLS)):
        time.sleep(max(0.5, begun + moment - time.monotonic()))
        broker.kill()
        if chance.random() < 0.5:
            broker.start_and_die(chance.uniform(0.1, 0.5))
        broker.start()
        start_seconds.append(broker.start_seconds)
    time.sleep(max(0.5, begun + duration_s - time.monotonic()))
    return start_seconds
