"""Produce of one batch to one partition, as producers send it that keep up with their records.

What stands before the records is the same from one such request to the next, so it is known by its bytes; and so is
the answer, save for three numbers. Checking and appending are the handler's own.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from broker.dispatch import RequestContext, shortcut
from broker.errors import NONE, KafkaError
from broker.handlers.produce import ACKS_ALL, TOPIC_IDS_VERSION, ZSTD_VERSION, Target, refuse
from broker.log import PartitionLog
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import encode
from broker.protocol.messages.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from broker.protocol.primitives import NULL_UUID, DecodeError, long_uvarint
from broker.protocol.record_batch import RECORD_BATCH_HEADER_BYTES, TRANSACTIONAL, check_produced
from broker.security.acl import Operation, ResourceType

KNOWN: Final = "known bytes of Produce"
"""Where they are among what is derived from the topics: a change of these forgets them."""

KNOWN_MAX: Final = 20_000
"""Clients differ in little but the partition; with more of them, all are learnt anew. About half a KiB each."""

START_OFFSET_VERSION: Final = 5
FLEXIBLE_VERSION: Final = 9

ACKS_LEADER: Final = 1
_WRITE: Final = Operation.WRITE
_TOPIC: Final = ResourceType.TOPIC

# Transactional id, acks, timeout, count of topics; then the name's length, or the topic id, the count of partitions and
# the first one's index. Counts and lengths are one too high in flexible versions.
_CLASSIC_START: Final = Struct(">hhiih")
_FLEXIBLE_START: Final = Struct(">BhiBB")
_ID_START: Final = Struct(">BhiB16sBi")
_CLASSIC_PARTITION: Final = Struct(">ii")
_FLEXIBLE_PARTITION: Final = Struct(">Bi")
_FLEXIBLE_END: Final = b"\0\0\0"  # no tagged fields in partition, topic and request

# What stands for the numbers in an answer until they are known.
_STAND_INS: Final = (0x7A6B_5C4D_3E2F_1021, 0x7A6B_5C4D_3E2F_1022, 0x7A6B_5C4D_3E2F_1023)


class _Known(NamedTuple):
    """Where a batch behind some bytes goes, and what is answered."""

    topic: str
    topic_id: bytes
    partition: int
    log: PartitionLog
    max_message_bytes: int
    is_all: bool
    """Whether it asks for acks=all."""
    pack: Callable[..., bytes]
    """Makes the answer of its two or three numbers, with `head` before and `tail` after them."""
    head: bytes
    tail: bytes


@shortcut(ApiKey.PRODUCE)
def produce(frame: memoryview, at: int, context: RequestContext) -> bytes | ProduceResponse | None:
    """Append the one batch of a request, if all before it is known."""
    version = context.api_version
    if len(frame) - at < RECORD_BATCH_HEADER_BYTES:
        return None
    # The bytes that say how many belong to the key are part of it: so a key that is known was cut right.
    if version < FLEXIBLE_VERSION:
        end = at + 22 + frame[at + 13]
        length_end = end + 4
    else:
        end = at + 29 if version >= TOPIC_IDS_VERSION else at + 13 + frame[at + 8]
        length_end = end + 1
    key = (version, frame[at:end].tobytes())
    derived = context.topics.derived
    known: _Known | None = derived[KNOWN].get(key) if KNOWN in derived else None
    if known is None:
        known = _learn(key, frame, at, context)
        if known is None:
            return None
    if version < FLEXIBLE_VERSION:
        records_end = length_end + int.from_bytes(frame[end:length_end], "big", signed=True)
        if records_end != len(frame):
            return None
    else:
        try:
            size = frame[end]
            if size > 0x7F:
                size, length_end = long_uvarint(frame, length_end, size)
        except (IndexError, DecodeError):
            return None
        records_end = length_end + size - 1
        if frame[records_end:].tobytes() != _FLEXIBLE_END:
            return None
    authorizer = None if context.security is None else context.security.authorizer
    if authorizer is not None and not authorizer.allows(context, _WRITE, _TOPIC, known.topic):
        return None
    log = known.log
    if known.is_all and log.is_strict:
        return None
    records = frame[length_end:records_end]
    try:
        header = check_produced(
            records, max_message_bytes=known.max_message_bytes, zstd_allowed=version >= ZSTD_VERSION
        )
    except KafkaError:
        return None  # the handler finds the same, and has the words for it
    if header.attributes & TRANSACTIONAL:
        return None
    try:
        appended = log.append(records, header, now_ms=context.clock.now_ms())
    except KafkaError as error:
        refusal = refuse(known.topic, known.partition, error, context)
        return ProduceResponse(responses=[TopicProduceResponse(known.topic, known.topic_id, [refusal])])
    base_offset, append_time_ms, _, _ = appended
    if version < START_OFFSET_VERSION:
        return known.pack(known.head, base_offset, append_time_ms, known.tail)
    return known.pack(known.head, base_offset, append_time_ms, log.log_start_offset, known.tail)


def _learn(key: tuple[int, bytes], frame: memoryview, at: int, context: RequestContext) -> _Known | None:
    """Read what stands before the records; None if it is more than one batch, or one that needs more than a look.

    The partition must have been produced to since topics last changed: then the handler knows what it demands.
    """
    version, start = key
    topic_id = NULL_UUID
    if version >= TOPIC_IDS_VERSION:
        null, acks, _, topic_count, topic_id, partition_count, index = _ID_START.unpack(start)
        topic = context.topics.by_id(topic_id)
        name = "" if topic is None else topic.name
    else:
        is_flexible = version >= FLEXIBLE_VERSION
        layout, partition = (
            (_FLEXIBLE_START, _FLEXIBLE_PARTITION) if is_flexible else (_CLASSIC_START, _CLASSIC_PARTITION)
        )
        null, acks, _, topic_count, name_bytes = layout.unpack_from(start)
        name_end = layout.size + name_bytes - is_flexible
        if name_end + partition.size != len(start):
            return None
        name = start[layout.size : name_end].decode(errors="replace")  # such a name no topic has
        partition_count, index = partition.unpack_from(start, name_end)
    nothing, one = (0, 2) if version >= FLEXIBLE_VERSION else (-1, 1)
    if null != nothing or topic_count != one or partition_count != one or acks not in (ACKS_ALL, ACKS_LEADER):
        return None
    derived = context.topics.derived
    target: Target | None = derived.get((name, index))
    if target is None or target.is_opened:
        return None
    pack, head, tail = _answer_of(version, name, topic_id, index)
    known = _Known(name, topic_id, index, target.log, target.max_message_bytes, acks == ACKS_ALL, pack, head, tail)
    all_known = derived.setdefault(KNOWN, {})
    if len(all_known) >= KNOWN_MAX:
        all_known.clear()
    all_known[key] = known
    return known


def _answer_of(version: int, name: str, topic_id: bytes, index: int) -> tuple[Callable[..., bytes], bytes, bytes]:
    """How an answer is packed, and what stands before and after its numbers."""
    numbers = _STAND_INS if version >= START_OFFSET_VERSION else _STAND_INS[:2]
    answer = PartitionProduceResponse(index, NONE, *numbers)
    body = encode(ProduceResponse(responses=[TopicProduceResponse(name, topic_id, [answer])]), version)
    head, tail = body.split(Struct(f">{len(numbers)}q").pack(*numbers))
    return Struct(f">{len(head)}s{len(numbers)}q{len(tail)}s").pack, head, tail
