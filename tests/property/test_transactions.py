"""Random histories of several transactional producers, with crashes at any write, against a simple model (T14)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker.errors import ConcurrentTransactions
from broker.log import FlushMode
from broker.transactions import ProducerIdAndEpoch, TransactionState
from tests.unit.broker.transactions.transaction_driver import TIMEOUT_MS, TOPIC, Crashed, TransactionDriver

IDS = ("a", "b", "c")
PARTITIONS = (0, 1)


@dataclass
class Model:
    """What consumers must see, in the order of the log, and what may still go either way."""

    written: list[tuple[int, str, int]] = field(default_factory=list)
    """(partition, value, transaction)"""
    outcomes: dict[int, bool] = field(default_factory=dict)
    """By transaction: whether it was committed. One that is missing is open."""
    offsets: dict[int, int] = field(default_factory=dict)
    """By transaction: the offset it commits for the group of its id."""

    def visible(self, partition: int) -> list[str]:
        return [
            value
            for written_to, value, transaction in self.written
            if written_to == partition and self.outcomes.get(transaction)
        ]


class TransactionHistory(RuleBasedStateMachine):
    """Everything that producers, time and crashes can do, in any order."""

    @initialize(
        segment_bytes=st.sampled_from([300, 1 << 20]), mode=st.sampled_from([FlushMode.NEVER, FlushMode.ALWAYS])
    )
    def begin(self, segment_bytes: int, mode: FlushMode) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.driver = TransactionDriver(Path(self.folder.name, "data"), mode=mode, segment_bytes=segment_bytes)
        self.model = Model()
        self.producers: dict[str, ProducerIdAndEpoch] = {}
        self.open: dict[str, int] = {}
        """By transactional id: the number of its open transaction."""
        self.began = 0

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.driver.root.logs.close()
            self.folder.cleanup()

    @rule(transactional_id=st.sampled_from(IDS))
    def start_producer(self, transactional_id: str) -> None:
        """A new instance takes over; what its predecessor had open is aborted."""
        for _ in range(3):
            try:
                self.producers[transactional_id] = self.driver.init(transactional_id)
                break
            except ConcurrentTransactions:
                self.settle()
        self.ends(transactional_id, commit=False)

    @rule(transactional_id=st.sampled_from(IDS), partition=st.sampled_from(PARTITIONS), version=st.sampled_from([0, 2]))
    def produce(self, transactional_id: str, partition: int, version: int) -> None:
        producer = self.producers.get(transactional_id)
        if producer is None:
            return
        if transactional_id not in self.open:
            self.began += 1
            self.open[transactional_id] = self.began
        value = f"{transactional_id}{len(self.model.written)}"
        self.driver.produce(producer, value, partition=partition, transactional_id=transactional_id, version=version)
        self.model.written.append((partition, value, self.open[transactional_id]))

    @rule(transactional_id=st.sampled_from(IDS), offset=st.integers(0, 1000))
    def commit_offset(self, transactional_id: str, offset: int) -> None:
        if transactional_id in self.open:
            producer = self.producers[transactional_id]
            self.driver.commit_offset(producer, offset, group_id=transactional_id, transactional_id=transactional_id)
            self.model.offsets[self.open[transactional_id]] = offset

    @rule(
        transactional_id=st.sampled_from(IDS),
        commit=st.booleans(),
        version=st.sampled_from([0, 2]),
        writes=st.sampled_from([None, None, 0, 1, 2, 3, 4]),
    )
    def end(self, transactional_id: str, commit: bool, version: int, writes: int | None) -> None:
        """Commit or abort; perhaps the broker crashes after so many writes."""
        if transactional_id not in self.open:
            return
        self.driver.writes_left = writes
        try:
            self.producers[transactional_id] = self.driver.end(
                self.producers[transactional_id], commit=commit, transactional_id=transactional_id, version=version
            )
            self.settle()
        except Crashed:
            self.crash()
            if self.driver.transaction(transactional_id).state is TransactionState.ONGOING:
                return  # nothing was decided
            found = self.driver.transaction(transactional_id)
            self.producers[transactional_id] = ProducerIdAndEpoch(found.producer_id, found.producer_epoch)
        finally:
            self.driver.writes_left = None
        self.ends(transactional_id, commit=commit)

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        if clean:
            self.driver.restart()
        else:
            self.crash()

    @rule()
    @precondition(lambda self: bool(self.open))
    def time_runs_out(self) -> None:
        self.driver.clock.advance(TIMEOUT_MS)
        self.driver.coordinator.tick(self.driver.now)
        self.settle()
        for transactional_id in list(self.open):
            self.ends(transactional_id, commit=False)
            del self.producers[transactional_id]

    @rule()
    def checkpoint(self) -> None:
        self.driver.root.logs.write_checkpoints()

    def crash(self) -> None:
        self.driver.restart(clean=False)
        self.settle()

    def settle(self) -> None:
        """Let the disk have everything, as often as the coordinator waits for it."""
        for _ in range(4):
            self.driver.root.logs.flush_dirty(self.driver.now.wall_ms)
            self.driver.coordinator.write_markers(self.driver.now)

    def ends(self, transactional_id: str, *, commit: bool) -> None:
        transaction = self.open.pop(transactional_id, None)
        if transaction is not None:
            self.model.outcomes[transaction] = commit

    @invariant()
    def consumers_see_what_was_committed_and_nothing_else(self) -> None:
        if not hasattr(self, "driver"):
            return
        self.settle()
        for partition in PARTITIONS:
            log = self.driver.log_of(TOPIC, partition)
            holding_back = [
                at
                for at, (written_to, _, transaction) in enumerate(self.model.written)
                if written_to == partition and transaction not in self.model.outcomes
            ]
            expected = self.model.visible(partition)
            got = self.driver.read_committed(partition)
            assert got == self.driver.read_committed(partition, bytes_max=200)
            if holding_back:
                assert got == expected[: len(got)]
                before = [entry for entry in self.model.written[: holding_back[0]] if entry[0] == partition]
                assert len(got) == sum(bool(self.model.outcomes[transaction]) for _, _, transaction in before)
            else:
                assert got == expected
                assert log.last_stable_offset == log.high_watermark

    @invariant()
    def offsets_are_those_of_committed_transactions(self) -> None:
        if not hasattr(self, "driver"):
            return
        for transactional_id in IDS:
            found = self.driver.committed_offset(transactional_id)
            mine = {
                transaction
                for _, value, transaction in self.model.written
                if value.startswith(transactional_id) and self.model.outcomes.get(transaction)
            }
            committed = [self.model.offsets[transaction] for transaction in sorted(mine & set(self.model.offsets))]
            assert found == (committed[-1] if committed else None)


TransactionHistory.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTransactionHistory = TransactionHistory.TestCase
