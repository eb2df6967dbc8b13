"""The broker's log: one event a line, as text or as JSON with the same fields, and no flood of one kind of line.

Everywhere an event is logged as `log.info("segment rolled topic=%s partition=%d", …)`: what happened, then its fields.
As JSON that is `{"time": …, "level": "INFO", "logger": "broker.log", "event": "segment rolled", "topic": …}`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

TEXT: Final = "text"
JSON: Final = "json"
FORMATS: Final = (TEXT, JSON)
LEVELS: Final = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}
REQUEST_LOGGER: Final = "broker.requests"
"""Has a level of its own, as Kafka's has: every request is too much for a log that is merely set to DEBUG."""

NOISY_LOGGERS: Final = ("broker.server", "broker.security")
"""What clients can make us say as often as they like."""

LINES_WINDOW_S: Final = 10.0

_PLACEHOLDER: Final = re.compile(r"%(?:%|[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])")
_FIELD: Final = re.compile(r"(\w+)=(.+)", re.DOTALL)


class _Shape(NamedTuple):
    """A message's format, taken apart."""

    event: str
    fields: tuple[tuple[str, str, int], ...]
    """Name, format and how many arguments it takes; without a name it is a detail."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._shapes: dict[str, _Shape] = {}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": "WARN" if record.levelno == logging.WARNING else record.levelname,
            "logger": record.name,
        }
        if isinstance(record.args, tuple) and record.args and isinstance(record.msg, str):
            line |= self._fields(record.msg, record.args)
        else:
            line["event"] = record.getMessage()
        suppressed = getattr(record, "suppressed", 0)
        if suppressed:
            line["suppressed"] = suppressed
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)

    def _fields(self, message: str, args: tuple[Any, ...]) -> dict[str, Any]:
        shape = self._shapes.get(message)
        if shape is None:
            shape = self._shapes[message] = _take_apart(message)
        found: dict[str, Any] = {"event": shape.event}
        at = 0
        for name, form, count in shape.fields:
            values, at = args[at : at + count], at + count
            value = _plain(values[0]) if count == 1 and _PLACEHOLDER.fullmatch(form) else form % values
            if name:
                found[name] = value
            else:
                found["detail"] = f"{found['detail']} {value}" if "detail" in found else str(value)
        return found


class TextFormatter(logging.Formatter):
    """A record as one line of text; what is not a trace has no line breaks."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        record.message = record.message.replace("\n", "\\n").replace("\r", "\\r")
        suppressed = getattr(record, "suppressed", 0)
        return super().formatMessage(record) + (f" suppressed={suppressed}" if suppressed else "")


class RepeatLimit(logging.Filter):
    """Lets so many lines of one kind through in a window; the first after it says how many were left out."""

    def __init__(self, lines_max: int, now_s: Callable[[], float] = time.monotonic) -> None:
        """A `lines_max` of 0 lets all through."""
        super().__init__()
        self._lines_max = lines_max
        self._now_s = now_s
        self._seen: dict[tuple[str, str], list[float]] = {}  # window's start, lines in it, lines left out

    def filter(self, record: logging.LogRecord) -> bool:
        if not self._lines_max or record.name not in NOISY_LOGGERS or record.levelno >= logging.ERROR:
            return True
        seen = self._seen.setdefault((record.name, str(record.msg)), [float("-inf"), 0, 0])
        now_s = self._now_s()
        if now_s - seen[0] >= LINES_WINDOW_S:
            record.suppressed = int(seen[2])
            seen[:] = [now_s, 0, 0]
        seen[1] += 1
        if seen[1] <= self._lines_max:
            return True
        seen[2] += 1
        return False


def set_up(log_format: str, level: str, lines_max: int) -> None:
    """Log to stderr from now on, of one kind that clients cause so many lines in LINES_WINDOW_S."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == JSON else TextFormatter())
    handler.addFilter(RepeatLimit(lines_max))
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    logging.getLogger(REQUEST_LOGGER).setLevel(logging.WARNING)


def _take_apart(message: str) -> _Shape:
    words: list[str] = []
    fields: list[tuple[str, str, int]] = []
    for word in message.split():
        count = sum(each != "%%" for each in _PLACEHOLDER.findall(word))
        if not count:
            words.append(word.replace("%%", "%"))
            continue
        field = _FIELD.fullmatch(word)
        fields.append((field[1], field[2], count) if field else ("", word, count))
    return _Shape(" ".join(words).rstrip(":"), tuple(fields))


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
