"""What endpoints ask of the user that the gate let in: names in bodies, and which names a list may tell.

Without authentication there is no user and everything is allowed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from app.http.errors import HttpError
from app.http.exchange import Request
from app.rest.access.rules import Kind, Operation, Principal

PRINCIPAL = "caudal.principal"
"""Key in the scope of a request that the gate let in."""

STILL_ALLOWED = "caudal.still_allowed"
"""Key in the same scope: a function that tells, awaited, whether the gate would let the request in now."""
LOOK_AGAIN_S = 2.0


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


async def until_refused(request: Request[Any]) -> None:
    """Returns when the users file says otherwise than at the beginning. The scope must have STILL_ALLOWED in it."""
    still_allowed: Callable[[], Awaitable[bool]] = request.scope[STILL_ALLOWED]
    while await still_allowed():
        await asyncio.sleep(LOOK_AGAIN_S)


def require_subject(request: Request[Any], subject: str) -> None:
    """Raises Forbidden where a schema would come under the subject of a topic that the user may not produce to.

    A subject that is no topic's (named after its record) is open to all who may produce anything.
    """
    name = subject.rpartition(":")[2]  # without its context
    topic, _, last = name.rpartition("-")
    if last in ("key", "value"):
        require(request, Operation.PRODUCE, Kind.TOPIC, topic)


def visible(request: Request[Any], kind: Kind, names: Iterable[str]) -> list[str]:
    """Those of the names that the user may describe, in their order."""
    principal = principal_of(request)
    if principal is None:
        return list(names)
    return [name for name in names if principal.may(Operation.DESCRIBE, "GET", kind, name)]


def consumable(request: Request[Any], asked: str) -> Callable[[str], bool]:
    """Which topics the user may consume. Raises Forbidden, about what was asked for, when no rule names any."""
    principal = principal_of(request)
    if principal is None:
        return lambda _: True
    method = request.method
    if not any(Operation.CONSUME in one.operations and method in one.methods and one.topics for one in principal.rules):
        raise Forbidden(refusal(principal, Operation.CONSUME, Kind.TOPIC, asked))
    return lambda name: principal.may(Operation.CONSUME, method, Kind.TOPIC, name)


_VERBS = {Operation.PRODUCE: "produce to", Operation.CONSUME: "consume from"}


def refusal(principal: Principal, operation: Operation, kind: Kind, name: str) -> str:
    """What a user is told who has no rule for it."""
    verb = "consume as" if kind is Kind.GROUP and operation is Operation.CONSUME else _VERBS.get(operation, operation)
    what = f"{kind} {name}" if name else f"the {kind}"
    return f"The user {principal.name} may not {verb} {what}"
