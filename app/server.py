"""The foreground program: sockets first, then the runtime, then HTTP, then one line that says it is ready."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import uvicorn

from app.data_directory import DataDirectory
from app.errors import StartError
from app.listeners import Listeners, Surface, bind, is_loopback
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
        server = _Server(_uvicorn_config(Application(runtime, listeners.surface_by_port()), settings))
        _stop_on_signals(stop, server, runtime)
        try:
            await _start(runtime, stop)
            if not stop.is_set():
                await _serve_until(stop, server, listeners, lambda: _announce(runtime, listeners, started, ready_json))
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


async def _serve_until(
    stop: asyncio.Event, server: _Server, listeners: Listeners, announce: Callable[[], None]
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener.socket for listener in listeners.all]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    announce()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _stop_on_signals(stop: asyncio.Event, server: _Server, runtime: Runtime) -> None:
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
        server.should_exit = True

    # Shells start background jobs with SIGINT ignored, and who sends it all the same means it. nohup means SIGHUP.
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGINT, signal.SIGTERM, *(() if is_nohup else (signal.SIGHUP,))):
        loop.add_signal_handler(number, on_signal, number)


def _uvicorn_config(application: Application, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
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
    if runtime.settings.insecure and not is_loopback(runtime.settings.http.host):
        lines.append("  WARNING: everyone who reaches this machine can read and change everything (--insecure).")
    lines.append("  Ctrl-C stops it. For some life in it, in another terminal: caudal demo")
    return "\n".join(lines) + "\n"
