"""Idempotence: what each producer id last wrote to one partition (KIP-98), and Kafka's `.snapshot` files of it.

A producer numbers its records per partition. Per producer id we keep the epoch and the last five batches, because a
producer may have five requests in flight: a batch that comes again is answered with its first offset, a gap is refused.
"""

import struct
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

from crc32c import crc32c

from broker.errors import InvalidProducerEpoch, InvalidTxnState, OutOfOrderSequenceNumber
from broker.log.aborted_transactions import AbortedTransaction
from broker.protocol.record_batch import CONTROL, NO_SEQUENCE, TRANSACTIONAL, BatchHeader

REMEMBERED_BATCHES: Final = 5  # Kafka's max.in.flight.requests.per.connection of an idempotent producer
NO_OFFSET: Final = -1
_SEQUENCE_MASK: Final = 0x7FFF_FFFF  # sequences count from 0 to 2^31-1, then start again

SNAPSHOT_VERSION: Final = 1
_SNAPSHOT_HEAD: Final = struct.Struct(">hI")  # version, CRC-32C of what follows
_SNAPSHOT_COUNT: Final = struct.Struct(">i")
_SNAPSHOT_ENTRY: Final = struct.Struct(">qhiqiqiq")


class SentBatch(NamedTuple):
    """A batch that an idempotent producer wrote; all four numbers are inclusive."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int
    timestamp_ms: int


class Producer:
    """What one producer id has done in this partition."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_timestamp_ms", "transaction_first_offset")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: deque[SentBatch] = deque(maxlen=REMEMBERED_BATCHES)
        self.last_timestamp_ms = -1
        self.coordinator_epoch = -1
        self.transaction_first_offset = NO_OFFSET

    @property
    def last_sequence(self) -> int:
        """Sequence of the last record in this epoch; -1 when there is none yet."""
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE


