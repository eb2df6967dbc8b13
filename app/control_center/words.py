"""Numbers, sizes, spans and times as people read them. Unknown is a dash, never 0."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from app.cluster.words import count as thousands
from app.cluster.words import plural as plural

UNKNOWN = "–"
SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SI_UNITS = ("", "k", "M", "G", "T")


def count(number: float | None) -> str:
    """12345 -> '12 345', with a thin space."""
    return UNKNOWN if number is None else thousands(round(number))


def is_are(number: int) -> str:
    return "is" if number == 1 else "are"


def size(size_bytes: float | None) -> str:
    """Bytes in binary units: '7.1 GiB', '412 GiB', '0 B'."""
    if size_bytes is None:
        return UNKNOWN
    value, unit = float(size_bytes), 0
    while abs(value) >= 1000 and unit < len(_BINARY_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    number = f"{value:.0f}" if unit == 0 or abs(value) >= 9.95 else f"{value:.1f}".removesuffix(".0")
    return f"{number} {_BINARY_UNITS[unit]}"


def rate(per_second: float | None) -> str:
    """Records a second: whole above 10, one digit below, '< 0.1' for a trickle."""
    if per_second is None:
        return UNKNOWN
    if per_second <= 0:
        return "0"
    if per_second < 0.1:
        return "< 0.1"
    return thousands(round(per_second)) if per_second >= 10 else f"{per_second:.1f}".removesuffix(".0")


def short(number: float | None) -> str:
    """58312 -> '58.3k', for tiles and captions."""
    if number is None:
        return UNKNOWN
    if abs(number) < 1000:
        return rate(number) if number >= 0 else f"{number:.0f}"
    value, unit = float(number), 0
    while abs(value) >= 999.5 and unit < len(_SI_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{0 if abs(value) >= 99.95 else 1}f}".removesuffix(".0") + _SI_UNITS[unit]


def span(milliseconds: float | None) -> str:
    """A length of time in its two largest units: '2 min 40 s', '31 h', '9 d'."""
    if milliseconds is None:
        return UNKNOWN
    seconds = max(0.0, milliseconds / SECOND_MS)
    if seconds < 1:
        return "under 1 s" if seconds > 0 else "0 s"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days, hours = divmod(round(whole / 3600), 24)
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def exact_span(milliseconds: int) -> str:
    """A configured length of time, only in words when it is exact: 604800000 -> '7 days', 90061 -> '90 061 ms'."""
    for unit_ms, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (SECOND_MS, "second")):
        if milliseconds >= unit_ms and milliseconds % unit_ms == 0:
            return plural(milliseconds // unit_ms, name)
    return f"{thousands(milliseconds)} ms"


def percent(share: float | None) -> str:
    """0.613 -> '61 %'; above 99 % it is cut, not rounded up to a false 100 %."""
    if share is None:
        return UNKNOWN
    return f"{math.floor(share * 100) if share > 0.99 else round(share * 100)} %"


def joined(parts: list[str]) -> str:
    """['a', 'b', 'c'] -> 'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def listed(names: list[str], limit: int = 3) -> str:
    """The first few of many names: 'a, b and 14 more'."""
    if len(names) <= limit:
        return joined(names)
    return f"{', '.join(names[:limit])} and {thousands(len(names) - limit)} more"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def stopped(text: str) -> str:
    """With a full stop. The first letter stays: it may begin the name of a topic or a group."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else text + "."


def sentence(text: str) -> str:
    """Upper first letter and a full stop, so that a fragment can stand alone."""
    return stopped(capital(text.strip()))


@dataclass(frozen=True, slots=True)
class Moment:
    """One time as a page shows it: text in the reader's zone, iso in UTC for <time> and title."""

    text: str
    iso: str
    day: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """The reader's zone, as minutes east of UTC (the browser tells it by cookie)."""

    offset_minutes: int = 0

    @classmethod
    def parse(cls, text: str | None) -> "Zone":
        """From the cookie; anything odd is the zone of this machine."""
        try:
            minutes = int(text or "")
        except ValueError:
            return cls.of_this_machine()
        return cls(minutes) if -24 * 60 < minutes < 24 * 60 else cls.of_this_machine()

    @classmethod
    def of_this_machine(cls) -> "Zone":
        offset = datetime.now().astimezone().utcoffset() or timedelta()
        return cls(int(offset.total_seconds() // 60))

    def at(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, timezone(timedelta(minutes=self.offset_minutes)))

    def clock(self, ms: int) -> Moment:
        """hh:mm:ss."""
        return Moment(self.at(ms).strftime("%H:%M:%S"), iso(ms))

    def moment(self, ms: int, now_ms: int) -> Moment:
        """hh:mm today, else the day with it."""
        then, now = self.at(ms), self.at(now_ms)
        if then.date() == now.date():
            return Moment(then.strftime("%H:%M"), iso(ms))
        return Moment(f"{then.day} {then:%b %H:%M}" if then.year == now.year else f"{then.day} {then:%b %Y}", iso(ms))

    def full(self, ms: int) -> Moment:
        """Date, time and milliseconds, as records are dated. Outside the calendar the bare number."""
        try:
            then = self.at(ms)
        except (ValueError, OverflowError, OSError):
            return Moment(str(ms), str(ms))
        return Moment(f"{then:%H:%M:%S}.{ms % 1000:03d}", iso(ms), f"{then:%Y-%m-%d}")

    def wall_clock(self, ms: int) -> str:
        """The reader's date and time as text: plotly would move numbers into the browser's own zone."""
        return f"{self.at(ms):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def iso(ms: int) -> str:
    """UTC with milliseconds: '2026-11-23T14:03:27.000Z'; outside the calendar the bare number."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(ms)
