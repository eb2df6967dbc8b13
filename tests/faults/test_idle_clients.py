"""T7 and T10: clients that say nothing, stop in the middle of a sentence, or are gone without a word."""

import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from tests.conftest import wait_until
from tests.faults.asking import produce, produce_for
from tests.faults.broker_under_test import MIB, BrokerUnderTest
from tests.faults.malformed import request
from tests.integration.broker.wire_client import WireClient

IDLE_CLIENTS = 10_000
CONNECT_SECONDS_MAX = 15
BYTES_PER_CLIENT_MAX = 25_000
BUSY_SECONDS = 2.0
BUSY_FACTOR_MAX = 2.0
HALF_FRAME_CLIENTS = 1_000
HALF_OPEN_CLIENTS = 200
TCP_REPAIR = 19
"""Linux: a socket in this mode closes without a FIN."""


@contextlib.contextmanager
def idle_clients(broker: BrokerUnderTest, count: int, data: bytes = b"") -> Iterator[float]:
    """So many connections, held open by a process of their own; yields how many seconds the broker needed for them."""
    begun, sockets = time.monotonic(), broker.sockets()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.idle_clients", str(broker.port), str(count), data.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        wait_until(lambda: broker.sockets() >= sockets + count, timeout=60, what="all are accepted")
        yield time.monotonic() - begun
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def produce_p99_ms(wire: WireClient) -> float:
    """The 99th percentile of single-record produces, one after the other."""
    took = produce_for(wire, "busy", BUSY_SECONDS)
    return took[len(took) * 99 // 100] * 1000


def test_ten_thousand_idle_clients_cost_little_and_disturb_nobody(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None], within: Callable[..., None]
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = IDLE_CLIENTS if hard == resource.RLIM_INFINITY else min(IDLE_CLIENTS, hard * 3 // 4 - 200)
    broker = new_broker()
    broker.create_topic("busy")
    with WireClient(broker.bootstrap_servers) as wire:
        produce_p99_ms(wire)
        alone_ms = min(produce_p99_ms(wire) for _ in range(2))
        rss = broker.rss_mib()
        with idle_clients(broker, count) as connect_s:
            bytes_each = (broker.rss_mib() - rss) * MIB / count
            cpu_s = broker.cpu_seconds()
            time.sleep(1)
            idle_cpu_s = broker.cpu_seconds() - cpu_s
            among_idle_ms = min(produce_p99_ms(wire) for _ in range(2))
        wait_until(lambda: produce_p99_ms(wire) > 0, what="produce after they left")
    figures(
        clients=count,
        connect_s=connect_s,
        bytes_each=bytes_each,
        rss_mib=broker.rss_mib(),
        idle_cpu_s=idle_cpu_s,
        p99_alone_ms=alone_ms,
        p99_among_idle_ms=among_idle_ms,
    )
    assert bytes_each < BYTES_PER_CLIENT_MAX
    within(connect_s=(connect_s, CONNECT_SECONDS_MAX), p99_ms=(among_idle_ms, BUSY_FACTOR_MAX * alone_ms + 1))
    assert broker.unforeseen_lines() == []


def test_a_thousand_clients_that_stop_amid_a_frame_occupy_what_they_sent_until_they_are_closed(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None], within: Callable[..., None]
) -> None:
    broker = new_broker(settings={"connections.max.idle.ms": "5000"})
    broker.create_topic("busy")
    announced = 100 * MIB
    half = announced.to_bytes(4, "big") + request(ApiKey.PRODUCE, 9, bytes(2_000))[4:]
    with WireClient(broker.bootstrap_servers) as wire:
        produce_p99_ms(wire)
        rss = broker.rss_mib()
        with idle_clients(broker, HALF_FRAME_CLIENTS, half):
            growth_mib = broker.rss_mib() - rss
            within(p99_ms=(produce_p99_ms(wire), 1000))
            wait_until(lambda: produce_p99_ms(wire) and broker.sockets() < 100, timeout=60, what="idle close")
    figures(clients=HALF_FRAME_CLIENTS, sent_mib=HALF_FRAME_CLIENTS * len(half) / MIB, growth_mib=growth_mib)
    assert growth_mib < 50
    assert broker.unforeseen_lines() == []


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0\0\x20", b"\0\0\0\x20\0\x03\0\x09"], ids=len)
def test_a_client_that_never_says_a_whole_request_is_closed(
    new_broker: Callable[..., BrokerUnderTest], sent: bytes
) -> None:
    broker = new_broker(settings={"connections.max.idle.ms": "500"})
    begun = time.monotonic()
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        wire.socket.sendall(sent)
        assert wire.is_closed_without_answer()
        assert time.monotonic() - begun > 0.4


def test_a_request_that_comes_byte_by_byte_is_answered(new_broker: Callable[..., BrokerUnderTest]) -> None:
    broker = new_broker()
    with WireClient(broker.bootstrap_servers) as wire:
        for byte in request(ApiKey.METADATA, 1, (-1).to_bytes(4, "big", signed=True)):
            wire.socket.sendall(bytes([byte]))
            time.sleep(0.01)
        assert wire.read_frame()


@pytest.mark.parametrize("how", ["gone", "half closed"])
def test_connections_whose_client_is_gone_without_a_word_are_closed(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None], within: Callable[..., None], how: str
) -> None:
    broker = new_broker(settings={"connections.max.idle.ms": "1500"})
    broker.create_topic("busy")
    with WireClient(broker.bootstrap_servers) as wire:
        produce_p99_ms(wire)
        sockets, rss = broker.sockets(), broker.rss_mib()
        for number in range(HALF_OPEN_CLIENTS):
            if number % 20 == 0:
                produce(wire, "busy")  # or it would be closed as idle itself, where connecting takes long
            client = WireClient(broker.bootstrap_servers)
            if number % 2:  # it waits for records, so the broker will want to tell it something
                partition = FetchPartition(partition=0, fetch_offset=10_000_000, partition_max_bytes=1000)
                topics = [FetchTopic(topic="busy", partitions=[partition])]
                client.send(FetchRequest(max_bytes=1000, min_bytes=1, max_wait_ms=1_000, topics=topics), 11)
            if how == "gone":
                vanish(client.socket)
            else:
                client.socket.shutdown(socket.SHUT_WR)
                client.socket.detach()
        begun = time.monotonic()
        within(p99_ms=(produce_p99_ms(wire), 1000))
        wait_until(
            lambda: produce_for(wire, "busy", 0.1) and broker.sockets() <= sockets,
            timeout=60,
            what="all are closed",
        )
        closed_s = time.monotonic() - begun
    figures(clients=HALF_OPEN_CLIENTS, closed_s=closed_s, growth_mib=broker.rss_mib() - rss)
    assert broker.rss_mib() - rss < 20
    assert broker.unforeseen_lines() == []


def vanish(client: socket.socket) -> None:
    """Close without telling the other end, as a machine without power does; skips where that is forbidden."""
    try:
        client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError as error:
        pytest.skip(f"a connection can only be dropped silently by root: {error}")
    client.close()
