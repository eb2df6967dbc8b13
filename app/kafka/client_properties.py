"""A Kafka client's properties file (`--command-config` of Kafka's own tools) as connection settings.

Read are the settings that say how to reach a cluster: security.protocol, sasl.mechanism, sasl.jaas.config,
ssl.truststore.* and ssl.keystore.* with type PEM (KIP-651), ssl.key.password, ssl.endpoint.identification.algorithm,
request.timeout.ms, client.id. All others are a consumer's or producer's, and mean nothing here.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.kafka.connection import ConnectionSettings
from app.kafka.sasl import MECHANISMS, SaslLogin

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

_JAAS_OPTION = re.compile(r"""(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))""")


class WrongClientProperties(ValueError):
    """The file does not say how to reach a cluster; the message names the setting, never a secret."""


def read_client_properties(path: Path) -> ConnectionSettings:
    """The settings of a file. Raises WrongClientProperties."""
    return connection_settings(read_properties(path))


def read_properties(path: Path) -> dict[str, str]:
    """What a file says, by the settings' names. Raises WrongClientProperties."""
    try:
        return parse_properties(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongClientProperties(f"cannot read {path}: {error}") from None


def parse_properties(text: str) -> dict[str, str]:
    """Java's `key=value` or `key: value`; `#` and `!` begin comments, a `\\` at the end goes on in the next line."""
    given: dict[str, str] = {}
    logical = ""
    for line in text.splitlines():
        logical += line.lstrip()
        if logical.endswith("\\"):
            logical = logical[:-1]
            continue
        if logical and logical[0] not in "#!":
            name, *value = re.split(r"\s*[=:]\s*|\s+", logical, maxsplit=1)
            given[name] = "".join(value).strip()
        logical = ""
    return given


def connection_settings(given: Mapping[str, str]) -> ConnectionSettings:
    """What the settings mean. Raises WrongClientProperties."""
    protocol = given.get("security.protocol", "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        raise WrongClientProperties(f"security.protocol={protocol} is none of {', '.join(PROTOCOLS)}")
    settings = ConnectionSettings(
        client_id=given.get("client.id", "caudal"),
        tls=_tls(given) if protocol.endswith("SSL") else None,
        login=_login(given) if protocol.startswith("SASL") else None,
    )
    timeout_ms = given.get("request.timeout.ms")
    if timeout_ms is None:
        return settings
    if not timeout_ms.isdigit() or timeout_ms == "0":
        raise WrongClientProperties(f"request.timeout.ms={timeout_ms} is no number of milliseconds")
    return replace(settings, request_timeout_s=int(timeout_ms) / 1000)


def _login(given: Mapping[str, str]) -> SaslLogin:
    mechanism = given.get("sasl.mechanism", "GSSAPI").upper()
    if mechanism not in MECHANISMS:
        raise WrongClientProperties(f"sasl.mechanism={mechanism} is not served here; it can be {', '.join(MECHANISMS)}")
    found = {name: double or single or plain for name, double, single, plain in _JAAS_OPTION.findall(
        given.get("sasl.jaas.config", "")
    )}  # fmt: skip
    if "username" not in found or "password" not in found:
        raise WrongClientProperties('sasl.jaas.config must have username="…" and password="…"')
    return SaslLogin(mechanism, *(re.sub(r"\\(.)", r"\1", found[name]) for name in ("username", "password")))


def _tls(given: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=_pem_file(given, "truststore"), cadata=_inline(given, "ssl.truststore.certificates")
        )
        keystore = _pem_file(given, "keystore")
        if keystore is not None:
            context.load_cert_chain(keystore, password=given.get("ssl.key.password", ""))
        elif "ssl.keystore.key" in given:
            raise WrongClientProperties("ssl.keystore.key inside the file is not read; name a file of it instead")
    except (OSError, ssl.SSLError) as error:
        raise WrongClientProperties(f"the certificates cannot be used: {error}") from None
    context.check_hostname = bool(given.get("ssl.endpoint.identification.algorithm", "https"))
    return context


def _pem_file(given: Mapping[str, str], store: str) -> str | None:
    location = given.get(f"ssl.{store}.location")
    if location is None:
        return None
    kind = given.get(f"ssl.{store}.type", "JKS").upper()
    if kind != "PEM":
        raise WrongClientProperties(
            f"ssl.{store}.type={kind} is a format of Java; convert it to PEM (keytool, openssl) and set the type to PEM"
        )
    return location


def _inline(given: Mapping[str, str], name: str) -> str | None:
    return given[name].replace("\\n", "\n") if name in given else None
