"""FileSpan: records that stay in their file until they are sent."""

import os

import pytest

from broker.log.file_span import PIECE_BYTES, FileSpan


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(bytes(range(256)) * 4096)  # 1 MiB
    return path


def span_of(path, position, size):
    with path.open("rb") as file:
        return FileSpan(os.dup(file.fileno()), position, size)


def test_a_range_is_read_in_pieces(path):
    span, pieces = span_of(path, 3, 700_000), []
    while len(span):
        pieces.append(span.read_piece())
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert b"".join(pieces) == path.read_bytes()[3:700_003]


def test_it_outlives_the_file_s_name(path):
    span, start = span_of(path, 0, 1000), path.read_bytes()[:1000]
    path.unlink()
    assert span.read_piece() == start


def test_a_file_that_became_shorter_is_an_error(path):
    span = span_of(path, 1 << 20, 10)
    with pytest.raises(OSError, match="the file ends"):
        span.read_piece()
