"""Export a registry into a folder, and import a folder into a registry."""

from dataclasses import dataclass
from pathlib import Path

from app.schema_files.folder import read_folder, write_folder
from app.schema_files.planning import Plan, plan_import
from app.schema_files.registry_client import RefusedRequest, RegistryClient
from app.schema_files.snapshot import Snapshot, TransferError


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export found, and how many files it changed."""

    versions: int
    subjects: int
    files_changed: int


def export_registry(client: RegistryClient, folder: Path) -> Exported:
    """Raises TransferError."""
    snapshot = client.read()
    changed = write_folder(folder, snapshot)
    return Exported(len(snapshot.versions), len({subject for subject, _ in snapshot.versions}), changed)


def import_folder(client: RegistryClient, folder: Path, *, is_rehearsal: bool = False) -> Plan:
    """Make the registry hold what is in the folder. Returns what was written (a rehearsal: what would be).

    Nothing is written before everything was checked. The subjects that change are in IMPORT mode meanwhile and get
    their modes back, after an error too. Raises TransferError.
    """
    wanted = read_folder(folder)
    scopes = {*wanted.settings, *(subject for subject, _ in wanted.versions)}
    target = client.read(scopes)
    plan = plan_import(wanted, target)
    if is_rehearsal or plan.is_empty:
        return plan
    _write(client, plan, target)
    try:
        left = plan_import(wanted, client.read(scopes))
    except TransferError as error:
        raise TransferError(f"the import is done, but the registry changed what it was given:\n{error}") from None
    if not left.is_empty:
        raise TransferError("\n".join(["the import is done, but the registry did not keep all of it:", *left.lines()]))
    return plan


def _write(client: RegistryClient, plan: Plan, target: Snapshot) -> None:
    modes = {
        subject: target.settings[subject].mode if subject in target.settings else None for subject in plan.subjects
    }
    opened: list[str] = []
    try:
        for subject in modes:
            opened.append(subject)  # before the call: it may be done although its answer is lost
            try:
                client.set_mode(subject, "IMPORT")
            except RefusedRequest:
                opened.pop()
                raise
        for one in plan.registrations:
            client.register(one)
        for one in plan.deletions:
            client.delete(one)
        for scope, config in plan.configs.items():
            client.set_config(scope, config)
    except BaseException as error:
        client.close()  # an interrupt may have left half an answer on the connection
        _close(client, {subject: modes[subject] for subject in opened}, error)
        raise
    _close(client, modes, None)
    for scope, mode in plan.modes.items():
        client.set_mode(scope, mode)


def _close(client: RegistryClient, modes: dict[str, str | None], error: BaseException | None) -> None:
    """Give subjects their modes back; tells of those that could not get them."""
    failed = []
    for subject, mode in modes.items():
        try:
            client.set_mode(subject, mode)
        except TransferError as reason:
            failed.append(f"'{subject}' is still in IMPORT mode, not in {mode or 'none of its own'}: {reason}")
    if failed:
        first = [str(error)] if error is not None else []
        raise TransferError("\n".join([*first, *failed])) from error
