"""A client that holds one connection to the REST Proxy, for an hour in full, and sends records all the time."""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import httpx
import psutil

from tests.conftest import Platform
from tests.faults.broker_under_test import MIB

PIECES_PER_SECOND = 10
LOOKS = 60
"""How often the memory is looked at: every minute of an hour."""
GROWTH_MIB_MAX = 4.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long the stream is held, and how many records a second it carries.

    warm_up: the part of it in which memory may grow: what is made once is no growth.
    """

    seconds: float
    rate: int
    warm_up: float


SOAK = Length(3_600, rate=200, warm_up=1 / 12)
SHORT = Length(8, rate=2_000, warm_up=1 / 2)


class HeldStream:
    """One request that stays open: a chunk of records goes out, then the receipts of all of them come in."""

    def __init__(self, platform: Platform, topic: str) -> None:
        cluster = httpx.get(f"{platform.rest}/v3/clusters").json()["data"][0]["metadata"]["self"]
        created = httpx.post(f"{cluster}/topics", json={"topic_name": topic, "partitions_count": 1})
        assert created.status_code == 201, created.text
        url = httpx.URL(f"{cluster}/topics/{topic}/records")
        self.sent_count = 0
        self._received = b""
        self._chance = random.Random(1)
        self._socket = socket.create_connection((url.host, url.port or 80), timeout=60)
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, count: int) -> None:
        """That many records of 10 to 500 bytes; each must have a receipt, with the offset that follows the last."""
        sizes = [self._chance.randrange(10, 500) for _ in range(count)]
        piece = b"".join(b'{"value":{"type":"STRING","data":"%b"}}' % (b"x" * size) for size in sizes)
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        receipts: list[dict[str, int]] = []
        while len(receipts) < count:
            data = self._socket.recv(1 << 16)
            assert data, self._received[-300:]
            *lines, self._received = (self._received + data).split(b"\r\n")
            receipts += [json.loads(line) for line in lines if line.startswith(b'{"')]
        expected = [(200, offset) for offset in range(self.sent_count, self.sent_count + count)]
        assert [(one["error_code"], one["offset"]) for one in receipts] == expected
        self.sent_count += count

    def end(self) -> None:
        """Close the request; the answer must end, too."""
        self._socket.sendall(b"0\r\n\r\n")
        while not self._received.endswith(b"0\r\n\r\n"):
            data = self._socket.recv(1 << 16)
            assert data, self._received[-300:]
            self._received += data


def hold(stream: HeldStream, web: psutil.Process, length: Length) -> Iterator[tuple[float, float]]:
    """Send at that rate; yields, LOOKS times, the seconds until then and the MiB that are the web process's own."""
    begun = time.monotonic()
    pieces = round(length.seconds * PIECES_PER_SECOND)
    for number in range(1, pieces + 1):
        stream.send(length.rate // PIECES_PER_SECOND)
        time.sleep(max(0.0, begun + number / PIECES_PER_SECOND - time.monotonic()))
        if number * LOOKS // pieces > (number - 1) * LOOKS // pieces:
            yield time.monotonic() - begun, web.memory_full_info().uss / MIB


def test_a_connection_that_is_held_for_an_hour_costs_no_growing_memory(
    platform: Platform, is_soak: bool, figures: Callable[..., None]
) -> None:
    length = SOAK if is_soak else SHORT
    web = psutil.Process(platform.process.pid)
    looks: list[float] = []
    with HeldStream(platform, "held") as stream:
        for at_s, own_mib in hold(stream, web, length):
            looks.append(own_mib)
            print(f"{at_s:7.1f} s: {own_mib:.2f} MiB, {stream.sent_count} records", flush=True)
        stream.end()
    stored = httpx.get(f"{platform.rest}/topics/held/partitions/0/offsets").json()["end_offset"]
    warm, *later = looks[round(len(looks) * length.warm_up) - 1 :]
    figures(
        seconds=length.seconds,
        records=stream.sent_count,
        first_mib=looks[0],
        warm_mib=warm,
        end_mib=looks[-1],
        growth_mib=max(later) - warm,
        cpu_s=sum(web.cpu_times()[:2]),
    )
    assert stored == stream.sent_count
    assert max(later) - warm < GROWTH_MIB_MAX
