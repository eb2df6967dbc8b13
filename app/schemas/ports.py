"""What the REST Proxy and the pages ask of a Schema Registry: its schemas, and the payloads that fit them.

A port. Behind it stands the registry of this process (app.registry.access); one elsewhere could. JSON goes in and out
as text, since numbers must keep their digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class InvalidPayload(Exception):
    """A record's bytes or JSON do not fit the schema. The message says where and why.

    index: which of several texts it was. path is a JSON pointer into it, "" for the whole.
    """

    def __init__(self, message: str, path: str = "", index: int = 0) -> None:
        super().__init__(f"{message} (at {path})" if path else message)
        self.path = path
        self.index = index


class SchemaAccessError(Exception):
    """The registry has no answer to work with; the message is for the one who asked."""


class SchemaNotFound(SchemaAccessError):
    """There is no schema of this id, guid, subject or version."""


class UnreadableSchema(SchemaAccessError):
    """The text is no schema of its type."""


class RegistryFailed(SchemaAccessError):
    """The registry refuses the schema (incompatible, read-only, …) or does not answer."""


class PayloadCodec(Protocol):
    """Payloads of one schema: what stands behind the schema id, Protobuf's message indexes included."""

    def encode_all(self, texts: Sequence[bytes]) -> list[bytes]:
        """The payload of each JSON text. Raises InvalidPayload with the index of the first that does not fit."""
        ...

    def decode(self, payload: bytes) -> bytes:
        """A payload as JSON text. Raises InvalidPayload."""
        ...


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """A registered schema. schema_type is AVRO, JSON or PROTOBUF; name that of its record, first message or title.

    subject is qualified by its context. version is None, and subject too unless one was asked for, where the schema is
    under no subject (any more).
    """

    id: int
    guid: UUID
    schema_type: str
    subject: str | None
    version: int | None
    name: str | None
    codec: PayloadCodec


class SchemaAccess(Protocol):
    """Every method may raise RegistryFailed."""

    async def by_id(self, schema_id: int, subject: str | None = None) -> KnownSchema:
        """subject: whose context the id is of, and whose version is wanted. Raises SchemaNotFound."""
        ...

    async def by_guid(self, guid: UUID) -> KnownSchema:
        """Raises SchemaNotFound."""
        ...

    async def by_version(self, subject: str, version: int | None) -> KnownSchema:
        """version None is the latest. Raises SchemaNotFound."""
        ...

    async def name_of(self, schema_type: str, text: str) -> str | None:
        """The name that a schema's text gives itself. Raises UnreadableSchema."""
        ...

    async def register(self, subject: str, schema_type: str, text: str) -> KnownSchema:
        """The schema of this text under the subject, registered if it was not. Raises UnreadableSchema."""
        ...
