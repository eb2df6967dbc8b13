"""`caudal export`: the topics of a stopped Caudal, for a real Apache Kafka."""

import asyncio
import subprocess
import sys
from pathlib import Path

import click

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.client_properties import WrongClientProperties, read_client_properties
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import ClusterUnreachable
from app.moving.move import Move, Moved, MoveRefused, said
from app.moving.plan import Plan, PlanUnreadable, Wanted, read_plan
from app.moving.target import Target
from broker.errors import KafkaError


@click.command(name="export")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("caudal-data"),
    show_default=True,
    help="Folder of all data, as for `caudal start`; nothing may be running on it.",
)
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@click.option("--topics", metavar="A,B,…", help="Only these topics. [default: all but the internal ones]")
@click.option("--exclude", metavar="A,B,…", help="All topics but these.")
@click.option("--groups", metavar="A,B,…", help="Committed offsets of these groups only. [default: of all]")
@click.option(
    "--bootstrap-servers",
    metavar="HOST:PORT,…",
    help="The Kafka to move to, running: topics, ACLs and quotas are made there, and offsets once the segments are "
    "copied. May be said again, with the same folder.",
)
@click.option(
    "--command-config",
    type=click.Path(path_type=Path),
    help="Properties file of a Kafka client, with what that Kafka wants of one: TLS, SASL.",
)
@click.option(
    "--replication-factor", type=click.IntRange(1, 32767), help="Of topics made there. [default: that Kafka's own]"
)
def command(
    data_dir: Path,
    folder: Path,
    topics: str | None,
    exclude: str | None,
    groups: str | None,
    bootstrap_servers: str | None,
    command_config: Path | None,
    replication_factor: int | None,
) -> None:
    """Copy topics to a folder from which a real Apache Kafka takes them over.

    Writes the segments as they are, and scripts for Kafka's own tools: topics with their configs, committed offsets,
    ACLs and quotas. README.txt in that folder says in which order to run them. With --bootstrap-servers all but the
    segments goes to that Kafka at once.
    """
    words = [sys.executable, "-m", "broker.export", "--data-dir", str(data_dir), "--to", str(folder)]
    for flag, value in (("--topics", topics), ("--exclude", exclude), ("--groups", groups)):
        if value is not None:
            words += [flag, value]
    if bootstrap_servers is None:
        if command_config is not None or replication_factor is not None:
            raise click.UsageError("--command-config and --replication-factor need --bootstrap-servers.")
        sys.exit(subprocess.run(words, check=False).returncode)
    try:
        settings = ConnectionSettings() if command_config is None else read_client_properties(command_config)
        admin, target = KafkaClusterAdmin(bootstrap_servers, settings), Target(bootstrap_servers, settings)
        plan = read_plan(folder)
        if plan is None:
            returncode = subprocess.run(words, check=False).returncode
            if returncode:
                sys.exit(returncode)
            plan = read_plan(folder)
            assert plan is not None
        else:
            _check_same(plan, Wanted(_names(topics), _names(exclude) or None, _names(groups)), folder)
        moved = asyncio.run(_move(plan, admin, target, replication_factor))
    except (WrongClientProperties, PlanUnreadable, MoveRefused, ValueError) as error:
        sys.exit(_refuse(str(error)))
    except ClusterUnreachable as error:
        sys.exit(_refuse(f"{error}. Check --bootstrap-servers, --command-config, and that this Kafka runs"))
    except KafkaError as error:
        sys.exit(_refuse(f"{bootstrap_servers} refuses: {said(error)}"))
    sys.exit(_tell(bootstrap_servers, moved))


async def _move(plan: Plan, admin: KafkaClusterAdmin, target: Target, replication_factor: int | None) -> Moved:
    try:
        return await Move(plan, admin, target, replication_factor=replication_factor).run()
    finally:
        await target.close()
        await admin.close()


def _check_same(plan: Plan, wanted: Wanted, folder: Path) -> None:
    """An export that is there is taken as it is, so other wishes would be lost."""
    if wanted != Wanted(None, None, None) and wanted != plan.wanted:
        raise PlanUnreadable(f"{folder} was exported with other topics or groups: choose a new folder with --to")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else sorted({name.strip() for name in text.split(",") if name.strip()})


def _tell(bootstrap_servers: str, moved: Moved) -> int:
    click.echo(f"{bootstrap_servers}: {', '.join(moved.done) or 'nothing to do'}")
    for note in moved.notes:
        click.echo(f"  {note}")
    for what in moved.not_moved:
        click.echo(f"caudal export: not moved: {what}", err=True)
    return 1 if moved.not_moved else 0


def _refuse(reason: str) -> int:
    click.echo(f"caudal export: {reason}", err=True)
    return 1
