"""The stream of records over sockets: both directions at once, limits, and clients that do not play along."""

import json
import select
import socket
from collections.abc import Iterator

import pytest

from app.rest import RestSettings
from tests.integration.rest.running_proxy import RunningProxy, running_proxy

RECORD = b'{"value":{"type":"JSON","data":{"n":1}}}'


@pytest.fixture(scope="module")
def strict_proxy(bootstrap_servers: str) -> Iterator[RunningProxy]:
    """A proxy with small limits: 300 ms of silence, records of 20 kB."""
    with running_proxy(bootstrap_servers, RestSettings(produce_stream_idle_ms=300, request_max_bytes=20_000)) as proxy:
        yield proxy


class Stream:
    """A chunked POST of records on a socket of its own."""

    def __init__(self, proxy: RunningProxy, topic: str) -> None:
        path = f"{proxy.cluster_url().removeprefix(proxy.url)}/topics/{topic}/records"
        self.socket = socket.socket()
        self.socket.settimeout(20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.socket.connect(proxy.address)
        self.received = bytearray()
        self.receipt_count = 0
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.socket.sendall(b"0\r\n\r\n")

    def receive(self) -> None:
        data = self.socket.recv(1 << 18)
        assert data, self.received[-500:]
        joint = max(0, len(self.received) - 2)
        self.received += data
        self.receipt_count += self.received.count(b"}\r\n", joint)

    def receipts(self, count: int) -> list[dict[str, object]]:
        """Read until there are so many receipts; all that came until now."""
        while self.receipt_count < count:
            self.receive()
        return [json.loads(line) for line in self.received.split(b"\r\n") if line.startswith(b'{"')]

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self.received:
            self.receive()
        return bytes(self.received.partition(b"\r\n\r\n")[0])

    def read_to_end(self) -> None:
        while not self.received.endswith(b"\r\n0\r\n\r\n"):
            self.receive()


def test_each_receipt_comes_before_the_next_record_is_sent(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    with Stream(proxy, topic) as stream:
        for offset in range(50):
            stream.send(RECORD)
            assert stream.receipts(offset + 1)[-1]["offset"] == offset
        stream.end()
        stream.read_to_end()
        assert stream.head().startswith(b"HTTP/1.1 200")


def test_a_client_that_reads_nothing_is_not_read_either(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    piece = b'{"value":{"type":"STRING","data":"%b"}}' % (b"x" * 500) * 500
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    with Stream(proxy, topic) as stream:
        stream.socket.setblocking(False)
        sent_bytes = 0
        # Nobody takes the receipts, so the proxy must stop reading long before 64 MiB.
        while sent_bytes < 64 << 20 and select.select([], [stream.socket], [], 0.5)[1]:
            sent_bytes += stream.socket.send(memoryview(chunk)[sent_bytes % len(chunk) :])
        assert sent_bytes < 64 << 20
        # Somebody else is served meanwhile, and what was sent has its receipts once they are read.
        assert proxy.http.get("/topics").status_code == 200
        stream.socket.settimeout(20)
        whole = sent_bytes // len(chunk) * 500
        assert stream.receipts(whole)[whole - 1]["offset"] == whole - 1


def test_a_record_too_large_for_its_topic_is_413_and_the_stream_goes_on(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    with Stream(proxy, topic) as stream:
        stream.send(b'{"value":{"type":"STRING","data":"%b"}}' % (b"x" * 2_000_000) + RECORD)
        refused, stored = stream.receipts(2)
        assert (refused["error_code"], stored["error_code"]) == (413, 200)


def test_a_record_larger_than_the_proxy_takes_ends_the_stream(strict_proxy: RunningProxy, topic: str) -> None:
    strict_proxy.create_topic(topic)
    with Stream(strict_proxy, topic) as stream:
        stream.send(RECORD + b'{"value":{"type":"STRING","data":"%b' % (b"x" * 30_000))
        stream.read_to_end()
        assert [receipt["error_code"] for receipt in stream.receipts(2)] == [200, 400]


def test_truncated_json_is_a_400_receipt(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    with Stream(proxy, topic) as stream:
        stream.send(RECORD + RECORD[:-3])
        stream.end()
        stream.read_to_end()
        assert [receipt["error_code"] for receipt in stream.receipts(2)] == [200, 400]


def test_a_stream_that_ends_early_leaves_its_connection_to_the_next_request(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    with Stream(proxy, topic) as stream:
        stream.send(RECORD + b"nonsense")
        stream.read_to_end()
        for _ in range(50):  # nobody reads these, and nobody keeps them
            stream.send(RECORD * 2_000)
        stream.end()
        stream.received.clear()
        stream.socket.sendall(b"GET /topics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.head().startswith(b"HTTP/1.1 200")
    assert proxy.http.get(f"/topics/{topic}/partitions/0/offsets").json()["end_offset"] == 1


def test_a_record_whose_rest_never_comes_is_a_408_receipt(strict_proxy: RunningProxy, topic: str) -> None:
    strict_proxy.create_topic(topic)
    with Stream(strict_proxy, topic) as stream:
        stream.send(RECORD + RECORD[:10])
        stream.read_to_end()
        assert [receipt["error_code"] for receipt in stream.receipts(2)] == [200, 408]


def test_a_stream_without_any_record_is_408(strict_proxy: RunningProxy, topic: str) -> None:
    strict_proxy.create_topic(topic)
    with Stream(strict_proxy, topic) as stream:
        assert stream.head().startswith(b"HTTP/1.1 408")
        while not stream.received.endswith(b"}"):
            stream.receive()
        assert json.loads(stream.received.partition(b"\r\n\r\n")[2])["error_code"] == 408
