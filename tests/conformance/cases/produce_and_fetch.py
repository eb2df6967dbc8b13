"""Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords: what is wrong in batches, offsets and sessions."""

import struct
import time
import uuid
from collections.abc import Callable
from typing import Any

from crc32c import crc32c

from broker.protocol.api_keys import ApiKey
from broker.protocol.record_batch import Record, build_batch
from tests.conformance.asking import Side
from tests.conformance.table import Table
from tests.integration.broker.wire_client import batch

TABLE = Table("log")
ONE, THREE, COMPACTED, DATED, READ, TIED, SMALL, ISR = (
    f"wi-{each}" for each in ("one", "three", "compacted", "dated", "read", "tied", "small", "isr")
)
HOUR_MS = 3_600_000
TWICE = (
    "What is named twice in one request is answered twice, and a topic without partitions with none; Kafka answers "
    "once and not at all."
)
ISOLATION = "an unknown isolation level is INVALID_REQUEST, not an unknown server error."
BEHIND = "bytes behind a batch are refused, because Kafka forgets them without a word."
UNKNOWN_ID = uuid.UUID(int=77 << 64).bytes
LAST = {ApiKey.PRODUCE: 13, ApiKey.FETCH: 18, ApiKey.LIST_OFFSETS: 11}


def now_ms() -> int:
    return int(time.time() * 1000)


def prepare(at: Side) -> None:
    at.topic(ONE)
    at.topic(THREE, 3)
    at.topic(COMPACTED, cleanup_policy="compact")
    at.topic(DATED, message_timestamp_type="LogAppendTime")
    at.topic(SMALL, max_message_bytes="500", message_timestamp_before_max_ms="1000")
    at.topic(ISR, min_insync_replicas="2")
    at.topic(READ, 2)
    start_ms = now_ms()
    for number in range(5):
        at.produce(READ, b"1", b"2", timestamp_ms=start_ms + number)
    at.topic(TIED)
    for _ in range(3):
        at.produce(TIED, b"1", b"2", timestamp_ms=start_ms)


# -- Produce


def produced(at: Side, records: bytes | None, *, topic: str = ONE, version: int = 9, acks: int = -1, **how: Any) -> Any:
    partition = how.pop("partition", 0)
    named = {"topic_id": at.topic_ids.get(topic, UNKNOWN_ID)} if version >= 13 else {"name": topic}
    data = [{**named, "partition_data": [{"index": partition, "records": records}]}]
    answer = at.ask(ApiKey.PRODUCE, version, acks=acks, timeout_ms=5000, topic_data=data, **how)
    if isinstance(answer, dict):
        for each in (p for t in answer["responses"] for p in t["partition_responses"]):
            if not each["error_code"]:
                each.pop("base_offset", None)
    return answer


def patched(at: int, layout: str, value: int, *values: bytes, with_crc: bool = True) -> bytes:
    records = batch(*(values or (b"x",)), timestamp_ms=now_ms())
    struct.pack_into(layout, records, at, value)
    if with_crc:
        struct.pack_into(">I", records, 17, crc32c(records[21:]))
    return bytes(records)


def dated(timestamp_ms: int) -> bytes:
    return bytes(batch(b"x", timestamp_ms=timestamp_ms))


def with_delta(delta: int) -> bytes:
    """A batch of two records of which the second has the offset delta of the first."""
    records = bytearray(build_batch([Record(0, now_ms(), None, b"a"), Record(1, now_ms(), None, b"b")]))
    second = records.rindex(b"\2b\0") - 1  # its key length, after the deltas
    records[second - 1] = delta
    struct.pack_into(">I", records, 17, crc32c(records[21:]))
    return bytes(records)


