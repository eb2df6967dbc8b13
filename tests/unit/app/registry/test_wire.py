from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.registry.errors import InvalidPayload
from app.registry.wire import read_guid, read_id, read_indexes, write_guid, write_id, write_indexes


@pytest.mark.parametrize(
    ("indexes", "written"), [((0,), "00"), ((1,), "0202"), ((0, 0), "040000"), ((1, 0), "040200"), ((64,), "028001")]
)
def test_indexes_are_zig_zag_varints(indexes, written):
    assert write_indexes(indexes).hex() == written
    assert read_indexes(bytes.fromhex("ff" + written + "aa"), 1) == (indexes, 1 + len(written) // 2)


def test_the_first_message_may_be_written_in_full():
    assert read_indexes(bytes.fromhex("0200")) == ((0,), 2)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=100))
def test_indexes_survive_the_wire(indexes):
    written = write_indexes(indexes)
    assert read_indexes(written) == (tuple(indexes), len(written))


@pytest.mark.parametrize("data", ["", "02", "01", "0401", "0280", "0201", "8080808080808001", "ffffffff0f"])
def test_broken_indexes_are_refused(data):
    with pytest.raises(InvalidPayload):
        read_indexes(bytes.fromhex(data))


def test_ids_and_guids():
    guid = UUID("d629bb05-ad85-3d20-fbcb-895de3c459f7")
    assert write_id(258) == bytes.fromhex("0000000102")
    assert read_id(write_id(258) + b"x") == (258, 5)
    assert read_id(b"") is read_id(b"\x01\x00\x00\x00\x01") is read_id(b"\x00\x00") is None
    assert read_guid(write_guid(guid)) == guid
    assert read_guid(b"\x00" + guid.bytes) is read_guid(b"\x01") is None
