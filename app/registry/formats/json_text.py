"""JSON in and out of schema texts: read strictly, print as the registry's own printer (Jackson) does."""

import json
import math
import re
from json.encoder import encode_basestring
from typing import Any, NoReturn

from app.registry.errors import InvalidSchema
from app.registry.limits import JSON_NESTING_MAX

Json = Any

_COMMENT_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?|/\*.*?(?:\*/|\Z)|//[^\n]*', re.DOTALL)  # linear: each matches
_HEX_ESCAPE = re.compile(r"\\\\|\\u([0-9a-f]{4})")


def read_json(text: str, *, comments: bool = False) -> Json:
    """The value of a JSON text. Raises InvalidSchema for anything that is none, NaN and Infinity included.

    comments allows `/* */` and `//`, which Avro's own parser reads over.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidSchema("the JSON is nested too deeply") from None
    except ValueError as error:
        if comments and "/" in text:
            return read_json(_COMMENT_OR_STRING.sub(lambda match: match[0] if match[0][0] == '"' else " ", text))
        raise InvalidSchema(f"the schema is no JSON: {error}") from None
    if text.count("[") + text.count("{") > JSON_NESTING_MAX:
        _refuse_deep(value)
    return value


def _refuse_deep(value: Json) -> None:
    """What reads, prints and sorts a value later calls itself once or twice per level."""
    level, depth = [item for item in [value] if isinstance(item, dict | list)], 1
    while level:
        if depth > JSON_NESTING_MAX:
            raise InvalidSchema(f"the JSON is nested more than {JSON_NESTING_MAX} levels deep")
        inside: list[Json] = []
        for item in level:
            inside += item.values() if isinstance(item, dict) else item
        level = [item for item in inside if isinstance(item, dict | list)]
        depth += 1


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def quote(text: str) -> str:
    """A JSON string: only what must be escaped is, with hexadecimal digits in capitals."""
    quoted = encode_basestring(text)
    return _HEX_ESCAPE.sub(_capitals, quoted) if "\\u00" in quoted else quoted


def _capitals(match: re.Match[str]) -> str:
    return f"\\u{match[1].upper()}" if match[1] else match[0]


def print_json(value: Json, *, sort_keys: bool = False) -> str:
    """Compact JSON, keys in their order or sorted. Callers bound the nesting (read_json did: it is recursive too)."""
    parts: list[str] = []
    _print(value, parts, sort_keys)
    return "".join(parts)


def _print(value: Json, parts: list[str], sort_keys: bool) -> None:
    if isinstance(value, str):
        parts.append(quote(value))
    elif isinstance(value, dict):
        separator = "{"
        for key in sorted(value) if sort_keys else value:
            parts.append(f"{separator}{quote(key)}:")
            _print(value[key], parts, sort_keys)
            separator = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list):
        separator = "["
        for item in value:
            parts.append(separator)
            _print(item, parts, sort_keys)
            separator = ","
        parts.append("]" if value else "[]")
    else:
        parts.append(print_scalar(value))


def print_scalar(value: float | bool | None) -> str:
    """A number, boolean or null as Jackson prints it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return print_double(value) if isinstance(value, float) else str(value)


def print_double(value: float) -> str:
    """Java's Double.toString: plain between 10^-3 and 10^7, else one digit, a point and `E`. Refuses infinities."""
    if not math.isfinite(value):
        raise InvalidSchema("a number is too large")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    digits, _, exponent = f"{value!r}".partition("e")
    if exponent:
        return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    whole, _, fraction = digits.partition(".")
    if whole.strip("0"):
        return f"{sign}{whole[0]}.{(whole[1:] + fraction).rstrip('0') or '0'}E{len(whole) - 1}"
    significant = fraction.lstrip("0")
    return f"{sign}{significant[0]}.{significant[1:] or '0'}E{len(significant) - len(fraction) - 1}"
