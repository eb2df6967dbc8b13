"""What a fetch is given of a share partition, and what an acknowledgement does, as measured on Apache Kafka 4.3.1."""

import pytest

from broker.errors import InvalidRecordState, InvalidRequest
from broker.share.share_partition import (
    Acknowledgement,
    AcknowledgeType,
    Asked,
    FetchedBatch,
    Limits,
    OffsetRange,
    RecordState,
    SharePartition,
)

LIMITS = Limits(delivery_count_max=5, in_flight_max=100)
TENS = [FetchedBatch(first, first + 9) for first in range(0, 300, 10)]


def asked(records_max=500, batch_size=500, member_id="m", *, is_exact=False) -> Asked:
    return Asked(member_id, records_max, batch_size, is_exact, lock_until_ms=1_000)


def spans(ranges) -> list[tuple[int, int, int]]:
    return [(each.first_offset, each.last_offset, each.delivery_count) for each in ranges]


def said(first: int, last: int, *types: int) -> list[Acknowledgement]:
    return [Acknowledgement(first, last, types)]


def deliver(partition: SharePartition, batches=TENS, **limits) -> list[tuple[int, int, int]]:
    """Fetch all that is free, and give it back."""
    offset = partition.next_fetch_offset(LIMITS)
    fetched = [batch for batch in batches if batch.last_offset >= offset]
    acquired = partition.acquire(fetched, asked(**limits), LIMITS)
    for each in acquired:
        partition.acknowledge("m", said(each.first_offset, each.last_offset, AcknowledgeType.RELEASE), LIMITS, 0)
    return spans(acquired)


@pytest.mark.parametrize(
    ("records_max", "batch_size", "is_exact", "expected"),
    [
        (4, 4, False, [(0, 9, 1)]),
        (4, 3, True, [(0, 3, 1)]),
        (60, 15, False, [(0, 19, 1), (20, 39, 1), (40, 59, 1)]),
        (25, 4, False, [(0, 9, 1), (10, 19, 1), (20, 29, 1)]),
        (25, 20, False, [(0, 19, 1), (20, 29, 1)]),
        (25, 4, True, [(0, 24, 1)]),
        (500, 500, False, [(0, 99, 1)]),
        (0, 500, False, []),
        (-4, 500, False, []),
    ],
)
def test_how_many_records_a_fetch_is_given(records_max, batch_size, is_exact, expected):
    acquired = SharePartition(0).acquire(TENS, asked(records_max, batch_size, is_exact=is_exact), LIMITS)
    assert spans(acquired) == expected


def test_what_one_member_holds_no_other_is_given():
    partition = SharePartition(0)
    partition.acquire(TENS[:2], asked(10), LIMITS)
    assert partition.next_fetch_offset(LIMITS) == 10
    assert spans(partition.acquire(TENS[:2], asked(member_id="other"), LIMITS)) == [(10, 19, 1)]


def test_a_release_in_the_middle_is_given_out_by_itself():
    partition = SharePartition(0)
    partition.acquire(TENS[:1], asked(), LIMITS)
    partition.acknowledge("m", said(2, 4, AcknowledgeType.ACCEPT), LIMITS, 0)
    partition.acknowledge("m", [*said(0, 1, 2), *said(5, 9, 2)], LIMITS, 0)
    assert spans(partition.acquire(TENS[:1], asked(4, 30), LIMITS)) == [(0, 1, 2), (5, 9, 2)]


def test_so_many_may_be_in_flight_from_the_first_that_is_not_done():
    partition = SharePartition(0)
    partition.acquire(TENS, asked(50), LIMITS)
    partition.acquire(TENS[5:], asked(500), LIMITS)
    assert partition.next_fetch_offset(LIMITS) is None
    partition.acknowledge("m", said(50, 99, AcknowledgeType.ACCEPT), LIMITS, 0)
    assert partition.next_fetch_offset(LIMITS) is None, "what is done with later does not make room"
    partition.acknowledge("m", said(0, 9, AcknowledgeType.ACCEPT), LIMITS, 0)
    assert spans(partition.acquire(TENS[10:], asked(500), LIMITS)) == [(100, 109, 1)]


def test_what_fails_often_is_given_out_in_smaller_parts():
    partition, twenties = SharePartition(0), [FetchedBatch(0, 19), FetchedBatch(20, 39)]
    assert [deliver(partition, twenties) for _ in range(7)] == [
        [(0, 39, 1)],
        [(0, 39, 2)],
        [(0, 39, 3)],
        [(0, 19, 4)],
        [(0, 0, 5)],
        [(1, 1, 5)],
        [(2, 2, 5)],
    ]
    assert partition.start_offset == 3


def test_after_its_last_delivery_a_record_is_archived():
    partition = SharePartition(0)
    assert [deliver(partition, [FetchedBatch(0, 0)])[0][2] for _ in range(5)] == [1, 2, 3, 4, 5]
    assert (partition.start_offset, partition.end_offset, list(partition.ranges)) == (1, 1, [])


@pytest.mark.parametrize("kind", [AcknowledgeType.GAP, AcknowledgeType.ACCEPT, AcknowledgeType.REJECT])
def test_the_start_offset_passes_over_what_is_done(kind):
    partition = SharePartition(0)
    partition.acquire(TENS[:1], asked(), LIMITS)
    partition.acknowledge("m", said(3, 9, kind), LIMITS, 0)
    assert (partition.start_offset, partition.done_count) == (0, 7)
    partition.acknowledge("m", said(0, 2, kind), LIMITS, 0)
    assert (partition.start_offset, partition.done_count) == (10, 0)


