"""One node of the registry, from a cluster's address to an ASGI application.

Imported when it is needed, not before: with the schemas' libraries behind it, it is a tenth of a second of the start.
"""

from app.kafka.connection import ConnectionSettings
from app.kafka.group_membership import KafkaGroupMembership
from app.kafka.ports import ClusterAdmin, Producer
from app.registry.access import InProcessSchemas
from app.registry.election import PROTOCOL, PROTOCOL_TYPE, Election
from app.registry.routes import RegistryApp, create_registry
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings
from app.schemas.ports import SchemaAccess

SESSION_TIMEOUT_MS = 10_000
REBALANCE_TIMEOUT_MS = 10_000


def open_node(
    bootstrap_servers: str,
    connection: ConnectionSettings,
    *,
    admin: ClusterAdmin,
    producer: Producer,
    settings: RegistrySettings,
) -> RegistryApp:
    """The application; its service is the caller's to start and stop. Without advertised_url it is the only node."""
    election = None
    if settings.advertised_url:
        group = KafkaGroupMembership(
            bootstrap_servers,
            connection,
            group_id=settings.schema_registry_group_id,
            protocol_type=PROTOCOL_TYPE,
            protocol=PROTOCOL,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        )
        election = Election(group, settings.advertised_url)
    return create_registry(create_service(admin=admin, producer=producer, settings=settings, writer=election))


def schema_access(service: RegistryService) -> SchemaAccess:
    """The registry for its neighbours in this process: the REST Proxy, the message browser."""
    return InProcessSchemas(service)
