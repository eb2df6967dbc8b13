"""T2: power is lost. With `caudal.flush.mode=always` nothing acknowledged goes, else only the last moment's."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.asking import commit, committed, produce
from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.checker import LogHistory, Place, Value
from tests.faults.power_loss import leave_what_was_synced, longest_round_s
from tests.faults.producers import read_topic
from tests.integration.broker.wire_client import WireClient

RECORDING_BROKER = Path(__file__).with_name("recording_broker.py")
TOPIC = "kept"
PARTITIONS = 6
SMALL_SEGMENTS = {"internal.segment.bytes": "20000"}
INTERVAL_MS = 200
FACTOR_MAX = 1.5


class SerialProducer:
    """Sends one record after the other to two partitions and commits how far it got, until the connection breaks."""

    def __init__(self, number: int, broker: BrokerUnderTest) -> None:
        self.name = f"producer-{number}"
        self.sent: set[Value] = set()
        self.acknowledged: dict[Value, tuple[Place, float]] = {}
        """Where each value is, and when that was learnt."""
        self.committed_s: dict[int, float] = {}
        self._partitions = (2 * number, 2 * number + 1)
        self._wire = WireClient(broker.bootstrap_servers, timeout=30)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        self._wire.socket.close()

    def _run(self) -> None:
        try:
            sequence = 0
            while True:
                self._produce(Value(self.name, sequence))
                if sequence % 5 == 0:
                    self._commit(sequence)
                sequence += 1
        except (EOFError, OSError):
            return

    def _produce(self, value: Value) -> None:
        partition = self._partitions[value.sequence % 2]
        self.sent.add(value)
        answer = produce(self._wire, TOPIC, value.encode(), partition=partition)
        assert answer.error_code == 0
        self.acknowledged[value] = Place(partition, answer.base_offset), time.monotonic()

    def _commit(self, offset: int) -> None:
        assert commit(self._wire, self.name, TOPIC, offset) == 0
        self.committed_s[offset] = time.monotonic()


@pytest.mark.parametrize("mode", ["always", "interval"])
def test_what_is_promised_survives_a_loss_of_power(
    new_broker: Callable[..., BrokerUnderTest],
    tmp_path: Path,
    chance: random.Random,
    is_soak: bool,
    figures: Callable[..., None],
    within: Callable[..., None],
    mode: str,
) -> None:
    journal = tmp_path / "journal"
    settings = {"caudal.flush.mode": mode, "caudal.flush.interval.ms": str(INTERVAL_MS)}
    broker = new_broker(settings=settings, program=(str(RECORDING_BROKER), str(journal)))
    broker.create_topic(TOPIC, PARTITIONS, SMALL_SEGMENTS)
    producers = [SerialProducer(number, broker) for number in range(PARTITIONS // 2)]
    time.sleep(chance.uniform(5, 20) if is_soak else chance.uniform(1.5, 3))
    killed_s = time.monotonic()
    broker.kill()
    for producer in producers:
        producer.join()

    leave_what_was_synced(tmp_path / "data", journal, tmp_path / "image")
    image = new_broker(data_folder=tmp_path / "image")
    history = LogHistory(read=read_topic(image.bootstrap_servers, TOPIC, PARTITIONS))
    found = {value for _, value in history.read}
    lost_s = [0.0]
    for producer in producers:
        history.sent |= producer.sent
        for value, (place, at_s) in producer.acknowledged.items():
            if value in found or mode == "always":
                history.acknowledged[value] = place
            if value not in found:
                lost_s.append(killed_s - at_s)
        with WireClient(image.bootstrap_servers) as wire:
            kept = committed(wire, producer.name, TOPIC)
        lost_s += [killed_s - at_s for offset, at_s in producer.committed_s.items() if offset > kept]
    round_ms = longest_round_s(journal) * 1000
    figures(
        mode=mode,
        acknowledged=sum(len(producer.acknowledged) for producer in producers),
        lost=len(lost_s) - 1,
        loss_window_ms=max(lost_s) * 1000,
        longest_round_ms=round_ms,
    )
    assert history.violations()[:10] == []
    if mode == "always":
        assert lost_s == [0.0]
    else:
        # How long the disk of a busy machine takes for a round is not the broker's doing.
        within(loss_window_ms=(max(lost_s) * 1000, FACTOR_MAX * max(INTERVAL_MS, round_ms)))
    assert image.unforeseen_lines() == []
    assert image.log_lines("damaged") == []
