"""How each listener is secured: its TLS, its SASL mechanisms and users, from the settings by Kafka's names.

A setting of one listener stands as `listener.name.<listener>.<setting>`, of one mechanism of it as
`listener.name.<listener>.<mechanism>.<setting>`; without either the plain `<setting>` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from broker.clock import Clock
from broker.config import DEFINITIONS, LISTENER_PREFIX, BrokerConfig, ConfigError, Listener
from broker.security.jaas import parse_jaas, plain_users
from broker.security.login import Login
from broker.security.plain import PlainExchange
from broker.security.sasl import SaslExchange
from broker.security.scram import BY_SASL_NAME, ScramExchange
from broker.security.scram_users import ScramUsers
from broker.security.tls import TlsContexts, TlsSettings

if TYPE_CHECKING:
    from broker.security.tokens import TokenValidator

PLAIN: Final = "PLAIN"
OAUTHBEARER: Final = "OAUTHBEARER"
"""Its modules are imported where it is served, and take no memory elsewhere."""
SERVED_MECHANISMS: Final = (PLAIN, *BY_SASL_NAME, OAUTHBEARER)


@dataclass(frozen=True, slots=True)
class ListenerSecurity:
    """One listener's settings, checked."""

    mechanisms: tuple[str, ...] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)
    """Of SASL/PLAIN."""
    lifetime_ms_max: Mapping[str, int] = field(default_factory=dict)
    tls: TlsContexts | None = None
    demands_certificate: bool = False
    takes_passwords_in_clear: bool = False
    """Whether SASL/PLAIN is served without TLS."""
    tokens: TokenValidator | None = None
    """Of SASL/OAUTHBEARER."""

    @property
    def demands_login(self) -> bool:
        """Whether nobody gets in without proving who they are."""
        return bool(self.mechanisms) or self.demands_certificate

    @property
    def takes_unsecured_tokens(self) -> bool:
        """Whether everybody may claim to be anybody."""
        return self.tokens is not None and self.tokens.keys is None

    async def keep_fresh(self) -> None:
        """Fetch what logins are verified with, for as long as the broker runs."""
        if self.tokens is not None and self.tokens.keys is not None:
            await self.tokens.keys.run()

    def new_login(self, users: ScramUsers, clock: Clock) -> Login:
        """The login of a new connection."""
        starts: dict[str, Callable[[], SaslExchange]] = {}
        for mechanism in self.mechanisms:
            if mechanism == PLAIN:
                starts[mechanism] = lambda: PlainExchange(self.passwords)
            elif mechanism == OAUTHBEARER:
                from broker.security.oauthbearer import OAuthBearerExchange

                tokens = self.tokens
                assert tokens is not None
                starts[mechanism] = lambda tokens=tokens: OAuthBearerExchange(tokens, clock)  # type: ignore[misc]
            else:
                scram = BY_SASL_NAME[mechanism]
                starts[mechanism] = lambda scram=scram: ScramExchange(scram, users.find)  # type: ignore[misc]
        return Login(starts, self.lifetime_ms_max)


def listener_security(config: BrokerConfig, listener: Listener) -> ListenerSecurity:
    """Read and check a listener's settings; of TLS the files too. Raises ConfigError."""
    setting = _Settings(config, listener.name.lower())
    tls = TlsContexts(_tls_settings(setting, listener)) if listener.has_tls else None
    demands_certificate = tls is not None and tls.settings.client_auth == "required"
    if not listener.has_sasl:
        return ListenerSecurity(tls=tls, demands_certificate=demands_certificate)
    mechanisms = _mechanisms(setting, listener)
    passwords: dict[str, str] = {}
    if PLAIN in mechanisms:
        text = setting("sasl.jaas.config", mechanism=PLAIN)
        if not text:
            raise ConfigError(
                f"listener {listener.name} serves PLAIN and has no users; set {LISTENER_PREFIX}{listener.name.lower()}"
                ".plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
                'user_NAME="PASSWORD";'
            )
        passwords = plain_users(parse_jaas(text))
    return ListenerSecurity(
        mechanisms=mechanisms,
        passwords=passwords,
        lifetime_ms_max={each: _lifetime_ms(setting, each) for each in mechanisms},
        tls=tls,
        demands_certificate=demands_certificate,
        takes_passwords_in_clear=PLAIN in mechanisms and tls is None,
        tokens=_tokens(setting, listener) if OAUTHBEARER in mechanisms else None,
    )


