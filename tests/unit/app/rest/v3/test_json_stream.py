import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.rest.errors import BadRequest, MalformedJson
from app.rest.v3.json_stream import DecodedObjects, JsonObjects

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\{}[]a', max_size=4), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), max_size=5)


@UNHURRIED
@given(
    objects=OBJECTS,
    separator=st.sampled_from([b"", b"\n", b" \r\n\t"]),
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(1, 9), min_size=1),
)
def test_any_split_of_the_stream_gives_the_same_objects(
    objects: list[object], separator: bytes, ascii_only: bool, cuts: list[int]
) -> None:
    texts = [json.dumps(one, ensure_ascii=ascii_only).encode() for one in objects]
    stream = b"".join(text + separator for text in texts)
    reader, found, at, turn = JsonObjects(10_000), [], 0, 0
    while at < len(stream):
        found += reader.feed(stream[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    reader.finish()
    assert found == texts
    assert reader.error is None


@pytest.mark.parametrize(
    ("stream", "whole"),
    [
        (b'{"a":1}[{"b":2}]', [b'{"a":1}']),
        (b'{"a":1},{"b":2}', [b'{"a":1}']),
        (b"[]", []),
        (b"1", []),
        (b'"x"', []),
        (b'{"a":1}}', [b'{"a":1}']),
        (b'{} "unfinished', [b"{}"]),
        (b"nonsense", []),
    ],
)
def test_what_is_no_object_is_an_error_after_those_before_it(stream: bytes, whole: list[bytes]) -> None:
    reader = JsonObjects(100)
    assert reader.feed(stream) == whole
    assert isinstance(reader.error, MalformedJson)
    assert reader.feed(b"{}") == []


def test_an_end_inside_an_object_is_an_error() -> None:
    reader = JsonObjects(100)
    assert reader.feed(b'{"a":"b') == []
    assert reader.error is None
    reader.finish()
    assert isinstance(reader.error, MalformedJson)


def test_an_object_larger_than_allowed_is_an_error_before_it_is_whole() -> None:
    reader = JsonObjects(100)
    assert reader.feed(b'{"a":1}{"b":"') == [b'{"a":1}']
    for _ in range(9):
        assert reader.feed(b"x" * 10) == []
    assert reader.error is None
    reader.feed(b"x" * 10)
    assert reader.error is not None


def test_a_long_string_in_many_pieces_is_scanned_once() -> None:
    reader = JsonObjects(10**9)
    reader.feed(b'{"a":"')
    for _ in range(2_000):
        reader.feed(b"x" + b"\\" * 1001)  # each piece ends in the middle of an escape
        assert len(reader._buffer) - reader._scanned <= 1
    assert reader.feed(b'"}') == []
    assert len(reader.feed(b'"}')) == 1


# --- decoded at once -----------------------------------------------------------------------------------------------


class Counted(msgspec.Struct):
    """An object that may be of the wrong kind: `n` must be a number."""

    n: int = 0
    data: msgspec.Raw = msgspec.Raw(b"")


COUNTED = st.fixed_dictionaries(
    {"n": st.integers(0, 9) | st.just("wrong"), "data": st.sampled_from(["}{", '}\n{"', "ä", "\\", {"a": [{}]}])}
)


@UNHURRIED
@given(
    objects=st.lists(COUNTED, max_size=8),
    separator=st.sampled_from([b"", b"\n", b"\r\n"]),
    indent=st.sampled_from([None, 1]),
    cuts=st.lists(st.integers(1, 60), min_size=1),
)
def test_any_split_of_the_stream_is_decoded_alike(
    objects: list[dict[str, object]], separator: bytes, indent: int | None, cuts: list[int]
) -> None:
    stream = b"".join(json.dumps(one, indent=indent, ensure_ascii=False).encode() + separator for one in objects)
    reader: DecodedObjects[Counted] = DecodedObjects(msgspec.json.Decoder(Counted), 10_000)
    plain = JsonObjects(10_000)
    found: list[Counted | BadRequest] = []
    at = turn = 0
    while at < len(stream):
        piece = stream[at : at + cuts[turn % len(cuts)]]
        decoded = reader.feed(piece)
        assert len(decoded) == len(plain.feed(piece))  # nothing that is whole waits for what follows
        found += decoded
        at += len(piece)
        turn += 1
    reader.finish()
    assert reader.error is None
    told = ["wrong" if isinstance(one, BadRequest) else (one.n, json.loads(bytes(one.data))) for one in found]
    assert told == ["wrong" if one["n"] == "wrong" else (one["n"], one["data"]) for one in objects]


@pytest.mark.parametrize(
    "broken", [b'{"n":1}}', b'{"n":1}nonsense', b'{"n":1}[]', b'{"n":1}{"n":}', b'{"n":1}{"n":\xff}']
)
def test_nothing_after_malformed_json_is_decoded(broken: bytes) -> None:
    reader: DecodedObjects[Counted] = DecodedObjects(msgspec.json.Decoder(Counted), 10_000)
    (first,) = reader.feed(broken)
    assert isinstance(first, Counted)
    assert isinstance(reader.error, MalformedJson)
    assert reader.feed(b"{}") == []


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b'{"n":1}\n{"n":2} {"n":', 2),
        (b'{"n":1}{"n":2}\t{"n":3', 2),
        (b'{"n":1}\n{"n":2}nonsense', 2),
        (b'{"n":1}{"n":{"m":2}}', 2),
        (b'{"n":1}\n{"data":{}}{"data":{}', 2),
        (b'{"n":1}\n{"n":2}\n  ', 2),
    ],
)
def test_what_is_whole_does_not_wait_for_what_follows(data: bytes, count: int) -> None:
    reader: DecodedObjects[Counted] = DecodedObjects(msgspec.json.Decoder(Counted), 10_000)
    assert len(reader.feed(data)) == count


def test_a_record_in_small_pieces_is_not_looked_at_over_and_over() -> None:
    reader: DecodedObjects[Counted] = DecodedObjects(msgspec.json.Decoder(Counted), 1 << 20)
    text = b'{"data":"%b"}' % (b"}{" * 200_000)
    pieces = [text[at : at + 64] for at in range(0, len(text), 64)]
    found = [one for piece in pieces for one in reader.feed(piece)]
    assert [len(bytes(one.data)) for one in found if isinstance(one, Counted)] == [400_002]
