"""Transactions on a real data folder without a network, with crashes at any write, and a consumer to check them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from broker.config import BrokerConfig
from broker.errors import UnknownTopicOrPartition
from broker.groups import (
    OFFSETS_TOPIC,
    CommittedOffset,
    GroupCoordinator,
    Now,
    OffsetStore,
    PartitionOffset,
    PartitionOffsetsLog,
)
from broker.log import FlushMode, FlushPolicy, PartitionLog
from broker.log.stable_reads import before_offset, end_offset_of
from broker.producer_ids import ProducerIds
from broker.protocol.primitives import NULL_UUID
from broker.protocol.record_batch import Record, build_batch, iter_batches, iter_records, read_header, read_marker
from broker.transactions import (
    TRANSACTIONS_TOPIC,
    Markers,
    ProducerIdAndEpoch,
    Transaction,
    TransactionCoordinator,
    TransactionLog,
    join_transaction,
)
from tests.doubles import ManualClock
from tests.unit.broker.log.making import DataRoot

TOPIC = "orders"
TIMEOUT_MS = 60_000


class Crashed(BaseException):
    """The process ends here; what was written stays."""


class TransactionDriver:
    """The coordinator with its logs and groups; `writes_left` is how many writes it does before it crashes."""

    def __init__(
        self, folder: Path, *, partition_count: int = 2, mode: FlushMode = FlushMode.NEVER, **topic_configs: int
    ) -> None:
        self.root = DataRoot(folder, flush=FlushPolicy(mode))
        self.clock = ManualClock()
        self.partitions = range(partition_count)
        self.writes_left: int | None = None
        self._folder = folder
        self._sequences: dict[tuple[ProducerIdAndEpoch, int], itertools.count[int]] = {}
        for partition in self.partitions:
            self.root.create(TOPIC, partition, **topic_configs)
        self.open()

    @property
    def now(self) -> Now:
        return Now.by(self.clock)

    def open(self) -> None:
        self.writes_left = None
        producer_ids = ProducerIds(self._folder)
        producer_ids.open()
        offsets = PartitionOffsetsLog(existing=lambda: self._existing(OFFSETS_TOPIC), ensure=self._ensure_offsets)
        self.groups = GroupCoordinator(OffsetStore(offsets), BrokerConfig())
        self.groups.load(self.now)
        log = TransactionLog(
            existing=lambda: self._existing(TRANSACTIONS_TOPIC), ensure=lambda: self._ensure(TRANSACTIONS_TOPIC)
        )
        markers = Markers(self.log_of, self.groups)
        self._crash_before(log, "save")
        self._crash_before(markers, "write")
        self.coordinator = TransactionCoordinator(log, markers, producer_ids, BrokerConfig())
        self.coordinator.load(self.now)

    def restart(self, *, clean: bool = True) -> None:
        self.root.restart(clean=clean)
        self.open()

    def init(self, transactional_id: str = "x", *, timeout_ms: int = TIMEOUT_MS) -> ProducerIdAndEpoch:
        return self.coordinator.init_producer_id(transactional_id, timeout_ms, None, self.now)

    def produce(
        self,
        producer: ProducerIdAndEpoch,
        *values: str,
        partition: int = 0,
        transactional_id: str = "x",
        version: int = 2,
    ) -> None:
        """As the Produce handler does it; with version 0 the partition is added by a request of its own."""
        log = self.log_of(TOPIC, partition)
        if version < 2:
            self.coordinator.add_partitions(transactional_id, producer, [(TOPIC, partition)], self.now)
        self.join(producer, (TOPIC, partition), transactional_id, adds=version >= 2)
        sequences = self._sequences.setdefault((producer, partition), itertools.count())
        first = next(sequences)
        for _ in values[1:]:
            next(sequences)
        batch = build_batch(
            [Record(0, self.now.wall_ms, b"k", value.encode()) for value in values],
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            base_sequence=first,
            transactional=True,
        )
        log.append(batch, read_header(batch), now_ms=self.now.wall_ms)

    def join(
        self, producer: ProducerIdAndEpoch, partition: tuple[str, int], transactional_id: str = "x", *, adds: bool
    ) -> None:
        if not self.log_of(*partition).producer_state.is_in_transaction(*producer):
            join_transaction(
                self.coordinator,
                transactional_id,
                producer,
                partition,
                self.now,
                adds_partitions=adds,
                knows_abortable=True,
            )

    def end(
        self, producer: ProducerIdAndEpoch, *, commit: bool, transactional_id: str = "x", version: int = 2
    ) -> ProducerIdAndEpoch:
        return self.coordinator.end(transactional_id, producer, self.now, commit=commit, client_version=version)

    def commit_offset(
        self, producer: ProducerIdAndEpoch, offset: int, *, group_id: str = "g", transactional_id: str = "x"
    ) -> None:
        self._ensure_offsets()
        self.join(producer, (OFFSETS_TOPIC, 0), transactional_id, adds=True)
        committed = CommittedOffset(offset, -1, "", self.now.wall_ms, None, NULL_UUID)
        self.groups.commit_offsets_in_transaction(
            group_id,
            [PartitionOffset(TOPIC, 0, committed)],
            member_id="",
            group_instance_id=None,
            generation_id=-1,
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            now=self.now,
        )

    def committed_offset(self, group_id: str = "g") -> int | None:
        found = self.groups.committed_offsets(group_id).get(TOPIC, {}).get(0)
        return None if found is None else found.offset

    def transaction(self, transactional_id: str = "x") -> Transaction:
        return self.coordinator.describe(transactional_id)

    def log_of(self, topic: str, partition: int) -> PartitionLog:
        log = self.root.logs.get(topic, partition)
        if log is None:
            raise UnknownTopicOrPartition
        return log

    def read_committed(self, partition: int = 0, *, bytes_max: int = 1 << 20) -> list[str]:
        """What a read_committed consumer gets, by the rules of Kafka's own."""
        log = self.log_of(TOPIC, partition)
        offset, values = log.log_start_offset, []
        while offset < log.last_stable_offset:
            records = before_offset(log.read(offset=offset, bytes_max=bytes_max), log.last_stable_offset)
            aborted = log.aborted_transactions.overlapping(offset, end_offset_of(records))
            to_come = sorted((each.first_offset, each.producer_id) for each in aborted)
            passing_over: set[int] = set()
            for batch in iter_batches(records):
                header = read_header(batch)
                while to_come and to_come[0][0] <= header.last_offset:
                    passing_over.add(to_come.pop(0)[1])
                offset = header.last_offset + 1
                if header.is_control:
                    marker = read_marker(batch)
                    if marker is not None and not marker.commit:
                        passing_over.discard(header.producer_id)
                elif not (header.is_transactional and header.producer_id in passing_over):
                    values += [bytes(record.value or b"").decode() for record in iter_records(batch)]
        return values

    def _existing(self, topic: str) -> Sequence[PartitionLog]:
        log = self.root.logs.get(topic, 0)
        return [] if log is None else [log]

    def _ensure(self, topic: str) -> Sequence[PartitionLog]:
        return self._existing(topic) or [self.root.create(topic)]

    def _ensure_offsets(self) -> Sequence[PartitionLog]:
        return self._ensure(OFFSETS_TOPIC)

    def _crash_before(self, part: object, name: str) -> None:
        method = getattr(part, name)

        def crash_or_do(*args: object, **kwargs: object) -> object:
            if self.writes_left is not None:
                if self.writes_left == 0:
                    raise Crashed
                self.writes_left -= 1
            return method(*args, **kwargs)

        setattr(part, name, crash_or_do)
