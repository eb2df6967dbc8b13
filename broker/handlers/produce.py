"""Produce: append record batches.

v5 log start offset · v7 zstd · v8 record errors (KIP-467) · v9 flexible · v10 leader discovery (KIP-951).
v0 to v2 are advertised but refused: without them librdkafka believes that compression is not supported (KAFKA-18659).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from broker.dispatch import BadRequest, DelayedResponse, RequestContext, handles
from broker.errors import (
    NONE,
    CorruptMessage,
    InvalidRecord,
    InvalidRequiredAcks,
    InvalidTimestamp,
    InvalidTopicException,
    InvalidTxnState,
    KafkaError,
    NotEnoughReplicas,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartition,
)
from broker.log import PartitionLog
from broker.metadata import topic_configs
from broker.protocol.api_keys import ApiKey
from broker.protocol.compression import Codec
from broker.protocol.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from broker.protocol.primitives import NULL_UUID
from broker.protocol.record_batch import (
    TRANSACTIONAL,
    BatchHeader,
    check_produced,
    iter_records,
    read_header,
    recompress,
)

ACKS_NONE: Final = 0
ACKS_ALL: Final = -1
ZSTD_VERSION: Final = 7
ADMIN_CLIENT_ID: Final = "__admin_client"
"""The client id that may write to internal topics, as in Kafka: for whoever mends them by hand."""

_CODECS: Final = {
    "uncompressed": Codec.NONE,
    "gzip": Codec.GZIP,
    "snappy": Codec.SNAPPY,
    "lz4": Codec.LZ4,
    "zstd": Codec.ZSTD,
}


class _RefusedRecord(InvalidRecord):
    """One record of a batch is not allowed; the whole batch is refused for it."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class _Unflushed(NamedTuple):
    """A batch that counts only from the disk: its log is strict and its producer wants acks=all."""

    log: PartitionLog
    end_offset: int
    answer: PartitionProduceResponse


@dataclass(frozen=True, slots=True)
class _Target:
    """A partition and what its topic demands of a batch, worked out once and kept until topics change."""

    log: PartitionLog
    max_message_bytes: int
    min_insync_replicas: int
    needs_keys: bool
    """Whether every record must have a key: the topic is compacted."""
    codec: Codec | None
    """What batches are recompressed to; None leaves them as they are."""
    compression_level: int | None
    is_opened: bool
    """Whether batches must be looked into, for one of these two reasons."""


@handles(ApiKey.PRODUCE, versions=range(3, 12), advertised=range(12))
def produce(request: ProduceRequest, context: RequestContext) -> ProduceResponse | DelayedResponse | None:
    """Append each partition's batch; each is answered by itself.

    With acks=0 nothing is answered, and an error closes the connection, which is the only sign the client can get.
    """
    response = ProduceResponse(responses=[])
    unflushed: list[_Unflushed] = []
    now_ms = context.clock.now_ms()
    for topic in request.topic_data:
        answers: list[PartitionProduceResponse] = []
        response.responses.append(TopicProduceResponse(topic.name, NULL_UUID, answers))
        for partition in topic.partition_data:
            try:
                answers.append(_append(topic.name, partition, request, context, unflushed, now_ms))
            except KafkaError as error:
                answers.append(_refusal(partition.index, error))
    if request.acks == ACKS_NONE:
        for name, refused in _failures(response):
            raise BadRequest(f"acks=0 batch for {name}-{refused.index} refused: {refused.error_message}")
        return None
    return _when_flushed(response, unflushed) if unflushed else response


def _append(
    topic: str,
    data: PartitionProduceData,
    request: ProduceRequest,
    context: RequestContext,
    unflushed: list[_Unflushed],
    now_ms: int,
) -> PartitionProduceResponse:
    """Append one batch, or raise the KafkaError that refuses it."""
    acks, index = request.acks, data.index
    if not -1 <= acks <= 1:
        raise InvalidRequiredAcks(f"acks={acks} is none of 0, 1 and -1")
    target: _Target = context.topics.derived.get((topic, index)) or _find_target(topic, index, context)
    header = check_produced(
        data.records,
        max_message_bytes=target.max_message_bytes,
        zstd_allowed=context.api_version >= ZSTD_VERSION,
    )
    records: bytes | memoryview | None = data.records
    assert records is not None, "checked above"
    if header.attributes & TRANSACTIONAL:
        _refuse_transaction(request)
    if target.is_opened:
        records, header = _open_batch(memoryview(records), header, target)
    if acks == ACKS_ALL and target.min_insync_replicas > 1:
        raise NotEnoughReplicas(f"{topic} demands {target.min_insync_replicas} replicas in sync, there is 1")
    log = target.log
    appended = log.append(records, header, now_ms=now_ms)
    answer = PartitionProduceResponse(
        index, NONE, appended.base_offset, appended.log_append_time_ms, log.log_start_offset
    )
    if acks == ACKS_ALL and log.is_strict:
        unflushed.append(_Unflushed(log, appended.end_offset, answer))
    return answer


