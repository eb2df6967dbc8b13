"""T8: whatever bytes arrive, only the connection that sent them suffers, and the log says so once."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from broker.errors import TopicAlreadyExists
from broker.protocol.compression import DECOMPRESSED_BYTES_MAX
from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.conftest import wait_until
from tests.faults import malformed
from tests.faults.broker_under_test import MIB, BrokerUnderTest
from tests.faults.malformed import TOPICS, Frame
from tests.integration.broker.wire_client import WireClient, batch, produce_request

CLOSED_WITHIN_S = 1.0
PATIENCE_S = 60.0
RSS_GROWTH_MIB_MAX = 50
OPENED_MIB_MAX = DECOMPRESSED_BYTES_MAX / MIB + RSS_GROWTH_MIB_MAX
"""What opening one batch may take for a moment; batches are opened one at a time."""
AT_ONCE = 50
SETTINGS = {"caudal.partitions.max": "200", "caudal.log.repeat.max": "0"}


class OtherClient:
    """A client that goes on producing and reading its own topic, and notices whatever happens to it."""

    TOPIC = "undisturbed-QQQQ"

    def __init__(self, broker: BrokerUnderTest) -> None:
        broker.create_topic(self.TOPIC)
        self.round_trips_s: list[float] = []
        self.failure: Exception | None = None
        self._wire = WireClient(broker.bootstrap_servers)
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "OtherClient":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_stopped.set()
        self._thread.join()
        self._wire.socket.close()

    @property
    def worst_s(self) -> float:
        return max(self.round_trips_s, default=0.0)

    def _run(self) -> None:
        expected_offset = 0
        try:
            while not self._is_stopped.is_set():
                begun = time.monotonic()
                answer = self._wire.ask(produce_request(self.TOPIC, batch(b"x")), 9)
                self.round_trips_s.append(time.monotonic() - begun)
                partition = answer.responses[0].partition_responses[0]
                assert (partition.error_code, partition.base_offset) == (0, expected_offset)
                expected_offset += 1
                self._is_stopped.wait(0.01)
        except Exception as error:
            self.failure = error


@pytest.fixture
def broker(new_broker: Callable[..., BrokerUnderTest]) -> BrokerUnderTest:
    """A broker that has met every API once, so that what it learnt to read does not count as growth."""
    broker = new_broker(settings=SETTINGS)
    create_topics(broker)
    chance = random.Random(0)
    asyncio.run(send_all(broker, list(malformed.valid_requests(chance)) * 2, wait_s=0.3))
    create_topics(broker)  # some of the requests delete topics
    return broker


def create_topics(broker: BrokerUnderTest) -> None:
    for topic in TOPICS:
        configs = {"cleanup.policy": "compact", "max.message.bytes": "30000000"} if topic == "compacted" else {}
        with contextlib.suppress(TopicAlreadyExists):
            broker.create_topic(topic, configs=configs)


async def send(broker: BrokerUnderTest, frame: Frame, wait_s: float) -> bool | None:
    """Send on a fresh connection: True if the broker closed it, False if it answered, None if neither in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port, limit=1 << 12)
    try:
        writer.write(frame.data)
        return await asyncio.wait_for(reader.read(1), wait_s) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()


@dataclass(slots=True)
class Sent:
    """How many connections the broker closed, how many had heard nothing in time, and how long the slowest took."""

    closed: int = 0
    silent: int = 0
    slowest_s: float = 0.0


async def send_all(broker: BrokerUnderTest, frames: list[Frame], wait_s: float) -> Sent:
    """Send each frame on a connection of its own, many at once."""
    result = Sent()
    pending = iter(frames)
    while some := list(islice(pending, AT_ONCE)):
        sent: list[Awaitable[bool | None]] = [send(broker, frame, wait_s) for frame in some]
        begun = time.monotonic()
        for frame, was_closed in zip(some, await asyncio.gather(*sent), strict=True):
            result.closed += was_closed is True
            result.silent += was_closed is None
            assert was_closed is True or not frame.is_refused, f"{frame.kind} was not refused: {frame.data[:60].hex()}"
        result.slowest_s = max(result.slowest_s, time.monotonic() - begun)
    return result


def refusals(broker: BrokerUnderTest) -> int:
    return len(broker.log_lines("connection closed client="))


