"""Kafka's StandardAuthorizer: the ACLs, kept in `acls.json` of the data folder, and what they allow.

Super users may do all. Else the rules count whose resource, principal, host and operation fit: any DENY denies, then
any ALLOW allows, and with none of either `allow.everyone.if.no.acl.found` decides. A decision is remembered until the
rules change, so that asking again costs one look into a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from broker.dispatch import RequestContext
from broker.metadata.state_file import read_state, write_state
from broker.security.acl import (
    CLUSTER_NAME,
    OPERATIONS_OF,
    WILDCARD,
    Acl,
    AclFilter,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    covers,
)

ACLS_FILE: Final = "acls.json"

DECISIONS_MAX: Final = 100_000
"""Remembered decisions; beyond this they are all forgotten, which bounds the memory that odd names can take."""

_ANYBODY: Final = "User:*"

_IMPLIED_BY: Final = {
    Operation.DESCRIBE: {Operation.DESCRIBE, Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER},
    Operation.DESCRIBE_CONFIGS: {Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS},
}
"""An ALLOW of these allows the operation too. A DENY implies nothing but itself."""


class Authorizer:
    """All ACLs of a broker, and the decisions."""

    def __init__(self, folder: Path, *, super_users: Iterable[str] = (), allow_if_no_acl: bool = False) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called when decisions may have changed."""
        self._path = folder / ACLS_FILE
        self._super_users = frozenset(super_users)
        self._allow_if_no_acl = allow_if_no_acl
        self._acls: frozenset[Acl] = frozenset()
        self._literal: dict[tuple[int, str], list[Acl]] = {}
        self._prefixed: dict[tuple[int, str], list[Acl]] = {}
        self._prefix_lengths: tuple[int, ...] = ()
        self._decisions: dict[tuple[str, str, int, int, str], bool] = {}

    def open(self) -> None:
        """Read the file. Raises ValueError when it is damaged: a lost DENY must not go unnoticed."""
        self._index(frozenset(read_state(self._path, list[Acl]) or ()))

    def __iter__(self) -> Iterator[Acl]:
        return iter(sorted(self._acls))

    def find(self, wanted: AclFilter) -> list[Acl]:
        """The rules that a filter matches."""
        return [acl for acl in sorted(self._acls) if wanted.matches(acl)]

    def change(self, *, add: Iterable[Acl] = (), remove: Iterable[Acl] = ()) -> None:
        """Add and remove rules, all or nothing; on return they are on disk and count. Raises OSError."""
        changed = (self._acls - frozenset(remove)) | frozenset(add)
        if changed == self._acls:
            return
        write_state(self._path, sorted(changed))
        self._index(changed)
        self.on_change()

    def allows(self, context: RequestContext, operation: int, resource_type: int, name: str) -> bool:
        """Whether who asks may do that."""
        key = (context.principal, context.client_host, operation, resource_type, name)
        allowed = self._decisions.get(key)
        if allowed is None:
            allowed = self._decide(*key)
            if len(self._decisions) >= DECISIONS_MAX:
                self._decisions.clear()
            self._decisions[key] = allowed
        return allowed

    def allows_on_cluster(self, context: RequestContext, operation: int) -> bool:
        """Whether who asks may do that to the cluster."""
        return self.allows(context, operation, ResourceType.CLUSTER, CLUSTER_NAME)

    def allows_on_any(self, context: RequestContext, operation: int, resource_type: int) -> bool:
        """Whether there can be a resource of the type that who asks may do that to (KIP-679)."""
        if context.principal in self._super_users:
            return True
        fitting = [
            acl
            for acl in self._acls
            if acl.resource_type == resource_type
            and acl.principal in (context.principal, _ANYBODY)
            and acl.host in (context.client_host, WILDCARD)
            and acl.operation in (operation, Operation.ALL)
        ]
        denied = [acl for acl in fitting if acl.permission == Permission.DENY]
        if any(acl.pattern_type == PatternType.LITERAL and acl.resource_name == WILDCARD for acl in denied):
            return False
        if self._allow_if_no_acl:
            return True
        return any(
            acl.permission == Permission.ALLOW and not any(_outweighs(deny, acl) for deny in denied) for acl in fitting
        )

    def operations(self, context: RequestContext, resource_type: ResourceType, name: str) -> int:
        """Everything that who asks may do to a resource, as the bits of authorized operations."""
        bits = 0
        for operation in OPERATIONS_OF[resource_type]:
            if self.allows(context, operation, resource_type, name):
                bits |= 1 << operation
        return bits

    def _decide(self, principal: str, host: str, operation: int, resource_type: int, name: str) -> bool:
        if principal in self._super_users:
            return True
        allowing = _IMPLIED_BY.get(Operation(operation), {operation})
        has_acl = is_allowed = False
        for acl in self._covering(resource_type, name):
            has_acl = True
            if acl.principal not in (principal, _ANYBODY) or acl.host not in (host, WILDCARD):
                continue
            if acl.permission == Permission.DENY:
                if acl.operation in (operation, Operation.ALL):
                    return False
            elif acl.operation == Operation.ALL or acl.operation in allowing:
                is_allowed = True
        return is_allowed or (self._allow_if_no_acl and not has_acl)

    def _covering(self, resource_type: int, name: str) -> Iterator[Acl]:
        yield from self._literal.get((resource_type, name), ())
        if name != WILDCARD:
            yield from self._literal.get((resource_type, WILDCARD), ())
        for length in self._prefix_lengths:
            if length > len(name):
                break
            yield from self._prefixed.get((resource_type, name[:length]), ())

    def _index(self, acls: frozenset[Acl]) -> None:
        literal: dict[tuple[int, str], list[Acl]] = {}
        prefixed: dict[tuple[int, str], list[Acl]] = {}
        for acl in acls:
            kind = prefixed if acl.pattern_type == PatternType.PREFIXED else literal
            kind.setdefault((acl.resource_type, acl.resource_name), []).append(acl)
        self._acls, self._literal, self._prefixed = acls, literal, prefixed
        self._prefix_lengths = tuple(sorted({len(name) for _, name in prefixed}))
        self._decisions = {}


def _outweighs(deny: Acl, allow: Acl) -> bool:
    """Whether a DENY covers everything that the ALLOW allows."""
    if allow.pattern_type == PatternType.LITERAL:
        return covers(deny, allow.resource_name) and allow.resource_name != WILDCARD
    return deny.pattern_type == PatternType.PREFIXED and allow.resource_name.startswith(deny.resource_name)
