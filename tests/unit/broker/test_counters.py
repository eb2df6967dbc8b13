"""What is counted of answers: error codes wherever they stand, and how long requests took."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import broker.handlers  # noqa: F401  registers every API
from broker.counters import RequestStats, error_counter, summed_errors
from broker.dispatch import served_apis
from broker.protocol.codec import response_type
from broker.protocol.messages.offset_fetch import OffsetFetchResponse


def with_errors(struct: type, codes: Iterator[int]) -> Any:
    """A message with one item in each of its lists, and another code wherever one can stand."""
    made = struct()
    for field in msgspec.structs.fields(struct):
        if field.name == "error_code":
            made.error_code = next(codes)
            continue
        for option in getattr(field.type, "__args__", ()):
            option = getattr(option, "__args__", (option,))[0]
            if isinstance(option, type) and issubclass(option, msgspec.Struct):
                setattr(made, field.name, [with_errors(option, codes)])
    return made


@pytest.mark.parametrize("key", sorted(served_apis), ids=lambda key: key.name)
def test_every_error_code_of_an_answer_is_counted(key):
    codes = iter(range(1, 100))
    response = with_errors(response_type(key), codes)
    errors: dict[int, int] = {}
    error_counter(type(response))(response, errors)
    assert errors == dict.fromkeys(range(1, next(codes)), 1)


def test_success_and_null_arrays_count_nothing():
    errors: dict[int, int] = {}
    error_counter(OffsetFetchResponse)(OffsetFetchResponse(topics=None), errors)
    assert errors == {}


def test_errors_are_summed_over_versions():
    one, other = RequestStats("FETCH", 11), RequestStats("FETCH", 12)
    one.errors, other.errors = {3: 1}, {3: 2, 6: 1}
    assert summed_errors({1: one, 2: other}) == {("FETCH", 3): 3, ("FETCH", 6): 1}


@pytest.mark.parametrize("taken_ns", [0, 1, 1023, 1024, 10**6, 10**9, 10**15])
def test_any_time_has_its_bucket(taken_ns):
    stats = RequestStats("FETCH", 11)
    stats.took(taken_ns)
    (bucket,) = [index for index, count in enumerate(stats.buckets) if count]
    assert taken_ns < (1 << bucket) * 1024
    assert bucket == 0 or taken_ns >= (1 << (bucket - 1)) * 1024
