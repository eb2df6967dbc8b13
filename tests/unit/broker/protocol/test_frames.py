"""Frames: sizes, headers, both ends."""

import pytest

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import decode
from broker.protocol.frames import decode_request_header, decode_response, request_frame, response_frame
from broker.protocol.messages.api_versions import ApiVersion, ApiVersionsResponse
from broker.protocol.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from broker.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from broker.protocol.primitives import DecodeError


@pytest.mark.parametrize("client_id", ["consumer-1", "", None])
@pytest.mark.parametrize("version", range(5))
def test_request_both_ways(client_id: str | None, version: int) -> None:
    request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    frame = request_frame(ApiKey.HEARTBEAT, version, 77, client_id, request)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    header = decode_request_header(memoryview(frame)[4:])
    assert (header.api_key, header.api_version, header.correlation_id, header.client_id) == (12, version, 77, client_id)
    assert decode(HeartbeatRequest, version, memoryview(frame)[4:], header.body_at) == request


@pytest.mark.parametrize("version", range(5))
def test_response_both_ways(version: int) -> None:
    response = HeartbeatResponse(error_code=27)
    frame = b"".join(response_frame(ApiKey.HEARTBEAT, version, 78, response))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert decode_response(ApiKey.HEARTBEAT, version, frame[4:]) == (78, response)


def test_api_versions_response_has_no_tags_in_its_header() -> None:
    response = ApiVersionsResponse(api_keys=[ApiVersion(18, 0, 4)])
    frame = b"".join(response_frame(ApiKey.API_VERSIONS, 4, 1, response))
    assert frame[8:10] == b"\0\0"  # the error code follows the correlation id at once
    assert decode_response(ApiKey.API_VERSIONS, 4, frame[4:]) == (1, response)


def test_size_covers_records_that_are_chunks_of_their_own() -> None:
    partition = PartitionData(records=bytes(50_000))
    response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[partition])])
    frame = b"".join(response_frame(ApiKey.FETCH, 12, 1, response))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4 > 50_000


def test_header_of_an_unknown_key_is_read_too() -> None:
    header = decode_request_header(b"\x03\xe7\0\1\0\0\0\5\0\1c body")
    assert (header.api_key, header.correlation_id, header.client_id, header.body_at) == (999, 5, "c", 11)


def test_header_tags_are_skipped() -> None:
    header = decode_request_header(b"\0\x0c\0\4\0\0\0\5\xff\xff" + b"\1\0\2xy" + b"body")
    assert header.body_at == 15


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0\x0c\0\0\0\0\0\5\0",
        b"\0\x0c\0\0\0\0\0\5\0\x09short",
        b"\0\x0c\0\0\0\0\0\5\xff\xfe",
        b"\0\x0c\0\4\0\0\0\5\0\1c",
        b"\0\x0c\0\4\0\0\0\5\0\1c\1\0\x7f",
        b"\0\x0c\0\0\0\0\0\5\0\1\xff",
    ],
)
def test_malformed_header_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_request_header(memoryview(frame))


@pytest.mark.parametrize("frame", [b"", b"\0\0\0", b"\0\0\0\1"])
def test_malformed_response_header_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_response(ApiKey.HEARTBEAT, 4, frame)
