"""Fetch: records from where a consumer stands, at once or as soon as there are enough.

v5 log start offset · v7 sessions (KIP-227) · v9 leader epoch · v10 zstd · v11 preferred replica · v12 flexible ·
v13 topic ids · v15 replica state moved (followers only) · v16 endpoints of a new leader · v17 and v18 followers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, OffsetOutOfRange, UnknownTopicId, UnknownTopicOrPartition
from broker.fetch_sessions import FINAL_EPOCH, INITIAL_EPOCH, FetchedPartition, FetchSession, partitions_of
from broker.handlers.list_offsets import ISOLATION_LEVELS, READ_COMMITTED, check_leader_epoch
from broker.log import PartitionLog
from broker.log.stable_reads import before_offset, end_offset_of
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.fetch import (
    AbortedTransaction,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

TOPIC_IDS_VERSION: Final = 13

# Differs from Kafka: an answer made of many small pieces ends at 1 MiB, whatever the client allows, because a hundred
# slow clients may ask for 50 MB each. Large pieces stay in their files until the client takes them.
IN_MEMORY_BYTES_MAX: Final = 1024 * 1024
"""What a response may hold in memory, apart from its first batch."""


@handles(ApiKey.FETCH, versions=range(4, 19))
def fetch(request: FetchRequest, context: RequestContext) -> FetchResponse | DelayedResponse:
    """Read the asked partitions; wait up to `max_wait_ms` while there are fewer than `min_bytes`.

    At least the first whole batch of the first partition with records is returned, whatever the limits. Raises the
    session errors of `FetchSessions.resume`.
    """
    session, partitions = _session_and_partitions(request, context)
    reading = _Fetch(request, context, session, partitions)
    reading.read()
    if reading.is_enough or request.max_wait_ms <= 0 or not partitions:
        return reading.response()
    return _Wait(reading).response


def _session_and_partitions(
    request: FetchRequest, context: RequestContext
) -> tuple[FetchSession | None, list[FetchedPartition]]:
    """What to read: the request's own partitions, or those its session remembers."""
    uses_topic_ids = context.api_version >= TOPIC_IDS_VERSION
    sessions = context.fetch_sessions
    if request.session_epoch not in (INITIAL_EPOCH, FINAL_EPOCH):
        session = sessions.resume(request, uses_topic_ids=uses_topic_ids, now_ms=context.clock.monotonic_ms())
        return session, list(session.partitions.values())
    if request.session_id:
        sessions.close(request.session_id)
    if request.session_epoch == FINAL_EPOCH:
        return None, list(partitions_of(request, uses_topic_ids=uses_topic_ids))
    created = sessions.create(uses_topic_ids=uses_topic_ids, now_ms=context.clock.monotonic_ms())
    if created is None:
        return None, list(partitions_of(request, uses_topic_ids=uses_topic_ids))
    created.update(request)
    return created, list(created.partitions.values())


