"""`caudal schemas`: a whole Schema Registry as files, for git and for moves."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.schema_files.registry_client import RegistryClient

_url = click.option(
    "--url",
    default="http://localhost:8081",
    show_default=True,
    envvar="SCHEMA_REGISTRY_URL",
    show_envvar=True,
    help="The registry, Confluent's or Caudal's; may hold user:password@.",
)
_user = click.option(
    "--user",
    metavar="NAME:PASSWORD",
    envvar="SCHEMA_REGISTRY_USER",
    show_envvar=True,
    help="Basic authentication, if not in the address.",
)


@click.group(name="schemas")
def command() -> None:
    """Move a whole Schema Registry as files: subjects, versions, ids, references, configs and modes."""


@command.command(name="export")
@click.argument("folder", type=click.Path(path_type=Path))
@_url
@_user
def export(folder: Path, url: str, user: str | None) -> None:
    """Write everything that a registry holds into FOLDER.

    One file per version (.avsc, .json, .proto), its id and all else beside it. Made for git: the same registry gives
    the same bytes, and files of what is gone are removed.
    """
    from app.schema_files.snapshot import TransferError
    from app.schema_files.transfer import export_registry

    try:
        found = export_registry(_client(url, user), folder)
    except (TransferError, OSError) as error:
        _fail(error)
    click.echo(
        f"{found.versions} versions of {found.subjects} subjects are in {folder}; {found.files_changed} files changed"
    )


@command.command(name="import")
@click.argument("folder", type=click.Path(path_type=Path))
@_url
@_user
@click.option("--dry-run", is_flag=True, help="Only tell what would be written.")
def import_(folder: Path, url: str, user: str | None, dry_run: bool) -> None:
    """Make a registry hold what an export wrote into FOLDER, with the same ids and versions.

    Checks everything first: an id or version that is taken by another schema stops it before anything is written. What
    the registry has besides stays. A second import changes nothing.
    """
    from app.schema_files.snapshot import TransferError
    from app.schema_files.transfer import import_folder

    try:
        plan = import_folder(_client(url, user), folder, is_rehearsal=dry_run)
    except (TransferError, OSError) as error:
        _fail(error)
    if dry_run:
        for line in plan.lines():
            click.echo(line)
    click.echo(
        f"{len(plan.registrations)} versions {'to register' if dry_run else 'registered'}, "
        f"{len(plan.deletions)} deleted, {len(plan.configs) + len(plan.modes)} settings changed; "
        f"{plan.unchanged} versions were there"
    )


def _client(url: str, user: str | None) -> "RegistryClient":
    from app.schema_files.registry_client import RegistryClient

    return RegistryClient(url, user=user)


def _fail(error: Exception) -> None:
    for line in str(error).splitlines():
        click.echo(f"caudal: {line}", err=True)
    sys.exit(1)