BATCHES: dict[str, tuple[Callable[[], bytes | None], str | None]] = {
    "good": (lambda: dated(now_ms()), None),
    "wrong CRC": (lambda: patched(17, ">I", 1, with_crc=False), None),
    "magic 0": (lambda: patched(16, ">b", 0), None),
    "magic 1": (lambda: patched(16, ">b", 1), None),
    "magic 3": (lambda: patched(16, ">b", 3), None),
    "magic -1": (lambda: patched(16, ">b", -1), None),
    "base offset 5": (lambda: patched(0, ">q", 5), None),
    "leader epoch 9": (lambda: patched(12, ">i", 9), None),
    "batch length 1": (lambda: patched(8, ">i", 1), None),
    "batch length -1": (lambda: patched(8, ">i", -1), None),
    "batch length too long": (lambda: patched(8, ">i", 5000), None),
    "more records than it says": (lambda: patched(57, ">i", 1, b"x", b"y"), None),
    "fewer records than it says": (lambda: patched(57, ">i", 3, b"x", b"y"), None),
    "a count of -1": (lambda: patched(57, ">i", -1), None),
    "a count of 0": (lambda: patched(57, ">i", 0), None),
    "last offset delta -1": (lambda: patched(23, ">i", -1), None),
    "two records of one offset": (lambda: with_delta(0), None),
    "two batches": (lambda: dated(now_ms()) + dated(now_ms()), None),
    "no bytes": (lambda: b"", None),
    "ten bytes": (lambda: bytes(10), None),
    "cut short by a byte": (lambda: dated(now_ms())[:-1], None),
    "a byte too many": (lambda: dated(now_ms()) + b"\0", BEHIND),
    "a second batch, cut short": (lambda: dated(now_ms()) + dated(now_ms())[:-1], BEHIND),
    "control batch": (lambda: bytes(batch(b"x", control=True)), None),
    "transactional without an id": (
        lambda: bytes(batch(b"x", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0)),
        None,
    ),
    "codec 5": (
        lambda: patched(21, ">h", 5),
        "an unknown codec is InvalidRecord, not an unknown server error, because the client is at fault.",
    ),
    "codec 7": (
        lambda: patched(21, ">h", 7),
        "an unknown codec is InvalidRecord, not an unknown server error, because the client is at fault.",
    ),
    "gzip that is none": (
        lambda: patched(21, ">h", 1),
        "The content of a compressed batch is not looked at, unless the topic is compacted or recompresses.",
    ),
    "two hours ahead": (lambda: dated(now_ms() + 2 * HOUR_MS), None),
    "half an hour ahead": (lambda: dated(now_ms() + HOUR_MS // 2), None),
    "no timestamp": (lambda: dated(-1), None),
    "timestamp -2": (lambda: dated(-2), None),
    "of the year 1970": (lambda: dated(0), None),
    "1 MB": (lambda: bytes(batch(bytes(1_048_588), timestamp_ms=now_ms())), None),
    "a producer id without a sequence": (
        lambda: bytes(batch(b"x", producer_id=5, producer_epoch=0, base_sequence=-1)),
        None,
    ),
    "a sequence without an epoch": (
        lambda: bytes(batch(b"x", producer_id=6, producer_epoch=-1, base_sequence=0)),
        None,
    ),
    "an epoch without a producer id": (lambda: bytes(batch(b"x", producer_epoch=3, base_sequence=0)), None),
    "a producer id of -5": (lambda: bytes(batch(b"x", producer_id=-5, producer_epoch=0, base_sequence=0)), None),
}
for _name, (_make, _differs) in BATCHES.items():
    TABLE.case(f"Produce v9: {_name}", differs=_differs)(lambda at, make=_make: produced(at, make()))  # type: ignore[misc]

for _version in (3, 5, 7, 8, 11, 12, 13):
    TABLE.case(f"Produce v{_version}: wrong CRC")(
        lambda at, version=_version: produced(at, patched(17, ">I", 1, with_crc=False), version=version)  # type: ignore[misc]
    )
    TABLE.case(f"Produce v{_version}: unknown topic")(
        lambda at, version=_version: produced(at, dated(now_ms()), topic="wi-unknown", version=version)  # type: ignore[misc]
    )
TABLE.case("Produce v6: zstd")(lambda at: produced(at, bytes(batch(b"x", codec=4)), version=6))
for _acks in (2, -2, 32_767):
    TABLE.case(f"Produce: acks={_acks}")(lambda at, acks=_acks: produced(at, dated(now_ms()), acks=acks))  # type: ignore[misc]
for _partition in (1, -1, 2**31 - 1, -(2**31)):
    TABLE.case(f"Produce: partition {_partition}")(
        lambda at, partition=_partition: produced(at, dated(now_ms()), partition=partition)  # type: ignore[misc]
    )
TABLE.case("Produce v9: unknown topic")(lambda at: produced(at, dated(now_ms()), topic="wi-unknown"))
TABLE.case("Produce: null topic id")(
    lambda at: at.ask(
        ApiKey.PRODUCE,
        13,
        acks=1,
        timeout_ms=1,
        topic_data=[{"topic_id": bytes(16), "partition_data": [{"index": 0, "records": dated(now_ms())}]}],
    )
)
TABLE.case("Produce: an empty topic name")(lambda at: produced(at, dated(now_ms()), topic=""))
TABLE.case("Produce: a name that no topic can have")(lambda at: produced(at, dated(now_ms()), topic="a b/c"))
TABLE.asks("Produce: no topics", ApiKey.PRODUCE, [3, 9, 13], acks=-1, timeout_ms=1, topic_data=[])
TABLE.asks(
    "Produce: no partitions",
    ApiKey.PRODUCE,
    9,
    acks=-1,
    timeout_ms=1,
    topic_data=[{"name": ONE, "partition_data": []}],
    differs=TWICE,
)


@TABLE.case("Produce: one partition twice", differs=TWICE)
def _(at: Side) -> Any:
    data = [{"index": 0, "records": dated(now_ms())}, {"index": 0, "records": dated(now_ms())}]
    return at.ask(ApiKey.PRODUCE, 9, acks=1, timeout_ms=1, topic_data=[{"name": "wi-unknown", "partition_data": data}])


@TABLE.case("Produce: good and bad partitions in one request")
def _(at: Side) -> Any:
    data = [{"index": 0, "records": dated(now_ms())}, {"index": 1, "records": patched(17, ">I", 1, with_crc=False)}]
    data.append({"index": 7, "records": dated(now_ms())})
    topics = [{"name": THREE, "partition_data": data}, {"name": "wi-unknown", "partition_data": data}]
    return at.ask(ApiKey.PRODUCE, 9, acks=-1, timeout_ms=1000, topic_data=topics)


TABLE.case("Produce: a transactional id that began nothing")(
    lambda at: produced(
        at,
        bytes(batch(b"x", transactional=True, producer_id=987_654, producer_epoch=0, base_sequence=0)),
        transactional_id="wi-nobody",
    )
)
TABLE.case("Produce: a transactional id, but no transactional batch")(
    lambda at: produced(at, dated(now_ms()), transactional_id="wi-nobody")
)
TABLE.case("Produce compacted: no key")(lambda at: produced(at, dated(now_ms()), topic=COMPACTED))
TABLE.case("Produce compacted: no key in the second and third record")(
    lambda at: produced(
        at,
        bytes(build_batch([Record(n, now_ms(), b"k" if n == 0 else None, b"v") for n in range(3)])),
        topic=COMPACTED,
    )
)
TABLE.case("Produce compacted: a tombstone")(
    lambda at: produced(at, bytes(batch(None, key=b"k", timestamp_ms=now_ms())), topic=COMPACTED)
)
TABLE.case("Produce LogAppendTime: a time far ahead")(
    lambda at: produced(at, dated(now_ms() + 9 * HOUR_MS), topic=DATED)
)
TABLE.case("Produce: over max.message.bytes of the topic")(
    lambda at: produced(at, bytes(batch(bytes(600), timestamp_ms=now_ms())), topic=SMALL)
)
TABLE.case("Produce: before message.timestamp.before.max.ms")(
    lambda at: produced(at, dated(now_ms() - HOUR_MS), topic=SMALL)
)
TABLE.case("Produce: fewer replicas than min.insync.replicas, acks=all")(
    lambda at: produced(at, dated(now_ms()), topic=ISR)
)
TABLE.case("Produce: fewer replicas than min.insync.replicas, acks=1")(
    lambda at: produced(at, dated(now_ms()), topic=ISR, acks=1)
)
TABLE.case("Produce: into __consumer_offsets")(lambda at: produced(at, dated(now_ms()), topic="__consumer_offsets"))


@TABLE.case("Produce: sequences of an idempotent producer")
def _(at: Side) -> Any:
    topic = at.topic("wi-sequences")

    def send(sequence: int, epoch: int = 0, count: int = 1, producer: int = 77_777) -> list[int]:
        records = batch(
            *[b"x"] * count,
            producer_id=producer,
            producer_epoch=epoch,
            base_sequence=sequence,
            timestamp_ms=1_700_000_000_000,
        )
        data = [{"index": 0, "records": bytes(records)}]
        answer = at.raw(
            ApiKey.PRODUCE, 9, acks=-1, timeout_ms=5000, topic_data=[{"name": topic, "partition_data": data}]
        )
        found = answer.responses[0].partition_responses[0]
        return [found.error_code, found.base_offset, found.log_append_time_ms, found.log_start_offset]

    asked: list[tuple[Any, ...]] = [
        (0,),
        (1, 0, 2),
        (3,),
        (1, 0, 2),
        (0,),
        (9,),
        (5, 1),
        (0, 1),
        (4, 0),
        (1, 1),
        (0, 1),
    ]
    asked += [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (0, 1), (2, 1), (3, 1), (1, 1, 2), (0, 3), (0, 2)]
    asked += [(500, 0, 1, 88_888), (501, 0, 1, 88_888), (2**31 - 1, 0, 1, 99_999), (0, 0, 1, 99_999)]
    asked += [(2**31 - 2, 0, 4, 99_998), (2, 0, 1, 99_998), (-2, 0, 1, 99_997), (0, -1, 1, 99_996), (0, 32_767, 1, 5)]
    return [[list(each), send(*each)] for each in asked]


# -- Fetch


def fetched(at: Side, version: int, offset: int = 0, *, topic: str = READ, partition: int = 0, **how: Any) -> Any:
    named = {"topic_id": at.topic_ids.get(topic, UNKNOWN_ID)} if version >= 13 else {"topic": topic}
    inner = {
        key: how.pop(key)
        for key in ("current_leader_epoch", "last_fetched_epoch", "partition_max_bytes", "log_start_offset")
        if key in how
    }
    asked = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20, **inner}
    settings = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "session_id": 0, "session_epoch": -1, **how}
    return at.ask(ApiKey.FETCH, version, topics=[{**named, "partitions": [asked]}], **settings)