class _Fetch:
    """One Fetch request at work: what was read so far, and the response made of it."""

    __slots__ = (
        "_context",
        "_has_known_level",
        "_in_memory_bytes",
        "_is_cut",
        "_is_full",
        "_max_bytes",
        "_min_bytes",
        "_partitions",
        "_read_committed",
        "_results",
        "_sent",
        "_session",
        "byte_count",
        "has_error",
        "logs",
        "request",
    )

    def __init__(
        self,
        request: FetchRequest,
        context: RequestContext,
        session: FetchSession | None,
        partitions: list[FetchedPartition],
    ) -> None:
        self.request = request
        self._context = context
        self._session = session
        self._partitions = partitions
        self._is_full = session is None or request.session_epoch == INITIAL_EPOCH
        self._max_bytes = min(request.max_bytes, context.config.fetch_max_bytes)
        self._min_bytes = min(request.min_bytes, self._max_bytes)
        self._read_committed = request.isolation_level == READ_COMMITTED
        self._has_known_level = request.isolation_level in ISOLATION_LEVELS
        self._results: list[PartitionData] = []
        self._sent: list[tuple[PartitionLog, int]] = []
        self.byte_count = self._in_memory_bytes = 0
        self.has_error = self._is_cut = False
        self.logs: list[PartitionLog] = []

    @property
    def is_enough(self) -> bool:
        """Whether to answer without waiting for more. An error is answered at once too."""
        return self.has_error or self._is_cut or self.byte_count >= self._min_bytes

    def lacks(self, more_bytes: int) -> bool:
        """Whether so many more bytes than at the last reading would still be too few."""
        # A marker of a few bytes can make any number of earlier ones readable.
        return not self._read_committed and self.byte_count + more_bytes < self._min_bytes

    def read(self) -> None:
        """Read every partition as far as the limits allow, anew."""
        self._results = []
        self._sent = []
        self.logs = []
        self.byte_count = self._in_memory_bytes = 0
        self.has_error = self._is_cut = False
        for partition in self._partitions:
            result = PartitionData(
                partition_index=partition.index,
                records=b"",
                aborted_transactions=[] if self._read_committed else None,
            )
            self._results.append(result)
            try:
                self._read_partition(partition, result)
            except KafkaError as error:
                self.has_error = True
                self._note_failed(partition)
                result.error_code = error.code
                result.high_watermark = result.last_stable_offset = result.log_start_offset = -1
                if isinstance(error, UnknownTopicOrPartition | UnknownTopicId):
                    result.aborted_transactions = []

    def _note_failed(self, partition: FetchedPartition) -> None:
        name, logs = partition.topic, self._context.logs
        if isinstance(name, bytes):
            topic = self._context.topics.by_id(name)
            name = "" if topic is None else topic.name
        logs.note_failed(logs.failed_reads, name)
        self._context.may_have_errors = True

    def _read_partition(self, partition: FetchedPartition, result: PartitionData) -> None:
        topics, asked = self._context.topics, partition.asked
        name = partition.topic
        if isinstance(name, bytes):
            topic = topics.by_id(name)
            if topic is None:
                raise UnknownTopicId
            name = topic.name
        log = topics.partition(name, partition.index)
        check_leader_epoch(log, asked.current_leader_epoch)
        if asked.last_fetched_epoch > log.leader_epoch:
            raise OffsetOutOfRange(f"{name}-{partition.index} has no leader epoch {asked.last_fetched_epoch} yet")
        # Differs from Kafka: an unknown isolation level is INVALID_REQUEST, not an unknown server error.
        if not self._has_known_level:
            raise InvalidRequest(f"isolation level {self.request.isolation_level} is neither 0 nor 1")
        result.high_watermark = log.high_watermark
        result.last_stable_offset = log.last_stable_offset
        result.log_start_offset = log.log_start_offset
        self.logs.append(log)
        is_held_back = self._read_committed and result.last_stable_offset < result.high_watermark
        bytes_max = max(0, min(asked.partition_max_bytes, self._max_bytes - self.byte_count))
        in_memory_max = IN_MEMORY_BYTES_MAX - self._in_memory_bytes
        span = (
            log.span(offset=asked.fetch_offset, bytes_max=bytes_max)
            if bytes_max > in_memory_max and not is_held_back
            else None
        )
        if span is not None:
            result.records = span  # type: ignore[assignment]  # The encoder passes on what is large as it is.
            self.byte_count += len(span)
            self._sent.append((log, len(span)))
            if self._read_committed:
                _name_aborted(log, asked.fetch_offset, result.last_stable_offset, result)
            return
        is_first = self.byte_count == 0
        in_memory_max = max(0, min(bytes_max, in_memory_max))
        records = log.read(offset=asked.fetch_offset, bytes_max=in_memory_max, at_least_one_batch=is_first)
        if is_held_back:
            records = before_offset(records, result.last_stable_offset)
        if self._read_committed and records and log.aborted_transactions:
            _name_aborted(log, asked.fetch_offset, end_offset_of(records), result)
        result.records = records
        if records:
            self._sent.append((log, len(records)))
        self.byte_count += len(records)
        self._in_memory_bytes += len(records)
        if in_memory_max < bytes_max and len(records) >= in_memory_max and asked.fetch_offset < log.high_watermark:
            self._is_cut = True

    def response(self) -> FetchResponse:
        """The answer; in a running session only what changed since the last one."""
        for log, byte_count in self._sent:
            log.fetched_bytes += byte_count
        answered: Iterable[tuple[FetchedPartition, PartitionData]] = zip(self._partitions, self._results, strict=True)
        if self._session is not None:
            answered = [pair for pair in answered if _remember(*pair) or self._is_full]
            self._session.move_to_end([partition for partition, result in answered if result.records])
        uses_topic_ids = self._context.api_version >= TOPIC_IDS_VERSION
        response = FetchResponse(session_id=self._session.session_id if self._session else 0, responses=[])
        topic: FetchableTopicResponse | None = None
        key: object = None
        for partition, result in answered:
            if topic is None or key != partition.topic:
                key = partition.topic
                topic = FetchableTopicResponse(partitions=[])
                if uses_topic_ids:
                    topic.topic_id = key  # type: ignore[assignment]
                else:
                    topic.topic = key  # type: ignore[assignment]
                response.responses.append(topic)
            topic.partitions.append(result)
        return response


