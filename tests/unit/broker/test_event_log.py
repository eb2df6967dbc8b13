"""The log's lines: JSON with stable fields, text without forged lines, and no flood."""

import json
import logging
import sys

import pytest

from broker.event_log import LINES_WINDOW_S, JsonFormatter, RepeatLimit, TextFormatter


def record(
    message: str, *args: object, name: str = "broker.log", level: int = logging.INFO, **more
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "file.py", 1, message, args, more.get("exc_info"))


def as_json(*args, **more) -> dict[str, object]:
    line = JsonFormatter().format(record(*args, **more))
    assert "\n" not in line
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert (fields.pop("level"), fields.pop("logger")) == ("INFO", "broker.log")
    return fields


@pytest.mark.parametrize(
    ("logged", "fields"),
    [
        (("broker stopped",), {"event": "broker stopped"}),
        (
            ("segment rolled topic=%s partition=%d", "a b", 3),
            {"event": "segment rolled", "topic": "a b", "partition": 3},
        ),
        (("range offsets=%d-%d size=%5.1f", 3, 9, 1.0), {"event": "range", "offsets": "3-9", "size": 1.0}),
        (("100%% of %s ignored: %s", "x", "y"), {"event": "100% of ignored", "detail": "x y"}),
        (("failed error=%s", OSError(5, "no disk")), {"event": "failed", "error": "[Errno 5] no disk"}),
        (("client id=%s", 'a"\n{}\u2028'), {"event": "client", "id": 'a"\n{}\u2028'}),
        (("nothing=%s", None), {"event": "", "nothing": None}),
    ],
)
def test_an_event_and_its_fields_are_told_apart(logged, fields):
    assert as_json(*logged) == fields


def test_a_trace_is_one_field():
    try:
        raise ZeroDivisionError("here")
    except ZeroDivisionError:
        fields = as_json("background work failed", exc_info=sys.exc_info())
    assert "ZeroDivisionError: here" in str(fields["trace"])


def test_a_client_cannot_forge_a_line_of_text():
    line = TextFormatter().format(record("connection closed client=%s", "x\n2026 INFO broker all is well"))
    assert "\n" not in line
    assert "\\n2026" in line


def test_a_flood_of_one_kind_is_cut_and_said():
    now = [0.0]
    limit = RepeatLimit(20, lambda: now[0])

    def passes(message: str = "login refused client=%s", level: int = logging.WARNING) -> logging.LogRecord | None:
        line = record(message, "x", name="broker.security", level=level)
        return line if limit.filter(line) else None

    assert sum(passes() is not None for _ in range(70)) == 20
    assert passes("tls handshake failed listener=%s")
    assert passes(level=logging.ERROR)
    now[0] += LINES_WINDOW_S
    line = passes()
    assert line is not None
    assert TextFormatter().format(line).endswith("login refused client=x suppressed=50")
    assert json.loads(JsonFormatter().format(line))["suppressed"] == 50


def test_without_a_limit_every_line_is_written():
    limit = RepeatLimit(0)
    assert all(limit.filter(record("login refused", name="broker.security", level=logging.WARNING)) for _ in range(99))