for _version in (4, 5, 7, 9, 11, 12, 13, 15, 16, 17, 18):
    for _offset in (0, 3, 10, 11, -1, -2, 2**62):
        TABLE.case(f"Fetch v{_version}: offset {_offset}")(
            lambda at, version=_version, offset=_offset: fetched(at, version, offset)  # type: ignore[misc]
        )
    TABLE.case(f"Fetch v{_version}: unknown topic")(
        lambda at, version=_version: fetched(at, version, topic="wi-unknown")  # type: ignore[misc]
    )
    TABLE.case(f"Fetch v{_version}: partition 9")(
        lambda at, version=_version: fetched(at, version, partition=9)  # type: ignore[misc]
    )
for _partition in (-1, 2**31 - 1):
    TABLE.case(f"Fetch: partition {_partition}")(
        lambda at, partition=_partition: fetched(at, 12, partition=partition)  # type: ignore[misc]
    )
for _epoch in (-2, -1, 0, 1, 5):
    TABLE.case(f"Fetch: current leader epoch {_epoch}")(
        lambda at, epoch=_epoch: fetched(at, 12, current_leader_epoch=epoch)  # type: ignore[misc]
    )
for _epoch in (-2, 0, 1, 5):
    TABLE.case(f"Fetch: last fetched epoch {_epoch}")(
        lambda at, epoch=_epoch: fetched(at, 12, 4, current_leader_epoch=0, last_fetched_epoch=epoch)  # type: ignore[misc]
    )
