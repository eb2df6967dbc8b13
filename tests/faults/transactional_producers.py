"""Real clients' transactional producers, each in a thread of its own, that keep going while the broker dies.

`Writer` makes transactions of new values and aborts some of them; `Copier` reads one topic, writes what it read to
another and commits how far it got, all in one transaction: exactly once, if the broker keeps its word.
"""

import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.faults.checker import Place, Value
from tests.faults.transaction_checker import Outcome, Transacted

CALL_SECONDS = 60
JOIN_SECONDS = 150
READ_SECONDS = 120
CLIENT = {
    "socket.timeout.ms": 10_000,
    "retry.backoff.ms": 50,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 300,
    "metadata.recovery.strategy": "none",  # librdkafka 2.16 waits for ever in the handles that a re-bootstrap leaves
    "log_level": 0,
}


_T = TypeVar("_T")


class _ProducerLost(Exception):
    """This producer is of no use any more; another one with the same transactional id must take over."""


class TransactionalClient(ABC):
    """One transaction after the other, until it is stopped; what became of each is in `transactions`."""

    def __init__(self, name: str, bootstrap_servers: str, topic: str, partition_count: int, seed: int) -> None:
        self.name = name
        self.transactions: list[Transacted] = []
        self.failures: list[str] = []
        self.producers = 0
        """How many producers it needed."""
        self._servers = bootstrap_servers
        self._topic = topic
        self._partition_count = partition_count
        self._chance = random.Random(f"{name} {seed}")
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run_and_note, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no more transactions, and wait until the last has ended."""
        self._is_stopped.set()
        self._thread.join(JOIN_SECONDS)
        if self._thread.is_alive():
            self.failures.append(f"{self.name} did not end")

    @abstractmethod
    def _transact(self, producer: Producer) -> None:
        """One transaction, begun and ended."""

    @abstractmethod
    def _resume(self) -> None:
        """A producer has taken over: what the one before had begun is settled now."""

    def _run_and_note(self) -> None:
        try:
            while not self._is_stopped.is_set():
                self._run_producer()
        except Exception as error:
            self.failures.append(f"{self.name}: {error!r}")

    def _run_producer(self) -> None:
        producer = Producer(
            {"bootstrap.servers": self._servers, "transactional.id": self.name, "linger.ms": 2, **CLIENT}
        )
        self.producers += 1
        try:
            _call(lambda: producer.init_transactions(CALL_SECONDS))
            self._resume()
            while not self._is_stopped.is_set():
                self._transact(producer)
                time.sleep(0.003)
        except _ProducerLost:
            pass

    def _end(self, producer: Producer, transaction: Transacted, *, commit: bool) -> None:
        """End the transaction, and note how. Raises _ProducerLost: that is not known."""
        if commit:
            try:
                _call(lambda: producer.commit_transaction(CALL_SECONDS))
                transaction.outcome = Outcome.COMMITTED
                return
            except KafkaException as error:
                if not error.args[0].txn_requires_abort():
                    raise
        self._abort(producer, transaction)

    def _abort(self, producer: Producer, transaction: Transacted) -> None:
        _call(lambda: producer.abort_transaction(CALL_SECONDS))
        transaction.outcome = Outcome.ABORTED

    def _write(self, producer: Producer, transaction: Transacted, topic: str, value: Value) -> None:
        transaction.wrote.add(value)
        partition = value.sequence % self._partition_count
        producer.produce(topic, value.encode(), partition=partition)


class Writer(TransactionalClient):
    """Transactions of a few values, spread over the partitions; every fourth is aborted on purpose.

    Each also reads on in another topic, `reads`: so it comes after all transactions that wrote there.
    """

    def __init__(
        self, name: str, bootstrap_servers: str, topic: str, reads: str, partition_count: int, seed: int
    ) -> None:
        super().__init__(name, bootstrap_servers, topic, partition_count, seed)
        self._numbers = itertools.count()
        self._consumer = _consumer(bootstrap_servers, f"{name}-reads")
        self._consumer.assign([TopicPartition(reads, partition, 0) for partition in range(partition_count)])

    def stop(self) -> None:
        super().stop()
        self._consumer.close()

    def _resume(self) -> None:
        """New values are new values."""

    def _transact(self, producer: Producer) -> None:
        transaction = Transacted(f"{self.name}-{len(self.transactions)}")
        self.transactions.append(transaction)
        try:
            producer.begin_transaction()
            messages = self._consumer.consume(20, timeout=0)
            transaction.read = {Value.decode(message.value()) for message in messages if message.error() is None}
            for _ in range(self._chance.randrange(1, 8)):
                self._write(producer, transaction, self._topic, Value(self.name, next(self._numbers)))
        except KafkaException as error:
            if error.args[0].fatal():
                raise _ProducerLost from error
            self._abort(producer, transaction)
            return
        self._end(producer, transaction, commit=self._chance.random() > 0.25)


class Copier(TransactionalClient):
    """Copies `topic` to `target`; its group is named as it is."""

    def __init__(
        self, name: str, bootstrap_servers: str, topic: str, target: str, partition_count: int, seed: int
    ) -> None:
        super().__init__(name, bootstrap_servers, topic, partition_count, seed)
        self.went_back: list[str] = []
        """Where the broker said that less was committed than it had acknowledged before."""
        self._target = target
        self._highest: dict[int, int] = {}
        self._consumer = _consumer(bootstrap_servers, name)

    def stop(self) -> None:
        super().stop()
        self._consumer.close()

    def _resume(self) -> None:
        """Go on where the group has committed: whether the last transaction counts, the broker says now."""
        asked = [TopicPartition(self._topic, partition) for partition in range(self._partition_count)]
        found = _call(lambda: self._consumer.committed(asked, timeout=5))
        for each in found:
            offset = max(each.offset, 0)
            if offset < self._highest.get(each.partition, 0):
                self.went_back.append(f"{self.name}-{each.partition}: {self._highest[each.partition]} to {offset}")
            self._highest[each.partition] = max(offset, self._highest.get(each.partition, 0))
        self._consumer.assign([TopicPartition(self._topic, each.partition, max(each.offset, 0)) for each in found])

    def _transact(self, producer: Producer) -> None:
        messages = [message for message in self._consumer.consume(20, timeout=0.1) if message.error() is None]
        if not messages:
            return
        transaction = Transacted(f"{self.name}-{len(self.transactions)}")
        self.transactions.append(transaction)
        try:
            producer.begin_transaction()
            for message in messages:
                value = Value.decode(message.value())
                transaction.read.add(value)
                self._write(producer, transaction, self._target, Value(f"copy of {value.producer}", value.sequence))
            positions = _positions(messages, self._topic)
            _call(
                lambda: producer.send_offsets_to_transaction(
                    positions, self._consumer.consumer_group_metadata(), CALL_SECONDS
                )
            )
        except KafkaException as error:
            if error.args[0].fatal():
                raise _ProducerLost from error
            self._abort(producer, transaction)
        else:
            self._end(producer, transaction, commit=self._chance.random() > 0.1)
        if transaction.outcome is Outcome.COMMITTED:
            for position in positions:
                self._highest[position.partition] = position.offset
        if transaction.outcome is not Outcome.COMMITTED or self._chance.random() < 0.05:
            self._resume()


def _consumer(bootstrap_servers: str, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "auto.offset.reset": "earliest",
            **CLIENT,
        }
    )


def _positions(messages: list[Message], topic: str) -> list[TopicPartition]:
    ends: dict[int, int] = {}
    for message in messages:
        ends[message.partition()] = message.offset() + 1
    return [TopicPartition(topic, partition, offset) for partition, offset in ends.items()]


def _call(call: Callable[[], _T]) -> _T:
    """Call, and again as long as the client says that this may help. Raises _ProducerLost if nothing will."""
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        try:
            return call()
        except KafkaException as error:
            cause = error.args[0]
            if cause.fatal():
                raise _ProducerLost from error
            may_help = cause.retriable() or cause.code() in (
                KafkaError._TIMED_OUT,
                KafkaError._TRANSPORT,
                KafkaError._ALL_BROKERS_DOWN,
                KafkaError._WAIT_COORD,
            )
            if cause.txn_requires_abort() or not may_help or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def read_committed(bootstrap_servers: str, topic: str, partition_count: int) -> list[tuple[Place, Value]]:
    """Everything that a read_committed consumer sees of a topic, up to the high watermark."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "read-committed",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    read: list[tuple[Place, Value]] = []
    unread = set(range(partition_count))
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in unread])
        deadline = time.monotonic() + READ_SECONDS
        while unread:
            assert time.monotonic() < deadline, f"partitions {sorted(unread)} of {topic} cannot be read to their end"
            for message in consumer.consume(1_000, timeout=0.2):
                if (error := message.error()) is None:
                    read.append((Place(message.partition(), message.offset()), Value.decode(message.value())))
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
    return read