def _name_aborted(log: PartitionLog, start_offset: int, end_offset: int, result: PartitionData) -> None:
    """Tell a read_committed consumer whose records to pass over."""
    result.aborted_transactions = [
        AbortedTransaction(producer_id=aborted.producer_id, first_offset=aborted.first_offset)
        for aborted in log.aborted_transactions.overlapping(start_offset, end_offset)
    ]


def _remember(partition: FetchedPartition, result: PartitionData) -> bool:
    """Note what the consumer is told about a partition; whether it is news to it. Errors are news every time."""
    changed = (
        bool(result.records)
        or result.error_code != 0
        or partition.sent_high_watermark != result.high_watermark
        or partition.sent_log_start_offset != result.log_start_offset
    )
    partition.sent_high_watermark = result.high_watermark
    partition.sent_log_start_offset = result.log_start_offset
    return changed


class _Wait:
    """A fetch that waits for bytes: woken by appends to its partitions, ended by its time limit.

    Looking is put off to the next turn of the loop: the producer is answered first, and many appends cost one look.
    """

    __slots__ = ("_fetch", "_is_looking", "_loop", "_sizes", "_timer", "_wake_up", "response")

    def __init__(self, fetch: _Fetch) -> None:
        self._fetch = fetch
        self._loop = asyncio.get_running_loop()
        self._is_looking = False
        self._sizes: list[int] = []
        self._wake_up = self._wake  # One bound method, by which the logs know this waiter again.
        self.response = DelayedResponse(on_hurry=self._give_what_there_is, on_abandon=self._let_go)
        self._timer = self._loop.call_later(fetch.request.max_wait_ms / 1000, self._give_what_there_is)
        self._listen()

    def _listen(self) -> None:
        self._sizes = [log.size_bytes for log in self._fetch.logs]
        for log in self._fetch.logs:
            log.add_waiter(self._wake_up)

    def _let_go(self) -> None:
        self._timer.cancel()
        for log in self._fetch.logs:
            log.remove_waiter(self._wake_up)

    def _wake(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_looking = False
        if self.response.is_answered:
            return
        grown = sum(max(0, log.size_bytes - size) for log, size in zip(self._fetch.logs, self._sizes, strict=True))
        if grown and self._fetch.lacks(grown):
            for log in self._fetch.logs:
                log.add_waiter(self._wake_up)
            return
        for log in self._fetch.logs:
            log.remove_waiter(self._wake_up)
        self._fetch.read()
        if self._fetch.is_enough:
            self._answer()
        else:
            self._listen()

    def _give_what_there_is(self) -> None:
        if not self.response.is_answered:
            self._let_go()
            self._fetch.read()
            self._answer()

    def _answer(self) -> None:
        self._timer.cancel()
        del self._wake_up  # no log knows it now, and it is a cycle
        try:
            response: FetchResponse | Exception = self._fetch.response()
        except Exception as error:
            response = error
        self.response.answer(response)
