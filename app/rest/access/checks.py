"""What endpoints ask of the user that the gate let in: names in bodies, and which names a list may tell.

Without authentication there is no user and everything is allowed.
"""

import fnmatch
from collections.abc import Iterable
from typing import Any

from app.http.errors import HttpError
from app.http.exchange import Request
from app.rest.access.rules import Kind, Operation, Principal

PRINCIPAL = "caudal.principal"
"""Key in the scope of a request that the gate let in."""


class Forbidden(HttpError):
    """The user is known and has no rule for this."""

    status, error_code, default_message = 403, 403, "Forbidden"


def principal_of(request: Request[Any]) -> Principal | None:
    principal: Principal | None = request.scope.get(PRINCIPAL)
    return principal


def owner_of(request: Request[Any]) -> str:
    """The user's name, '' without authentication."""
    principal = principal_of(request)
    return principal.name if principal else ""


def require(request: Request[Any], operation: Operation, kind: Kind, *names: str) -> None:
    """Raises Forbidden unless the user may do this with all of these."""
    principal = principal_of(request)
    if principal is None:
        return
    for name in names:
        if not principal.may(operation, request.method, kind, name):
            raise Forbidden(refusal(principal, operation, kind, name))


def visible(request: Request[Any], kind: Kind, names: Iterable[str]) -> list[str]:
    """Those of the names that the user may describe, in their order."""
    principal = principal_of(request)
    if principal is None:
        return list(names)
    return [name for name in names if principal.may(Operation.DESCRIBE, "GET", kind, name)]


def consumable_pattern(request: Request[Any], pattern: str) -> str:
    """A regular expression for those topics that match and that the user may consume. Raises Forbidden for none."""
    principal = principal_of(request)
    if principal is None:
        return pattern
    allowed = [
        topic
        for rule in principal.rules
        if Operation.CONSUME in rule.operations and request.method in rule.methods
        for topic in rule.topics
    ]
    if not allowed:
        raise Forbidden(refusal(principal, Operation.CONSUME, Kind.TOPIC, pattern))
    return f"(?={'|'.join(fnmatch.translate(topic) for topic in allowed)})(?:{pattern})"


_VERBS = {Operation.PRODUCE: "produce to", Operation.CONSUME: "consume from"}


def refusal(principal: Principal, operation: Operation, kind: Kind, name: str) -> str:
    """What a user is told who has no rule for it."""
    verb = "consume as" if kind is Kind.GROUP and operation is Operation.CONSUME else _VERBS.get(operation, operation)
    what = f"{kind} {name}" if name else f"the {kind}"
    return f"The user {principal.name} may not {verb} {what}"
