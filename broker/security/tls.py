"""TLS of a listener: certificates in PEM, read anew when their files change, and the client's name from its own."""

from __future__ import annotations

import logging
import os
import re
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from broker.config_error import ConfigError
from broker.security.principal_mapping import PrincipalMapping

log = logging.getLogger("broker.security")

_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH: Final = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
ANONYMOUS: Final = "User:ANONYMOUS"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The ssl.* settings of one listener, by Kafka's meaning."""

    listener_name: str
    keystore_type: str
    keystore_location: str
    """A PEM file with the private key and the certificate chain."""
    certificate_chain: str
    """The same in the settings themselves, with `private_key`."""
    private_key: str
    key_password: str
    truststore_type: str
    truststore_location: str
    trusted_certificates: str
    client_auth: str
    protocols: tuple[str, ...]
    cipher_suites: str
    principal_mapping_rules: str


class TlsContexts:
    """The context that new connections get: made anew once the certificate files have changed.

    The files are looked at with every handshake, which costs microseconds beside its milliseconds. A change that cannot
    be used is logged and the certificates before it stay.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self._mapping = PrincipalMapping(settings.principal_mapping_rules)
        self._state = self._files_state()
        self._current = make_context(settings)
        self.context = make_context(settings)
        """What a server is started with; it passes every handshake on to the context of the moment."""
        self.context.sni_callback = self._choose
        self.context.sslobject_class = _reporting(self._failed)
        self.on_handshake_failed: Callable[[], None] = _nothing

    def principal(self, ssl_object: Any) -> str:
        """Who a connected client is by its certificate: `User:` and the distinguished name, or anonymous."""
        certificate = ssl_object.getpeercert()
        if not certificate:
            return ANONYMOUS
        return "User:" + self._mapping.name(distinguished_name(certificate))

    def _failed(self, error: ssl.SSLError) -> None:
        """A client was not let in. The event loop says nothing of it, nor does it know who that was at this point."""
        reason = getattr(error, "verify_message", "") or (error.reason or str(error)).lower().replace("_", " ")
        log.warning("tls handshake failed listener=%s reason=%s", self.settings.listener_name, reason)
        self.on_handshake_failed()

    def _choose(self, ssl_object: Any, server_name: str | None, context: ssl.SSLContext) -> None:
        state = self._files_state()
        if state != self._state:
            self._state = state
            try:
                self._current = make_context(self.settings)
            except ConfigError as error:
                log.error("certificates not reloaded listener=%s error=%s", self.settings.listener_name, error)
            else:
                log.info("certificates reloaded listener=%s", self.settings.listener_name)
        ssl_object.context = self._current

    def _files_state(self) -> tuple[object, ...]:
        state = []
        for path in (self.settings.keystore_location, self.settings.truststore_location):
            try:
                status = os.stat(path) if path else None
            except OSError:
                status = None
            state.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(state)


def _nothing() -> None:
    """Nobody counts."""


def _reporting(report: Callable[[ssl.SSLError], None]) -> type[ssl.SSLObject]:
    class ReportingObject(ssl.SSLObject):
        """Tells why a handshake failed, which would else be nowhere to be seen."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                report(error)
                raise

    return ReportingObject


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """A server's context of these settings. Raises ConfigError in words that name the setting."""
    where = f"listener {settings.listener_name}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    versions = [_VERSIONS[name] for name in settings.protocols if name in _VERSIONS]
    if not versions:
        raise ConfigError(f"{where}: ssl.enabled.protocols must name TLSv1.2 or TLSv1.3")
    context.minimum_version, context.maximum_version = min(versions), max(versions)
    if settings.cipher_suites:
        try:
            context.set_ciphers(":".join(name.strip() for name in settings.cipher_suites.split(",")))
        except ssl.SSLError:
            raise ConfigError(f"{where}: ssl.cipher.suites: expected names of OpenSSL, separated by commas") from None
    _load_certificate(context, settings, where)
    context.verify_mode = _CLIENT_AUTH[settings.client_auth]
    if context.verify_mode is not ssl.CERT_NONE:
        _load_trusted(context, settings, where)
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings, where: str) -> None:
    _demand_pem(settings.keystore_type, "ssl.keystore.type", where)
    # An empty password instead of none, or OpenSSL would ask for one at the terminal.
    password = settings.key_password
    try:
        if settings.keystore_location:
            context.load_cert_chain(settings.keystore_location, password=password)
        elif settings.certificate_chain and settings.private_key:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "keystore.pem")
                path.touch(mode=0o600)
                path.write_text(_lines(settings.private_key) + "\n" + _lines(settings.certificate_chain) + "\n")
                context.load_cert_chain(path, password=password)
        else:
            raise ConfigError(
                f"{where} has no certificate; set ssl.keystore.type=PEM and ssl.keystore.location=FILE with the "
                "private key and the certificate chain"
            )
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{where}: no private key and certificate can be read from "
            f"{settings.keystore_location or 'ssl.keystore.key'}: {error}"
        ) from None


def _load_trusted(context: ssl.SSLContext, settings: TlsSettings, where: str) -> None:
    try:
        if settings.truststore_location:
            _demand_pem(settings.truststore_type, "ssl.truststore.type", where)
            context.load_verify_locations(settings.truststore_location)
        elif settings.trusted_certificates:
            context.load_verify_locations(cadata=_lines(settings.trusted_certificates))
        else:
            raise ConfigError(
                f"{where}: ssl.client.auth={settings.client_auth} needs ssl.truststore.location: which certificates "
                "to trust"
            )
    except OSError as error:
        raise ConfigError(
            f"{where}: no certificates can be read from "
            f"{settings.truststore_location or 'ssl.truststore.certificates'}: {error}"
        ) from None


def _demand_pem(store_type: str, name: str, where: str) -> None:
    if store_type.upper() != "PEM":
        # Differs from Kafka: certificates are read from PEM files only, because Java's key stores need Java.
        raise ConfigError(
            f"{where}: {name}={store_type} is not served; set {name}=PEM (keytool and openssl convert a Java key store)"
        )


def _lines(pem: str) -> str:
    r"""PEM as settings hold it: in one line, with `\n` or blanks where lines end."""
    pem = pem.replace("\\n", "\n")

    def block(match: re.Match[str]) -> str:
        body = "\n".join(match[2].split())
        return f"-----BEGIN {match[1]}-----\n{body}\n-----END {match[1]}-----\n"

    return re.sub(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", block, pem, flags=re.DOTALL)


_SHORT_NAMES: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}


def distinguished_name(certificate: Any) -> str:
    """The subject as Kafka writes it (RFC 2253): the most specific part first, `CN=alice,O=Example`."""
    return ",".join(
        "+".join(f"{_SHORT_NAMES.get(key, key)}={_escaped(value)}" for key, value in relative_name)
        for relative_name in reversed(certificate.get("subject", ()))
    )


def _escaped(value: str) -> str:
    value = re.sub(r'([,+"\\<>;])', r"\\\1", value)
    if value.startswith(("#", " ")):
        value = "\\" + value
    return value[:-1] + "\\ " if value.endswith(" ") and len(value) > 1 else value
