"""Reading what people type: lengths of time, sizes, counts, config lines. Each raises Unreadable with a sentence."""

import re
from collections.abc import Iterator

from app.control_center import words

FOREVER = {"forever", "for ever", "unlimited", "infinite", "-1"}
_UNITS_MS = {
    "ms": 1, "millisecond": 1, "s": 1_000, "sec": 1_000, "second": 1_000, "m": 60_000, "min": 60_000, "minute": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "d": 86_400_000, "day": 86_400_000, "w": 604_800_000, "week": 604_800_000,
    "month": 30 * 86_400_000, "y": 365 * 86_400_000, "year": 365 * 86_400_000,
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9][0-9_,\s]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)")
_SEPARATORS = re.compile(r"[_,\s]")
_CONFIG_NAME = re.compile(r"[a-zA-Z0-9._-]+")


class Unreadable(ValueError):
    """What was typed cannot be understood; the message says what would be."""


def parse_span_ms(text: str) -> int:
    """'7 days', '12h', '90 min', '604800000' (bare numbers are ms), 'forever' -> milliseconds, -1 for ever."""
    wanted = text.strip().casefold()
    if wanted in FOREVER:
        return -1
    number, unit = _amount(wanted, "Write a length of time, for example 7 days, 12 h or forever.")
    factor = _UNITS_MS.get(unit) or _UNITS_MS.get(unit.removesuffix("s")) if unit else 1
    if factor is None:
        raise Unreadable(f"“{unit}” is not a unit of time. Use minutes, hours, days or weeks.")
    return round(number * factor)


def parse_size_bytes(text: str) -> int:
    """'10 GiB', '500 MB' (both count 1024), '1048588', 'unlimited' -> bytes, -1 without limit."""
    wanted = text.strip().casefold()
    if wanted in FOREVER:
        return -1
    number, unit = _amount(wanted, "Write a size, for example 10 GiB, 500 MiB or unlimited.")
    plain = unit.removesuffix("s").removesuffix("byte") or ""
    short = plain.removesuffix("ib") if plain.endswith("ib") else plain.removesuffix("b")
    powers = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
    if short not in powers:
        raise Unreadable(f"“{unit}” is not a unit of size. Use KiB, MiB, GiB or TiB.")
    return int(number * 1024.0 ** powers[short])


def parse_count(text: str, *, least: int, most: int, what: str) -> int:
    """A whole number within bounds."""
    digits = _SEPARATORS.sub("", text)
    if not (digits.isascii() and digits.isdigit()):
        raise Unreadable(f"Write a whole number of {what}.")
    number = int(digits[:19])
    if number < least:
        raise Unreadable(f"At least {words.count(least)} {what}." if least != 1 else f"At least one of {what}.")
    if number > most:
        raise Unreadable(f"At most {words.count(most)} {what}.")
    return number


def parse_config_lines(text: str) -> dict[str, str]:
    """'name = value' on each line; empty lines and lines that begin with # are left out."""
    configs: dict[str, str] = {}
    for name, value in _config_lines(text):
        if name in configs:
            raise Unreadable(f"{name} stands there twice.")
        configs[name] = value
    return configs


def _config_lines(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _CONFIG_NAME.fullmatch(name.strip()):
            raise Unreadable(f"Line {number} is not of the form name = value.")
        yield name.strip(), value.strip()


def say_span(milliseconds: int) -> str:
    """The text that parse_span_ms reads back to the same number."""
    return "forever" if milliseconds < 0 else words.exact_span(milliseconds)


def say_size(size_bytes: int) -> str:
    """The text that parse_size_bytes reads back to the same number."""
    if size_bytes < 0:
        return "unlimited"
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size_bytes and size_bytes % 1024**power == 0:
            return f"{size_bytes // 1024**power} {unit}"
    return str(size_bytes)


def _amount(text: str, otherwise: str) -> tuple[float, str]:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Unreadable(otherwise)
    number = _SEPARATORS.sub("", match[1])
    if len(number) > 18:
        raise Unreadable("This number is too large.")
    return float(number), match[2]
