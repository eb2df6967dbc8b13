"""T9: a hundred consumers that ask for 50 MB and hardly read it."""

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import request_frame
from broker.protocol.messages.fetch import FetchRequest
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.record_batch import iter_batches, read_header
from tests.conftest import wait_until
from tests.faults.asking import fetch_request, produce, produce_for
from tests.faults.broker_under_test import MIB, BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

READERS = 100
ASKED_BYTES = 50 * MIB
MIB_PER_READER_MAX = 1.5
MIB_PER_DEAF_CLIENT_MAX = 2
SECONDS = 4
VALUE = bytes(200_000)


def fill(broker: BrokerUnderTest, partitions: int) -> None:
    """Produce 60 MB, spread over the partitions."""
    broker.create_topic("big", partitions)
    with WireClient(broker.bootstrap_servers) as wire:
        for number in range(300):
            assert produce(wire, "big", VALUE, partition=number % partitions).error_code == 0


def fetch(partitions: int) -> FetchRequest:
    return fetch_request("big", partitions, partition_max_bytes=ASKED_BYTES, max_bytes=ASKED_BYTES)


def drip(readers: list[WireClient], is_over: threading.Event) -> None:
    """Read about 1 KB a second of each."""
    while not is_over.wait(1):
        for reader in readers:
            reader.socket.recv(1024)


@pytest.mark.parametrize("partitions", [1, 10, 300])
def test_slow_readers_occupy_a_piece_each_and_disturb_nobody(
    new_broker: Callable[..., BrokerUnderTest],
    figures: Callable[..., None],
    within: Callable[..., None],
    partitions: int,
) -> None:
    broker = new_broker()
    broker.create_topic("busy")
    fill(broker, partitions)
    is_over = threading.Event()
    with ExitStack() as clients:
        wire = clients.enter_context(WireClient(broker.bootstrap_servers))
        alone = produce_for(wire, "busy", 1)
        rss = broker.rss_mib()
        broker.forget_peak()
        readers = [clients.enter_context(WireClient(broker.bootstrap_servers)) for _ in range(READERS)]
        for reader in readers:
            reader.send(fetch(partitions), 11)
        dripping = threading.Thread(target=drip, args=(readers, is_over))
        dripping.start()
        try:
            among_slow = produce_for(wire, "busy", SECONDS)
        finally:
            is_over.set()
            dripping.join()
        growth_mib = broker.peak_rss_mib() - rss
        quick = clients.enter_context(WireClient(broker.bootstrap_servers))
        found = quick.ask(fetch(partitions), 11).responses[0].partitions
        assert sum(len(each) for partition in found for each in iter_batches(partition.records)) > len(VALUE)
    figures(
        readers=READERS,
        asked_mib=READERS * ASKED_BYTES // MIB,
        peak_growth_mib=growth_mib,
        p50_alone_ms=alone[len(alone) // 2] * 1000,
        p50_among_slow_ms=among_slow[len(among_slow) // 2] * 1000,
        worst_ms=among_slow[-1] * 1000,
    )
    assert growth_mib < READERS * MIB_PER_READER_MAX
    within(p50_s=(among_slow[len(among_slow) // 2], 2 * alone[len(alone) // 2] + 0.001))
    assert broker.unforeseen_lines() == []
    wait_until(lambda: broker.open_files() < 400, timeout=60, what="what the readers held is let go")


def test_clients_that_ask_and_never_listen_are_not_read_further(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None]
) -> None:
    broker = new_broker()
    broker.create_topic("busy")
    broker.create_topic("wide", 500)
    question = request_frame(ApiKey.METADATA, 9, 1, "deaf", MetadataRequest(topics=None))
    with ExitStack() as clients:
        wire = clients.enter_context(WireClient(broker.bootstrap_servers))
        produce_for(wire, "busy", 0.5)
        rss = broker.rss_mib()
        broker.forget_peak()
        for _ in range(READERS):
            deaf = clients.enter_context(WireClient(broker.bootstrap_servers)).socket
            deaf.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    deaf.send(question * 100)
        took = produce_for(wire, "busy", 1)
        growth_mib = broker.peak_rss_mib() - rss
    figures(clients=READERS, peak_growth_mib=growth_mib, p50_ms=took[len(took) // 2] * 1000)
    assert growth_mib < READERS * MIB_PER_DEAF_CLIENT_MAX
    assert broker.unforeseen_lines() == []


def test_a_reader_that_slept_gets_the_same_bytes(new_broker: Callable[..., BrokerUnderTest]) -> None:
    broker = new_broker()
    fill(broker, 1)
    with WireClient(broker.bootstrap_servers, timeout=30) as late, WireClient(broker.bootstrap_servers) as prompt:
        late.send(fetch(1), 11)
        time.sleep(0.5)
        broker.create_topic("other")
        expected = prompt.ask(fetch(1), 11).responses[0].partitions[0].records
        frame = late.read_frame()
    assert bytes(expected) in frame
    offsets = [read_header(each).base_offset for each in iter_batches(expected)]
    assert offsets == list(range(len(offsets)))
