"""How a listener judges tokens, from its `sasl.oauthbearer.*` settings and its JAAS options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from broker.config import LISTENER_PREFIX, ConfigError
from broker.security.jaas import parse_jaas
from broker.security.json_web_keys import JsonWebKeys
from broker.security.oauthbearer import OAUTHBEARER
from broker.security.token_claims import ClaimRules
from broker.security.tokens import SignedTokens, TokenValidator, UnsecuredTokens

UNSECURED_MARK: Final = "OAuthBearerUnsecured"
"""Part of the name of Kafka's handler class (and login module) that lets everybody claim to be anybody."""


class MechanismSettings(Protocol):
    """Looks a setting up, of one mechanism of one listener first."""

    def __call__(self, name: str, *, mechanism: str = "") -> str:
        """The text, empty when it has none."""


def token_validator(setting: MechanismSettings, listener_name: str) -> TokenValidator:
    """Raises ConfigError for settings that cannot be, or that would let anybody in without saying so.

    Differs from Kafka: unsecured tokens are taken only where a setting names OAuthBearerUnsecured…, because Kafka takes
    them when nothing is set.
    """

    def oauth(name: str) -> str:
        return setting(f"sasl.oauthbearer.{name}", mechanism=OAUTHBEARER)

    jaas = setting("sasl.jaas.config", mechanism=OAUTHBEARER)
    entry = parse_jaas(jaas) if jaas else None
    options = entry.options if entry is not None else {}
    url = oauth("jwks.endpoint.url")
    handler = setting("sasl.server.callback.handler.class", mechanism=OAUTHBEARER)
    if UNSECURED_MARK in handler or (entry is not None and UNSECURED_MARK in entry.module):
        if url:
            raise ConfigError(
                f"listener {listener_name}: sasl.oauthbearer.jwks.endpoint.url is set and {UNSECURED_MARK}… too; "
                "tokens are either signed or not"
            )
        return UnsecuredTokens(_unsecured_rules(options))
    if not url:
        raise ConfigError(
            f"listener {listener_name} serves OAUTHBEARER and has no keys to verify tokens with; set {LISTENER_PREFIX}"
            f"{listener_name.lower()}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=https://… (or file:///…)"
        )
    keys = JsonWebKeys(
        url,
        refresh_ms=_number("jwks.endpoint.refresh.ms", oauth, at_least=1),
        backoff_ms=_number("jwks.endpoint.retry.backoff.ms", oauth),
        backoff_ms_max=_number("jwks.endpoint.retry.backoff.max.ms", oauth),
        ca_file=options.get("ssl.truststore.location", ""),
    )
    rules = ClaimRules(
        principal_claim=oauth("sub.claim.name"),
        scope_claim=oauth("scope.claim.name"),
        audiences=tuple(name.strip() for name in oauth("expected.audience").split(",") if name.strip()),
        issuer=oauth("expected.issuer"),
        clock_skew_ms=_number("clock.skew.seconds", oauth) * 1000,
    )
    return SignedTokens(keys, rules)


def _unsecured_rules(options: Mapping[str, str]) -> ClaimRules:
    """By the options of Kafka's unsecured validator (KIP-255)."""
    skew = options.get("unsecuredValidatorAllowableClockSkewMs", "0")
    if not skew.isdecimal():
        raise ConfigError(f"sasl.jaas.config: unsecuredValidatorAllowableClockSkewMs={skew}: expected a number")
    return ClaimRules(
        principal_claim=options.get("unsecuredValidatorPrincipalClaimName", "sub"),
        scope_claim=options.get("unsecuredValidatorScopeClaimName", "scope"),
        scopes=frozenset(options.get("unsecuredValidatorRequiredScope", "").split()),
        clock_skew_ms=int(skew),
        needs_issue_time=False,
    )


class _Named(Protocol):
    def __call__(self, name: str) -> str: ...


def _number(name: str, oauth: _Named, *, at_least: int = 0) -> int:
    number = int(oauth(name))
    if number < at_least:
        raise ConfigError(f"sasl.oauthbearer.{name}={number}: expected at least {at_least}")
    return number
