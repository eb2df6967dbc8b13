"""Numbers in words, as findings and statuses say them: "4 min", "31 h", "1.2 GiB", "12 400"."""

from collections.abc import Sequence
from urllib.parse import quote

_THIN_SPACE = "\u202f"  # a narrow one at which no line breaks
_BINARY_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:
    """One unit, the largest that leaves a number a person can picture: 45 s, 4 min, 31 h, 5 d."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} d"


def count(number: int) -> str:
    """Thousands set apart by a thin space."""
    return f"{number:,}".replace(",", _THIN_SPACE)


def rate(per_second: float) -> str:
    """Records a second with as many digits as matter."""
    return f"{count(round(per_second))}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def size(size_bytes: float) -> str:
    """Bytes in binary units."""
    if size_bytes < 1024:
        return f"{round(size_bytes)} B"
    for unit in _BINARY_UNITS:
        size_bytes /= 1024
        if size_bytes < 1024 or unit == _BINARY_UNITS[-1]:
            break
    return f"{size_bytes:.1f} {unit}" if size_bytes < 100 else f"{round(size_bytes)} {unit}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """'1 partition', '412 partitions'."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[object], *, shown_max: int = 3) -> str:
    """'a', 'a and b', 'a, b, c and 4 more'."""
    if len(names) > shown_max:
        return f"{', '.join(str(name) for name in names[:shown_max])} and {count(len(names) - shown_max)} more"
    if len(names) <= 1:
        return str(names[0]) if names else ""
    return f"{', '.join(str(name) for name in names[:-1])} and {names[-1]}"


def in_path(name: str) -> str:
    """A name as one segment of a URL's path; group ids may hold anything, slashes included."""
    return quote(name, safe="")
