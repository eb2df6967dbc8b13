"""Records that go through one v3 stream for as long as a test wants, each with its receipt."""

import contextlib
import json
import socket
import ssl
from urllib.parse import urlsplit

from confluent_kafka import Consumer, TopicPartition

from tests.integration.in_background import InBackground

PIECE_RECORDS = 20
PAUSE_S = 0.02  # so that the brokers have the processor, too


class RecordRun(InBackground):
    """Streams records 0, 1, 2, … to a topic of the proxy at url until the block ends.

    acknowledged: record → the partition and offset that its receipt names; refused: the codes of the others.
    """

    def __init__(
        self, cluster_url: str, topic: str, *, tls: ssl.SSLContext | None = None, authorization: str = ""
    ) -> None:
        super().__init__()
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.refused: list[int] = []
        self.sent_count = 0
        self._url = f"{cluster_url}/topics/{topic}/records"
        self._tls = tls
        self._authorization = f"Authorization: {authorization}\r\n" if authorization else ""
        self._received = bytearray()

    def run(self, worker: int) -> None:
        """One open request over a socket: a piece is sent, then all of its receipts are read."""
        parts = urlsplit(self._url)
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=60))
            if self._tls is not None:
                connection = stack.enter_context(self._tls.wrap_socket(connection, server_hostname=parts.hostname))
            head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}{self._authorization}Transfer-Encoding: chunked\r\n\r\n".encode())
            while not self._stop.wait(PAUSE_S):
                self._send_piece(connection)
            connection.sendall(b"0\r\n\r\n")

    def _send_piece(self, connection: socket.socket) -> None:
        numbers = range(self.sent_count, self.sent_count + PIECE_RECORDS)
        piece = b"".join(
            b'{"key":{"type":"STRING","data":"k%d"},"value":{"type":"JSON","data":%d}}' % (one, one) for one in numbers
        )
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.sent_count += len(numbers)
        receipts: list[dict[str, int]] = []
        while len(receipts) < len(numbers):
            data = connection.recv(1 << 16)
            assert data, bytes(self._received[-300:])
            self._received += data
            *lines, rest = self._received.split(b"\r\n")
            self._received = rest
            receipts += [json.loads(line) for line in lines if line.startswith(b'{"')]
        for number, receipt in zip(numbers, receipts, strict=True):
            if receipt["error_code"] == 200:
                self.acknowledged[number] = (receipt["partition_id"], receipt["offset"])
            else:
                self.refused.append(receipt["error_code"])


def read_values(bootstrap_servers: str, topic: str, partitions: int) -> dict[tuple[int, int], int]:
    """Every record of a topic: partition and offset → its value."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "record-run"})
    try:
        ends = {
            one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=30)[1] for one in range(partitions)
        }
        consumer.assign([TopicPartition(topic, one, 0) for one in range(partitions)])
        values: dict[tuple[int, int], int] = {}
        while left := sum(ends.values()) - len(values):
            messages = consumer.consume(min(left, 1_000), timeout=30)  # it waits until so many are there
            assert messages, f"{len(values)} of {sum(ends.values())} records came"
            for message in messages:
                assert message.error() is None, message.error()
                values[message.partition(), message.offset()] = json.loads(message.value())
        return values
    finally:
        consumer.close()
