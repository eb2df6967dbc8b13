"""Ports and the surfaces behind them: one HTTP server, many sockets.

The main port carries everything. The conventional ports of Confluent Platform each carry one surface at their root, so
that every tool's default address works and a firewall can open the REST Proxy alone.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import StartError
from app.settings import Settings

BACKLOG = 2048


class Surface(StrEnum):
    """What one port serves; the values are the keys of the ready line."""

    ALL = "http"
    REST = "rest"
    SCHEMA_REGISTRY = "schema_registry"
    CONTROL_CENTER = "control_center"


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound, not yet listening socket and the surface that it serves."""

    surface: Surface
    socket: socket.socket
    is_tls: bool = False

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The address to give to a person on this machine: a wildcard bind is shown as loopback."""
        host = self.socket.getsockname()[0]
        if host == "0.0.0.0":
            host = "127.0.0.1"
        elif host == "::":
            host = "::1"
        scheme = "https" if self.is_tls else "http"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listeners:
    """All sockets of one server, and the conventional ports that somebody else had already."""

    all: tuple[Listener, ...]
    taken_ports: tuple[tuple[Surface, int], ...] = ()

    def url(self, surface: Surface) -> str:
        """Where a surface is reached: its own port, or the main one when it has none."""
        own = next((listener for listener in self.all if listener.surface is surface), None)
        return (own or self.all[0]).url

    def surface_by_port(self) -> dict[int, Surface]:
        return {listener.port: listener.surface for listener in self.all}

    def close(self) -> None:
        for listener in self.all:
            listener.socket.close()


def is_loopback(host: str) -> bool:
    """True when nothing but this machine can reach an address bound to host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(surface: Surface, settings: Settings) -> str:
    """The address that a surface's own port listens on."""
    return (settings.rest.host if surface is Surface.REST else "") or settings.http.host


def bind(settings: Settings) -> Listeners:
    """Bind every HTTP socket at once, so that a taken port fails in the first second.

    The main port must be free; a conventional port that is taken is only reported, unless it is one for strangers.
    """
    main = Listener(Surface.ALL, _bind_main(settings))
    bound, taken = [main], []
    for surface, port in _conventional_ports(settings):
        try:
            sock = _bind(host_of(surface, settings), 0 if settings.http.port == 0 else port)
            bound.append(Listener(surface, sock, is_tls=surface is Surface.REST and settings.rest.is_https))
        except OSError as error:
            if surface is Surface.REST and (settings.rest.host or settings.rest.is_https):
                raise StartError(f"cannot open the REST Proxy's port {port}: {error.strerror}.") from error
            taken.append((surface, port))
    return Listeners(tuple(bound), tuple(taken))


def _conventional_ports(settings: Settings) -> Iterable[tuple[Surface, int]]:
    if not settings.http.confluent_ports:
        return ()
    return (
        (Surface.SCHEMA_REGISTRY, settings.schema_registry.port),
        (Surface.REST, settings.rest.port),
        (Surface.CONTROL_CENTER, settings.control_center.port),
    )


def _bind_main(settings: Settings) -> socket.socket:
    host, port = settings.http.host, settings.http.port
    try:
        return _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} is taken by another program. Stop it, or choose another port with --port "
                "(0 takes any free one; setting http.port)."
            ) from error
        if error.errno == errno.EACCES:
            raise StartError(f"not allowed to open port {port}. Choose one above 1023 with --port.") from error
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}. Check --host and --port.") from error


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Listening now, not when the server starts: two programs may both bind a port that nobody listens on yet.
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
