"""`caudal demo`: some life for a running platform, until Ctrl-C or until its topics are deleted."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
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
def command(bootstrap_servers: str) -> None:
    """Fill a running platform with a lively stream of orders and page views.

    Two topics (orders, pageviews), three consumer groups, one of which falls behind and catches up again. Ctrl-C stops
    it; deleting one of the topics does too, and they are never brought back.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with contextlib.suppress(asyncio.CancelledError):
        sys.exit(asyncio.run(_until_told_to_stop(bootstrap_servers)))


async def _until_told_to_stop(bootstrap_servers: str) -> int:
    """Signals are asked for by name: a shell's background job is started with SIGINT ignored."""
    running = asyncio.current_task()
    assert running
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    return await _run(bootstrap_servers)


async def _run(bootstrap_servers: str) -> int:
    from app.demo import streams
    from app.kafka.admin import KafkaClusterAdmin
    from app.kafka.ports import ClusterUnreachable

    try:
        admin = KafkaClusterAdmin(bootstrap_servers)
    except ValueError as error:
        click.echo(f"caudal: {error}. Check --bootstrap-servers.", err=True)
        return 1
    try:
        await _wait_for_broker(admin)
        names = " and ".join(topic.name for topic in streams.TOPICS)
        click.echo(f"streaming {names} into {bootstrap_servers}; Ctrl-C stops", err=True)
        await streams.run(admin, bootstrap_servers, lambda words: click.echo(words, err=True))
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