def _find_target(topic: str, index: int, context: RequestContext) -> _Target:
    known, log = context.topics.get(topic), context.logs.get(topic, index)
    if known is None or log is None:
        raise UnknownTopicOrPartition(f"partition {index} of topic '{topic}' does not exist")
    if known.is_internal and context.client_id != ADMIN_CLIENT_ID:
        raise InvalidTopicException(f"Cannot append to internal topic {topic}")
    config, layers = log.config, context.configs.layers
    codec, level = _CODECS.get(config.compression_type), None
    if codec in (Codec.GZIP, Codec.ZSTD):
        value = topic_configs.typed_value(f"compression.{config.compression_type}.level", known.configs, layers)
        level = value if isinstance(value, int) and value != -1 else None
    target = _Target(
        log,
        config.max_message_bytes,
        topic_configs.min_insync_replicas(known.configs, layers),
        config.is_compacting,
        codec,
        level,
        config.is_compacting or codec is not None,
    )
    if not known.is_internal:
        context.topics.derived[topic, index] = target
    return target


def _refuse_transaction(request: ProduceRequest) -> None:
    if request.transactional_id is None:
        raise TransactionalIdAuthorizationFailed("a transactional batch needs a transactional id")
    raise InvalidTxnState("there is no such transaction: transactions are not served")


def _open_batch(records: memoryview, header: BatchHeader, target: _Target) -> tuple[memoryview, BatchHeader]:
    """What needs a look inside: every record of a compacted topic has a key, and a topic may demand a codec."""
    if target.needs_keys:
        try:
            for index, record in enumerate(iter_records(records)):
                if record.key is None:
                    raise _RefusedRecord(index, "Compacted topic cannot accept message without key.")
        except CorruptMessage as error:
            raise InvalidRecord(str(error)) from error
    if target.codec is not None and target.codec != header.codec:
        records = memoryview(bytearray(recompress(records, target.codec, compression_level=target.compression_level)))
        header = read_header(records)
    return records, header


def _refusal(index: int, error: KafkaError) -> PartitionProduceResponse:
    response = PartitionProduceResponse(index=index, error_code=error.code, base_offset=-1, error_message=error.message)
    if isinstance(error, _RefusedRecord):
        response.record_errors = [BatchIndexAndErrorMessage(error.index, error.message)]
        response.error_message = "One or more records have been rejected"
    elif isinstance(error, InvalidTimestamp):
        response.record_errors = [BatchIndexAndErrorMessage(0, error.message)]
        response.error_message = "One or more records have been rejected due to invalid timestamp"
    return response


def _failures(response: ProduceResponse) -> Iterator[tuple[str, PartitionProduceResponse]]:
    for topic in response.responses:
        for partition in topic.partition_responses:
            if partition.error_code:
                yield topic.name, partition


def _when_flushed(response: ProduceResponse, unflushed: list[_Unflushed]) -> DelayedResponse:
    """The response once all these batches are on disk, or the disk has failed them."""
    # A broker that stops flushes its logs last, so a producer in a hurry gets no answer and will ask again.
    delayed = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)
    left = len(unflushed)

    def flushed(batch: _Unflushed, error: KafkaError | None) -> None:
        nonlocal left
        if error is not None:
            batch.answer.error_code, batch.answer.error_message = error.code, error.message
            batch.answer.base_offset = batch.answer.log_start_offset = -1
        left -= 1
        if not left:
            delayed.answer(response)

    for batch in unflushed:
        batch.log.when_durable(batch.end_offset, functools.partial(flushed, batch))
    return delayed


def _nothing() -> None:
    """A batch that was appended cannot be called back."""
