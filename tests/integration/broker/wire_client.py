"""A Kafka client that is nothing but a socket: sends exactly the bytes a test wants."""

import itertools
import socket

from broker.protocol.codec import flexible
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.primitives import Message
from broker.protocol.record_batch import Record, build_batch


class WireClient:
    """One connection; `ask` sends a request and reads its answer."""

    def __init__(self, address: str, *, timeout: float = 10) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)
        self._correlation_ids = itertools.count(1)

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def ask(self, request: Message, version: int) -> Message:
        """The decoded answer; the correlation id must be the request's."""
        sent = self.send(request, version)
        answered, response = decode_response(request.API_KEY, version, self.read_frame())
        assert answered == sent
        return response

    def send(self, request: Message, version: int) -> int:
        """Send a request without waiting; returns its correlation id."""
        correlation_id = next(self._correlation_ids)
        self.socket.sendall(request_frame(request.API_KEY, version, correlation_id, "wire", request))
        return correlation_id

    def send_body(self, api_key: int, version: int, body: bytes, *, is_flexible: bool | None = None) -> None:
        """Send a request with exactly this body."""
        if is_flexible is None:
            is_flexible = flexible(api_key, version)
        header = api_key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big") + b"\0\0\0\x07\0\x04wire"
        self.send_frame(header + (b"\0" if is_flexible else b"") + body)

    def send_frame(self, frame: bytes) -> None:
        self.socket.sendall(len(frame).to_bytes(4, "big") + frame)

    def read_frame(self) -> bytes:
        """The next answer without its size. Raises EOFError when the broker closed the connection."""
        return self.read_exactly(int.from_bytes(self.read_exactly(4), "big"))

    def read_exactly(self, byte_count: int) -> bytes:
        data = bytearray()
        while len(data) < byte_count:
            try:
                more = self.socket.recv(byte_count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    def is_closed_without_answer(self) -> bool:
        """Whether the broker closes the connection (within the timeout) and says nothing before."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def batch(
    *values: bytes | None, key: bytes | None = None, timestamp_ms: int = 1_700_000_000_000, **fields
) -> bytearray:
    """A record batch of these values, all with the same key."""
    records = [Record(offset, timestamp_ms, key, value) for offset, value in enumerate(values)]
    return bytearray(build_batch(records, **fields))


def produce_request(
    topic: str, records: bytes | None, *, partition: int = 0, acks: int = -1, **fields
) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(
        acks=acks, timeout_ms=5000, topic_data=[TopicProduceData(name=topic, partition_data=[data])], **fields
    )
