"""Kafka's rules for topic names, so that a form can say what is wrong before the broker does."""

import re
from collections.abc import Iterable

TOPIC_NAME_CHARS_MAX = 249
_ALLOWED = re.compile(r"[a-zA-Z0-9._-]")


def topic_name_trouble(name: str, existing: Iterable[str]) -> str:
    """What is wrong with the name of a new topic, as a sentence; '' when nothing is."""
    if not name:
        return "A topic needs a name."
    if name in (".", ".."):
        return "A name cannot be one or two dots."
    if len(name) > TOPIC_NAME_CHARS_MAX:
        return f"The name has {len(name)} characters, {TOPIC_NAME_CHARS_MAX} are allowed."
    if odd := next((char for char in name if not _ALLOWED.fullmatch(char)), None):
        shown = "A space" if odd == " " else f"The character {odd!r}" if odd.isprintable() else "A control character"
        return f"{shown} is not allowed. Letters, digits, dot, dash and underscore are."
    known = set(existing)
    if name in known:
        return "A topic of this name exists already."
    # Kafka names metrics with dots turned to underscores, so it refuses two topics that differ only in that.
    twin = next((other for other in known if other.replace(".", "_") == name.replace(".", "_")), None)
    return f"The name differs from {twin} only in dots and underscores, which Kafka does not allow." if twin else ""
