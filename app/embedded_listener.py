"""Which of the embedded broker's listeners the platform itself comes in by, when the broker's configs name several."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import StartError

_CONFIGS = ("listeners", "listener.security.protocol.map")


@dataclass(frozen=True, slots=True)
class OwnListener:
    """listeners: what the broker listens on, '' for the one of host and port. number: ours among them, from 0."""

    listeners: str = ""
    number: int = 0


OF_HOST_AND_PORT = OwnListener()


def own_listener(configs: Mapping[str, str], host: str, port: int, security_protocol: str) -> OwnListener:
    """The first listener of the security protocol that the platform speaks. Raises StartError when there is none."""
    if security_protocol == "PLAINTEXT" and not any(name in configs for name in _CONFIGS):
        return OF_HOST_AND_PORT
    from broker.config import broker_config  # needed by few, so not read at every start
    from broker.config_error import ConfigError

    given = configs.get("listeners", "")
    try:
        listeners = broker_config({**configs, "listeners": given or f"{host}:{port}"}).listeners
    except ConfigError as error:
        raise StartError(f"the embedded broker cannot start: {error}. Its configs are [broker].") from error
    if given and any(listener.port == 0 for listener in listeners):
        raise StartError(
            f"broker.listeners={given}: give each listener a port of its own; 0 would change at a restart."
        )
    for number, listener in enumerate(listeners):
        if listener.security_protocol == security_protocol:
            return OwnListener(given, number)
    found = ", ".join(f"{one.name} is {one.security_protocol}" for one in listeners)
    raise StartError(
        f"the platform itself speaks {security_protocol} to the embedded broker, and no listener of it does ({found}). "
        "Add one to broker.listeners, for example PLAINTEXT://127.0.0.1:9092, or name with kafka.command_config how "
        "to log in."
    )
