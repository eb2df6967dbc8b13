"""FrameReader and Connection: bytes in, frames cut, requests answered, bytes out."""

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, integers, lists

import broker.handlers.api_versions  # noqa: F401  registers the one API these tests ask
from broker import dispatch
from broker.connection import Connection, FrameReader, Pending, ReceiveBuffers, Routes
from broker.dispatch import BadRequest, DelayedResponse, ServedApi
from broker.errors import InvalidRequest, UnknownServerError
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from broker.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse

FRAME_BYTES_MAX = 1 << 20


def feed(reader: FrameReader, data: bytes, chunk: int = 1 << 30) -> list[bytes]:
    """Hand over bytes as a socket would, at most `chunk` at a time and never more than there is space."""
    frames, at = [], 0
    while at < len(data):
        space = reader.space()
        size = min(len(space), len(data) - at, chunk)
        space[:size] = data[at : at + size]
        del space  # As a transport lets go of it.
        at += size
        frames += [bytes(frame) for frame in reader.received(size)]
    return frames


def sized(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame


def reader(frame_bytes_max: int = FRAME_BYTES_MAX) -> FrameReader:
    return FrameReader(ReceiveBuffers(), frame_bytes_max)


@settings(deadline=None)
@given(
    frames=lists(binary(min_size=10, max_size=300), max_size=20),
    cuts=lists(integers(min_value=1, max_value=500), min_size=1),
)
def test_any_split_of_the_bytes_gives_the_same_frames(frames, cuts):
    stream, cutter = b"".join(map(sized, frames)), reader()
    got, at = [], 0
    for size in itertools.cycle(cuts):
        if at >= len(stream):
            break
        got += feed(cutter, stream[at : at + size])
        at += size
    assert got == frames


def test_a_frame_larger_than_the_common_buffer_arrives_whole():
    frame = bytes(range(256)) * 4096  # 1 MiB
    assert feed(reader(), sized(frame), chunk=100_000) == [frame]


def test_frames_can_be_changed_in_place():
    cutter = reader()
    space = cutter.space()
    space[:14] = sized(b"0123456789")
    (frame,) = cutter.received(14)
    frame[0:1] = b"x"
    assert bytes(frame) == b"x123456789"


@pytest.mark.parametrize("size", [-5, 0, 9, FRAME_BYTES_MAX + 1, 0x47455420])  # the last one is "GET "
def test_impossible_sizes_are_refused(size):
    with pytest.raises(BadRequest):
        feed(reader(), size.to_bytes(4, "big", signed=True) + b"0123456789")


def test_memory_grows_with_the_bytes_that_arrived_not_with_the_size_announced():
    cutter = reader(frame_bytes_max=100 << 20)
    feed(cutter, (100 << 20).to_bytes(4, "big") + bytes(1000))
    assert cutter.memory_bytes <= 8192
    feed(cutter, bytes(5 << 20), chunk=65536)
    assert cutter.memory_bytes <= (5 << 20) + FrameReader.GROWTH_BYTES_MAX + 8192


def test_an_idle_connection_has_no_memory_of_its_own():
    cutter = reader()
    feed(cutter, sized(b"x" * 10))
    assert not cutter.is_inside_frame
    assert cutter.memory_bytes == 0


def test_memory_of_a_big_frame_is_used_again():
    buffers = ReceiveBuffers()
    for _ in range(2):
        assert feed(FrameReader(buffers, FRAME_BYTES_MAX), sized(bytes(1 << 20))) == [bytes(1 << 20)]
    assert buffers.take(1 << 19) is not buffers.take(1 << 19)


class Asker:
    """A connection whose context is a bare namespace, for APIs that need no broker."""

    def __init__(self) -> None:
        self.context = SimpleNamespace(api_version=0, client_id="", security=None, on_close=None)
        self.connection = Connection(self.context, Routes())

    def ask(self, key: int, version: int, message, client_id: str | None = "tester"):
        frame = request_frame(key, version, 77, client_id, message)
        return self.connection.answer(memoryview(bytearray(frame))[4:])


@pytest.fixture
def asker():
    return Asker()


@pytest.fixture
def heartbeat(monkeypatch):
    """Let Heartbeat be answered by a function of the test."""

    def serve(handler, *, is_coroutine=False):
        api = ServedApi(ApiKey.HEARTBEAT, range(5), range(5), handler, is_coroutine)
        monkeypatch.setitem(dispatch._served, ApiKey.HEARTBEAT, api)

    return serve


def response_of(key: int, version: int, chunks):
    data = b"".join(chunks)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    correlation_id, message = decode_response(key, version, data[4:])
    assert correlation_id == 77
    return message


@pytest.mark.parametrize("version", range(5))
def test_api_versions_lists_what_is_served(asker, version):
    request = ApiVersionsRequest(client_software_name="t", client_software_version="1")
    answer = response_of(18, version, asker.ask(18, version, request))
    assert isinstance(answer, ApiVersionsResponse)
    assert {key.api_key for key in answer.api_keys} == set(dispatch.served_apis)


def test_api_versions_in_a_version_of_the_future_is_answered_in_version_0_with_one_entry(asker):
    frame = b"\0\x12\0\x63\0\0\0\x4d\0\x06tester\0\x02x\x02y\0"
    chunks = asker.connection.answer(memoryview(bytearray(frame)))
    data = b"".join(chunks)
    assert data == bytes.fromhex("00000010 0000004d 0023 00000001 0012 0000 0004")


@pytest.mark.parametrize(("key", "version"), [(999, 0), (-1, 0), (0, 2), (4, 0), (3, 99), (71, 0)])
def test_what_is_not_served_closes_the_connection(asker, key, version):
    import broker.handlers  # noqa: F401  all of them

    frame = key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big") + b"\0\0\0\x4d\0\x01x" + bytes(20)
    with pytest.raises(BadRequest):
        asker.connection.answer(memoryview(bytearray(frame)))


def test_a_body_that_cannot_be_decoded_closes_the_connection(asker, heartbeat):
    heartbeat(lambda request, context: HeartbeatResponse())
    frame = request_frame(12, 0, 77, "x", HeartbeatRequest(group_id="group", member_id="m"))
    with pytest.raises(BadRequest):
        asker.connection.answer(memoryview(bytearray(frame[4:-3])))


def test_client_id_is_told_to_the_handler_and_may_be_null(asker, heartbeat):
    seen = []
    heartbeat(lambda request, context: seen.append(context.client_id) or HeartbeatResponse())
    for client_id in ("one", "two", None):
        asker.ask(12, 0, HeartbeatRequest(), client_id=client_id)
    assert seen == ["one", "two", ""]


def test_a_kafka_error_becomes_the_error_code_of_the_answer(asker, heartbeat):
    def refuse(request, context):
        raise InvalidRequest("no")

    heartbeat(refuse)
    assert response_of(12, 4, asker.ask(12, 4, HeartbeatRequest())).error_code == InvalidRequest.code


def test_an_unforeseen_error_is_answered_as_unknown_and_logged(asker, heartbeat, caplog):
    def fail(request, context):
        raise ZeroDivisionError

    heartbeat(fail)
    assert response_of(12, 4, asker.ask(12, 4, HeartbeatRequest())).error_code == UnknownServerError.code
    assert "ZeroDivisionError" in caplog.text


def test_no_answer_is_sent_for_none(asker, heartbeat):
    heartbeat(lambda request, context: None)
    assert asker.ask(12, 4, HeartbeatRequest()) is None


def test_a_delayed_response_is_pending_until_encoded(asker, heartbeat):
    delayed = DelayedResponse(lambda: None, lambda: None)
    heartbeat(lambda request, context: delayed)
    pending = asker.ask(12, 4, HeartbeatRequest())
    assert isinstance(pending, Pending)
    chunks = asker.connection.encode(
        pending.route, pending.correlation_id, HeartbeatResponse(error_code=27), pending.started_ns
    )
    assert response_of(12, 4, chunks).error_code == 27


def test_tagged_fields_of_the_request_header_are_skipped(asker):
    body = b"\x02t\x021\0"
    header = b"\0\x12\0\x04\0\0\0\x4d\0\x01x" + b"\x01\x05\x03abc"
    chunks = asker.connection.answer(memoryview(bytearray(header + body)))
    assert response_of(18, 4, chunks).error_code == 0
