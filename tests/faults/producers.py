"""Real clients' idempotent producers, each in a thread or process of its own, that send on while the broker dies."""

import asyncio
import contextlib
import itertools
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.conformance.builds import HERE, JAVA, go_program, java_3_libraries, java_classes, kit_libraries
from tests.faults.checker import LogHistory, Place, Value

JAVA_SOURCE = HERE / "java" / "LoadProducer.java"
FLUSH_SECONDS = 60
READ_SECONDS = 60
LIBRDKAFKA = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 5,
    "retry.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "message.timeout.ms": FLUSH_SECONDS * 1000,
    "log_level": 0,
}


class LoadProducer(ABC):
    """Sends numbered values round the partitions of a topic, about `rate` a second, until it is stopped."""

    def __init__(self, name: str, bootstrap_servers: str, topic: str, partition_count: int, rate: int) -> None:
        self.name = name
        self.sent: set[Value] = set()
        self.acknowledged: dict[Value, Place] = {}
        self.failures: list[str] = []
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._partition_count = partition_count
        self._rate = rate
        self._pause_s = 0.01
        self._per_pause = max(1, int(rate * self._pause_s))
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run_and_note, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait until all that was sent is answered."""
        self._is_stopped.set()
        self._thread.join(2 * FLUSH_SECONDS)
        if self._thread.is_alive():
            self.failures.append(f"{self.name} did not end")

    def add_to(self, history: LogHistory) -> None:
        history.sent |= self.sent
        history.acknowledged |= self.acknowledged

    @abstractmethod
    def _run(self) -> None:
        """Send until stopped, then flush."""

    def _run_and_note(self) -> None:
        try:
            self._run()
        except Exception as error:
            self.failures.append(f"{self.name}: {error!r}")

    def _next_values(self, numbers: "itertools.count[int]") -> list[tuple[Value, int]]:
        values = [Value(self.name, next(numbers)) for _ in range(self._per_pause)]
        self.sent.update(values)
        return [(value, value.sequence % self._partition_count) for value in values]


class LibrdkafkaProducer(LoadProducer):
    """confluent-kafka."""

    def _run(self) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap_servers, **LIBRDKAFKA})
        numbers = itertools.count()
        while not self._is_stopped.is_set():
            for value, partition in self._next_values(numbers):
                while True:
                    try:
                        producer.produce(self._topic, value.encode(), partition=partition, on_delivery=self._delivered)
                        break
                    except BufferError:  # its queue is full while the broker is away
                        producer.poll(0.1)
            producer.poll(0)
            time.sleep(self._pause_s)
        if producer.flush(FLUSH_SECONDS):
            self.failures.append(f"{self.name}: not everything was answered")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failures.append(f"{self.name}: {error}")
            return
        self.acknowledged[Value.decode(message.value())] = Place(message.partition(), message.offset())


class AiokafkaProducer(LoadProducer):
    """aiokafka, in an event loop of its own."""

    def _run(self) -> None:
        asyncio.run(self._send())

    async def _send(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            retry_backoff_ms=50,
            request_timeout_ms=FLUSH_SECONDS * 1000,
        )
        await producer.start()
        numbers = itertools.count()
        waiting: set[asyncio.Task[None]] = set()
        try:
            while not self._is_stopped.is_set():
                for value, partition in self._next_values(numbers):
                    answer = await producer.send(self._topic, value.encode(), partition=partition)
                    task = asyncio.create_task(self._note(value, answer))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
                await asyncio.sleep(self._pause_s)
            if waiting:
                await asyncio.wait(waiting, timeout=FLUSH_SECONDS)
        finally:
            await producer.stop()

    async def _note(self, value: Value, answer: "asyncio.Future[object]") -> None:
        try:
            metadata = await answer
        except Exception as error:
            self.failures.append(f"{self.name}: {value}: {error!r}")
            return
        self.acknowledged[value] = Place(metadata.partition, metadata.offset)  # type: ignore[attr-defined]


class ProgramProducer(LoadProducer):
    """A client of another language: a program of tests/conformance that prints what became of its values."""

    command: Callable[[], list[str]]

    def _run(self) -> None:
        arguments = [self._bootstrap_servers, self._topic, str(self._partition_count), self.name, str(self._rate)]
        with subprocess.Popen(
            [*self.command(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            stopper = threading.Thread(target=self._stop_program, args=(process,))
            stopper.start()
            for line in process.stdout:
                self._note_line(line.strip())
            self._is_stopped.set()
            stopper.join()
        if process.returncode:
            self.failures.append(f"{self.name} exited {process.returncode}")

    def _stop_program(self, process: "subprocess.Popen[str]") -> None:
        self._is_stopped.wait()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("stop\n")
            process.stdin.flush()
        try:
            process.wait(FLUSH_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    def _note_line(self, line: str) -> None:
        if line.startswith("sent "):
            self.sent = {Value(self.name, sequence) for sequence in range(int(line.removeprefix("sent ")))}
        elif line.startswith("failed "):
            self.failures.append(f"{self.name}: {line}")
        else:
            sequence, partition, offset = map(int, line.split())
            self.acknowledged[Value(self.name, sequence)] = Place(partition, offset)


class Java4Producer(ProgramProducer):
    """Apache Kafka's own, of 4.3."""

    command = staticmethod(lambda: [*JAVA, "-cp", f"{java_classes(JAVA_SOURCE)}:{kit_libraries()}", "LoadProducer"])


class Java3Producer(ProgramProducer):
    """Apache Kafka's own, of 3.9."""

    command = staticmethod(lambda: [*JAVA, "-cp", f"{java_classes(JAVA_SOURCE)}:{java_3_libraries()}", "LoadProducer"])


class FranzGoProducer(ProgramProducer):
    """franz-go."""

    command = staticmethod(lambda: [str(go_program("load_producer"))])


def read_topic(bootstrap_servers: str, topic: str, partition_count: int) -> list[tuple[Place, Value]]:
    """Everything in a topic, as a consumer reads it from the start to the end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reader",
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
            if time.monotonic() > deadline:
                raise AssertionError(f"partitions {sorted(unread)} of {topic} cannot be read to their end")
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
