"""T1 and T14 together: kill -9 while idempotent and transactional producers send and offsets are committed with them.

`make soak` does 200 rounds, ten with each of its seeds.
"""

import random
import time
from collections.abc import Callable

from tests.conftest import wait_until
from tests.faults.asking import hanging_transactions, last_stable_and_end_offsets
from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.checker import LogHistory, Value
from tests.faults.producers import LibrdkafkaProducer, read_topic
from tests.faults.transaction_checker import TransactionHistory
from tests.faults.transactional_producers import Copier, TransactionalClient, Writer, read_committed
from tests.integration.broker.wire_client import WireClient

PARTITIONS = 4
SETTINGS = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
}
TOPIC_CONFIGS = [{}, {"internal.segment.bytes": "10000"}]


def test_transactions_stay_whole_when_the_broker_is_killed(
    new_broker: Callable[..., BrokerUnderTest],
    chance: random.Random,
    seed: int,
    is_soak: bool,
    figures: Callable[..., None],
) -> None:
    rounds = 10 if is_soak else 3
    broker = new_broker(settings=SETTINGS)
    servers = broker.bootstrap_servers
    broker.create_topic("plain", PARTITIONS)
    for topic in ("source", "copies"):
        broker.create_topic(topic, PARTITIONS, chance.choice(TOPIC_CONFIGS))
    idempotent = LibrdkafkaProducer("idempotent", servers, "plain", PARTITIONS, 500)
    writers = [Writer(f"writer-{number}", servers, "source", "copies", PARTITIONS, seed) for number in range(2)]
    copier = Copier("copier", servers, "source", "copies", PARTITIONS, seed)
    clients: list[TransactionalClient] = [*writers, copier]
    for client in (idempotent, *clients):
        client.start()
    for _ in range(rounds):
        time.sleep(chance.uniform(0.5, 5) if is_soak else chance.uniform(0.5, 1.6))
        broker.kill()
        if chance.random() < 0.3:
            broker.start_and_die(chance.uniform(0.1, 0.5))
        broker.start()
    time.sleep(1)
    for client in (idempotent, *clients):
        client.stop()
    assert [failure for client in (idempotent, *clients) for failure in client.failures] == []

    with WireClient(servers) as wire:
        for topic in ("source", "copies"):
            wait_until(
                lambda topic=topic: all(
                    lso == end for lso, end in last_stable_and_end_offsets(wire, topic, PARTITIONS)
                ),
                timeout=75,  # the clients' own transaction timeout, a minute, for what the last of them left open
                what=f"the last stable offsets of {topic}",
            )
            assert hanging_transactions(wire, topic, PARTITIONS) == []
    plain = LogHistory(read=read_topic(servers, "plain", PARTITIONS))
    idempotent.add_to(plain)
    source = TransactionHistory(
        [transaction for writer in writers for transaction in writer.transactions],
        read_committed(servers, "source", PARTITIONS),
    )
    copies = TransactionHistory(copier.transactions, read_committed(servers, "copies", PARTITIONS))
    everything = TransactionHistory([*source.transactions, *copies.transactions], [*source.read, *copies.read])
    figures(
        rounds=rounds,
        idempotent=len(plain.acknowledged),
        transactions=len(everything.transactions),
        committed=sum(each.outcome.value == "committed" for each in everything.transactions),
        unknown=sum(each.outcome.value == "unknown" for each in everything.transactions),
        values=len(source.read),
        copied=len(copies.read),
        read_by_writers=sum(len(transaction.read) for transaction in source.transactions),
        producers=sum(client.producers for client in clients),
    )
    assert plain.violations()[:10] == []
    assert len(plain.acknowledged) == len(plain.sent)
    # A copy is made by one transaction only; one that was aborted leaves its values to the next.
    assert [each for each in source.violations() if each][:10] == []
    assert _but_copied_again(copies)[:10] == []
    assert everything.violations()[:10] == []  # all together: no circle of reads
    assert copier.went_back == []
    originals = {value for _, value in source.read}
    copied = {Value(value.producer.removeprefix("copy of "), value.sequence) for _, value in copies.read}
    assert copied <= originals
    assert len(copied) == len(copies.read)
    assert broker.unforeseen_lines() == []


def _but_copied_again(copies: TransactionHistory) -> list[str]:
    """What is wrong, save that values of an aborted copy are there: another transaction copied them again."""
    written_again: dict[Value, int] = {}
    for transaction in copies.transactions:
        for value in transaction.wrote:
            written_again[value] = written_again.get(value, 0) + 1
    for transaction in copies.transactions:
        if transaction.outcome.value != "committed":
            transaction.wrote = {value for value in transaction.wrote if written_again[value] == 1}
    return copies.violations()
