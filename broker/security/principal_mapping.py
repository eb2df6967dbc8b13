"""`ssl.principal.mapping.rules`: from a certificate's distinguished name to the name in ACLs (KIP-371)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from broker.config_error import ConfigError

_RULE: Final = re.compile(r"\s*(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?))\s*(?:,|$)")


class _Rule(NamedTuple):
    pattern: re.Pattern[str] | None
    replacement: str
    case: str


class PrincipalMapping:
    """Rules `RULE:pattern/replacement/[LU]` and `DEFAULT`, of which the first that matches counts."""

    def __init__(self, text: str) -> None:
        """Raises ConfigError for a rule that cannot be read."""
        self._rules = []
        at = 0
        while at < len(text):
            match = _RULE.match(text, at)
            if match is None:
                raise ConfigError(
                    f"ssl.principal.mapping.rules: expected RULE:pattern/replacement/[LU] at {text[at:]!r}"
                )
            at = match.end()
            if match[1]:
                self._rules.append(_Rule(None, "", ""))
                continue
            try:
                pattern = re.compile(match[2])
            except re.error as error:
                raise ConfigError(f"ssl.principal.mapping.rules: {match[2]!r}: {error}") from None
            self._rules.append(_Rule(pattern, re.sub(r"\$(\d+)", r"\\\1", match[3]), match[4]))

    def name(self, distinguished_name: str) -> str:
        """The mapped name; the distinguished name itself by DEFAULT or when no rule matches."""
        for pattern, replacement, case in self._rules:
            if pattern is None:
                return distinguished_name
            match = pattern.fullmatch(distinguished_name)
            if match is not None:
                name = match.expand(replacement)
                return name.lower() if case == "L" else name.upper() if case == "U" else name
        return distinguished_name