TABLE.case("Fetch: one byte is one batch")(lambda at: fetched(at, 12, partition_max_bytes=1, max_bytes=1))
TABLE.case("Fetch: no bytes")(lambda at: fetched(at, 12, partition_max_bytes=0, max_bytes=0))
TABLE.case(
    "Fetch: bytes below zero",
    differs="sizes below zero in a Fetch are taken for 0, because an unknown server error helps nobody.",
)(lambda at: fetched(at, 12, partition_max_bytes=-1, max_bytes=-1))
TABLE.case("Fetch: a wait below zero")(lambda at: fetched(at, 12, 10, max_wait_ms=-1, min_bytes=1))
TABLE.case("Fetch: isolation level 5", differs=ISOLATION)(lambda at: fetched(at, 12, isolation_level=5))
TABLE.case("Fetch: read committed")(lambda at: fetched(at, 12, isolation_level=1))
TABLE.case("Fetch: an unknown rack")(lambda at: fetched(at, 12, rack_id="nowhere"))
TABLE.case("Fetch: an empty name")(lambda at: fetched(at, 12, topic=""))
TABLE.asks("Fetch: no topics", ApiKey.FETCH, [4, 7, 12, 17], max_wait_ms=0, min_bytes=0, session_epoch=-1, topics=[])
TABLE.case("Fetch: an unknown session")(lambda at: fetched(at, 12, session_id=123_456, session_epoch=1))
TABLE.case("Fetch: an unknown session, by id")(lambda at: fetched(at, 17, session_id=123_456, session_epoch=1))
TABLE.case("Fetch: a session that is to be closed, unknown")(
    lambda at: fetched(at, 12, session_id=123_456, session_epoch=-1)
)
TABLE.case("Fetch: session 0, epoch 5")(lambda at: fetched(at, 12, session_id=0, session_epoch=5))
TABLE.case("Fetch: session epoch -5")(lambda at: fetched(at, 12, session_id=0, session_epoch=-5))
TABLE.case("Fetch: one partition twice", differs=TWICE)(
    lambda at: at.ask(
        ApiKey.FETCH,
        12,
        max_wait_ms=0,
        min_bytes=0,
        session_epoch=-1,
        topics=[{"topic": READ, "partitions": [{"partition": 1}, {"partition": 1}]}],
    )
)
TABLE.case("Fetch: one topic twice")(
    lambda at: at.ask(
        ApiKey.FETCH,
        12,
        max_wait_ms=0,
        min_bytes=0,
        session_epoch=-1,
        topics=[{"topic": READ, "partitions": [{"partition": each}]} for each in (0, 1)],
    )
)


