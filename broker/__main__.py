"""The broker process: `python -m broker --data-dir D --listener 127.0.0.1:9092`.

Prints one JSON line on stdout when clients can connect (`{"kafka": "127.0.0.1:9092", "pid": 42, "cluster_id": "…"}`),
or one with `"error"`; everything else goes to stderr. Leaves on SIGTERM or SIGINT. Whoever started it and holds its
stdin may be gone one day: with `--exit-with-stdin` it then leaves too, with `--outlive-stdin` it says so and serves on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from broker import event_log
from broker.config import BrokerConfig, ConfigError, broker_config, parse_listeners, read_properties
from broker.connection_limits import limits_of
from broker.security.listener_security import check_reachable
from broker.security.scram import ScramCredential, ScramMechanism
from broker.security.scram_users import ScramUsers, parse_added_user

log = logging.getLogger("broker")

_LEVELS = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "ERROR": "ERROR"}
_ScramUser = tuple[str, ScramMechanism, ScramCredential]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a broker until it is told to stop; the exit code is 1 when it could not start."""
    options = _parse(arguments)
    is_supervised = options.exit_with_stdin or options.outlive_stdin
    try:
        config, folder = _settings(options)
    except ConfigError as error:
        return _fail(str(error), is_supervised=is_supervised)
    level = _LEVELS.get(options.log_level) or config.caudal_log_level
    event_log.set_up(config.caudal_log_format, level, config.caudal_log_repeat_max)
    _allow_many_files()
    added = []
    for text in options.add_scram:
        try:
            added.append(parse_added_user(text))
        except ValueError as error:
            return _fail(f"--add-scram: {error}", is_supervised=is_supervised)
    try:
        import uvloop
    except ImportError:  # A platform that uvloop does not serve; the broker is the same, only slower.
        new_loop = asyncio.new_event_loop
    else:
        new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(
            _serve(config, folder, added, is_supervised=is_supervised, outlives_stdin=options.outlive_stdin)
        )


async def _serve(
    config: BrokerConfig, folder: Path, added_users: list[_ScramUser], *, is_supervised: bool, outlives_stdin: bool
) -> int:
    from broker.broker import Broker
    from broker.log import DataRootError

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if is_supervised:
        on_end = _say_that_it_serves_on if outlives_stdin else stop.set
        threading.Thread(target=_watch_stdin, args=(loop, on_end), daemon=True).start()
    server = Broker(config, folder)
    try:
        if added_users:
            add_scram_users(folder, added_users)
        await server.start()
    except (ConfigError, DataRootError, ValueError, OSError) as error:
        await server.stop()
        return _fail(str(error), is_supervised=is_supervised)
    # What start-up made lives on; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    ready = {
        "kafka": ",".join(listener.address for listener in server.listeners),
        "pid": os.getpid(),
        "cluster_id": server.cluster_id,
    }
    if server.metrics_address:
        ready["metrics"] = server.metrics_address
    print(json.dumps(ready), flush=True)
    await stop.wait()
    await server.stop()
    return 0


def add_scram_users(folder: Path, users: list[_ScramUser]) -> None:
    """Set users before the broker runs: the first one has nobody who could add it. Raises OSError or ValueError."""
    folder.mkdir(parents=True, exist_ok=True)
    known = ScramUsers(folder)
    known.open()
    known.change(set_=users)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m broker", description="A Kafka-compatible broker on one data folder."
    )
    parser.add_argument("--data-dir", type=Path, metavar="D", help="where records are kept (default: log.dirs)")
    parser.add_argument("--listener", metavar="HOST:PORT", help="where to listen; port 0 takes any free one")
    parser.add_argument("--properties", type=Path, metavar="FILE", help="a Kafka server.properties")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a Kafka broker config; may be repeated"
    )
    parser.add_argument("--insecure", action="store_true", help="allow a listener that other machines can reach")
    parser.add_argument(
        "--add-scram",
        action="append",
        default=[],
        metavar="SCRAM-SHA-256=[name=N,password=P]",
        help="set a SCRAM user before the start, as kafka-storage does; may be repeated",
    )
    at_end = parser.add_mutually_exclusive_group()
    at_end.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin closes")
    at_end.add_argument(
        "--outlive-stdin", action="store_true", help="serve on when stdin closes, with a line in the log"
    )
    parser.add_argument("--log-level", choices=tuple(_LEVELS), help="what is logged (default: caudal.log.level)")
    return parser.parse_args(arguments)


def _settings(options: argparse.Namespace) -> tuple[BrokerConfig, Path]:
    """The settings of file and command line (which wins), and the data folder. Raises ConfigError."""
    given = read_properties(options.properties) if options.properties else {}
    for setting in options.set:
        key, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"--set {setting}: expected key=value")
        given[key.strip()] = value.strip()
    if options.listener:
        parse_listeners(options.listener)
        given["listeners"] = options.listener
    config = broker_config(given)
    limits_of(config)
    for listener in config.listeners:
        if not options.insecure:
            check_reachable(config, listener)
    metrics = config.metrics_listener
    if metrics is not None and not metrics.is_loopback and not options.insecure:
        raise ConfigError(
            f"caudal.metrics.listener={config.caudal_metrics_listener} can be reached from other machines, and nobody "
            "has to log in there; listen on 127.0.0.1, or allow it with --insecure"
        )
    folder = options.data_dir or _log_folder(config)
    if folder is None:
        raise ConfigError("no data folder; give --data-dir D (or log.dirs in the properties file)")
    return config, folder


def _log_folder(config: BrokerConfig) -> Path | None:
    named = config.given.get("log.dirs") or config.given.get("log.dir")
    return Path(named.split(",")[0].strip()) if named else None


def _allow_many_files() -> None:
    """Every client and every open segment needs a file descriptor; shells often allow far fewer than the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _fail(message: str, *, is_supervised: bool) -> int:
    """Say why there is no broker: as JSON for a program, and in words, unless a supervisor will find its own."""
    print(json.dumps({"error": message}), flush=True)
    if not is_supervised:
        print(f"broker: {message}", file=sys.stderr, flush=True)
    return 1


def _say_that_it_serves_on() -> None:
    log.warning(
        "whoever started this broker is gone; it serves on until SIGTERM or until a Caudal starts on its folder pid=%d",
        os.getpid(),
    )


def _watch_stdin(loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> None:
    """Whoever started the broker holds the other end of its stdin, which closes with him, even by a kill."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # The loop may be closed already.
        loop.call_soon_threadsafe(on_end)


if __name__ == "__main__":
    sys.exit(main())
