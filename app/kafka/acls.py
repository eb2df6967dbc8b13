"""ACLs of a cluster as the rest of the application sees them: what they are, and which ones a filter finds.

Numbers are those on the wire (KIP-11, KIP-290); one that only a newer broker knows is UNKNOWN. The adapter stands in
acl_admin.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, Self


class _OnTheWire(IntEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls(0)


class AclResourceType(_OnTheWire):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class AclPatternType(_OnTheWire):
    """ANY and MATCH only in filters; MATCH finds every ACL that covers a name."""

    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class AclOperation(_OnTheWire):
    """Also the bits of authorized operations (KIP-430)."""

    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class AclPermission(_OnTheWire):
    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """principal: `User:name`; host: an address, or `*`."""

    resource_type: AclResourceType
    resource_name: str
    pattern_type: AclPatternType
    principal: str
    host: str
    operation: AclOperation
    permission: AclPermission


@dataclass(frozen=True, slots=True)
class AclFilter:
    """What to look for; None and ANY match everything."""

    resource_type: AclResourceType = AclResourceType.ANY
    resource_name: str | None = None
    pattern_type: AclPatternType = AclPatternType.ANY
    principal: str | None = None
    host: str | None = None
    operation: AclOperation = AclOperation.ANY
    permission: AclPermission = AclPermission.ANY


class AclAdmin(Protocol):
    """Each call raises the broker's KafkaError (SecurityDisabled without an authorizer) or ClusterUnreachable."""

    async def find(self, wanted: AclFilter) -> tuple[Acl, ...]: ...
    async def create(self, acls: Sequence[Acl]) -> None:
        """Raises the first refusal, after which the others may have been made. What is there already is no error."""

    async def delete(self, wanted: AclFilter) -> tuple[Acl, ...]:
        """Delete what the filter finds; returns that."""


def operations_of(bits: int) -> tuple[AclOperation, ...]:
    """Authorized operations as the protocol tells them, one bit each; none where the broker was not asked or is old."""
    if bits < 0:
        return ()
    return tuple(operation for operation in AclOperation if bits >> operation & 1)
