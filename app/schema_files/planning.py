"""What an import has to write, in which order, and what stands in its way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from app.registry.contexts import context_of, qualify, split
from app.schema_files.snapshot import GLOBAL, Json, SchemaVersion, Snapshot, TransferError, bare

CONFLICTS_TOLD = 20
READ_ONLY = ("READONLY", "READONLY_OVERRIDE")


@dataclass(slots=True)
class Plan:
    """Writes in the order they are made."""

    registrations: list[SchemaVersion] = field(default_factory=list)  # what they refer to first
    deletions: list[SchemaVersion] = field(default_factory=list)  # what refers to them first
    configs: dict[str, Json] = field(default_factory=dict)  # by scope; null takes away
    modes: dict[str, str | None] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def subjects(self) -> list[str]:
        """Those whose versions change."""
        return sorted({one.subject for one in (*self.registrations, *self.deletions)})

    @property
    def is_empty(self) -> bool:
        return not (self.registrations or self.deletions or self.configs or self.modes)

    def lines(self) -> Iterator[str]:
        """What it does, for people."""
        for one in self.registrations:
            yield f"register {one} with id {one.id}"
        for one in self.deletions:
            yield f"delete {one}"
        for scope in self.configs:
            yield f"set the config of {_named(scope)}"
        for scope, mode in self.modes.items():
            yield f"set the mode of {_named(scope)} to {mode or 'none of its own'}"


def plan_import(wanted: Snapshot, target: Snapshot) -> Plan:
    """How target comes to hold what is wanted; what it has besides stays. Raises TransferError for conflicts."""
    conflicts = list(_conflicts(wanted, target))
    plan = Plan()
    for one in _ordered(wanted, conflicts):
        there = target.versions.get(one.key)
        if there is not None and there.is_deleted == one.is_deleted:
            plan.unchanged += 1
            continue
        if there is None or there.is_deleted:
            plan.registrations.append(one)
        if one.is_deleted:
            plan.deletions.insert(0, one)
    for scope, settings in sorted(wanted.settings.items()):
        _plan_settings(plan, scope, settings.config, target)
        there_mode = target.settings[scope].mode if scope in target.settings else None
        if settings.mode != there_mode and (settings.mode or scope != GLOBAL):
            plan.modes[scope] = settings.mode
    conflicts += _locked(plan, target)
    if conflicts:
        more = [f"and {len(conflicts) - CONFLICTS_TOLD} more"] if len(conflicts) > CONFLICTS_TOLD else []
        raise TransferError("\n".join([*conflicts[:CONFLICTS_TOLD], *more]))
    return plan


def _conflicts(wanted: Snapshot, target: Snapshot) -> Iterator[str]:
    ours: dict[tuple[str, int], SchemaVersion] = {}
    theirs = target.contents()
    for _, one in sorted(wanted.versions.items()):
        there = target.versions.get(one.key)
        if there is not None and there.id != one.id:
            yield f"{one} has id {one.id} here and {there.id} in the registry"
        elif there is not None and not there.has_content_of(one):
            yield f"{one} is another schema in the registry"
        place = (context_of(one.subject), one.id)
        other = ours.setdefault(place, one)
        if not other.has_content_of(one):
            yield f"{one} and {other} are different schemas with one id, {one.id}"
        holder = theirs.get(place)
        if holder is not None and holder.key != one.key and not holder.has_content_of(one):
            yield f"{one} has id {one.id}, which {holder} has in the registry"
        for needed in one.needs():
            if needed not in wanted.versions and needed not in target.versions:
                yield f"{one} refers to {needed[0]} version {needed[1]}, which is neither here nor in the registry"


def _ordered(wanted: Snapshot, conflicts: list[str]) -> list[SchemaVersion]:
    """By subject and version, but what is referred to first."""
    sorter = TopologicalSorter(
        {key: [needed for needed in one.needs() if needed in wanted.versions] for key, one in wanted.versions.items()}
    )
    try:
        sorter.prepare()
    except CycleError as error:
        conflicts.append(
            "these refer to one another: " + ", ".join(f"{key[0]} version {key[1]}" for key in error.args[1])
        )
        return []
    found: list[SchemaVersion] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found += (wanted.versions[key] for key in ready)
        sorter.done(*ready)
    return found


def _plan_settings(plan: Plan, scope: str, config: Json | None, target: Snapshot) -> None:
    config = config or {}
    there = (target.settings[scope].config if scope in target.settings else None) or {}
    changed = {key: value for key, value in config.items() if bare(value) != bare(there.get(key))}
    changed |= {key: None for key in there if key not in config and bare(there[key]) is not None}
    if changed:
        plan.configs[scope] = changed


def _locked(plan: Plan, target: Snapshot) -> Iterator[str]:
    """Configs that the registry would refuse for its mode; the subjects of versions are put into IMPORT first."""
    whole = target.settings[GLOBAL].mode if GLOBAL in target.settings else None
    if whole == "READONLY_OVERRIDE" and not plan.is_empty:
        yield "the registry is in mode READONLY_OVERRIDE"
        return
    unlocked = set(plan.subjects)
    for scope in plan.configs:
        context = qualify(split(scope).context, "")
        modes = [target.settings[one].mode for one in (scope, context, GLOBAL) if one in target.settings]
        mode = next((mode for mode in modes if mode is not None), None)
        if scope not in unlocked and mode in READ_ONLY:
            yield f"the config of {_named(scope)} differs and its mode is {mode}"


def _named(scope: str) -> str:
    return f"'{scope}'" if scope != GLOBAL else "the registry"
