"""Encoding and decoding of whole messages, at the edges that random messages seldom reach."""

import pytest

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import (
    DecodeError,
    EncodeError,
    decode,
    encode,
    encode_into,
    flexible,
    request_header_version,
    request_type,
    response_header_version,
    response_type,
)
from broker.protocol.messages import API_MESSAGES
from broker.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from broker.protocol.messages.consumer_offsets import (
    ClassicMemberMetadata,
    ConsumerGroupMemberMetadataValue,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitKey,
    OffsetCommitValue,
)
from broker.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    LeaderIdAndEpoch,
    PartitionData,
)
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.messages.transaction_state import PartitionsSchema, TransactionLogValue
from broker.protocol.primitives import encode_uvarint


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 16382, 16383, 32767])
@pytest.mark.parametrize("version", [0, 4])
def test_string_lengths_around_the_varint_steps(length: int, version: int) -> None:
    request = HeartbeatRequest(group_id="g" * length, generation_id=7, member_id="m")
    assert decode(HeartbeatRequest, version, encode(request, version)) == request


@pytest.mark.parametrize("count", [0, 126, 127, 128, 129, 20000])
@pytest.mark.parametrize("version", [11, 12])
def test_array_counts_around_the_varint_steps(count: int, version: int) -> None:
    request = FetchRequest(topics=[FetchTopic(topic=f"t{n}") for n in range(count)])
    assert decode(FetchRequest, version, encode(request, version)) == request


def test_strings_are_utf8() -> None:
    request = HeartbeatRequest(group_id="Gruppe für Käse 🧀")
    assert decode(HeartbeatRequest, 4, encode(request, 4)) == request


def test_fields_that_a_version_lacks_are_left_out_and_read_as_defaults() -> None:
    request = MetadataRequest(topics=[], allow_auto_topic_creation=False)
    assert encode(request, 1) == b"\0\0\0\0"
    assert decode(MetadataRequest, 1, b"\0\0\0\0") == MetadataRequest(topics=[], allow_auto_topic_creation=True)


def test_null_array_is_not_an_empty_one() -> None:
    assert decode(MetadataRequest, 1, encode(MetadataRequest(topics=None), 1)).topics is None
    assert decode(MetadataRequest, 9, encode(MetadataRequest(topics=None), 9)).topics is None


def test_null_where_it_is_not_allowed_is_refused() -> None:
    with pytest.raises(EncodeError, match="HeartbeatRequest v4"):
        encode(HeartbeatRequest(group_id=None), 4)  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="MetadataRequest v0"):
        encode(MetadataRequest(topics=None), 0)
    with pytest.raises(DecodeError, match="topics has length -1"):
        decode(MetadataRequest, 0, b"\xff\xff\xff\xff")


def test_number_out_of_range_is_refused() -> None:
    with pytest.raises(EncodeError, match="FetchRequest v12"):
        encode(FetchRequest(max_wait_ms=2**31), 12)


def test_string_too_long_for_an_int16_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode(HeartbeatRequest(group_id="g" * 32768), 0)


def test_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="FetchRequest has no version 3"):
        encode(FetchRequest(), 3)
    with pytest.raises(ValueError, match="FetchRequest has no version 99"):
        decode(FetchRequest, 99, b"")


def test_unknown_tags_are_skipped() -> None:
    plain = encode(HeartbeatRequest(group_id="g"), 4)
    assert plain.endswith(b"\0")
    tagged = plain[:-1] + b"\2" + b"\x05\3abc" + encode_uvarint(70000) + b"\0"
    assert decode(HeartbeatRequest, 4, tagged) == HeartbeatRequest(group_id="g")


def test_unknown_tags_beside_known_ones_are_skipped() -> None:
    plain = encode(FetchRequest(), 12)
    tagged = plain[:-1] + b"\2" + b"\0\4\3abc"[:2] + b"\4abc" + b"\x63\1x"
    assert decode(FetchRequest, 12, tagged).cluster_id == "abc"


def test_tag_larger_than_its_value_says_is_refused() -> None:
    plain = encode(FetchRequest(), 12)
    with pytest.raises(DecodeError, match="does not fit"):
        decode(FetchRequest, 12, plain[:-1] + b"\1\0\2\4abc")


@pytest.mark.parametrize("leader", [None, LeaderIdAndEpoch(), LeaderIdAndEpoch(leader_id=-1, leader_epoch=-1)])
def test_tagged_struct_of_defaults_takes_no_bytes(leader: LeaderIdAndEpoch | None) -> None:
    def answer(hint: LeaderIdAndEpoch | None) -> FetchResponse:
        partition = PartitionData(current_leader=hint)
        return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[partition])])

    assert encode(answer(leader), 12) == encode(answer(None), 12)
    assert encode(answer(LeaderIdAndEpoch(leader_id=1)), 12) != encode(answer(None), 12)