def test_frames_that_cannot_be_answered_close_their_connection_and_are_logged_once(
    broker: BrokerUnderTest, chance: random.Random, figures: Callable[..., None], within: Callable[..., None]
) -> None:
    frames = list(malformed.refused_frames(chance))
    frames += [malformed.cut_short(frame, chance) for frame in malformed.valid_requests(chance) for _ in range(3)]
    logged, rss = refusals(broker), broker.rss_mib()
    broker.forget_peak()
    begun = time.monotonic()
    with OtherClient(broker) as other:
        slowest_s = asyncio.run(send_all(broker, frames, wait_s=PATIENCE_S)).slowest_s
    figures(
        frames=len(frames),
        seconds=time.monotonic() - begun,
        peak_growth_mib=broker.peak_rss_mib() - rss,
        other_client_worst_ms=other.worst_s * 1000,
    )
    assert other.failure is None
    assert refusals(broker) - logged == len(frames)
    within(closed_s=(slowest_s, CLOSED_WITHIN_S + other.worst_s))
    assert broker.peak_rss_mib() - rss < RSS_GROWTH_MIB_MAX
    assert broker.unforeseen_lines() == []


def test_random_and_bit_flipped_frames_harm_nobody(
    broker: BrokerUnderTest, chance: random.Random, is_soak: bool, figures: Callable[..., None]
) -> None:
    frame_count = 50_000 if is_soak else 6_000
    frames = list(islice(damaged_frames(chance), frame_count))
    logged, rss = refusals(broker), broker.rss_mib()
    broker.forget_peak()
    begun = time.monotonic()
    with OtherClient(broker) as other:
        sent = asyncio.run(send_all(broker, frames, wait_s=0.2))
    wait_until(lambda: refusals(broker) - logged >= sent.closed, what="the last refusals are logged")
    logged = refusals(broker) - logged
    figures(
        frames=frame_count,
        refused=logged,
        seconds=time.monotonic() - begun,
        growth_mib=broker.rss_mib() - rss,
        peak_growth_mib=broker.peak_rss_mib() - rss,
        other_client_worst_ms=other.worst_s * 1000,
    )
    assert other.failure is None
    assert broker.unforeseen_lines() == []
    assert sent.closed <= logged <= sent.closed + sent.silent
    assert broker.rss_mib() - rss < RSS_GROWTH_MIB_MAX


def damaged_frames(chance: random.Random) -> Iterator[Frame]:
    while True:
        for frame in malformed.valid_requests(chance):
            yield malformed.flipped(frame, chance)
            if chance.random() < 0.3:
                yield malformed.noise(chance)


def test_compression_bombs_and_lying_batches_are_refused_in_little_memory(
    broker: BrokerUnderTest, figures: Callable[..., None]
) -> None:
    rss = broker.rss_mib()
    slowest_s = worst_growth = 0.0
    with OtherClient(broker) as other, WireClient(broker.bootstrap_servers, timeout=30) as wire:
        for what, records in malformed.bombs():
            broker.forget_peak()
            begun = time.monotonic()
            answer = wire.ask(produce_request("compacted", records), 9)
            slowest_s = max(slowest_s, time.monotonic() - begun)
            worst_growth = max(worst_growth, broker.peak_rss_mib() - rss - len(records) / MIB)
            assert answer.responses[0].partition_responses[0].error_code == 87, what
            if "8 bytes" in what:  # seen without opening it
                answer = wire.ask(produce_request("fuzzed", records), 9)
                assert answer.responses[0].partition_responses[0].error_code == 87, what
    figures(slowest_s=slowest_s, peak_growth_mib=worst_growth, other_client_worst_ms=other.worst_s * 1000)
    assert other.failure is None
    assert worst_growth < OPENED_MIB_MAX
    assert broker.rss_mib() - rss < RSS_GROWTH_MIB_MAX
    assert broker.unforeseen_lines() == []


def test_a_stored_bomb_is_not_opened_without_limit_by_a_search_for_a_time(
    broker: BrokerUnderTest, figures: Callable[..., None]
) -> None:
    bomb = next(records for what, records in malformed.bombs() if what == "zstd, 10 GB")
    broker.create_topic("stored", configs={"max.message.bytes": "30000000"})
    rss = broker.rss_mib()
    with WireClient(broker.bootstrap_servers, timeout=30) as wire:
        wire.ask(produce_request("stored", bomb), 9)
        broker.forget_peak()
        begun = time.monotonic()
        topic = ListOffsetsTopic(
            name="stored", partitions=[ListOffsetsPartition(partition_index=0, timestamp=1_600_000_000_000)]
        )
        answer = wire.ask(ListOffsetsRequest(replica_id=-1, topics=[topic]), 7)
        seconds = time.monotonic() - begun
    figures(seconds=seconds, peak_growth_mib=broker.peak_rss_mib() - rss - len(bomb) / MIB)
    assert answer.topics[0].partitions[0].error_code == 2
    assert broker.peak_rss_mib() - rss < OPENED_MIB_MAX
    assert broker.unforeseen_lines() == []


def test_a_hundred_thousand_tags_are_skipped(broker: BrokerUnderTest) -> None:
    assert asyncio.run(send(broker, malformed.many_tags(), wait_s=PATIENCE_S)) is False
