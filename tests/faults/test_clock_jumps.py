"""T11: the machine's clock is set an hour back or ten days ahead while the broker runs."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.broker import Broker
from broker.clock import Clock
from broker.config import broker_config
from broker.protocol.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.conftest import wait_until
from tests.faults.asking import EARLIEST, commit, committed, list_offsets
from tests.integration.broker.wire_client import WireClient, batch, produce_request

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SETTINGS = {
    "listeners": "127.0.0.1:0",
    "log.retention.check.interval.ms": "300",
    "offsets.retention.check.interval.ms": "300",
    "log.segment.delete.delay.ms": "0",
}

jumps = pytest.mark.parametrize("jump_ms", [-HOUR_MS, HOUR_MS, 10 * DAY_MS], ids=["-1h", "+1h", "+10d"])


class AdjustableClock(Clock):
    """The machine's clock, until somebody sets it."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock()


@contextlib.contextmanager
def running_broker(folder: Path, clock: Clock, **settings: str) -> Iterator[WireClient]:
    """A broker in a thread of this process, so that it can have this clock; yields a connection to it."""
    loop = asyncio.new_event_loop()
    given = {name.replace("_", "."): value for name, value in settings.items()}
    broker = Broker(broker_config({**SETTINGS, **given}), folder, clock)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(broker.start(), loop).result(10)
        with WireClient(broker.listeners[0].address) as wire:
            yield wire
    finally:
        asyncio.run_coroutine_threadsafe(broker.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def wire(tmp_path: Path, clock: AdjustableClock) -> Iterator[WireClient]:
    with running_broker(tmp_path / "data", clock) as wire:
        yield wire


def create(wire: WireClient, topic: str, **configs: str) -> None:
    wanted = CreatableTopic(
        name=topic,
        num_partitions=1,
        replication_factor=1,
        configs=[CreatableTopicConfig(name=name.replace("_", "."), value=value) for name, value in configs.items()],
    )
    assert wire.ask(CreateTopicsRequest(topics=[wanted], timeout_ms=5000), 5).topics[0].error_code == 0


def produce(wire: WireClient, topic: str, clock: Clock) -> int:
    """Produce a record of this moment; the timestamp that the broker gave it, or -1."""
    answer = wire.ask(produce_request(topic, batch(b"x", timestamp_ms=clock.now_ms())), 9)
    partition = answer.responses[0].partition_responses[0]
    assert partition.error_code == 0
    return int(partition.log_append_time_ms)


@jumps
def test_a_long_poll_lasts_as_long_as_it_was_asked_to(wire: WireClient, clock: AdjustableClock, jump_ms: int) -> None:
    create(wire, "empty")
    partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    begun = time.monotonic()
    wire.send(
        FetchRequest(
            max_bytes=1000, min_bytes=1, max_wait_ms=600, topics=[FetchTopic(topic="empty", partitions=[partition])]
        ),
        11,
    )
    time.sleep(0.1)
    clock.ahead_ms = jump_ms
    wire.read_frame()  # it gives up after 10 s
    assert time.monotonic() - begun > 0.5


@jumps
def test_members_of_a_group_stay(wire: WireClient, clock: AdjustableClock, jump_ms: int) -> None:
    join = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=6000,
        rebalance_timeout_ms=6000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    joined = wire.ask(join, 3)
    member = {"group_id": "g", "generation_id": joined.generation_id, "member_id": joined.member_id}
    assignment = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
    assert wire.ask(SyncGroupRequest(assignments=[assignment], **member), 2).error_code == 0
    clock.ahead_ms = jump_ms
    time.sleep(0.5)
    assert wire.ask(HeartbeatRequest(**member), 2).error_code == 0


class SetsBack(logging.Handler):
    """Somebody sets the clock right again at once when the broker says that it jumped."""

    def __init__(self, clock: AdjustableClock) -> None:
        super().__init__(logging.WARNING)
        self.has_heard = False
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        if "the clock jumped" in record.getMessage():
            self._clock.ahead_ms = 0
            self.has_heard = True


@contextlib.contextmanager
def set_back_at_once(clock: AdjustableClock) -> Iterator[SetsBack]:
    handler, logger = SetsBack(clock), logging.getLogger("broker")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


def await_retention(wire: WireClient, clock: AdjustableClock, topic: str) -> None:
    """Wait until retention has passed once: a topic that keeps nothing has lost its record."""
    create(wire, topic, retention_ms="1")
    produce(wire, topic, clock)
    wait_until(lambda: list_offsets(wire, topic, EARLIEST) == [1], what="a check of retention")


def test_records_are_deleted_only_if_the_clock_stays_ahead(tmp_path: Path, clock: AdjustableClock) -> None:
    with running_broker(tmp_path / "data", clock, offsets_retention_check_interval_ms="3600000") as wire:
        create(wire, "kept")
        for _ in range(3):
            produce(wire, "kept", clock)
        await_retention(wire, clock, "before")
        with set_back_at_once(clock) as warned:
            clock.ahead_ms = 10 * DAY_MS
            wait_until(lambda: warned.has_heard, what="the jump is noticed")
        await_retention(wire, clock, "after")
        assert list_offsets(wire, "kept", EARLIEST) == [0]

        clock.ahead_ms = 10 * DAY_MS
        wait_until(lambda: list_offsets(wire, "kept", EARLIEST) == [3], what="retention by the new clock")


def test_offsets_are_deleted_only_if_the_clock_stays_ahead(tmp_path: Path, clock: AdjustableClock) -> None:
    with running_broker(tmp_path / "data", clock, log_retention_check_interval_ms="3600000") as wire:
        create(wire, "kept")
        assert commit(wire, "readers", "kept", 2) == 0
        with set_back_at_once(clock) as warned:
            clock.ahead_ms = 10 * DAY_MS
            wait_until(lambda: warned.has_heard, what="the jump is noticed")
        time.sleep(1)  # some rounds more
        assert committed(wire, "readers", "kept") == 2

        clock.ahead_ms = 10 * DAY_MS
        wait_until(lambda: committed(wire, "readers", "kept") == -1, what="expiry by the new clock")


def test_log_append_time_goes_back_by_the_jump_and_searches_by_time_still_find(
    tmp_path: Path, clock: AdjustableClock
) -> None:
    with running_broker(tmp_path / "data", clock) as wire:
        create(wire, "dated", message_timestamp_type="LogAppendTime", index_interval_bytes="1")
        first_ms = [produce(wire, "dated", clock) for _ in range(5)]
        clock.ahead_ms = -HOUR_MS
        second_ms = [produce(wire, "dated", clock) for _ in range(5)]
        assert first_ms == sorted(first_ms)
        assert second_ms == sorted(second_ms)
        assert first_ms[-1] - HOUR_MS <= second_ms[0] < first_ms[-1]
    with running_broker(tmp_path / "data", clock) as wire:
        assert list_offsets(wire, "dated", first_ms[0]) == [0]
        assert list_offsets(wire, "dated", second_ms[-1]) == [0]  # the first record that is not older
        assert list_offsets(wire, "dated", first_ms[-1] + 1) == [-1]
        clock.ahead_ms = 0
        later_ms = produce(wire, "dated", clock)
        assert list_offsets(wire, "dated", later_ms) == [10]
