"""Durations as `PnDTnHnMn.nS`, the ISO 8601 form that Kafka's `by_duration` takes."""

import re
from datetime import timedelta
from typing import Final

_DURATION: Final = re.compile(
    r"(?=.*\d)P(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,9})?)S)?)?",
    re.IGNORECASE,
)


def parse_duration(text: str) -> timedelta:
    """The duration; ValueError when it is none, or negative."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration of the form PnDTnHnMn.nS")
    return timedelta(**{unit: float(number) for unit, number in match.groupdict().items() if number is not None})
