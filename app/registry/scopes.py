"""Which config and mode hold for a subject: its own, its context's, the registry's, the one above all contexts."""

from enum import StrEnum

import msgspec

from app.registry.contexts import DEFAULT_CONTEXT, GLOBAL_SUBJECT, qualify, split
from app.registry.records import ConfigJson
from app.registry.view import View


class Mode(StrEnum):
    """What may be done (`/mode`). IMPORT: only registrations that bring their own id."""

    READWRITE = "READWRITE"
    READONLY = "READONLY"
    READONLY_OVERRIDE = "READONLY_OVERRIDE"
    IMPORT = "IMPORT"
    FORWARD = "FORWARD"


def scopes_of(subject: str | None) -> list[str | None]:
    """The keys to ask, the narrowest first. None is the registry as a whole."""
    found: list[str | None] = []
    if subject:
        context, name = split(subject)
        if name:
            found.append(subject)
        if context != DEFAULT_CONTEXT:
            found.append(qualify(context, ""))
    found += [None, GLOBAL_SUBJECT]
    return list(dict.fromkeys(found))


def effective_config(view: View, subject: str | None, default: ConfigJson) -> ConfigJson:
    """Every field from the narrowest scope that sets it."""
    if not view.configs:
        return default
    merged: dict[str, object] = {}
    for scope in scopes_of(subject):
        config = view.configs.get(scope)
        if config is None:
            continue
        for name in ConfigJson.__struct_fields__:
            value = getattr(config, name)
            if value is not None:
                # An alias is one subject's own: it is never inherited.
                if name in ("alias", "alias_for_deks") and scope != subject:
                    continue
                merged.setdefault(name, value)
    return msgspec.structs.replace(default, **merged) if merged else default


def effective_mode(view: View, subject: str | None) -> Mode:
    """READONLY_OVERRIDE of the registry beats everything; else the narrowest scope that sets one."""
    if not view.modes:
        return Mode.READWRITE
    whole = view.modes.get(None) or view.modes.get(GLOBAL_SUBJECT)
    if whole == Mode.READONLY_OVERRIDE:
        return Mode.READONLY_OVERRIDE
    for scope in scopes_of(subject):
        mode = view.modes.get(scope)
        if mode is not None:
            return Mode(mode) if mode in Mode.__members__ else Mode.READWRITE
    return Mode.READWRITE
