"""`caudal start`: the whole platform in the foreground, until Ctrl-C."""

import asyncio
import gc
import sys
from pathlib import Path
from typing import Any

import click

from app.errors import StartError


@click.command(name="start")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of all data. [default: ./caudal-data]")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port of all HTTP surfaces together; 0 takes free ones. [default: 8080]")
@click.option("--kafka-port", type=int, help="Port of the embedded broker; 0 takes a free one. [default: 9092]")
@click.option(
    "--no-confluent-ports",
    is_flag=True,
    help="Do not listen on 8081 (Schema Registry), 8082 (REST Proxy) and 9021 (Control Center).",
)
@click.option("--bootstrap-servers", metavar="HOST:PORT,…", help="Attach to this Apache Kafka; no embedded broker.")
@click.option(
    "--command-config",
    metavar="FILE",
    help="Properties file of a Kafka client: how to log in to that Kafka (TLS, SASL).",
)
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting. Repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file. [default: ./caudal.toml if it exists]")
@click.option("--insecure", is_flag=True, help="Allow an address that others can reach, without authentication.")
@click.option("--ready-json", is_flag=True, help="Print one JSON line on stdout once everything answers.")
def command(
    data_dir: Path | None,
    host: str | None,
    port: int | None,
    kafka_port: int | None,
    no_confluent_ports: bool,
    bootstrap_servers: str | None,
    command_config: str | None,
    assignments: tuple[str, ...],
    config: Path | None,
    insecure: bool,
    ready_json: bool,
) -> None:
    """Start the platform: broker, Schema Registry, REST Proxy and Control Center."""
    flags: dict[str, Any] = {
        "data_dir": data_dir,
        "insecure": insecure or None,
        "http": {"host": host, "port": port, "confluent_ports": False if no_confluent_ports else None},
        "kafka": {"port": kafka_port, "bootstrap_servers": bootstrap_servers, "command_config": command_config},
    }
    try:
        sys.exit(_start(_only_given(flags), assignments, config, ready_json=ready_json))
    except StartError as error:
        click.echo(f"caudal: {error}", err=True)
        sys.exit(1)


def _start(flags: dict[str, Any], assignments: tuple[str, ...], config: Path | None, *, ready_json: bool) -> int:
    # Start-up makes hardly any garbage, and looking for it again and again takes a fifth of its time.
    gc.disable()
    from app import server, settings

    loaded = settings.load(flags, assignments=assignments, file=config)
    with asyncio.Runner(loop_factory=server.loop_factory()) as runner:
        return runner.run(server.serve(loaded, ready_json=ready_json))


def _only_given(flags: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in flags.items():
        if isinstance(value, dict):
            given[name] = _only_given(value)
        elif value is not None:
            given[name] = value
    return given
