"""The ACLs of a cluster in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.kafka.acls import Acl, AclFilter, AclPatternType
from broker.errors import SecurityDisabled


@dataclass(slots=True)
class MemoryAcls:
    """AclAdmin without a cluster; has_authorizer False is a cluster that refuses all of it."""

    has_authorizer: bool = True
    acls: set[Acl] = field(default_factory=set)

    async def find(self, wanted: AclFilter) -> tuple[Acl, ...]:
        self._check()
        return tuple(acl for acl in self.acls if _is_wanted(acl, wanted))

    async def create(self, acls: Sequence[Acl]) -> None:
        self._check()
        self.acls |= set(acls)

    async def delete(self, wanted: AclFilter) -> tuple[Acl, ...]:
        found = await self.find(wanted)
        self.acls -= set(found)
        return found

    def _check(self) -> None:
        if not self.has_authorizer:
            raise SecurityDisabled("No Authorizer is configured on the broker")


def _is_wanted(acl: Acl, wanted: AclFilter) -> bool:
    names = (acl.resource_name, acl.principal, acl.host)
    kinds = (acl.resource_type, acl.operation, acl.permission)
    wanted_names = (
        None if wanted.pattern_type is AclPatternType.MATCH else wanted.resource_name,
        wanted.principal,
        wanted.host,
    )
    return (
        all(one in (None, name) for name, one in zip(names, wanted_names, strict=True))
        and all(
            one.name == "ANY" or one == kind
            for kind, one in zip(kinds, (wanted.resource_type, wanted.operation, wanted.permission), strict=True)
        )
        and _is_wanted_pattern(acl, wanted)
    )


def _is_wanted_pattern(acl: Acl, wanted: AclFilter) -> bool:
    if wanted.pattern_type is AclPatternType.ANY:
        return True
    if wanted.pattern_type is not AclPatternType.MATCH:
        return acl.pattern_type is wanted.pattern_type
    name = wanted.resource_name
    if name is None or acl.resource_name in (name, "*"):
        return True
    return acl.pattern_type is AclPatternType.PREFIXED and name.startswith(acl.resource_name)
