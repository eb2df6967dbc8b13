from app.metrics.rings import GONE, KEYFRAME_BUCKETS, Bucket, Ring


def fill(ring: Ring, *values: float, first: int = 1) -> None:
    for number, value in enumerate(values, start=first):
        ring.record(Bucket(number, value, value, value))


def lasts(ring: Ring, first: int, count: int, sampled: frozenset[int] | None = None) -> list[float | None]:
    known = frozenset(range(first, first + count)) if sampled is None else sampled
    return [None if bucket is None else bucket.last for bucket in ring.read(first, count, known)]


def test_only_changes_become_points():
    ring = Ring(100)
    fill(ring, 5, 5, 5, 7, 7, 7)
    assert len(ring) == 2
    assert lasts(ring, 1, 6) == [5, 5, 5, 7, 7, 7]


def test_a_bucket_keeps_its_lowest_highest_and_last_value():
    ring = Ring(100)
    for value in (5.0, 1.0, 9.0, 4.0):
        ring.record(Bucket(1, value, value, value))
    assert ring.read(1, 1, frozenset()) == [Bucket(1, 1.0, 9.0, 4.0)]


def test_nothing_is_known_where_nothing_was_sampled():
    ring = Ring(100)
    fill(ring, 5, 5, 5, 5)
    assert lasts(ring, 1, 4, sampled=frozenset({1, 3, 4})) == [5, None, 5, 5]


def test_before_its_first_value_a_series_has_none():
    ring = Ring(100)
    fill(ring, 5, 5, first=10)
    assert lasts(ring, 8, 4) == [None, None, 5, 5]


def test_an_ended_series_has_no_value_until_it_comes_back():
    ring = Ring(100)
    fill(ring, 5, GONE, GONE, 6)
    assert lasts(ring, 1, 4) == [5, None, None, 6]


def test_an_unchanging_series_leaves_a_point_now_and_then():
    ring = Ring(10_000)
    fill(ring, *([5.0] * (2 * KEYFRAME_BUCKETS + 2)))
    assert 2 <= len(ring) <= 4


def test_a_ring_holds_no_more_than_it_may():
    ring = Ring(80)
    fill(ring, *(float(number) for number in range(1_000)))
    assert len(ring) <= 90
    assert lasts(ring, 990, 3) == [989.0, 990.0, 991.0]


def test_older_points_go_in_front_and_do_not_hide_newer_ones():
    ring = Ring(100)
    fill(ring, 7, 8, first=10)
    ring.prepend([Bucket(8, 1.0, 1.0, 1.0), Bucket(9, 2.0, 2.0, 2.0), Bucket(10, 99.0, 99.0, 99.0)])
    assert lasts(ring, 8, 4) == [1.0, 2.0, 7.0, 8.0]
