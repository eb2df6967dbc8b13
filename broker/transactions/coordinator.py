"""The transaction coordinator: which transaction each transactional id has, and how it ends (KIP-98, KIP-360, KIP-890).

Plain synchronous methods, one per API; a handler translates its request to one of them. Nothing here knows a socket, a
clock or an event loop: time comes in as `Now`, and whoever owns the coordinator calls `tick` every so often.

Every change is in the log before it counts. The outcome of a transaction is settled by its Prepare record; then the
markers are written, a few within the request and the rest with `write_markers`, and the Complete record comes last.
So whatever a crash leaves, the log says how each transaction ends, and `load` sees to it.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from broker.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    InvalidProducerIdMapping,
    InvalidRequest,
    InvalidTransactionTimeout,
    InvalidTxnState,
    KafkaError,
    NotCoordinator,
    ProducerFenced,
    TransactionAbortable,
    TransactionalIdNotFound,
    UnknownTopicOrPartition,
)
from broker.transactions.transaction import (
    EPOCH_BUMPING_VERSION,
    EPOCH_MAX,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    TopicPartition,
    Transaction,
    TransactionState,
    is_epoch_exhausted,
)
from broker.transactions.transaction_log import TRANSACTIONS_TOPIC, TransactionLog, WhenDurable

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups import Now
    from broker.producer_ids import ProducerIds
    from broker.transactions.markers import Markers

log = logging.getLogger("broker.transactions")

MARKERS_PER_STEP: Final = 100
"""How many markers one request, or one step of the background work, writes: about 2 ms of the event loop's time."""