def check_reachable(config: BrokerConfig, listener: Listener) -> None:
    """Refuse a listener that other machines can reach when nobody has to log in. Raises ConfigError."""
    if listener.is_loopback:
        return
    where = f"listener {listener.host or '0.0.0.0'}:{listener.port} can be reached from other machines, and"
    security = listener_security(config, listener)
    if not security.demands_login:
        raise ConfigError(f"{where} nobody has to log in; listen on 127.0.0.1, or allow it with --insecure")
    if security.takes_unsecured_tokens:
        raise ConfigError(
            f"{where} anybody can claim to be anyone there with an unsecured token; set "
            "sasl.oauthbearer.jwks.endpoint.url, or allow it with --insecure"
        )
    if security.takes_passwords_in_clear:
        # Differs from Kafka: PLAIN without TLS is refused on an address that others can reach, unless --insecure
        # allows it, because anyone on the way can read the passwords.
        raise ConfigError(
            f"{where} SASL/PLAIN sends passwords in clear text there; use SASL_SSL or SCRAM, or allow it "
            "with --insecure"
        )


class _Settings:
    """Looks a setting up for one listener, the nearest first."""

    def __init__(self, config: BrokerConfig, listener_name: str) -> None:
        self._given = config.given
        self._prefix = f"{LISTENER_PREFIX}{listener_name}."

    def __call__(self, name: str, *, mechanism: str = "", is_own: bool = False) -> str:
        """The text, empty when it has none. `is_own` leaves out what holds for all listeners."""
        names = [self._prefix + name] if is_own else [self._prefix + name, name]
        if mechanism:
            names.insert(0, f"{self._prefix}{mechanism.lower()}.{name}")
        for each in names:
            if self._given.get(each):
                return self._given[each]
        return DEFINITIONS[name].default or "" if not is_own else ""


def _mechanisms(setting: _Settings, listener: Listener) -> tuple[str, ...]:
    names = tuple(name.strip() for name in setting("sasl.enabled.mechanisms").split(",") if name.strip())
    for name in names:
        if name not in SERVED_MECHANISMS:
            raise ConfigError(
                f"listener {listener.name}: sasl.enabled.mechanisms={','.join(names)}: {name} is not served, "
                f"only {', '.join(SERVED_MECHANISMS)}"
            )
    if not names:
        raise ConfigError(f"listener {listener.name}: sasl.enabled.mechanisms is empty; nobody could log in")
    return names


def _tokens(setting: _Settings, listener: Listener) -> TokenValidator:
    from broker.security.oauthbearer_settings import token_validator

    return token_validator(setting, listener.name)


def _lifetime_ms(setting: _Settings, mechanism: str) -> int:
    text = setting("connections.max.reauth.ms", mechanism=mechanism)
    return int(text)


def _tls_settings(setting: _Settings, listener: Listener) -> TlsSettings:
    # Kafka takes a client certificate on a SASL_SSL listener only where that listener itself asks for it.
    client_auth = setting("ssl.client.auth", is_own=listener.has_sasl) or "none"
    return TlsSettings(
        listener_name=listener.name,
        keystore_type=setting("ssl.keystore.type"),
        keystore_location=setting("ssl.keystore.location"),
        certificate_chain=setting("ssl.keystore.certificate.chain"),
        private_key=setting("ssl.keystore.key"),
        key_password=setting("ssl.key.password"),
        truststore_type=setting("ssl.truststore.type"),
        truststore_location=setting("ssl.truststore.location"),
        trusted_certificates=setting("ssl.truststore.certificates"),
        client_auth=client_auth,
        protocols=tuple(name.strip() for name in setting("ssl.enabled.protocols").split(",") if name.strip()),
        cipher_suites=setting("ssl.cipher.suites"),
        principal_mapping_rules=setting("ssl.principal.mapping.rules"),
    )
