"""Producer ids are never given twice."""

import pytest

from broker.errors import KafkaStorageError
from broker.producer_ids import BLOCK_IDS, ProducerIds


def opened(folder):
    ids = ProducerIds(folder)
    ids.open()
    return ids


def test_ids_rise_from_zero(tmp_path):
    ids = opened(tmp_path)
    assert [ids.next() for _ in range(3)] == [0, 1, 2]


def test_ids_are_not_given_again_after_a_restart(tmp_path):
    first = opened(tmp_path)
    given = {first.next() for _ in range(BLOCK_IDS + 1)}
    second = opened(tmp_path)
    assert second.next() == 2 * BLOCK_IDS
    assert second.next() not in given


def test_no_id_is_given_that_could_not_be_reserved(tmp_path):
    ids = opened(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(KafkaStorageError):
        ids.next()