class ProducerState:
    """All producers of one partition."""

    __slots__ = ("_open_transactions", "_producers")

    def __init__(self) -> None:
        self._producers: dict[int, Producer] = {}
        self._open_transactions: dict[int, int] = {}  # producer id -> first offset; in order of the offsets

    def __len__(self) -> int:
        return len(self._producers)

    def get(self, producer_id: int) -> Producer | None:
        """What we know of a producer."""
        return self._producers.get(producer_id)

    def producers(self) -> dict[int, Producer]:
        """All producers by id; not to be changed."""
        return self._producers

    @property
    def first_open_transaction_offset(self) -> int | None:
        """Where the oldest open transaction begins; None without one."""
        return next(iter(self._open_transactions.values()), None)

    def check(self, header: BatchHeader) -> SentBatch | None:
        """May this batch be appended? None: yes. A batch: it is already there, answer its offset.

        Raises InvalidProducerEpoch: a newer producer has taken over this id.
        Raises OutOfOrderSequenceNumber: records are missing before it, or it is older than the batches we remember.
        Raises InvalidTxnState: the producer has a transaction open here, and this batch is not of it.
        """
        producer = self._producers.get(header.producer_id)
        if producer is None:
            return None
        if header.producer_epoch < producer.epoch:
            raise InvalidProducerEpoch(
                f"producer {header.producer_id} sent epoch {header.producer_epoch}, but has epoch {producer.epoch} here"
            )
        sequence = header.base_sequence
        if sequence < 0:  # a marker, or offsets that a group coordinator writes for a transaction
            return None
        if producer.transaction_first_offset != NO_OFFSET and not header.attributes & TRANSACTIONAL:
            raise InvalidTxnState(f"producer {header.producer_id} has a transaction open, and sent a batch outside it")
        is_new_epoch = header.producer_epoch != producer.epoch
        last_sequence = NO_SEQUENCE if is_new_epoch else producer.last_sequence
        if sequence == (last_sequence + 1) & _SEQUENCE_MASK:
            return None
        if not is_new_epoch:
            end = (sequence + header.last_offset_delta) & _SEQUENCE_MASK
            for batch in producer.batches:
                if batch.first_sequence == sequence and batch.last_sequence == end:
                    return batch
        raise OutOfOrderSequenceNumber(
            f"producer {header.producer_id} sent sequence {sequence}, expected {(last_sequence + 1) & _SEQUENCE_MASK}"
        )

    def record(self, header: BatchHeader, base_offset: int, timestamp_ms: int) -> None:
        """Remember an appended batch of a producer id; `timestamp_ms` is its largest, as written."""
        producer = self._producers.get(header.producer_id)
        if producer is None:
            producer = self._producers[header.producer_id] = Producer(header.producer_epoch)
        elif header.producer_epoch != producer.epoch:
            producer.epoch = header.producer_epoch
            producer.batches.clear()
        producer.last_timestamp_ms = timestamp_ms
        if header.attributes & CONTROL:
            self._end_transaction(header.producer_id, producer)
            return
        sequence, delta = header.base_sequence, header.last_offset_delta
        end = (sequence + delta) & _SEQUENCE_MASK
        producer.batches.append(SentBatch(sequence, end, base_offset, base_offset + delta, timestamp_ms))
        if header.attributes & TRANSACTIONAL and producer.transaction_first_offset == NO_OFFSET:
            producer.transaction_first_offset = base_offset
            self._open_transactions[header.producer_id] = base_offset

    def in_transaction(self) -> list[tuple[int, Producer]]:
        """The producers that have a transaction open here, by id."""
        return [(producer_id, self._producers[producer_id]) for producer_id in self._open_transactions]

    def is_in_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether the producer, in this epoch, has a transaction open here."""
        producer = self._producers.get(producer_id)
        return (
            producer is not None and producer.transaction_first_offset != NO_OFFSET and producer.epoch == producer_epoch
        )

    def aborted_by(self, producer_id: int, marker_offset: int) -> AbortedTransaction | None:
        """What an abort marker at that offset ends; None if the producer has no transaction open here."""
        first_offset = self._open_transactions.get(producer_id)
        if first_offset is None:
            return None
        others = (offset for other_id, offset in self._open_transactions.items() if other_id != producer_id)
        return AbortedTransaction(producer_id, first_offset, marker_offset, next(others, marker_offset + 1))

    def note_coordinator_epoch(self, producer_id: int, coordinator_epoch: int) -> None:
        """Remember who wrote a producer's last marker."""
        self._producers[producer_id].coordinator_epoch = coordinator_epoch

    def _end_transaction(self, producer_id: int, producer: Producer) -> None:
        producer.transaction_first_offset = NO_OFFSET
        self._open_transactions.pop(producer_id, None)

    def expire(self, now_ms: int, expiration_ms: int) -> int:
        """Forget producers that wrote nothing for `expiration_ms` and have no open transaction; return how many."""
        expired = [
            producer_id
            for producer_id, producer in self._producers.items()
            if now_ms - producer.last_timestamp_ms >= expiration_ms and producer.transaction_first_offset == NO_OFFSET
        ]
        for producer_id in expired:
            del self._producers[producer_id]
        return len(expired)

    def to_snapshot(self) -> bytes:
        """The content of a `.snapshot` file: per producer its epoch, last batch and open transaction."""
        body = bytearray(_SNAPSHOT_COUNT.pack(len(self._producers)))
        for producer_id, producer in self._producers.items():
            last = producer.batches[-1] if producer.batches else None
            body += _SNAPSHOT_ENTRY.pack(
                producer_id,
                producer.epoch,
                last.last_sequence if last else NO_SEQUENCE,
                last.last_offset if last else NO_OFFSET,
                last.last_offset - last.base_offset if last else 0,
                producer.last_timestamp_ms,
                producer.coordinator_epoch,
                producer.transaction_first_offset,
            )
        return _SNAPSHOT_HEAD.pack(SNAPSHOT_VERSION, crc32c(body)) + body

    @classmethod
    def from_snapshot(cls, data: bytes) -> "ProducerState":
        """Read a `.snapshot` file. Raises ValueError: it is damaged or of an unknown version."""
        try:
            version, crc = _SNAPSHOT_HEAD.unpack_from(data)
            (count,) = _SNAPSHOT_COUNT.unpack_from(data, _SNAPSHOT_HEAD.size)
        except struct.error:
            raise ValueError(f"a producer snapshot of {len(data)} bytes") from None
        if version != SNAPSHOT_VERSION:
            raise ValueError(f"producer snapshot version {version}, expected {SNAPSHOT_VERSION}")
        body = data[_SNAPSHOT_HEAD.size :]
        if crc32c(body) != crc or len(body) != _SNAPSHOT_COUNT.size + count * _SNAPSHOT_ENTRY.size:
            raise ValueError("the producer snapshot's checksum or length is wrong")
        state = cls()
        for entry in _SNAPSHOT_ENTRY.iter_unpack(body[_SNAPSHOT_COUNT.size :]):
            producer_id, epoch, last_sequence, last_offset, offset_delta, timestamp_ms, coordinator_epoch, first = entry
            producer = state._producers[producer_id] = Producer(epoch)
            producer.last_timestamp_ms = timestamp_ms
            producer.coordinator_epoch = coordinator_epoch
            producer.transaction_first_offset = first
            if last_offset >= 0:
                first_sequence = (last_sequence - offset_delta) & _SEQUENCE_MASK
                producer.batches.append(
                    SentBatch(first_sequence, last_sequence, last_offset - offset_delta, last_offset, timestamp_ms)
                )
        open_transactions = sorted(
            (producer.transaction_first_offset, producer_id)
            for producer_id, producer in state._producers.items()
            if producer.transaction_first_offset != NO_OFFSET
        )
        state._open_transactions = {producer_id: first_offset for first_offset, producer_id in open_transactions}
        return state


def snapshot_path(folder: str, offset: int) -> Path:
    """The snapshot of the state before `offset`."""
    return Path(folder, f"{offset:020d}.snapshot")


def load_latest_snapshot(folder: str, offsets: list[int], *, end_offset: int) -> tuple[int, ProducerState] | None:
    """(offset, state before it) of the newest readable snapshot within the log; useless ones are removed.

    None: there is none, so the state must be read out of the log from its start.
    """
    for offset in sorted(offsets, reverse=True):
        path = snapshot_path(folder, offset)
        if offset <= end_offset:
            try:
                return offset, ProducerState.from_snapshot(path.read_bytes())
            except (OSError, ValueError):
                pass  # an older one and more of the log give the same state
        path.unlink(missing_ok=True)
    return None
