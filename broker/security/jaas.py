"""JAAS settings as Kafka writes them: `org.apache…PlainLoginModule required username="a" password="b" user_c="d";`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from broker.config import ConfigError

PLAIN_USER_PREFIX: Final = "user_"

_FLAGS: Final = ("required", "requisite", "sufficient", "optional")
_TOKEN: Final = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;="']+)|([;=]))""")


class JaasEntry(NamedTuple):
    """One login module and its options."""

    module: str
    options: dict[str, str]


def parse_jaas(text: str) -> JaasEntry:
    """The login module of a `sasl.jaas.config`. Raises ConfigError, without the text, which has passwords."""
    words = _words(text)
    if (
        len(words) < 3
        or words[-1] != ";"
        or words[1].lower() not in ("required", "requisite", "sufficient", "optional")
    ):
        raise ConfigError('sasl.jaas.config: expected <LoginModule> required key="value" …;')
    options: dict[str, str] = {}
    rest = words[2:-1]
    while rest:
        if len(rest) < 3 or rest[1] != "=":
            raise ConfigError(f'sasl.jaas.config: expected key="value" after option {len(options)}')
        options[rest[0]] = rest[2]
        rest = rest[3:]
    return JaasEntry(words[0], options)


def plain_users(entry: JaasEntry) -> dict[str, str]:
    """The passwords by user name: the options `user_<name>`. (username and password are for broker to broker.)"""
    return {
        option.removeprefix(PLAIN_USER_PREFIX): password
        for option, password in entry.options.items()
        if option.startswith(PLAIN_USER_PREFIX)
    }


def _words(text: str) -> list[str]:
    words, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConfigError("sasl.jaas.config: a quote is not closed")
        quoted = match[1] if match[1] is not None else match[2]
        words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[3] or match[4])
        at = match.end()
    return words
