"""Which of the embedded broker's listeners the platform itself comes in by, when the broker's configs name several."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import StartError
from app.kafka.client_properties import PROTOCOLS

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
    given = configs.get("listeners", "")
    listeners = _protocols(given or f"{host}:{port}", configs)
    if any(item.rpartition(":")[2] == "0" for item in _items(given)):
        raise StartError(
            f"broker.listeners={given}: give each listener a port of its own; 0 would change at a restart."
        )
    for number, (_, protocol) in enumerate(listeners):
        if protocol == security_protocol:
            return OwnListener(given, number)
    found = ", ".join(f"{name} is {protocol}" for name, protocol in listeners)
    raise StartError(
        f"the platform itself speaks {security_protocol} to the embedded broker, and no listener of it does ({found}). "
        "Add one to broker.listeners, for example PLAINTEXT://127.0.0.1:9092, or name with kafka.command_config how "
        "to log in."
    )


def _protocols(listeners: str, configs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name and security protocol of each; what is wrong in them is the broker's to say when it starts."""
    pairs = (item.partition(":") for item in _items(configs.get("listener.security.protocol.map", "")))
    mapped = {name.upper(): protocol.upper() for name, _, protocol in pairs}
    controllers = {name.upper() for name in _items(configs.get("controller.listener.names", ""))}
    names = [item.rpartition("://")[0].upper() or "PLAINTEXT" for item in _items(listeners)]
    found = [(name, mapped.get(name, name)) for name in names if name not in controllers]
    return [(name, protocol if protocol in PROTOCOLS else "PLAINTEXT") for name, protocol in found]


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
