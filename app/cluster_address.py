"""How to speak to a cluster, from its settings: a Kafka client's properties file, and single settings over it."""

from dataclasses import replace
from pathlib import Path

from app.errors import StartError
from app.kafka.client_properties import WrongClientProperties, connection_settings, read_properties
from app.kafka.connection import ConnectionSettings
from app.settings import ClusterSettings

_BY_NAME_OF_KAFKA = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.jaas.config": "sasl_jaas_config",
    "ssl.truststore.location": "ssl_truststore_location",
    "ssl.keystore.location": "ssl_keystore_location",
    "ssl.key.password": "ssl_key_password",
}


def connection_of(settings: ClusterSettings, section: str, request_timeout_ms: int) -> ConnectionSettings:
    """section: where the settings stand, for words. request_timeout_ms: where the file has none.

    Raises StartError; its words name a setting, never a secret.
    """
    try:
        given = read_properties(Path(settings.command_config).expanduser()) if settings.command_config else {}
        for name, key in _BY_NAME_OF_KAFKA.items():
            if value := getattr(settings, key):
                given[name] = value
                if name.endswith("store.location"):
                    given[name.replace("location", "type")] = "PEM"
        connection = connection_settings(given)
    except WrongClientProperties as error:
        raise StartError(f"{error}. Check {section}.command_config and the settings beside it.") from error
    if "request.timeout.ms" in given:
        return connection
    return replace(connection, request_timeout_s=request_timeout_ms / 1000)
