"""The forms for compatibility level and mode, the same for the registry, a context and a subject."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from app.control_center.schemas import words as schema_words
from app.control_center.schemas.desk import SchemaDesk
from app.registry.contexts import normalize, split
from app.registry.errors import SchemaError
from app.registry.refusals import RegistryError
from app.registry.scopes import Mode

INHERIT = ""


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    words: str
    meaning: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ScopeForms:
    """errors by field: 'level', 'mode'. before_*: what was set here when the page was made, '' for nothing."""

    scope_words: str
    levels: tuple[Option, ...]
    before_level: str
    level_words: str
    modes: tuple[Option, ...]
    before_mode: str
    mode_words: str
    level_href: str
    mode_href: str
    others: tuple[tuple[str, str], ...]
    why_frozen: str
    why_mode_fixed: str
    errors: Mapping[str, str]


def own_level(desk: SchemaDesk, scope: str | None) -> str:
    config = desk.view.configs.get(scope)
    return (config.compatibility_level if config else None) or INHERIT


def own_mode(desk: SchemaDesk, scope: str | None) -> str:
    return desk.view.modes.get(scope) or INHERIT


def build_forms(
    desk: SchemaDesk, scope: str | None, *, level_href: str, mode_href: str, errors: Mapping[str, str]
) -> ScopeForms:
    level, mode = desk.level(scope), desk.mode(scope)
    own, own_of_mode = own_level(desk, scope), own_mode(desk, scope)
    inherited_level, inherited_mode = _inherited(desk, scope)
    fixed = "" if desk.service.settings.mode_mutability else "Modes are fixed: schema_registry.mode_mutability is off."
    return ScopeForms(
        scope_words="this subject" if scope and split(scope).subject else "this context" if scope else "the registry",
        levels=(
            Option(INHERIT, *_inherit_words(inherited_level, scope), own == INHERIT),
            *(Option(name, name, f"{said} Allowed: {schema_words.ALLOWED[name]}.", own == name)
              for name, said in schema_words.LEVELS.items()),
        ),
        before_level=own,
        level_words=f"{level.value} holds here, {_origin(level.scope_words, is_own=level.is_own)}.",
        modes=(
            Option(INHERIT, *_inherit_words(inherited_mode, scope), own_of_mode == INHERIT),
            *(Option(name, name, said, own_of_mode == name) for name, said in schema_words.MODES.items()
              if name != Mode.FORWARD or scope is None),
        ),
        before_mode=own_of_mode,
        mode_words=f"{mode.value} holds here, {_origin(mode.scope_words, is_own=mode.is_own)}.",
        level_href=level_href,
        mode_href=mode_href,
        others=_other_settings(desk, scope),
        why_frozen=desk.why_frozen(scope),
        why_mode_fixed=fixed,
        errors=defaultdict(str, errors),
    )  # fmt: skip


def _origin(scope_words: str, *, is_own: bool) -> str:
    if is_own:
        return "set here"
    return f"set on {scope_words}" if scope_words else "as nobody set another"


def _inherit_words(value: str, scope: str | None) -> tuple[str, str]:
    return (f"Inherited: {value}" if scope is not None else f"Default: {value}"), "Takes away what is set here."


def _inherited(desk: SchemaDesk, scope: str | None) -> tuple[str, str]:
    """Level and mode that would hold without those of the scope itself."""
    if scope is None:
        return desk.service.settings.schema_compatibility_level, Mode.READWRITE
    context, name = split(scope)
    wider = f":{context}:" if name and context != "." else None
    wider = normalize(wider) if wider else None
    return desk.level(wider).value, desk.mode(wider).value


def _other_settings(desk: SchemaDesk, scope: str | None) -> tuple[tuple[str, str], ...]:
    """What else was set here by the API; the page shows it and leaves it."""
    config = desk.view.configs.get(scope)
    if config is None:
        return ()
    names = ("alias", "normalize", "validate_fields", "validate_new_schemas", "validate_rules")
    names += ("compatibility_policy", "compatibility_group")
    shown = [(name, getattr(config, name)) for name in names]
    shown += [
        (name, "set" if getattr(config, name) is not None else None)
        for name in ("default_metadata", "override_metadata", "default_rule_set", "override_rule_set")
    ]
    return tuple((_camel(name), str(value).lower() if isinstance(value, bool) else str(value))
                 for name, value in shown if value is not None)  # fmt: skip


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


async def set_level(desk: SchemaDesk, scope: str | None, form: Mapping[str, str]) -> str:
    """Returns what went wrong, '' for nothing."""
    level = form.get("level", "")
    if level and level not in schema_words.LEVELS:
        return "Choose one of the levels."
    own = own_level(desk, scope)
    if form.get("before", "") != own:
        return f"It was changed meanwhile: it is {own or 'inherited'} now. Look again before you save."
    if level == own:
        return ""
    try:
        await desk.changes.set_level(scope, level or None)
    except (RegistryError, SchemaError) as error:
        return schema_words.explain(error)
    return ""


async def set_mode(desk: SchemaDesk, scope: str | None, form: Mapping[str, str]) -> str:
    """Returns what went wrong, '' for nothing."""
    mode = form.get("mode", "")
    if mode and mode not in schema_words.MODES:
        return "Choose one of the modes."
    own = own_mode(desk, scope)
    if form.get("before", "") != own:
        return f"It was changed meanwhile: it is {own or 'inherited'} now. Look again before you save."
    if mode == own:
        return ""
    try:
        await desk.changes.set_mode(scope, mode or None)
    except (RegistryError, SchemaError) as error:
        return schema_words.explain(error)
    return ""
