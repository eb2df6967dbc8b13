"""What `caudal export` has written down for another Kafka beside the segments: `plan.json` in the exported folder."""

from pathlib import Path

import msgspec

PLAN_FILE = "plan.json"
VERSION = 1


class PlanUnreadable(Exception):
    """The folder holds no export that can be told to another Kafka; the message says why and what to do."""


class Wanted(msgspec.Struct, frozen=True):
    """What the export was limited to; None: to nothing."""

    topics: list[str] | None
    exclude: list[str] | None
    groups: list[str] | None


class PlannedTopic(msgspec.Struct, frozen=True):
    name: str
    partition_count: int
    configs: dict[str, str]


class PlannedPartition(msgspec.Struct, frozen=True):
    """From where to where its records go. has_segments: there are files to copy; has_moved_start: records at the
    beginning of the first of them were deleted."""

    topic: str
    partition: int
    log_start_offset: int
    log_end_offset: int
    has_segments: bool
    has_moved_start: bool


class OpenTransaction(msgspec.Struct, frozen=True):
    """A transaction that nobody can end any more."""

    topic: str
    partition: int
    first_offset: int


class PlannedOffset(msgspec.Struct, frozen=True):
    group_id: str
    topic: str
    partition: int
    offset: int
    metadata: str


class ShareStart(msgspec.Struct, frozen=True):
    """Where a share group goes on."""

    group_id: str
    topic: str
    partition: int
    start_offset: int


class PlannedAcl(msgspec.Struct, frozen=True):
    """Codes as in CreateAcls."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission: int


class PlannedQuota(msgspec.Struct, frozen=True):
    """entity: name by type, None for the default of the type."""

    entity: dict[str, str | None]
    values: dict[str, float]


class Plan(msgspec.Struct, frozen=True):
    version: int
    wanted: Wanted
    topics: list[PlannedTopic]
    partitions: list[PlannedPartition]
    open_transactions: list[OpenTransaction]
    offsets: list[PlannedOffset]
    share_starts: list[ShareStart]
    acls: list[PlannedAcl]
    quotas: list[PlannedQuota]
    users: list[str]


def read_plan(folder: Path) -> Plan | None:
    """The plan of an exported folder; None where nothing was exported yet. Raises PlanUnreadable."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    path = folder / PLAN_FILE
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except FileNotFoundError:
        raise PlanUnreadable(f"{folder} is not empty and holds no export: choose a new folder with --to") from None
    except (OSError, msgspec.DecodeError) as error:
        raise PlanUnreadable(f"{path} cannot be read ({error}): export to a new folder") from None
    if plan.version != VERSION:
        raise PlanUnreadable(f"{path} was written by another version of Caudal: export to a new folder")
    return plan
