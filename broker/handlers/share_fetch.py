"""ShareFetch (API key 78): records that nobody else in the group has, each lent for a while (KIP-932).

v1 · v2 acquires exactly as many records as asked if the member wants that (KIP-1206), and renews locks (KIP-1222).
Record batches are served as they are; which of their offsets the member got stands beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Final, NamedTuple

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import (
    NONE,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    InvalidRequest,
    KafkaError,
    NotCoordinator,
    UnknownTopicId,
)
from broker.groups import Now
from broker.handlers.fetch import IN_MEMORY_BYTES_MAX
from broker.handlers.share_acknowledgements import (
    acknowledge,
    end_session,
    end_with_connection,
    session_key,
    when_durable,
)
from broker.log import PartitionLog
from broker.log.stable_reads import before_offset
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.share_fetch import (
    AcquiredRecords,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)
from broker.protocol.record_batch import LOG_OVERHEAD_BYTES, RECORD_BATCH_HEADER_BYTES, BatchHeader, read_header
from broker.share import Share, ShareKey
from broker.share.share_partition import Asked, FetchedBatch
from broker.share.share_sessions import FINAL_EPOCH, INITIAL_EPOCH, SessionKey, ShareSession, TopicPartitionKey

ACQUIRE_WHOLE_BATCHES: Final = 0
ACQUIRE_EXACTLY: Final = 1

_NOT_YET: Final = (CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator)
"""What the share partition's state may say, but no member expects in a fetch: there is nothing to acquire yet."""

_OFFSET_AND_LENGTH: Final = Struct(">qi")


@handles(ApiKey.SHARE_FETCH, versions=range(1, 3))
def share_fetch(request: ShareFetchRequest, context: RequestContext) -> ShareFetchResponse | DelayedResponse:
    """Take in the acknowledgements, then give out records; wait up to `max_wait_ms` while there are none.

    Raises InvalidRequest, ShareSessionNotFound, InvalidShareSessionEpoch or ShareSessionLimitReached.
    """
    key = session_key(request.group_id, request.member_id)
    _check(request)
    session = _session(request, key, context)
    fetch = _ShareFetch(request, context, session)
    fetch.acknowledge()
    if request.share_session_epoch == FINAL_EPOCH:
        end_session(session, context)
        return fetch.response()
    if request.is_renew_ack:
        return fetch.response()
    fetch.read()
    if fetch.is_enough or request.max_wait_ms <= 0 or request.max_records <= 0 or not session.partitions:
        return fetch.response()
    return _Wait(fetch).response


def _check(request: ShareFetchRequest) -> None:
    if request.share_acquire_mode not in (ACQUIRE_WHOLE_BATCHES, ACQUIRE_EXACTLY):
        # Differs from Kafka: INVALID_REQUEST, because its UNKNOWN_SERVER_ERROR without a message helps nobody.
        raise InvalidRequest(f"share acquire mode {request.share_acquire_mode} is unknown")
    if request.is_renew_ack and (request.max_wait_ms or request.min_bytes or request.max_bytes or request.max_records):
        raise InvalidRequest("A request that renews locks fetches nothing: its limits must be 0.")
    if request.share_session_epoch == INITIAL_EPOCH and any(
        partition.acknowledgement_batches for topic in request.topics for partition in topic.partitions
    ):
        raise InvalidRequest("The first request of a share session cannot acknowledge anything.")


def _session(request: ShareFetchRequest, key: SessionKey, context: RequestContext) -> ShareSession:
    if request.share_session_epoch == INITIAL_EPOCH:
        session = context.share_sessions.open(key, id(context))
        end_with_connection(context)
    else:
        session = context.share_sessions.resume(key, request.share_session_epoch)
    session.update(
        (
            TopicPartitionKey(topic.topic_id, partition.partition_index)
            for topic in request.topics
            for partition in topic.partitions
            if not partition.acknowledgement_batches
        ),
        (
            TopicPartitionKey(topic.topic_id, index)
            for topic in request.forgotten_topics_data
            for index in topic.partitions
        ),
    )
    return session


class _Read(NamedTuple):
    """What the log has for one share partition."""

    share: Share
    log: PartitionLog
    records: bytes | memoryview
    is_committed: bool
    """Whether records of aborted transactions are not to be seen."""


class _Batch(NamedTuple):
    """One record batch in the bytes that were read."""

    header: BatchHeader
    begin: int
    end: int