def test_each_offset_may_have_its_own_type():
    partition = SharePartition(0)
    partition.acquire([FetchedBatch(0, 3)], asked(), LIMITS)
    changed = partition.acknowledge("m", said(0, 3, 1, 2, 2, 3), LIMITS, 0)
    assert [(each[:3]) for each in changed] == [(1, 2, RecordState.AVAILABLE), (3, 3, RecordState.ARCHIVED)]
    assert partition.start_offset == 1


@pytest.mark.parametrize(
    ("acknowledgements", "member_id", "error", "words"),
    [
        (said(50, 60, 1), "m", InvalidRequest, "The first offset in request is past acquired records"),
        (said(5, 60, 1), "m", InvalidRequest, "The last offset in request is past acquired records"),
        (said(0, 9, 1), "other", InvalidRecordState, "not the owner"),
        ([*said(0, 9, 2), *said(9, 9, 1)], "m", InvalidRecordState, "not in the acquired state"),
        ([*said(0, 4, 2), *said(4, 5, 1, 1)], "m", InvalidRecordState, "The offset is not acquired"),
    ],
)
def test_a_wrong_acknowledgement_is_refused_and_changes_nothing(acknowledgements, member_id, error, words):
    partition = SharePartition(0)
    partition.acquire(TENS[:1], asked(), LIMITS)
    before = list(partition.ranges)
    with pytest.raises(error, match=words):
        partition.acknowledge(member_id, acknowledgements, LIMITS, 0)
    assert list(partition.ranges) == before


def test_what_is_done_with_may_be_acknowledged_again():
    partition = SharePartition(0)
    partition.acquire(TENS[:2], asked(), LIMITS)
    partition.acknowledge("m", said(0, 9, AcknowledgeType.ACCEPT), LIMITS, 0)
    assert partition.acknowledge("m", said(0, 9, AcknowledgeType.RELEASE), LIMITS, 0) == []
    assert partition.acknowledge("m", said(5, 14, AcknowledgeType.ACCEPT), LIMITS, 0) == []
    assert partition.start_offset == 15


def test_a_renewed_lock_holds_longer_and_is_not_written():
    partition = SharePartition(0)
    partition.acquire(TENS[:1], asked(), LIMITS)
    assert partition.acknowledge("m", said(0, 4, AcknowledgeType.RENEW), LIMITS, 9_000) == []
    assert partition.next_lock_ms == 1_000
    released = partition.release(lambda held: held.lock_until_ms <= 1_000, LIMITS)
    assert spans(released) == [(5, 9, 1)]
    assert partition.next_lock_ms == 9_000


def test_where_locks_are_not_renewed_all_that_was_said_is_refused():
    partition, limits = SharePartition(0), LIMITS._replace(may_renew=False)
    partition.acquire(TENS[:1], asked(), limits)
    both = [*said(0, 4, AcknowledgeType.ACCEPT), *said(5, 9, AcknowledgeType.RENEW)]
    with pytest.raises(InvalidRecordState, match="not enabled for the group"):
        partition.acknowledge("m", both, limits, 9_000)
    assert (partition.start_offset, partition.next_lock_ms) == (0, 1_000)
    assert spans(partition.acknowledge("m", said(0, 4, AcknowledgeType.ACCEPT), limits, 9_000)) == []
    assert partition.start_offset == 5
    assert partition.acknowledge("m", said(0, 4, AcknowledgeType.RENEW), limits, 9_000) == [], "done with already"


def test_offsets_that_compaction_removed_hold_nothing_up():
    partition = SharePartition(0)
    acquired = partition.acquire([FetchedBatch(500, 504)], asked(), LIMITS)
    assert (spans(acquired), partition.start_offset) == ([(500, 504, 1)], 500)
    partition.release(lambda held: True, LIMITS)
    assert spans(partition.acquire([FetchedBatch(503, 504)], asked(), LIMITS)) == [(503, 504, 2)]
    assert partition.start_offset == 503


def test_records_that_were_deleted_are_forgotten():
    partition = SharePartition(0)
    partition.acquire(TENS[:2], asked(), LIMITS)
    assert partition.follow_log_start(15)
    assert not partition.follow_log_start(15)
    assert [each[:2] for each in partition.ranges] == [(15, 19)]
    assert partition.acknowledge("m", said(0, 9, AcknowledgeType.ACCEPT), LIMITS, 0) == []
    assert partition.follow_log_start(1_000)
    assert (partition.start_offset, partition.end_offset) == (1_000, 1_000)


def test_records_of_an_aborted_transaction_are_archived():
    partition = SharePartition(0)
    partition.acquire(TENS[:3], asked(), LIMITS)
    partition.archive_acquired(10, 19, "m")
    assert [each[:3] for each in partition.ranges] == [
        (0, 9, RecordState.ACQUIRED),
        (10, 19, RecordState.ARCHIVED),
        (20, 29, RecordState.ACQUIRED),
    ]


def test_between_the_ranges_of_the_log_nothing_was_delivered():
    done = OffsetRange(4, 5, RecordState.ACKNOWLEDGED, 1)
    partition = SharePartition(2, [done, OffsetRange(0, 2, RecordState.AVAILABLE, 3)])
    assert [each[:4] for each in partition.ranges] == [
        (2, 2, RecordState.AVAILABLE, 3),
        (3, 3, RecordState.AVAILABLE, 0),
        (4, 5, RecordState.ACKNOWLEDGED, 1),
    ]
