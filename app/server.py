"""The foreground program: sockets first, then the runtime, then HTTP, then one line that says it is ready."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import uvicorn

from app.data_directory import DataDirectory
from app.errors import StartError
from app.http.connection import ConnectionLimits, protocol_class
from app.listeners import Listeners, Surface, bind, host_of, is_loopback
from app.main import Application
from app.runtime import Runtime
from app.settings import Settings
from app.version import VERSION

log = logging.getLogger("caudal.runtime")

ECHO_S = 1.0


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where there is one, else the standard loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us: they must stop more than HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


_Servers: TypeAlias = list[tuple[_Server, list[socket.socket]]]
"""Each with the sockets that it accepts on."""


async def serve(settings: Settings, *, ready_json: bool = False) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; returns the exit code. Raises StartError when it cannot start."""
    started = time.monotonic()
    _configure_logging()
    _check_exposure(settings)
    listeners = bind(settings)
    data = DataDirectory(settings.data_dir.absolute())
    stop = asyncio.Event()
    failures: list[str] = []

    async def on_fatal(reason: str) -> None:
        failures.append(reason)
        stop.set()

    try:
        data.open()
        registry_url = listeners.url(Surface.SCHEMA_REGISTRY)
        runtime = Runtime(settings, data, registry_url=registry_url, on_fatal=on_fatal)
        servers = _servers(Application(runtime, listeners.surface_by_port()), settings, listeners)
        _stop_on_signals(stop, [server for server, _ in servers], runtime)
        try:
            await _start(runtime, stop)
            if not stop.is_set():
                await _serve_until(stop, servers, lambda: _announce(runtime, listeners, started, ready_json))
        finally:
            await runtime.stop()
    finally:
        data.close()
        listeners.close()
    for reason in failures:
        print(f"caudal: stopped, because {reason}. Its log above says more.", file=sys.stderr)
    return 1 if failures else 0


async def _start(runtime: Runtime, stop: asyncio.Event) -> None:
    """Start the runtime, giving up as soon as a signal asks for it."""
    starting = asyncio.create_task(runtime.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    else:
        starting.result()


async def _serve_until(stop: asyncio.Event, servers: _Servers, announce: Callable[[], None]) -> None:
    serving = [asyncio.create_task(server.serve(sockets=sockets)) for server, sockets in servers]
    while not all(server.started for server, _ in servers) and not any(task.done() for task in serving):
        await asyncio.sleep(0.005)
    # What start-up made lives on: without this, each full collection stops all requests for a tenth of a second.
    gc.freeze()
    gc.enable()
    announce()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*serving)


def _stop_on_signals(stop: asyncio.Event, servers: Sequence[_Server], runtime: Runtime) -> None:
    """The first signal stops in order, a second one at once.

    A process manager may signal the group and make may pass the same signal on: what comes within ECHO_S is no second.
    """
    loop = asyncio.get_running_loop()
    first_at = 0.0

    def on_signal(number: signal.Signals) -> None:
        nonlocal first_at
        if stop.is_set():
            if loop.time() - first_at < ECHO_S:
                return
            log.warning("second %s, leaving at once", number.name)
            if runtime.broker is not None:
                runtime.broker.terminate()
            os._exit(130 if number is signal.SIGINT else 143)
        first_at = loop.time()
        stop.set()
        for server in servers:
            server.should_exit = True

    # Shells start background jobs with SIGINT ignored, and who sends it all the same means it. nohup means SIGHUP.
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGINT, signal.SIGTERM, *(() if is_nohup else (signal.SIGHUP,))):
        loop.add_signal_handler(number, on_signal, number)


def _servers(application: Application, settings: Settings, listeners: Listeners) -> _Servers:
    """A server for the plain sockets and, with certificates, one for those with TLS. Raises StartError."""
    limits = ConnectionLimits(
        head_timeout_s=settings.http.head_timeout_s,
        unread_timeout_s=settings.http.unread_timeout_s,
        per_address_max=settings.http.connections_per_address_max,
    )
    servers = []
    for is_tls in (False, True):
        sockets = [listener.socket for listener in listeners.all if listener.is_tls is is_tls]
        if sockets:
            config = _uvicorn_config(application, settings, limits)
            config.load()
            config.ssl = _tls_context(settings) if is_tls else None
            servers.append((_Server(config), sockets))
    return servers


