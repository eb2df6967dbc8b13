"""The broker's loggers as a config resource (BROKER_LOGGER): which there are, and their levels by Kafka's names.

A level that is set holds until the broker stops, as in Kafka.
"""

import logging
from typing import Final

from broker.errors import InvalidConfig, InvalidRequest

ROOT: Final = "root"
LEVELS: Final = {
    "DEBUG": logging.DEBUG,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "INFO": logging.INFO,
    "TRACE": logging.DEBUG - 5,
    "WARN": logging.WARNING,
}
"""Kafka's level names and what they are to Python's logging."""

_NAMES: Final = {number: name for name, number in LEVELS.items()}


def logger_levels() -> dict[str, str]:
    """The effective level of each of the broker's loggers and of the root, by name."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "broker"]
    levels = {name: _level_name(logging.getLogger(name).getEffectiveLevel()) for name in sorted(names)}
    return {**levels, ROOT: _level_name(logging.root.level)}


def _level_name(number: int) -> str:
    return _NAMES.get(number) or next((name for level, name in sorted(_NAMES.items()) if number <= level), "FATAL")


def check_level(name: str, level: str | None) -> None:
    """Whether a logger could get that level; None takes its own level away, so that it follows its parent.

    Raises InvalidConfig or InvalidRequest in the words of Kafka 4.3.1.
    """
    if name not in logger_levels():
        raise InvalidConfig(f"Logger {name} does not exist!")
    if level is None and name == ROOT:
        raise InvalidRequest("Removing the log level of the root logger is not allowed")
    if level is not None and level not in LEVELS:
        raise InvalidConfig(
            f"Cannot set the log level of {name} to {level} as it is not a supported log level. "
            f"Valid log levels are {', '.join(LEVELS)}"
        )


def set_level(name: str, level: str | None) -> None:
    """Set or take away a level that `check_level` has passed."""
    logging.getLogger(None if name == ROOT else name).setLevel(LEVELS[level] if level else logging.NOTSET)
