"""Produce: append record batches.

v5 log start offset · v7 zstd · v8 record errors (KIP-467) · v9 flexible · v10 leader discovery (KIP-951) ·
v11 TRANSACTION_ABORTABLE · v12 partitions join the transaction by themselves (KIP-890) · v13 topic ids (KIP-516).
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
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    CorruptMessage,
    InvalidProducerEpoch,
    InvalidRecord,
    InvalidRequiredAcks,
    InvalidTimestamp,
    InvalidTopicException,
    KafkaError,
    NotCoordinator,
    NotEnoughReplicas,
    OutOfOrderSequenceNumber,
    TransactionalIdAuthorizationFailed,
    UnknownTopicId,
    UnknownTopicOrPartition,
)
from broker.groups import Now
from broker.log import PartitionLog
from broker.metadata import topic_configs
from broker.metadata.topics import Topic
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
from broker.protocol.record_batch import (
    TRANSACTIONAL,
    BatchHeader,
    NotOneBatch,
    check_produced,
    iter_records,
    read_header,
    recompress,
)
from broker.schemas import REFUSED_RECORDS_MAX, VALIDATING, RecordCheck, RefusedRecord, record_check
from broker.transactions import ProducerIdAndEpoch, join_transaction

ACKS_NONE: Final = 0
ACKS_ALL: Final = -1
ZSTD_VERSION: Final = 7
ABORTABLE_VERSION: Final = 11
ADDING_VERSION: Final = 12
TOPIC_IDS_VERSION: Final = 13
ADMIN_CLIENT_ID: Final = "__admin_client"
"""The client id that may write to internal topics, as in Kafka: for whoever mends them by hand."""

_OF_THE_LOG: Final = (InvalidRecord, InvalidTimestamp, InvalidProducerEpoch, OutOfOrderSequenceNumber)
"""Errors of a batch that the log has looked at: the answer then says where the log starts, as in Kafka."""

_CODECS: Final = {
    "uncompressed": Codec.NONE,
    "gzip": Codec.GZIP,
    "snappy": Codec.SNAPPY,
    "lz4": Codec.LZ4,
    "zstd": Codec.ZSTD,
}


class _RefusedRecords(InvalidRecord):
    """Some records of a batch are not allowed; the whole batch is refused for them.

    `records` are those that the answer names; there may be more.
    """

    def __init__(self, records: list[RefusedRecord], count: str) -> None:
        shown = (f"RecordError(batchIndex={one.batch_index}, message='{one.message}')" for one in records[:3])
        super().__init__(
            f"One or more records have been rejected due to {count} record errors in total, and only showing the first "
            f"three errors at most: [{', '.join(shown)}]"
        )
        self.records = records


class _StaleProducer(InvalidProducerEpoch):
    """The coordinator of transactions knows a newer epoch; the log has not been asked."""


class _Unflushed(NamedTuple):
    """A batch that counts only from the disk: its log is strict and its producer wants acks=all."""

    log: PartitionLog
    end_offset: int
    answer: PartitionProduceResponse


@dataclass(frozen=True, slots=True)
class Target:
    """A partition and what its topic demands of a batch, worked out once and kept until topics change."""

    log: PartitionLog
    max_message_bytes: int
    needs_keys: bool
    """Whether every record must have a key: the topic is compacted."""
    codec: Codec | None
    """What batches are recompressed to; None leaves them as they are."""
    compression_level: int | None
    schema_check: RecordCheck | None
    """What the topic demands of schema ids; None for nothing."""
    is_opened: bool
    """Whether batches must be looked into, for one of these reasons."""


@handles(ApiKey.PRODUCE, versions=range(3, 14), advertised=range(14))
def produce(request: ProduceRequest, context: RequestContext) -> ProduceResponse | DelayedResponse | None:
    """Append each partition's batch; each is answered by itself.

    With acks=0 nothing is answered, and an error closes the connection, which is the only sign the client can get.
    A request of one batch, when the one before was like it, does not come here: `broker.shortcuts.produce` takes the
    same steps.
    """
    response = ProduceResponse(responses=[])
    unflushed: list[_Unflushed] = []
    now_ms = context.clock.now_ms()
    for topic in request.topic_data:
        answers: list[PartitionProduceResponse] = []
        name = topic.name
        if context.api_version >= TOPIC_IDS_VERSION:
            known = context.topics.by_id(topic.topic_id)
            if known is None:
                answers += [_refusal(partition.index, UnknownTopicId()) for partition in topic.partition_data]
                _note_failed(name, context)
                response.responses.append(TopicProduceResponse("", topic.topic_id, answers))
                continue
            name = known.name
        response.responses.append(TopicProduceResponse(name, topic.topic_id, answers))
        for partition in topic.partition_data:
            try:
                answers.append(_append(name, partition, request, context, unflushed, now_ms))
            except KafkaError as error:
                answers.append(refuse(name, partition.index, error, context))
    if request.acks == ACKS_NONE:
        for name, refused in _failures(response):
            raise BadRequest(f"acks=0 batch for {name}-{refused.index} refused: {refused.error_message}")
        return None
    return _when_flushed(response, unflushed, context) if unflushed else response


def refuse(topic: str, index: int, error: KafkaError, context: RequestContext) -> PartitionProduceResponse:
    """Count a batch as failed; its answer."""
    _note_failed(topic, context)
    refusal = _refusal(index, error)
    if isinstance(error, _OF_THE_LOG) and not isinstance(error, NotOneBatch | _StaleProducer):
        refusal.log_start_offset = context.topics.partition(topic, index).log_start_offset
    return refusal


def _note_failed(topic: str, context: RequestContext) -> None:
    context.may_have_errors = True
    context.logs.note_failed(context.logs.failed_appends, topic)


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
    target: Target = context.topics.derived.get((topic, index)) or _find_target(topic, index, context)
    header = check_produced(
        data.records,
        max_message_bytes=target.max_message_bytes,
        zstd_allowed=context.api_version >= ZSTD_VERSION,
    )
    records: bytes | memoryview | None = data.records
    assert records is not None, "checked above"
    if header.attributes & TRANSACTIONAL:
        _join_transaction(topic, index, header, target.log, request, context)
    if target.is_opened:
        records, header = _open_batch(memoryview(records), header, target)
    log = target.log
    appended = log.append(records, header, now_ms=now_ms)
    answer = PartitionProduceResponse(
        index, NONE, appended.base_offset, appended.log_append_time_ms, log.log_start_offset
    )
    if acks == ACKS_ALL and log.is_strict:
        unflushed.append(_Unflushed(log, appended.end_offset, answer))
    return answer


def _find_target(topic: str, index: int, context: RequestContext) -> Target:
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
    schema_check = _schema_check(known, context) if VALIDATING & known.configs.keys() else None
    target = Target(
        log,
        config.max_message_bytes,
        config.is_compacting,
        codec,
        level,
        schema_check,
        config.is_compacting or codec is not None or schema_check is not None,
    )
    if not known.is_internal:
        context.topics.derived[topic, index] = target
    return target


def _schema_check(topic: Topic, context: RequestContext) -> RecordCheck | None:
    layers = context.configs.layers
    values = {name: topic_configs.typed_value(name, topic.configs, layers) for name in topic_configs.VALIDATION_CONFIGS}
    return record_check(topic.name, values, context.schemas)


def _join_transaction(
    topic: str, index: int, header: BatchHeader, log: PartitionLog, request: ProduceRequest, context: RequestContext
) -> None:
    """The batch must belong to an open transaction that has this partition."""
    if request.transactional_id is None:
        raise TransactionalIdAuthorizationFailed("a transactional batch needs a transactional id")
    producer = ProducerIdAndEpoch(header.producer_id, header.producer_epoch)
    if log.producer_state.is_in_transaction(*producer):
        return
    adds_partitions = context.api_version >= ADDING_VERSION
    try:
        join_transaction(
            context.transactions,
            request.transactional_id,
            producer,
            (topic, index),
            Now.by(context.clock),
            adds_partitions=adds_partitions,
            knows_abortable=context.api_version >= ABORTABLE_VERSION,
        )
    except InvalidProducerEpoch as error:
        raise _StaleProducer(str(error)) from error
    except (ConcurrentTransactions, CoordinatorLoadInProgress, NotCoordinator) as error:
        if adds_partitions and isinstance(error, ConcurrentTransactions):
            raise
        raise NotEnoughReplicas(str(error)) from error  # what clients of old know as a reason to try again


def _open_batch(records: memoryview, header: BatchHeader, target: Target) -> tuple[memoryview, BatchHeader]:
    """What needs a look inside: records of a compacted topic have keys; a topic may demand schema ids or a codec."""
    if target.needs_keys:
        try:
            without_key = [index for index, record in enumerate(iter_records(records)) if record.key is None]
        except CorruptMessage as error:
            raise InvalidRecord(str(error)) from error
        if without_key:
            partition = f"{target.log.topic}-{target.log.partition}"
            message = f"Compacted topic cannot accept message without key in topic partition {partition}"
            named = [RefusedRecord(each, message) for each in without_key[:REFUSED_RECORDS_MAX]]
            raise _RefusedRecords(named, str(len(without_key)))
    if target.schema_check is not None:
        try:
            refused = target.schema_check.find_refused(records)
        except CorruptMessage as error:
            raise InvalidRecord(str(error)) from error
        if refused:
            more = " or more" if len(refused) == REFUSED_RECORDS_MAX else ""
            raise _RefusedRecords(refused, f"{len(refused)}{more}")
    if target.codec is not None and target.codec != header.codec:
        records = memoryview(bytearray(recompress(records, target.codec, compression_level=target.compression_level)))
        header = read_header(records)
    return records, header


def _refusal(index: int, error: KafkaError) -> PartitionProduceResponse:
    response = PartitionProduceResponse(index=index, error_code=error.code, base_offset=-1, error_message=error.message)
    if isinstance(error, _RefusedRecords):
        response.record_errors = [BatchIndexAndErrorMessage(one.batch_index, one.message) for one in error.records]
    elif isinstance(error, InvalidTimestamp):
        response.record_errors = [BatchIndexAndErrorMessage(0, error.message)]
        response.error_message = "One or more records have been rejected due to invalid timestamp"
    return response


def _failures(response: ProduceResponse) -> Iterator[tuple[str, PartitionProduceResponse]]:
    for topic in response.responses:
        for partition in topic.partition_responses:
            if partition.error_code:
                yield topic.name, partition


def _when_flushed(response: ProduceResponse, unflushed: list[_Unflushed], context: RequestContext) -> DelayedResponse:
    """The response once all these batches are on disk, or the disk has failed them."""
    # A broker that stops flushes its logs last, so a producer in a hurry gets no answer and will ask again.
    delayed = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)
    left = len(unflushed)

    def flushed(batch: _Unflushed, error: KafkaError | None) -> None:
        nonlocal left
        if error is not None:
            _note_failed(batch.log.topic, context)
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
