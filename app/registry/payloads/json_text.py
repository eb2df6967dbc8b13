"""JSON texts of payloads, read with bounds."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.schemas.ports import InvalidPayload

NESTING_MAX = 400  # levels of lists and objects: what walks a value calls itself once or twice per level
_decode = msgspec.json.Decoder().decode
_decode_all = msgspec.json.Decoder(list[Any]).decode


def read_all(texts: Sequence[bytes]) -> list[Any]:
    """The values of JSON texts. Raises InvalidPayload with the index of the first that is none."""
    joined = b"[" + b",".join(texts) + b"]"
    try:
        values = _decode_all(joined)
        is_plain = len(values) == len(texts) and joined.count(b"[") + joined.count(b"{") <= NESTING_MAX
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        is_plain = False
    if is_plain:
        return values
    return [_read(text, index) for index, text in enumerate(texts)]


def _read(text: bytes, index: int) -> Any:
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPayload(f"this is no JSON: {error}", index=index) from None
    except RecursionError:
        raise _too_deep(index) from None
    if text.count(b"[") + text.count(b"{") > NESTING_MAX and _depth(value) > NESTING_MAX:
        raise _too_deep(index)
    return value


def _too_deep(index: int) -> InvalidPayload:
    return InvalidPayload(f"the JSON is nested more than {NESTING_MAX} levels deep", index=index)


def _depth(value: Any) -> int:
    level, depth = [value] if isinstance(value, dict | list) else [], 0
    while level and depth <= NESTING_MAX:
        inside: list[Any] = []
        for item in level:
            inside += item.values() if isinstance(item, dict) else item
        level = [item for item in inside if isinstance(item, dict | list)]
        depth += 1
    return depth


def excerpt(value: Any) -> str:
    """A value as it is named in a message."""
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= 60 else f"{text[:60]}…"
