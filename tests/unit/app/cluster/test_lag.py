import pytest

from app.cluster.lag import RING_POINTS_MAX, EndOffsets, lag_of, time_lag_s


@pytest.fixture
def ends() -> EndOffsets:
    ends = EndOffsets()
    for at_ms, end_offset in ((0, 0), (10_000, 100), (20_000, 100), (30_000, 200)):
        ends.see(end_offset, at_ms)
    return ends


@pytest.mark.parametrize(("committed", "seconds"), [(100, 10.0), (50, 25.0), (150, 5.0)])
def test_time_lag_interpolates_between_sights(ends, committed, seconds):
    assert time_lag_s(ends, committed_offset=committed, lag=200 - committed, now_ms=30_000) == seconds


def test_time_lag_is_zero_without_lag(ends):
    assert time_lag_s(ends, committed_offset=200, lag=0, now_ms=30_000) == 0.0


def test_a_quiet_hour_is_not_an_hour_of_lag():
    ends = EndOffsets()
    ends.see(100, 0)
    ends.see(100, 3_600_000)
    ends.see(101, 3_605_000)
    assert time_lag_s(ends, committed_offset=100, lag=1, now_ms=3_606_000) == 6.0


def test_older_than_the_history_takes_the_records_own_time(ends):
    ends_later = EndOffsets()
    ends_later.see(500, 0)
    ends_later.see(600, 5_000)
    assert time_lag_s(ends_later, committed_offset=400, lag=200, now_ms=10_000) is None
    assert time_lag_s(ends_later, committed_offset=400, lag=200, now_ms=10_000, record_ms=3_000) == 7.0


def test_a_step_back_empties_the_history(ends):
    assert ends.see(30, 40_000) == 0
    assert ends.reached_ms(50) is None


def test_history_thins_its_older_half_and_stays_bounded():
    ends = EndOffsets()
    for step in range(10_000):
        ends.see(step * 10, step * 1_000)
    assert len(ends._offsets) <= RING_POINTS_MAX
    assert ends.reached_ms(99_985) == pytest.approx(9_998_500)
    assert ends.reached_ms(50_005) == pytest.approx(5_000_500)


def test_end_at_is_the_earliest_end_still_seen_then(ends):
    assert ends.end_at(15_000) == 100
    assert ends.end_at(20_001) == 200
    assert ends.end_at(30_001) is None


@pytest.mark.parametrize(
    ("committed", "start", "end", "expected"),
    [
        (None, 0, 100, (None, 0, False, None)),
        (40, 0, 100, (60, 0, False, 40)),
        (40, 70, 100, (30, 30, False, 0)),
        (120, 0, 100, (0, 0, True, 120)),
        (40, None, None, (None, 0, False, None)),
        (100, 100, 100, (0, 0, False, 0)),
    ],
)
def test_lag_of(committed, start, end, expected):
    assert lag_of(committed_offset=committed, log_start_offset=start, high_watermark=end) == expected
