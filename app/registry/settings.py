"""What can be set of the Schema Registry; app.settings maps the user's settings to this value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Limits and defaults; where Confluent's registry has the same setting, its name is kept with underscores."""

    advertised_url: str = ""
    """Where other nodes reach this one for what they forward; empty when there are none."""

    request_max_bytes: int = 10_000_000
    """Largest request body after decompression."""

    response_gzip_min_bytes: int = 1_024
    """Smallest answer that is compressed for a client that accepts gzip."""

    kafkastore_topic: str = "_schemas"
    """The topic that holds the registry; `kafkastore.topic`."""

    kafkastore_timeout_ms: int = 10_000
    """How long a write waits for Kafka; `kafkastore.timeout.ms`."""

    schema_compatibility_level: str = "BACKWARD"
    """The level where nobody set one; `schema.compatibility.level`."""

    schema_validate_new_schemas: bool = True
    """Whether names and defaults of new Avro schemas are checked."""

    schema_registry_group_id: str = "schema-registry"
    """The group that elects the node that writes; `schema.registry.group.id`."""

    mode_mutability: bool = True
    """Whether modes may be changed; `mode.mutability`."""

    incompatible_error_code: int = 409
    """`error_code` of an incompatible schema: 409 as Confluent Platform up to 8.1, or 40901 as later ones."""

    def advertised_url_for(self, scheme: str) -> str:
        """Where clients reach this registry; the scheme of their request does not matter."""
        return self.advertised_url