_OPEN: Final = (TransactionState.ONGOING, TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


class ProducerIdAndEpoch(NamedTuple):
    """Who a producer is."""

    producer_id: int
    producer_epoch: int


@dataclass(slots=True)
class _Ending:
    """A transaction whose markers are being written."""

    left: list[TopicPartition]
    failed: list[TopicPartition]
    unflushed: int = 0
    """Markers that are not on disk yet, where the flush policy asks for that."""
    is_put_off: bool = False
    """The Complete record was refused; `tick` tries again."""


class TransactionCoordinator:
    """All transactional ids. Methods raise KafkaError to refuse a request, as the protocol's error code."""

    def __init__(
        self, transaction_log: TransactionLog, markers: Markers, producer_ids: ProducerIds, config: BrokerConfig
    ) -> None:
        self._log = transaction_log
        self._markers = markers
        self._producer_ids = producer_ids
        self._config = config
        self._transactions: dict[str, Transaction] = {}
        self._deadlines: dict[str, int] = {}
        """Until when (monotonic ms) each ongoing transaction may last."""
        self._endings: dict[str, _Ending] = {}
        self.on_ending: Callable[[], None] = lambda: None
        """Called when markers could not all be written at once: `write_markers` is wanted."""
        self._next_expiry_ms = 0
        self._refusal: type[KafkaError] | None = CoordinatorLoadInProgress
        """Why no request can be served: the log is not read yet, or the broker stops."""

    def load(self, now: Now) -> None:
        """Read the log and end what was settled. Until this is done requests get COORDINATOR_LOAD_IN_PROGRESS."""
        for _ in self.load_in_steps(now):
            pass

    def load_in_steps(self, now: Now) -> Iterator[None]:
        """As `load`, but yields every few milliseconds so that other work can go on meanwhile."""
        yield from self._log.load(self._transactions)
        for transaction in list(self._transactions.values()):
            if transaction.state is TransactionState.ONGOING:
                left_ms = transaction.started_ms + transaction.timeout_ms - now.wall_ms
                self._deadlines[transaction.transactional_id] = now.monotonic_ms + min(
                    max(left_ms, 0), transaction.timeout_ms
                )
            elif transaction.state.is_prepared:
                self._endings[transaction.transactional_id] = _Ending(sorted(transaction.partitions), [])
        self._next_expiry_ms = self._expiry_after(now)
        self._refusal = None
        while self.has_markers_to_write:
            self.write_markers(now)
            yield
        log.info("transactions loaded transactional_ids=%d ongoing=%d", len(self._transactions), len(self._deadlines))

    # What producers ask.

    def init_producer_id(
        self, transactional_id: str, timeout_ms: int, expected: ProducerIdAndEpoch | None, now: Now
    ) -> ProducerIdAndEpoch:
        """InitProducerId: fence earlier producers of this id, give the caller an epoch of its own.

        `expected` is who the caller believes to be (KIP-360). Raises InvalidRequest, InvalidTransactionTimeout,
        ProducerFenced; ConcurrentTransactions while a transaction is being ended, as it is by this very call when one
        is ongoing: the caller comes again.
        """
        self._check_id(transactional_id)
        if not 0 < timeout_ms <= self._config.transaction_max_timeout_ms:
            raise InvalidTransactionTimeout(
                f"a transaction timeout of {timeout_ms} ms is not between 1 and transaction.max.timeout.ms="
                f"{self._config.transaction_max_timeout_ms}"
            )
        current = self._transactions.get(transactional_id)
        if current is None:
            current = Transaction(transactional_id, self._producer_ids.next())
        if expected is not None and not _may_be(expected, current):
            raise ProducerFenced(f"'{transactional_id}' has another producer id by now")
        if current.state.is_prepared:
            raise ConcurrentTransactions
        if current.state is TransactionState.ONGOING:
            self._fence_and_abort(current, now)
            raise ConcurrentTransactions
        if current.is_epoch_exhausted and (expected is None or expected.producer_epoch == current.producer_epoch):
            changed = replace(
                current,
                producer_id=self._producer_ids.next(),
                producer_epoch=0,
                last_producer_epoch=NO_PRODUCER_EPOCH if expected is None else current.producer_epoch,
                previous_producer_id=current.producer_id,
            )
        else:
            changed = _with_next_epoch(current, expected)
        self._save(
            replace(
                changed,
                state=TransactionState.EMPTY,
                timeout_ms=timeout_ms,
                partitions=frozenset(),
                started_ms=-1,
                updated_ms=now.wall_ms,
            ),
            now,
        )
        return ProducerIdAndEpoch(changed.producer_id, changed.producer_epoch)

    def add_partitions(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Collection[TopicPartition],
        now: Now,
        *,
        client_version: int = 0,
    ) -> None:
        """AddPartitionsToTxn, AddOffsetsToTxn, and what transactions v2 do without asking: these belong to it too.

        Raises InvalidRequest, InvalidProducerIdMapping, ProducerFenced, ConcurrentTransactions.
        """
        current = self._of_producer(transactional_id, producer)
        if current.state.is_prepared:
            raise ConcurrentTransactions
        is_ongoing = current.state is TransactionState.ONGOING
        if is_ongoing and current.partitions.issuperset(partitions):
            return
        self._save(
            replace(
                current,
                state=TransactionState.ONGOING,
                partitions=current.partitions.union(partitions),
                started_ms=current.started_ms if is_ongoing else now.wall_ms,
                updated_ms=now.wall_ms,
                client_version=client_version,
            ),
            now,
        )

    def verify_partition(self, transactional_id: str, producer: ProducerIdAndEpoch, partition: TopicPartition) -> None:
        """Whether the producer's transaction has this partition, so that it may write there.

        Raises TransactionAbortable if not, and what `add_partitions` raises.
        """
        current = self._of_producer(transactional_id, producer)
        if current.state.is_prepared:
            raise ConcurrentTransactions
        if partition not in current.partitions:
            raise TransactionAbortable(f"{partition[0]}-{partition[1]} was not added to the transaction")

    def end(
        self, transactional_id: str, producer: ProducerIdAndEpoch, now: Now, *, commit: bool, client_version: int = 0
    ) -> ProducerIdAndEpoch:
        """EndTxn: settle the outcome, then write the markers. Returns who the producer is from now on.

        A repeated request is answered as the first. Raises InvalidRequest, InvalidProducerIdMapping, ProducerFenced,
        InvalidTxnState, ConcurrentTransactions.
        """
        self._check_id(transactional_id)
        current = self._transactions.get(transactional_id)
        if current is None:
            raise InvalidProducerIdMapping(f"transactional id '{transactional_id}' is unknown")
        if client_version >= EPOCH_BUMPING_VERSION:
            ends = _check_end_with_bump(current, producer, commit=commit)
        else:
            ends = _check_end(current, producer, commit=commit)
        if ends:
            current = self._prepare(current, now, commit=commit, client_version=client_version)
        if current.next_producer_id != NO_PRODUCER_ID:
            return ProducerIdAndEpoch(current.next_producer_id, 0)
        return ProducerIdAndEpoch(current.producer_id, current.producer_epoch)

    @property
    def is_strict(self) -> bool:
        """Whether an answer is to be given through `when_durable` only, by the broker's flush policy."""
        return self._log.is_strict

    def when_durable(self, transactional_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that was done about this id is on disk, or with what prevents it."""
        self._log.when_durable(transactional_id, callback)

    # Administration.

    def describe(self, transactional_id: str) -> Transaction:
        """DescribeTransactions; raises InvalidRequest, TransactionalIdNotFound."""
        if not transactional_id:
            raise InvalidRequest("the transactional id is empty")
        self._check_served()
        found = self._transactions.get(transactional_id)
        if found is None:
            raise TransactionalIdNotFound(f"transactional id '{transactional_id}' is unknown")
        return found

    def list_transactions(
        self,
        now: Now,
        *,
        states: Collection[str] = (),
        producer_ids: Collection[int] = (),
        duration_ms_min: int = -1,
        pattern: re.Pattern[str] | None = None,
    ) -> Iterable[Transaction]:
        """ListTransactions, by state, producer id, how long they have been open and the whole transactional id."""
        self._check_served()
        for transaction in self._transactions.values():
            if states and transaction.state.label not in states:
                continue
            if producer_ids and transaction.producer_id not in producer_ids:
                continue
            if duration_ms_min >= 0 and now.wall_ms - transaction.started_ms <= duration_ms_min:
                continue
            if pattern is not None and not pattern.fullmatch(transaction.transactional_id):
                continue
            yield transaction

    @property
    def open_count(self) -> int:
        """How many transactions are neither committed nor aborted yet."""
        return sum(transaction.state in _OPEN for transaction in self._transactions.values())

    def open_and_oldest(self) -> tuple[int, int | None]:
        """How many transactions are open, and when the oldest of them began (wall-clock ms)."""
        started = [each.started_ms for each in self._transactions.values() if each.state in _OPEN]
        return len(started), min(started, default=None)

    def open_partitions(self) -> Iterator[tuple[int, str, int]]:
        """(producer id, topic, partition) of all that open transactions have to be ended in."""
        for transaction in self._transactions.values():
            if transaction.state in _OPEN:
                for topic, partition in transaction.partitions:
                    yield transaction.producer_id, topic, partition

    def timeout_of(self, producer_id: int) -> int | None:
        """The transaction timeout that this producer asked for; None if nobody here has that id."""
        for transaction in self._transactions.values():
            if transaction.producer_id == producer_id:
                return transaction.timeout_ms
        return None

    def topics_deleted(self, topics: Collection[str]) -> None:
        """Forget everything if the topic of transactions is among them."""
        if TRANSACTIONS_TOPIC in topics:
            self._transactions.clear()
            self._deadlines.clear()
            self._endings.clear()
            self._log.forget()

    # Time.

    def tick(self, now: Now) -> None:
        """Abort transactions that last too long, try again what failed, forget ids that nobody has used for long."""
        if self._refusal is not None:
            return
        for transactional_id in [each for each, at_ms in self._deadlines.items() if at_ms <= now.monotonic_ms]:
            self._time_out(self._transactions[transactional_id], now)
        for ending in self._endings.values():
            ending.left += ending.failed
            ending.failed = []
            ending.is_put_off = False
        self.write_markers(now)
        if now.monotonic_ms >= self._next_expiry_ms:
            self._next_expiry_ms = self._expiry_after(now)
            self._expire_ids(now)

    @property
    def is_ending(self) -> bool:
        """Whether any transaction waits for its markers."""
        return bool(self._endings)

    @property
    def has_markers_to_write(self) -> bool:
        """Whether `write_markers` has something to do."""
        return any(_is_workable(ending) for ending in self._endings.values())

    def write_markers(self, now: Now, count_max: int = MARKERS_PER_STEP) -> None:
        """Write the next markers; a transaction that has all of its own is complete."""
        for transactional_id in [each for each, ending in self._endings.items() if _is_workable(ending)]:
            ending = self._endings[transactional_id]
            while ending.left and count_max > 0:
                count_max -= 1
                self._write_marker(self._transactions[transactional_id], ending, ending.left.pop(), now)
            self._complete_if_marked(transactional_id, now)
            if count_max <= 0:
                return

    def close(self) -> None:
        """Answer all requests from now on with NOT_COORDINATOR."""
        self._refusal = NotCoordinator

    # Shared by the above.

    def _check_served(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _check_id(self, transactional_id: str) -> None:
        if not transactional_id:
            raise InvalidRequest("the transactional id must not be empty")
        self._check_served()

    def _of_producer(self, transactional_id: str, producer: ProducerIdAndEpoch) -> Transaction:
        self._check_id(transactional_id)
        current = self._transactions.get(transactional_id)
        if current is None or current.producer_id != producer.producer_id:
            raise InvalidProducerIdMapping(
                f"producer id {producer.producer_id} is not that of transactional id '{transactional_id}'"
            )
        if current.producer_epoch != producer.producer_epoch:
            raise ProducerFenced(
                f"'{transactional_id}' has epoch {current.producer_epoch}, asked with {producer.producer_epoch}"
            )
        return current

    def _save(self, transaction: Transaction, now: Now) -> None:
        """The only place where a transaction changes. Raises KafkaError, and it has not."""
        self._log.save(transaction, wall_ms=now.wall_ms)
        transactional_id = transaction.transactional_id
        self._transactions[transactional_id] = transaction
        if transaction.state is TransactionState.ONGOING:
            self._deadlines.setdefault(transactional_id, now.monotonic_ms + transaction.timeout_ms)
        else:
            self._deadlines.pop(transactional_id, None)

    def _prepare(self, current: Transaction, now: Now, *, commit: bool, client_version: int) -> Transaction:
        """Settle how a transaction ends and begin to end it."""
        is_ongoing = current.state is TransactionState.ONGOING
        changed = replace(
            current,
            state=TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT,
            started_ms=current.started_ms if is_ongoing else now.wall_ms,
            updated_ms=now.wall_ms,
            client_version=client_version,
        )
        if client_version >= EPOCH_BUMPING_VERSION:
            changed = replace(
                changed,
                producer_epoch=current.producer_epoch + 1,
                last_producer_epoch=current.producer_epoch,
                next_producer_id=self._producer_ids.next() if current.is_epoch_exhausted else NO_PRODUCER_ID,
            )
        self._begin_ending(changed, now)
        return changed

    def _fence_and_abort(self, current: Transaction, now: Now) -> None:
        """Abort an ongoing transaction in a way that its producer notices."""
        self._begin_ending(
            replace(
                current,
                state=TransactionState.PREPARE_ABORT,
                producer_epoch=min(current.producer_epoch + 1, EPOCH_MAX),
                last_producer_epoch=NO_PRODUCER_EPOCH,
                updated_ms=now.wall_ms,
            ),
            now,
        )

    def _begin_ending(self, prepared: Transaction, now: Now) -> None:
        self._save(prepared, now)
        if self._log.is_strict:
            # A marker on disk before the decision is could not be taken back.
            self._log.when_durable(
                prepared.transactional_id, functools.partial(self._decided, prepared.transactional_id, now)
            )
        else:
            self._decided(prepared.transactional_id, now, None)

    def _decided(self, transactional_id: str, now: Now, error: KafkaError | None) -> None:
        if error is not None:
            log.error("outcome of transaction not on disk transactional_id=%s error=%s", transactional_id, error)
            return  # the log takes nothing any more; the next start finds what it holds
        if transactional_id not in self._transactions:
            return  # the topic of transactions was deleted meanwhile
        partitions = sorted(self._transactions[transactional_id].partitions, reverse=True)
        self._endings[transactional_id] = _Ending(partitions, [])
        self.write_markers(now)
        if self._endings:
            self.on_ending()

    def _write_marker(self, transaction: Transaction, ending: _Ending, partition: TopicPartition, now: Now) -> None:
        try:
            partition_log = self._markers.write(
                *partition,
                commit=transaction.state is TransactionState.PREPARE_COMMIT,
                producer_id=transaction.producer_id,
                producer_epoch=transaction.producer_epoch,
                now=now,
            )
        except UnknownTopicOrPartition:
            return  # it was deleted, and what the transaction wrote there
        except KafkaError as error:
            log.warning(
                "marker not written, it will be tried again transactional_id=%s partition=%s-%d error=%s",
                transaction.transactional_id, *partition, error,
            )  # fmt: skip
            ending.failed.append(partition)
            return
        if partition_log.is_strict:
            ending.unflushed += 1
            partition_log.when_durable(
                partition_log.log_end_offset,
                functools.partial(self._flushed, transaction.transactional_id, ending, partition, now),
            )

    def _flushed(
        self, transactional_id: str, ending: _Ending, partition: TopicPartition, now: Now, error: KafkaError | None
    ) -> None:
        if self._endings.get(transactional_id) is not ending:
            return
        ending.unflushed -= 1
        if error is not None:
            ending.failed.append(partition)
        self._complete_if_marked(transactional_id, now)

    def _complete_if_marked(self, transactional_id: str, now: Now) -> None:
        ending = self._endings.get(transactional_id)
        if ending is None or ending.left or ending.failed or ending.unflushed:
            return
        prepared = self._transactions[transactional_id]
        is_commit = prepared.state is TransactionState.PREPARE_COMMIT
        completed = replace(
            prepared,
            state=TransactionState.COMPLETE_COMMIT if is_commit else TransactionState.COMPLETE_ABORT,
            partitions=frozenset(),
            updated_ms=now.wall_ms,
        )
        if prepared.next_producer_id != NO_PRODUCER_ID:
            completed = replace(
                completed,
                producer_id=prepared.next_producer_id,
                producer_epoch=0,
                previous_producer_id=prepared.producer_id,
                next_producer_id=NO_PRODUCER_ID,
            )
        try:
            self._save(completed, now)
        except KafkaError as error:
            log.warning("transaction not completed, it will be tried again id=%s error=%s", transactional_id, error)
            ending.is_put_off = True
            return
        del self._endings[transactional_id]

    def _time_out(self, transaction: Transaction, now: Now) -> None:
        log.info(
            "transaction timed out, it is aborted transactional_id=%s producer_id=%d timeout_ms=%d",
            transaction.transactional_id, transaction.producer_id, transaction.timeout_ms,
        )  # fmt: skip
        try:
            self._fence_and_abort(transaction, now)
        except KafkaError as error:
            log.warning("transaction not aborted, it will be tried again error=%s", error)

    def _expiry_after(self, now: Now) -> int:
        return now.monotonic_ms + self._config.transaction_remove_expired_transaction_cleanup_interval_ms

    def _expire_ids(self, now: Now) -> None:
        """Forget transactional ids that nobody has used for `transactional.id.expiration.ms`."""
        before_ms = now.wall_ms - self._config.transactional_id_expiration_ms
        expired = [
            transaction.transactional_id
            for transaction in self._transactions.values()
            if transaction.state not in _OPEN and transaction.updated_ms <= before_ms
        ]
        for transactional_id in expired:
            try:
                self._log.delete(transactional_id, wall_ms=now.wall_ms)
            except KafkaError as error:
                log.warning("transactional id not forgotten id=%s error=%s", transactional_id, error)
                continue
            del self._transactions[transactional_id]


def _is_workable(ending: _Ending) -> bool:
    """Whether it lacks only what `write_markers` does."""
    return bool(ending.left) or not (ending.failed or ending.unflushed or ending.is_put_off)


def _may_be(expected: ProducerIdAndEpoch, current: Transaction) -> bool:
    """Whether a producer that believes to be this one may still be it."""
    return (
        current.producer_epoch == NO_PRODUCER_EPOCH
        or expected.producer_id == current.producer_id
        or (expected.producer_id == current.previous_producer_id and is_epoch_exhausted(expected.producer_epoch))
    )


def _with_next_epoch(current: Transaction, expected: ProducerIdAndEpoch | None) -> Transaction:
    """The epoch for a new producer, or the one that was given to the same producer before."""
    if expected is None:
        return replace(current, producer_epoch=current.producer_epoch + 1, last_producer_epoch=NO_PRODUCER_EPOCH)
    if current.producer_epoch == NO_PRODUCER_EPOCH or expected.producer_epoch == current.producer_epoch:
        return replace(current, producer_epoch=current.producer_epoch + 1, last_producer_epoch=current.producer_epoch)
    if expected.producer_epoch == current.last_producer_epoch:
        return current
    raise ProducerFenced(f"'{current.transactional_id}' has epoch {current.producer_epoch} by now")


def _check_end(current: Transaction, producer: ProducerIdAndEpoch, *, commit: bool) -> bool:
    """Whether this request ends the transaction; False: a request before it has. Raises if neither may be."""
    if producer.producer_id != current.producer_id:
        raise InvalidProducerIdMapping(f"'{current.transactional_id}' has producer id {current.producer_id}")
    if producer.producer_epoch != current.producer_epoch:
        raise ProducerFenced(f"'{current.transactional_id}' has epoch {current.producer_epoch}")
    state = current.state
    if state is TransactionState.ONGOING:
        return True
    if state is (TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT):
        return False
    if state is (TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT):
        raise ConcurrentTransactions
    raise _cannot_end(current, commit=commit)


def _check_end_with_bump(current: Transaction, producer: ProducerIdAndEpoch, *, commit: bool) -> bool:
    """The same by the rules of KIP-890: the epoch, not the state, tells a repeated request from the next one."""
    is_repeated_over_id = (
        producer.producer_id == current.previous_producer_id
        and producer.producer_epoch == EPOCH_MAX - 1
        and current.producer_epoch == 0
    )
    is_repeated = is_repeated_over_id or producer.producer_epoch == current.producer_epoch - 1
    is_current = producer.producer_epoch == current.producer_epoch
    if producer.producer_id != current.producer_id and not is_repeated_over_id:
        raise InvalidProducerIdMapping(f"'{current.transactional_id}' has producer id {current.producer_id}")
    state = current.state
    if state.is_prepared:
        is_expected = is_repeated
    elif state in (TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT):
        is_expected = is_repeated or is_current
    else:
        is_expected = is_current
    if not is_expected:
        raise ProducerFenced(f"'{current.transactional_id}' has epoch {current.producer_epoch}")
    if state is TransactionState.ONGOING:
        return True
    if state is (TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT):
        raise ConcurrentTransactions
    if is_repeated and state is (TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT):
        return False
    if not commit and not is_repeated and not state.is_prepared:
        return True  # nothing was written, but the producer cannot know that, and gets its new epoch
    raise _cannot_end(current, commit=commit)


def _cannot_end(current: Transaction, *, commit: bool) -> InvalidTxnState:
    wish = "commit" if commit else "abort"
    return InvalidTxnState(f"cannot {wish}: the transaction of '{current.transactional_id}' is {current.state.label}")
