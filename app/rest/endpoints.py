"""Which endpoints the proxy serves: those that the switches, the allow list and the block list leave.

A disabled endpoint is missing from the router, so that the others pay nothing for it.
"""

import dataclasses
import difflib
import itertools
from collections.abc import Iterable, Sequence

from app.errors import StartError
from app.http.routing import Endpoint, Router, Routes
from app.rest.endpoint_names import name_of
from app.rest.settings import RestSettings
from app.rest.v3 import server_only


def build_router(
    v2: Sequence[Routes],
    v3: Sequence[Routes],
    ours: Sequence[Routes],
    settings: RestSettings,
    *,
    always: Sequence[Routes] = (),
) -> Router:
    """The router of what is enabled, and of `always`. Raises StartError for a name that no endpoint has."""
    everything = [named(routes) for routes in (*v2, *v3, *ours)]
    known = [endpoint.name for routes in everything for _, _, endpoint in routes.found]
    allowed = _patterns("rest.api_endpoints_allowlist", settings.api_endpoints_allowlist, known)
    blocked = _patterns("rest.api_endpoints_blocklist", settings.api_endpoints_blocklist, known)
    served = [named(routes) for routes in always]
    disabled: list[tuple[str, str]] = []
    is_on = [settings.api_v2_enable] * len(v2) + [settings.api_v3_enable] * len(v3) + [True] * len(ours)
    for routes in itertools.compress(everything, is_on):
        kept = Routes(routes.consumes, routes.offers)
        for method, template, endpoint in routes.found:
            if (not allowed or _matches(endpoint.name, allowed)) and not _matches(endpoint.name, blocked):
                kept.found.append((method, template, endpoint))
            else:
                disabled.append((method, template))
        served.append(kept)
    if settings.api_v3_enable:
        served.append(named(server_only.routes))
    return Router(*served, disabled=disabled)


def named(routes: Routes) -> Routes:
    """The same routes with the names of their endpoints."""
    found = [(method, template, _named(method, template, endpoint)) for method, template, endpoint in routes.found]
    return Routes(routes.consumes, routes.offers, found=found)


def _named(method: str, template: str, endpoint: Endpoint) -> Endpoint:
    return dataclasses.replace(endpoint, name=name_of(method, template, endpoint.function.__name__))


def _patterns(setting: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    patterns = tuple(part for one in text.split(",") if (part := one.strip()))
    for pattern in patterns:
        if not any(_matches(name, (pattern,)) for name in known):
            nearest = difflib.get_close_matches(pattern, {*known, *_families(known)}, n=1, cutoff=0.0)
            raise StartError(f"unknown endpoint {pattern} in the setting {setting}. Did you mean {nearest[0]}?")
    return patterns


def _families(names: Iterable[str]) -> Iterable[str]:
    return (name.rpartition(".")[0] + ".*" for name in names)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns)