@TABLE.case("Fetch: the life of a session")
def _(at: Side) -> Any:
    topic = at.topic("wi-session", 2)

    def ask(session_id: int, epoch: int, *, version: int = 12, named: bool = True, **fields: Any) -> Any:
        asked = [{"topic": topic, "partitions": [{"partition": p, "partition_max_bytes": 1000} for p in (0, 1)]}]
        answer = at.raw(
            ApiKey.FETCH,
            version,
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1000,
            session_id=session_id,
            session_epoch=epoch,
            topics=asked if named else [],
            **fields,
        )
        shown.append([answer.error_code, answer.session_id != 0, len(answer.responses)])
        return answer

    shown: list[Any] = []
    session = ask(0, 0).session_id
    ask(session, 1, named=False)
    ask(session, 1, named=False)  # the epoch once more
    ask(session, 5, named=False)
    ask(session, 2, named=False, version=13)  # by name until now
    ask(session, 2, named=False, forgotten_topics_data=[{"topic": topic, "partitions": [0, 7]}])
    ask(session, 3, named=False, forgotten_topics_data=[{"topic": "wi-unknown", "partitions": [0]}])
    ask(session, -1, named=False)
    ask(session, 4, named=False)
    return shown


# -- ListOffsets


def listed(at: Side, version: int, *timestamps: int, topic: str = READ, **how: Any) -> Any:
    inner = {key: how.pop(key) for key in ("current_leader_epoch",) if key in how}
    first = how.pop("partition", 0)
    partitions = [{"partition_index": first, "timestamp": each, **inner} for each in timestamps]
    settings = {"replica_id": -1, **how}
    return at.ask(ApiKey.LIST_OFFSETS, version, topics=[{"name": topic, "partitions": partitions}], **settings)


for _version in range(1, 12):
    for _timestamp in (-1, -2, -3, -4, -5, -6, -7, -100, 0, 2**62):
        TABLE.case(f"ListOffsets v{_version}: timestamp {_timestamp}")(
            lambda at, version=_version, timestamp=_timestamp: listed(at, version, timestamp)  # type: ignore[misc]
        )
for _partition in (9, -1, 2**31 - 1):
    TABLE.case(f"ListOffsets: partition {_partition}")(
        lambda at, partition=_partition: listed(at, 7, -1, partition=partition)  # type: ignore[misc]
    )
for _epoch in (-2, -1, 0, 1, 5):
    TABLE.case(f"ListOffsets: current leader epoch {_epoch}")(
        lambda at, epoch=_epoch: listed(at, 7, -1, current_leader_epoch=epoch)  # type: ignore[misc]
    )