class _ShareFetch:
    """One ShareFetch request at work."""

    __slots__ = (
        "_acquired_count",
        "_byte_count",
        "_context",
        "_reads",
        "_results",
        "_session",
        "logs",
        "request",
        "shares",
    )

    def __init__(self, request: ShareFetchRequest, context: RequestContext, session: ShareSession) -> None:
        self.request = request
        self._context = context
        self._session = session
        self._results: dict[TopicPartitionKey, PartitionData] = {}
        """What is to be told: of partitions with records, errors or acknowledgements."""
        self._reads: dict[TopicPartitionKey, _Read] = {}
        self._acquired_count = self._byte_count = 0
        self.logs: list[PartitionLog] = []
        self.shares: list[Share] = []

    @property
    def is_enough(self) -> bool:
        """Whether to answer without waiting for more. An error is answered at once too."""
        return self._acquired_count > 0 or any(result.error_code != NONE for result in self._results.values())

    def acknowledge(self) -> None:
        """Take in what the request says of records that were given out before."""
        request = self.request
        for topic in request.topics:
            for partition in topic.partitions:
                if not partition.acknowledgement_batches:
                    continue
                result = self._result(TopicPartitionKey(topic.topic_id, partition.partition_index))
                try:
                    acknowledge(
                        self._session.key,
                        topic.topic_id,
                        partition.partition_index,
                        partition.acknowledgement_batches,
                        self._context,
                        is_renew=request.is_renew_ack,
                    )
                except KafkaError as error:
                    _fail_acknowledgement(result, error)

    def read(self, *, whatever: bool = False) -> None:
        """Look what the logs have, and acquire it if it is at least `min_bytes`, or `whatever` there is."""
        self._reads = {}
        self.logs, self.shares = [], []
        self._byte_count = 0
        if self._context.share_sessions.get(*self._session.key) is not self._session:
            return  # it was opened anew meanwhile: what this one acquired nobody would take back
        for key in self._session.in_turn():
            try:
                self._read_partition(key)
            except _NOT_YET:
                continue
            except KafkaError as error:
                # Differs from Kafka: a partition that does not exist is answered by itself, because Kafka fails the
                # whole request with UNKNOWN_SERVER_ERROR.
                result = self._result(key)
                result.error_code, result.error_message = error.code, str(error) or None
        if whatever or self._byte_count >= min(self.request.min_bytes, IN_MEMORY_BYTES_MAX):
            for key, read in self._reads.items():
                self._acquire(key, read)

    def _read_partition(self, key: TopicPartitionKey) -> None:
        context = self._context
        topic = context.topics.by_id(key.topic_id)
        if topic is None:
            raise UnknownTopicId("This server does not host this topic ID.")
        log = context.topics.partition(topic.name, key.partition)
        group_id = self._session.key.group_id
        share = context.shares.get(ShareKey(group_id, key.topic_id, key.partition))
        if share is None:
            return  # the group does not read it yet: a member's heartbeat begins that
        context.shares.start(share, log, Now.by(context.clock))
        self.logs.append(log)
        self.shares.append(share)
        offset = share.at.next_fetch_offset(context.shares.configs.share_limits(group_id))
        if offset is None:
            return
        is_committed = context.shares.configs.share_reads_committed(group_id)
        end_offset = log.last_stable_offset if is_committed else log.high_watermark
        bytes_max = min(self.request.max_bytes, context.config.fetch_max_bytes, IN_MEMORY_BYTES_MAX) - self._byte_count
        if offset >= end_offset or (bytes_max <= 0 and self._byte_count):
            return
        records = log.read(offset=offset, bytes_max=max(bytes_max, 0), at_least_one_batch=self._byte_count == 0)
        if is_committed:
            records = before_offset(records, end_offset)
        if records:
            self._reads[key] = _Read(share, log, records, is_committed)
            self._byte_count += len(records)

    def _acquire(self, key: TopicPartitionKey, read: _Read) -> None:
        context, request = self._context, self.request
        left = request.max_records - self._acquired_count
        if left <= 0:
            return
        batches = _batches(read.records)
        configs, group_id = context.shares.configs, self._session.key.group_id
        asked = Asked(
            member_id=self._session.key.member_id,
            records_max=left,
            batch_size=request.batch_size,
            is_exact=request.share_acquire_mode == ACQUIRE_EXACTLY,
            lock_until_ms=context.clock.monotonic_ms() + configs.share_record_lock_duration_ms(group_id),
        )
        fetched = [FetchedBatch(each.header.base_offset, each.header.last_offset) for each in batches]
        acquired = context.shares.acquire(read.share, fetched, asked)
        if acquired and read.is_committed and read.log.aborted_transactions:
            aborted = _aborted(read.log, batches)
            acquired = context.shares.archive(read.share, acquired, aborted, asked.member_id)
        if not acquired:
            return
        first_offset, last_offset = acquired[0].first_offset, acquired[-1].last_offset
        held = [
            each
            for each in batches
            if first_offset <= each.header.last_offset and each.header.base_offset <= last_offset
        ]
        result = self._result(key)
        result.records = memoryview(read.records)[held[0].begin : held[-1].end]
        result.acquired_records = [
            AcquiredRecords(each.first_offset, each.last_offset, each.delivery_count) for each in acquired
        ]
        self._acquired_count += sum(each.offset_count for each in acquired)

    def response(self) -> ShareFetchResponse | DelayedResponse:
        """The answer: what changed, and in the first one all partitions of the session."""
        session = self._session
        for key, is_news in session.partitions.items():
            if is_news and self.request.share_session_epoch != FINAL_EPOCH and not self.request.is_renew_ack:
                self._result(key)
                session.partitions[key] = False
        response = ShareFetchResponse(
            acquisition_lock_timeout_ms=self._context.shares.configs.share_record_lock_duration_ms(
                session.key.group_id
            ),
            responses=[],
        )
        topics: dict[bytes, ShareFetchableTopicResponse] = {}
        for key, result in self._results.items():
            topic = topics.get(key.topic_id)
            if topic is None:
                topic = topics[key.topic_id] = ShareFetchableTopicResponse(topic_id=key.topic_id, partitions=[])
                response.responses.append(topic)
            topic.partitions.append(result)
        acknowledged = [
            partial(_fail_acknowledgement, self._results[TopicPartitionKey(topic.topic_id, each.partition_index)])
            for topic in self.request.topics
            for each in topic.partitions
            if each.acknowledgement_batches
        ]
        return when_durable(response, acknowledged, self._context) if acknowledged else response

    def _result(self, key: TopicPartitionKey) -> PartitionData:
        result = self._results.get(key)
        if result is None:
            result = self._results[key] = PartitionData(partition_index=key.partition, records=b"")
        return result


