"""Config values as Kafka reads, checks and writes them: text in, typed value, text out.

The messages are Apache Kafka 4.3.1's own, word for word: people search for them, and clients show them unchanged.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from broker.errors import InvalidConfig
from broker.metadata.broker_configs import ConfigType

Value: TypeAlias = bool | int | float | str | tuple[str, ...]
Rule: TypeAlias = Callable[[str, Value], None]
"""Takes a config's name and typed value; raises InvalidConfig when the value is not allowed."""

INT_MAX: Final = (1 << 31) - 1
LONG_MAX: Final = (1 << 63) - 1

_INTEGER_MAX: Final = {ConfigType.INT: INT_MAX, ConfigType.LONG: LONG_MAX, ConfigType.SHORT: (1 << 15) - 1}
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?Infinity|NaN")
_COMMA: Final = re.compile(r"\s*,\s*")


def invalid_value(name: str, value: object, reason: str) -> InvalidConfig:
    """The error for a value that a config cannot have."""
    return InvalidConfig(f"Invalid value {value} for configuration {name}: {reason}")


def parse(name: str, text: str, type_: ConfigType) -> Value:
    """Read a config's text. White space around it is ignored, as Kafka does. Raises InvalidConfig."""
    trimmed = text.strip()
    if type_ in _INTEGER_MAX:
        return _parse_integer(name, text, type_)
    if type_ is ConfigType.BOOLEAN:
        if trimmed.lower() not in ("true", "false"):
            raise invalid_value(name, text, "Expected value to be either true or false")
        return trimmed.lower() == "true"
    if type_ is ConfigType.DOUBLE:
        if not _DOUBLE.fullmatch(trimmed):
            raise invalid_value(name, text, "Not a number of type DOUBLE")
        return float(trimmed)
    if type_ is ConfigType.LIST:
        return tuple(dict.fromkeys(_COMMA.split(trimmed))) if trimmed else ()
    return trimmed


def _parse_integer(name: str, text: str, type_: ConfigType) -> int:
    trimmed, highest = text.strip(), _INTEGER_MAX[type_]
    # 20 characters hold every long; a longer text would only cost time in int().
    if _INTEGER.fullmatch(trimmed) and len(trimmed) <= 20 and -highest - 1 <= int(trimmed) <= highest:
        return int(trimmed)
    raise invalid_value(name, text, f"Not a number of type {type_.name}")


def to_text(value: Value) -> str:
    """A typed value as DescribeConfigs shows it: `true`, `delete,compact`, and doubles as Java writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return _java_double(value)
    return str(value)


def _java_double(value: float) -> str:
    """Java's Double.toString: `0.5`, but `1.0E-4` and `1.7976931348623157E308` outside 10^-3 .. 10^7."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # a letter only for the non-finite
    fraction = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{fraction}E{exponent + len(digits) - 1}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number with a lower bound."""

    lowest: int

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, int | float)
        if value < self.lowest:
            raise invalid_value(name, to_text(value), f"Value must be at least {self.lowest}")


@dataclass(frozen=True, slots=True)
class Between:
    """A number with both bounds, inclusive."""

    lowest: int
    highest: int

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, int | float)
        AtLeast(self.lowest)(name, value)
        if value > self.highest:
            raise invalid_value(name, to_text(value), f"Value must be no more than {self.highest}")


@dataclass(frozen=True, slots=True)
class BetweenOrEqual:
    """A number with both bounds, or one special number outside them."""

    lowest: int
    highest: int
    special: int

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, int)
        if value != self.special and not self.lowest <= value <= self.highest:
            reason = f"Value must be between {self.lowest} and {self.highest} or equal to {self.special}"
            raise invalid_value(name, value, reason)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A word of a fixed set, or a list of such words; upper and lower case differ."""

    words: tuple[str, ...]

    def __call__(self, name: str, value: Value) -> None:
        given = value if isinstance(value, tuple) else (value,)
        for word in given:
            if word not in self.words:
                raise invalid_value(name, word, f"String must be one of: {', '.join(self.words)}")


def throttled_replicas(name: str, value: Value) -> None:
    """The rule of `*.replication.throttled.replicas`: `*`, or `partition:broker` pairs."""
    assert isinstance(value, tuple)
    if value != ("*",) and not all(re.fullmatch(r"[0-9]+:[0-9]+", pair) for pair in value):
        shape = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
        reason = f"{name} must be the literal '*' or a list of replicas in the following format: {shape}"
        raise invalid_value(name, f"[{', '.join(value)}]", reason)
