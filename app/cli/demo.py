"""`caudal demo`: some life for a running platform, until Ctrl-C or until its topics are deleted."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.kafka.ports import ClusterAdmin

PATIENCE_S = 8.0


@click.command(name="demo")
@click.option(
    "--bootstrap-servers",
    default="127.0.0.1:9092",
    show_default=True,
    metavar="HOST:PORT,…",
    help="The broker to fill: the embedded one of a running `caudal start`, or any Apache Kafka.",
)
@click.option(
    "--schema-registry",
    default="http://127.0.0.1:8081",
    show_default=True,
    metavar="URL",
    help="The Schema Registry that gets the schema of the payments.",
)
@click.option(
    "--command-config",
    type=click.Path(path_type=Path),
    help="Properties file of a Kafka client: how to log in to that broker (TLS, SASL).",
)
def command(bootstrap_servers: str, schema_registry: str, command_config: Path | None) -> None:
    """Fill a running platform with a lively stream of orders, page views and payments.

    Topics orders and pageviews in JSON, payments in Avro where a Schema Registry is; three consumer groups, one of
    which falls behind and catches up again. Ctrl-C stops it; deleting one of the topics does too, and they are never
    brought back.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with contextlib.suppress(asyncio.CancelledError):
        sys.exit(asyncio.run(_until_told_to_stop(bootstrap_servers, schema_registry, command_config)))


async def _until_told_to_stop(bootstrap_servers: str, schema_registry: str, command_config: Path | None) -> int:
    """Signals are asked for by name: a shell's background job is started with SIGINT ignored."""
    running = asyncio.current_task()
    assert running
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    return await _run(bootstrap_servers, schema_registry, command_config)


async def _run(bootstrap_servers: str, schema_registry: str, command_config: Path | None) -> int:
    from app.demo import payments, streams
    from app.kafka.admin import KafkaClusterAdmin
    from app.kafka.client_properties import WrongClientProperties, read_client_properties
    from app.kafka.connection import ConnectionSettings
    from app.kafka.group_consumer import security_options
    from app.kafka.ports import ClusterUnreachable
    from broker.errors import SaslAuthenticationFailed, UnsupportedSaslMechanism

    try:
        settings = ConnectionSettings() if command_config is None else read_client_properties(command_config)
        admin = KafkaClusterAdmin(bootstrap_servers, settings)
    except WrongClientProperties as error:
        click.echo(f"caudal: {error}. Check --command-config.", err=True)
        return 1
    except ValueError as error:
        click.echo(f"caudal: {error}. Check --bootstrap-servers.", err=True)
        return 1
    try:
        await _wait_for_broker(admin)
        topics = list(streams.TOPICS)
        try:
            topics.append(streams.payments_topic(await payments.register(schema_registry)))
        except payments.NoRegistry as error:
            click.echo(f"no payments: no Schema Registry takes their schema at {schema_registry} ({error})", err=True)
        names = ", ".join(topic.name for topic in topics)
        click.echo(f"streaming {names} into {bootstrap_servers}; Ctrl-C stops", err=True)
        security = security_options(settings)
        await streams.run(admin, bootstrap_servers, lambda words: click.echo(words, err=True), topics, security)
    except (SaslAuthenticationFailed, UnsupportedSaslMechanism) as error:
        click.echo(f"caudal: {bootstrap_servers} refuses: {error.message}. Check --command-config.", err=True)
        return 1
    except streams.TopicGone as gone:
        click.echo(f"topic {gone} was deleted: the demo ends here", err=True)
    except ClusterUnreachable:
        click.echo(
            f"caudal: no broker answers at {bootstrap_servers}. Start one with `caudal start`, "
            "or name another with --bootstrap-servers.",
            err=True,
        )
        return 1
    finally:
        await admin.close()
    return 0


async def _wait_for_broker(admin: "ClusterAdmin") -> None:
    """Somebody may have started the platform a moment ago. Raises ClusterUnreachable after PATIENCE_S."""
    from app.kafka.ports import ClusterUnreachable

    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            await admin.metadata()
            return
        except ClusterUnreachable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.5)