def _fail_acknowledgement(result: PartitionData, error: KafkaError) -> None:
    if result.acknowledge_error_code == NONE:
        result.acknowledge_error_code, result.acknowledge_error_message = error.code, str(error) or None


def _aborted(log: PartitionLog, batches: list[_Batch]) -> list[FetchedBatch]:
    """Those of the batches that an aborted transaction has written."""
    first_offset, end_offset = batches[0].header.base_offset, batches[-1].header.last_offset + 1
    transactions = log.aborted_transactions.overlapping(first_offset, end_offset)
    return [
        FetchedBatch(header.base_offset, header.last_offset)
        for header, _, _ in batches
        if header.is_transactional
        and not header.is_control
        and any(
            each.producer_id == header.producer_id and each.first_offset <= header.base_offset <= each.last_offset
            for each in transactions
        )
    ]


def _batches(records: bytes | memoryview) -> list[_Batch]:
    """The whole batches by their headers: offsets, and where in the bytes they begin and end."""
    found = []
    at = 0
    while at + RECORD_BATCH_HEADER_BYTES <= len(records):
        _, length = _OFFSET_AND_LENGTH.unpack_from(records, at)
        end = at + LOG_OVERHEAD_BYTES + length
        if end > len(records):
            break
        found.append(_Batch(read_header(records, at), at, end))
        at = end
    return found


class _Wait:
    """A fetch that waits for records: woken by appends and by records that are given back, ended by its time limit."""

    __slots__ = ("_fetch", "_is_looking", "_loop", "_timer", "_wake_up", "response")

    def __init__(self, fetch: _ShareFetch) -> None:
        self._fetch = fetch
        self._loop = asyncio.get_running_loop()
        self._is_looking = False
        self._wake_up: Callable[[], None] = self._wake  # One bound method, by which it is known again.
        self.response = DelayedResponse(on_hurry=self._give_what_there_is, on_abandon=self._let_go)
        self._timer = self._loop.call_later(fetch.request.max_wait_ms / 1000, self._give_what_there_is)
        self._listen()

    def _listen(self) -> None:
        for log in self._fetch.logs:
            log.add_waiter(self._wake_up)
        for share in self._fetch.shares:
            share.waiters.add(self._wake_up)

    def _stop_listening(self) -> None:
        for log in self._fetch.logs:
            log.remove_waiter(self._wake_up)
        for share in self._fetch.shares:
            share.waiters.remove(self._wake_up)

    def _let_go(self) -> None:
        self._timer.cancel()
        self._stop_listening()

    def _wake(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_looking = False
        if self.response.is_answered:
            return
        self._stop_listening()
        self._fetch.read()
        if self._fetch.is_enough:
            self._answer()
        else:
            self._listen()

    def _give_what_there_is(self) -> None:
        if not self.response.is_answered:
            self._let_go()
            self._fetch.read(whatever=True)
            self._answer()

    def _answer(self) -> None:
        self._timer.cancel()
        response = self._fetch.response()
        if isinstance(response, DelayedResponse):
            response.when_answered(self.response.answer)
        else:
            self.response.answer(response)
