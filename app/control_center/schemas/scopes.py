"""The forms for compatibility level and mode, the same for the registry, a context and a subject."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.control_center import words
from app.control_center.schemas import words as schema_words
from app.control_center.schemas.desk import Effective, SchemaDesk
from app.registry.contexts import split
from app.registry.errors import SchemaError
from app.registry.refusals import RegistryError
from app.registry.scopes import Mode

INHERIT = ""
SHOWN_SETTINGS = (
    "alias",
    "normalize",
    "validate_fields",
    "validate_new_schemas",
    "validate_rules",
    "compatibility_policy",
    "compatibility_group",
)
CONTRACT_SETTINGS = ("default_metadata", "override_metadata", "default_rule_set", "override_rule_set")
ONLY_OF_THE_WHOLE = frozenset({Mode.FORWARD, Mode.READONLY_OVERRIDE})  # elsewhere refused, or no more than READONLY


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
    is_mutable = desk.service.settings.mode_mutability
    return ScopeForms(
        scope_words="this subject" if scope and split(scope).subject else "this context" if scope else "the registry",
        levels=tuple(_levels(desk, scope)),
        before_level=own_level(desk, scope),
        level_words=f"{level.value}, {_origin(level)}",
        modes=tuple(_modes(desk, scope)),
        before_mode=own_mode(desk, scope),
        mode_words=f"{mode.value}, {_origin(mode)}",
        level_href=level_href,
        mode_href=mode_href,
        others=_other_settings(desk, scope),
        why_frozen=desk.why_frozen(scope),
        why_mode_fixed="" if is_mutable else "Modes are fixed: schema_registry.mode_mutability is off.",
        errors=defaultdict(str, errors),
    )


def _levels(desk: SchemaDesk, scope: str | None) -> Iterator[Option]:
    own = own_level(desk, scope)
    yield _inherit(scope, desk.level_above(scope), own)
    for name, said in schema_words.LEVELS.items():
        yield Option(name, name, f"{said} Allowed: {schema_words.ALLOWED[name]}.", own == name)


def _modes(desk: SchemaDesk, scope: str | None) -> Iterator[Option]:
    own = own_mode(desk, scope)
    yield _inherit(scope, desk.mode_above(scope), own)
    for name, said in schema_words.MODES.items():
        if scope is None or name not in ONLY_OF_THE_WHOLE or name == own:
            yield Option(name, name, said, own == name)


def _origin(one: Effective) -> str:
    if one.is_own:
        return "set here"
    return f"set on {one.scope_words}" if one.scope_words else "as nobody set another"


def _inherit(scope: str | None, above: Effective, own: str) -> Option:
    whose = f"what is set on {above.scope_words}" if above.scope_words else "what the server was started with"
    meaning = f"Takes {own} away: {whose} holds again" if own else words.capital(whose)
    return Option(INHERIT, "Default" if scope is None else "Inherited", f"{meaning}, {above.value}.", own == INHERIT)


def _other_settings(desk: SchemaDesk, scope: str | None) -> tuple[tuple[str, str], ...]:
    """What else was set here by the API; the page shows it and leaves it."""
    config = desk.view.configs.get(scope)
    if config is None:
        return ()
    shown = [(name, getattr(config, name)) for name in SHOWN_SETTINGS]
    shown += [(name, "set" if getattr(config, name) is not None else None) for name in CONTRACT_SETTINGS]
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