def test_records_are_slices_of_the_received_bytes() -> None:
    request = ProduceRequest(
        topic_data=[TopicProduceData(name="t", partition_data=[PartitionProduceData(records=b"batch")])]
    )
    received = bytearray(encode(request, 9))
    records = decode(ProduceRequest, 9, memoryview(received)).topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    received[received.index(b"batch")] = ord("B")
    assert bytes(records) == b"Batch"


@pytest.mark.parametrize("version", [4, 11, 12, 17])
def test_large_records_are_not_copied(version: int) -> None:
    records = memoryview(bytes(100_000))
    response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[PartitionData(records=records)])])
    chunks: list[bytes | memoryview] = []
    encode_into(response, version, chunks)
    assert any(chunk is records for chunk in chunks)
    assert all(chunks)
    assert b"".join(chunks) == encode(response, version)


def test_message_without_fields_has_no_bytes() -> None:
    assert encode(ApiVersionsRequest(), 0) == b""
    assert decode(ApiVersionsRequest, 0, b"") == ApiVersionsRequest()


@pytest.mark.parametrize("claimed", [b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xfe"])
def test_impossible_array_counts_are_refused(claimed: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(MetadataRequest, 1, claimed)


def test_invalid_utf8_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode(MetadataRequest, 1, b"\0\0\0\1\0\2\xc3\x28")


def test_bytes_after_the_message_are_ignored() -> None:
    assert decode(MetadataRequest, 1, b"\0\0\0\0 and more").topics == []


def test_types_are_found_by_key() -> None:
    assert request_type(ApiKey.FETCH) is FetchRequest
    assert response_type(ApiKey.FETCH) is FetchResponse
    with pytest.raises(KeyError):
        request_type(ApiKey.VOTE)


@pytest.mark.parametrize("api_key", API_MESSAGES)
def test_request_and_response_agree_on_versions(api_key: int) -> None:
    request, response = request_type(api_key), response_type(api_key)
    assert request.API_KEY == response.API_KEY == api_key
    assert request.VERSIONS == response.VERSIONS
    for version in request.VERSIONS:
        assert (version in request.FLEXIBLE_VERSIONS) == flexible(api_key, version)
        assert (version in response.FLEXIBLE_VERSIONS) == flexible(api_key, version)


def test_header_versions() -> None:
    assert (request_header_version(ApiKey.FETCH, 11), response_header_version(ApiKey.FETCH, 11)) == (1, 0)
    assert (request_header_version(ApiKey.FETCH, 12), response_header_version(ApiKey.FETCH, 12)) == (2, 1)
    assert request_header_version(ApiKey.SASL_HANDSHAKE, 1) == 1


def test_api_versions_is_always_answered_with_header_0() -> None:
    assert request_header_version(ApiKey.API_VERSIONS, 4) == 2
    assert response_header_version(ApiKey.API_VERSIONS, 4) == 0
    assert response_type(ApiKey.API_VERSIONS) is ApiVersionsResponse


class TestInternalTopics:
    """Records of internal topics, in the bytes that Kafka 4.3 wrote or would write."""

    def test_offset_commit_key_and_value(self) -> None:
        assert encode(OffsetCommitKey(group="g", topic="t", partition=3), 0) == b"\0\1g\0\1t\0\0\0\3"
        value = OffsetCommitValue(offset=5, leader_epoch=-1, metadata="m", commit_timestamp=1)
        assert encode(value, 3) == b"\0\0\0\0\0\0\0\5\xff\xff\xff\xff\0\1m\0\0\0\0\0\0\0\1"

    @pytest.mark.parametrize("version", range(5))
    def test_group_metadata(self, version: int) -> None:
        member = MemberMetadata(member_id="m", client_id="c", client_host="/127.0.0.1", session_timeout=45000)
        value = GroupMetadataValue(protocol_type="consumer", generation=2, protocol=None, leader=None, members=[member])
        assert decode(GroupMetadataValue, version, encode(value, version)) == value

    def test_nullable_struct_under_a_tag(self) -> None:
        classic = ConsumerGroupMemberMetadataValue(classic_member_metadata=ClassicMemberMetadata(session_timeout_ms=1))
        for value in (ConsumerGroupMemberMetadataValue(), classic):
            assert decode(ConsumerGroupMemberMetadataValue, 0, encode(value, 0)) == value

    @pytest.mark.parametrize("version", range(2))
    def test_transaction_log(self, version: int) -> None:
        value = TransactionLogValue(producer_id=7, transaction_partitions=[PartitionsSchema("t", [0, 1])])
        assert decode(TransactionLogValue, version, encode(value, version)) == value