def _tls_context(settings: Settings) -> ssl.SSLContext:
    """The REST Proxy's, with certificates read anew when their files change. Raises StartError."""
    from broker.config_error import ConfigError
    from broker.security.tls import TlsContexts, TlsSettings

    rest = settings.rest
    try:
        return TlsContexts(
            TlsSettings(
                listener_name="rest",
                keystore_type="PEM",
                keystore_location=rest.ssl_keystore_location,
                certificate_chain="",
                private_key="",
                key_password=rest.ssl_key_password,
                truststore_type="PEM",
                truststore_location=rest.ssl_truststore_location,
                trusted_certificates="",
                client_auth=rest.ssl_client_authentication.lower(),
                protocols=("TLSv1.2", "TLSv1.3"),
                cipher_suites="",
                principal_mapping_rules="DEFAULT",
            )
        ).context
    except ConfigError as error:
        raise StartError(f"{error}. Check the settings rest.ssl_….") from error


def _uvicorn_config(application: Application, settings: Settings, limits: ConnectionLimits) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=protocol_class(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.http.stop_timeout_s),
        proxy_headers=False,
    )


def _configure_logging() -> None:
    """Lines on stderr: time, level, logger, event. Libraries speak from WARNING on."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    logging.getLogger("caudal").setLevel(logging.INFO)
    # aiokafka logs every reconnect attempt as an error of its own; we say once that the cluster is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _check_exposure(settings: Settings) -> None:
    rest_host = host_of(Surface.REST, settings)
    if rest_host != settings.http.host and not (
        is_loopback(rest_host) or settings.rest.users_file or settings.insecure
    ):
        raise StartError(
            f"refused to open the REST Proxy to {rest_host}: everyone who reaches it could read and change everything. "
            "Name its users with rest.users_file, or add --insecure if that is what you want."
        )
    if not is_loopback(settings.http.host) and not settings.insecure:
        raise StartError(
            f"refused to listen on {settings.http.host}: there is no authentication yet, so everyone who reaches this "
            "machine could read and change everything. Add --insecure if that is what you want, or leave --host out."
        )


def _announce(runtime: Runtime, listeners: Listeners, started: float, ready_json: bool) -> None:
    print(_banner(runtime, listeners, time.monotonic() - started), file=sys.stderr, flush=True)
    if ready_json:
        surfaces = {surface.value: listeners.url(surface) for surface in Surface}
        print(json.dumps({"kafka": runtime.bootstrap_servers, **surfaces, "pids": runtime.pids()}), flush=True)


def _banner(runtime: Runtime, listeners: Listeners, seconds: float) -> str:
    main = listeners.url(Surface.ALL)
    rest, pages = listeners.url(Surface.REST), listeners.url(Surface.CONTROL_CENTER)
    registry = listeners.url(Surface.SCHEMA_REGISTRY)
    kind = "embedded broker" if runtime.settings.is_embedded else "attached cluster"
    lines = [
        "",
        f"  Caudal {VERSION} is ready after {seconds:.1f} s",
        "",
        f"  Control Center   {main}/ui/" + ("" if pages == main else f"   also {pages}"),
        f"  REST Proxy       {rest}" + ("" if rest == main else f"       also {main}"),
        f"  Schema Registry  {registry}" + ("" if registry == main else f"       also {main}"),
        f"  Kafka            {runtime.bootstrap_servers} ({kind})",
        f"  Data             {runtime.data.path}",
        "",
    ]
    for surface, port in listeners.taken_ports:
        lines.append(f"  Port {port} is taken by another program: {surface.value} answers on {main} only.")
    rest_settings = runtime.settings.rest
    is_rest_exposed = not is_loopback(host_of(Surface.REST, runtime.settings))
    if is_rest_exposed and rest_settings.users_file and not rest_settings.is_https:
        lines.append("  WARNING: passwords reach the REST Proxy unencrypted; set rest.ssl_keystore_location.")
    if runtime.settings.insecure and not is_loopback(runtime.settings.http.host):
        lines.append("  WARNING: everyone who reaches this machine can read and change everything (--insecure).")
    lines.append("  Ctrl-C stops it. For some life in it, in another terminal: caudal demo")
    return "\n".join(lines) + "\n"