TABLE.case("ListOffsets: of an empty log")(lambda at: [listed(at, 7, each, partition=1) for each in (-1, -2, -3, 0)])
TABLE.case("ListOffsets: the largest timestamp of several")(lambda at: listed(at, 7, -3, topic=TIED))
TABLE.case("ListOffsets: unknown topic")(lambda at: [listed(at, each, -1, topic="wi-unknown") for each in (1, 5, 11)])
TABLE.case("ListOffsets: an empty name")(lambda at: listed(at, 7, -1, topic=""))
TABLE.case("ListOffsets: one partition twice")(lambda at: listed(at, 7, -1, -2))
TABLE.case("ListOffsets: isolation level 1")(lambda at: listed(at, 7, -1, isolation_level=1))
TABLE.case("ListOffsets: isolation level 9", differs=ISOLATION)(lambda at: listed(at, 7, -1, isolation_level=9))
TABLE.case("ListOffsets: a replica")(lambda at: listed(at, 7, -1, replica_id=5))
TABLE.case("ListOffsets: the debugging consumer")(lambda at: listed(at, 7, -1, replica_id=-2))
TABLE.asks("ListOffsets: no topics", ApiKey.LIST_OFFSETS, [1, 7, 11], replica_id=-1, topics=[])
TABLE.asks(
    "ListOffsets: no partitions",
    ApiKey.LIST_OFFSETS,
    7,
    replica_id=-1,
    topics=[{"name": READ, "partitions": []}],
    differs=TWICE,
)

# -- OffsetForLeaderEpoch

for _epoch in (-2, -1, 0, 1, 5):
    for _current in (-1, 0, 1):
        TABLE.asks(
            f"OffsetForLeaderEpoch: epoch {_epoch}, current {_current}",
            ApiKey.OFFSET_FOR_LEADER_EPOCH,
            [2, 3, 4],
            replica_id=-1,
            topics=[
                {
                    "topic": READ,
                    "partitions": [{"partition": 0, "current_leader_epoch": _current, "leader_epoch": _epoch}],
                }
            ],
        )
TABLE.asks(
    "OffsetForLeaderEpoch: what is not there",
    ApiKey.OFFSET_FOR_LEADER_EPOCH,
    [2, 4],
    replica_id=-1,
    topics=[
        {"topic": READ, "partitions": [{"partition": 9}, {"partition": -1}]},
        {"topic": "wi-unknown", "partitions": [{"partition": 0}]},
    ],
)
TABLE.asks("OffsetForLeaderEpoch: nothing", ApiKey.OFFSET_FOR_LEADER_EPOCH, 4, replica_id=-1, topics=[])

# -- DeleteRecords


@TABLE.case("DeleteRecords: bounds")
def _(at: Side) -> Any:
    topic = at.topic("wi-deleted")
    at.produce(topic, *[b"x"] * 10)
    shown = []
    for offset in (11, -2, 2**62, 3, 2, 0, 3, -1, 10, 11):
        partitions = [{"partition_index": 0, "offset": offset}]
        asked = [{"name": topic, "partitions": partitions}]
        shown.append([offset, at.ask(ApiKey.DELETE_RECORDS, 2, topics=asked, timeout_ms=5000)])
    shown.append(fetched(at, 12, 2, topic=topic))
    shown.append(listed(at, 7, -2, topic=topic))
    return shown


TABLE.asks(
    "DeleteRecords: what is not there",
    ApiKey.DELETE_RECORDS,
    [0, 1, 2],
    timeout_ms=1000,
    topics=[
        {"name": READ, "partitions": [{"partition_index": each, "offset": 0} for each in (9, -1)]},
        {"name": "wi-unknown", "partitions": [{"partition_index": 0, "offset": 0}]},
    ],
)
TABLE.asks(
    "DeleteRecords: of a compacted topic",
    ApiKey.DELETE_RECORDS,
    2,
    timeout_ms=1000,
    topics=[{"name": COMPACTED, "partitions": [{"partition_index": 0, "offset": 0}]}],
)
TABLE.asks(
    "DeleteRecords: of an internal topic",
    ApiKey.DELETE_RECORDS,
    2,
    timeout_ms=1000,
    topics=[{"name": "__consumer_offsets", "partitions": [{"partition_index": 0, "offset": 0}]}],
)
TABLE.asks("DeleteRecords: nothing", ApiKey.DELETE_RECORDS, 2, timeout_ms=1000, topics=[])
TABLE.asks(
    "DeleteRecords: one partition twice",
    ApiKey.DELETE_RECORDS,
    2,
    timeout_ms=1000,
    topics=[{"name": READ, "partitions": [{"partition_index": 1, "offset": 0}] * 2}],
    differs=TWICE,
)
