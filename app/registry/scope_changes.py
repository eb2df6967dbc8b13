"""Changing configs and modes: of a subject, of a context (`:.ctx:`), of the registry (None)."""

import msgspec
from msgspec import UNSET

from app.registry import contexts
from app.registry.compatibility import CompatibilityLevel, CompatibilityPolicy
from app.registry.contracts import validate_rules
from app.registry.errors import InvalidRuleSet
from app.registry.records import (
    ConfigJson,
    ConfigUpdate,
    Record,
    clear_subject_record,
    config_record,
    mode_record,
    schema_tombstone,
    to_rule_set,
)
from app.registry.refusals import (
    CompatibilityNotConfigured,
    InvalidCompatibilityLevel,
    InvalidMode,
    ModeNotConfigured,
    OperationNotPermitted,
    ReferenceExists,
    SubjectNotFound,
)
from app.registry.registry import RegistryCore
from app.registry.scopes import Mode
from app.registry.view import is_in_scope

POLICIES = frozenset({*CompatibilityPolicy, "LOGICAL"})


class ScopeChanges:
    """Every method may raise RegistryError or InvalidRuleSet."""

    def __init__(self, core: RegistryCore) -> None:
        self.core = core

    # --- configs ---------------------------------------------------------------------------------------------------

    def config(self, scope: str | None, *, default_to_global: bool = False) -> ConfigJson:
        """What is set at a scope; with default_to_global, or for the registry, what holds there."""
        scope = self._scope(scope)
        if scope is None or default_to_global:
            return self.core.config(scope)
        config = self.core.view.configs.get(scope)
        if config is None:
            raise CompatibilityNotConfigured(scope)
        return config

    async def update_config(self, scope: str | None, update: ConfigUpdate) -> None:
        """Change what is given, keep the rest, forget what is null."""
        scope = self._checked(scope)
        changes = _changes(update)
        async with self.core.gate.alone():
            self.core.refuse_read_only(scope)
            old = self.core.view.configs.get(scope) or ConfigJson()
            await self.core.store.write([config_record(scope, msgspec.structs.replace(_plain(old), **changes))])

    async def delete_config(self, scope: str | None) -> ConfigJson:
        """Returns what was set. Raises SubjectNotFound for a subject without a config."""
        scope = self._checked(scope)
        async with self.core.gate.alone():
            self.core.refuse_read_only(scope)
            old = self.core.config(None) if scope is None else self.core.view.configs.get(scope)
            if old is None:
                raise SubjectNotFound(scope)
            await self.core.store.write([config_record(scope, None)])
            return old

    # --- modes -----------------------------------------------------------------------------------------------------

    def mode(self, scope: str | None, *, default_to_global: bool = False) -> str:
        scope = self._scope(scope)
        if scope is None or default_to_global:
            return self.core.mode(scope)
        if self.core.mode(None) is Mode.READONLY_OVERRIDE:
            return Mode.READONLY_OVERRIDE
        mode = self.core.view.modes.get(scope)
        if mode is None:
            raise ModeNotConfigured(scope)
        return mode

    async def set_mode(self, scope: str | None, name: str | None, *, force: bool = False) -> Mode:
        scope = self._checked(scope)
        mode = Mode.__members__.get((name or "").upper())
        if mode is None or (mode is Mode.FORWARD and scope is not None):
            raise InvalidMode
        self._check_mutable()
        async with self.core.gate.alone():
            records: list[Record] = []
            if mode is Mode.IMPORT and self.core.mode(scope) is not Mode.IMPORT and not force:
                records = self._cleared(scope)
            await self.core.store.write([*records, mode_record(scope, mode)])
        return mode

    async def delete_mode(self, scope: str | None, *, recursive: bool = False) -> str:
        """Returns the mode that was set. recursive: those of the scope's subjects too."""
        scope = self._checked(scope)
        self._check_mutable()
        async with self.core.gate.alone():
            modes = self.core.view.modes
            old = modes.get(scope) if scope is not None else self.core.mode(None)
            inner = [one for one in modes if one is not None and one != scope and is_in_scope(one, scope)]
            if old is None and not (recursive and inner):
                raise SubjectNotFound(scope)
            records = [mode_record(scope, None), *(mode_record(one, None) for one in inner if recursive)]
            await self.core.store.write(records)
            return old or Mode.READWRITE

    def _check_mutable(self) -> None:
        if not self.core.settings.mode_mutability:
            raise OperationNotPermitted("Mode changes are not allowed")

    def _cleared(self, scope: str | None) -> list[Record]:
        """What takes away the soft-deleted versions that an import would collide with. Raises OperationNotPermitted."""
        view = self.core.view
        inside = [one for one in view.all_versions() if is_in_scope(one.subject, scope)]
        if any(not one.is_deleted for one in inside):
            raise OperationNotPermitted("Cannot import since found existing subjects")
        for one in inside:
            if view.referrers(one.subject, one.version):
                raise ReferenceExists(one.subject, one.version)
        tombstones = [schema_tombstone(one.subject, one.version) for one in inside]
        return [*tombstones, clear_subject_record(scope)]

    # --- scopes ----------------------------------------------------------------------------------------------------

    def _scope(self, scope: str | None) -> str | None:
        return None if scope is None else contexts.normalize(scope) or None

    def _checked(self, scope: str | None) -> str | None:
        scope = self._scope(scope)
        if scope is not None:
            contexts.check_scope(scope)
        return scope


def _changes(update: ConfigUpdate) -> dict[str, object]:
    """Field values to set, None to forget. Raises InvalidCompatibilityLevel, InvalidRuleSet."""
    changes = {name: value for name in update.__struct_fields__ if (value := getattr(update, name)) is not UNSET}
    level = changes.pop("compatibility", UNSET)
    if level is not UNSET:
        changes["compatibility_level"] = level
    level = changes.get("compatibility_level")
    if level is not None:
        if str(level).upper() not in CompatibilityLevel.__members__:
            raise InvalidCompatibilityLevel
        changes["compatibility_level"] = str(level).upper()
    policy = changes.get("compatibility_policy")
    if policy is not None:
        if str(policy).upper() not in POLICIES:
            raise InvalidCompatibilityLevel(
                message=f"Invalid compatibility policy. Valid values are {sorted(POLICIES)}"
            )
        changes["compatibility_policy"] = str(policy).upper()
    for rules in (update.default_rule_set, update.override_rule_set):
        if rules is not UNSET and rules is not None:
            rule_set = to_rule_set(rules)
            if rule_set is None:
                raise InvalidRuleSet("a rule set is empty")
            validate_rules(rule_set)
    return changes


def _plain(config: ConfigJson) -> ConfigJson:
    return ConfigJson(**{name: getattr(config, name) for name in ConfigJson.__struct_fields__})
