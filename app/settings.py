"""Settings: one typed value, read once, passed down.

Order, strongest first: flags, the environment (`CAUDAL_REST__PORT`), the file (`caudal.toml`), the defaults here.
Keys of the embedded broker keep Kafka's own names, in one flat table: `[broker]` with `"log.retention.hours" = 168`,
`--set broker.log.retention.hours=168`, `CAUDAL_BROKER__LOG_RETENTION_HOURS`.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import StartError

ENVIRONMENT_PREFIX = "CAUDAL_"
FILE_NAME = "caudal.toml"
TABLES = frozenset({"broker", "clusters"})
"""Sections whose keys the user names."""
SECRET = frozenset({"sasl_jaas_config", "ssl_key_password"})


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(Section):
    """The HTTP server that carries every surface."""

    host: str = Field("127.0.0.1", description="Address to listen on, for HTTP and for the embedded broker.")
    port: int = Field(8080, ge=0, le=65535, description="Port of all surfaces together; 0 takes a free one.")
    confluent_ports: bool = Field(
        True,
        description="Also listen on Confluent Platform's conventional ports "
        "(8081 Schema Registry, 8082 REST Proxy, 9021 Control Center).",
    )
    stop_timeout_s: float = Field(10.0, gt=0, description="Seconds that running requests have to end at stop.")
    head_timeout_s: float = Field(30.0, gt=0, description="Seconds in which a request's headers must have come.")
    unread_timeout_s: float = Field(
        30.0, gt=0, description="Seconds after which a client that reads nothing of its answer is left."
    )
    connections_per_address_max: int = Field(0, ge=0, description="Connections of one address; 0 is no limit.")


class ClusterSettings(Section):
    """Where a cluster is and what it wants of a client; the long names are a Kafka client's, with underscores."""

    bootstrap_servers: str = Field("", description="host:port,… of an Apache Kafka cluster.")
    command_config: str = Field(
        "", description="Properties file of a Kafka client that says how to log in; the settings below win over it."
    )
    security_protocol: str = Field("", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; empty is PLAINTEXT.")
    sasl_mechanism: str = Field("", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    sasl_jaas_config: str = Field(
        "", repr=False, description='Who logs in: `… required username="…" password="…";`, as Kafka\'s clients have it.'
    )
    ssl_truststore_location: str = Field(
        "", description="PEM file of those who sign the brokers' certificates; empty is the system's own."
    )
    ssl_keystore_location: str = Field(
        "", description="PEM file with private key and certificate chain, where the brokers ask for one."
    )
    ssl_key_password: str = Field("", repr=False, description="Password of that private key.")


class KafkaSettings(ClusterSettings):
    """The cluster behind everything: embedded, or an Apache Kafka somewhere else."""

    bootstrap_servers: str = Field(
        "", description="host:port,… of an Apache Kafka cluster to attach to; empty starts the embedded broker."
    )
    port: int = Field(9092, ge=0, le=65535, description="Port of the embedded broker; 0 takes a free one.")
    request_timeout_ms: int = Field(10_000, gt=0, description="How long one request to the cluster may take.")
    connect_timeout_ms: int = Field(10_000, gt=0, description="How long the first contact at start may take.")


class RestSettings(Section):
    """The REST Proxy; the long names are those of Confluent's, with underscores."""

    port: int = Field(8082, ge=1, le=65535, description="Conventional port of the REST Proxy.")
    host: str = Field(
        "", description="Address of that port; empty is http.host. Others may reach it once authentication is on."
    )
    users_file: str = Field(
        "", description="File of users and what each may do; naming one turns authentication on (docs/rest-proxy.md)."
    )
    ssl_keystore_location: str = Field(
        "", description="PEM file with private key and certificate chain; naming one makes the port HTTPS."
    )
    ssl_key_password: str = Field("", description="Password of that private key.")
    ssl_truststore_location: str = Field("", description="PEM file of those who sign clients' certificates.")
    ssl_client_authentication: str = Field(
        "NONE", pattern="^(NONE|REQUESTED|REQUIRED)$", description="Whether clients show a certificate."
    )
    rate_limit_requests_per_s: float = Field(
        0, ge=0, description="Requests a second of one user, or of one address without authentication; 0 is no limit."
    )
    access_control_allow_origin: str = Field(
        "", description="Origins whose pages may call the proxy, separated by commas, or *; empty turns CORS off."
    )
    access_control_allow_methods: str = Field("GET,POST,HEAD", description="Methods that such pages may use.")
    access_control_allow_headers: str = Field(
        "X-Requested-With,Content-Type,Accept,Origin", description="Headers that such pages may send."
    )
    access_control_expose_headers: str = Field("", description="Headers of answers that such pages may read.")
    consumer_instance_timeout_ms: int = Field(
        300_000, gt=0, description="A consumer instance without a request for this long is removed."
    )
    consumer_request_timeout_ms: int = Field(1_000, gt=0, description="How long a GET of records waits at most.")
    consumer_request_max_bytes: int = Field(67_108_864, gt=0, description="Most bytes of records in one answer.")
    consumer_instances_max: int = Field(1_000, gt=0, description="Most consumer instances at one time.")
    request_max_bytes: int = Field(104_857_600, gt=0, description="Largest request body, after decompression.")
    advertised_listeners: str = Field(
        "",
        pattern="^$|^https?://[^/,?# ]+/?( *, *https?://[^/,?# ]+/?)*$",
        description="http:// and https:// addresses that clients know the proxy by, separated by commas, for the URLs "
        "in answers; empty tells the one that was called.",
    )
    id: str = Field("", description="Stands in the names of consumer instances that did not bring one.")
    confluent_resource_name_authority: str = Field("", description="Authority in the `crn://` names of v3.")
    null_request_body_always_publishes_empty_record: bool = Field(
        False, description="v2: a null is Kafka's null even where a schema is given."
    )
    compression_enable: bool = Field(True, description="Whether answers are gzip for clients that accept it.")
    api_v3_produce_batch_maximum_entries: int = Field(10, gt=0, description="Most entries of a `records:batch`.")
    streaming_connection_max_duration_ms: int = Field(
        86_400_000, gt=0, description="How long one stream of records may go on."
    )
    idle_timeout_ms: int = Field(
        30_000,
        gt=0,
        description="How long a stream of records may be silent before its first record or inside one.",
    )
    produce_stream_pending_max: int = Field(
        64, gt=0, description="Pieces of a stream without receipts yet; beyond that no more of the stream is read."
    )
    produce_stream_pending_max_bytes: int = Field(
        4_194_304, gt=0, description="Keys and values of a stream without receipts yet; as above."
    )
    idempotency_ms: int = Field(
        600_000, gt=0, description="How long the answer to a request with an Idempotency-Key is kept."
    )
    idempotency_keys_max: int = Field(100_000, gt=0, description="Most such answers at one time.")
    idempotency_bytes_max: int = Field(67_108_864, gt=0, description="Most bytes of such answers at one time.")
    api_v2_enable: bool = Field(True, description="Whether the API v2 is served.")
    api_v3_enable: bool = Field(True, description="Whether the API v3 is served.")
    api_endpoints_allowlist: str = Field(
        "",
        description="Names of the endpoints that are served, separated by commas, `*` at the end for all that begin "
        "so (docs/rest-operation.md); empty serves all.",
    )
    api_endpoints_blocklist: str = Field("", description="Names of endpoints that are not served, in the same form.")
    access_log: str = Field(
        "", description="File that gets one JSON line per request, or - for stderr; empty writes none."
    )

    @property
    def is_https(self) -> bool:
        return bool(self.ssl_keystore_location)


class SchemaRegistrySettings(Section):
    """The Schema Registry; the long names are those of Confluent's, with underscores."""

    port: int = Field(8081, ge=1, le=65535, description="Conventional port of the Schema Registry.")
    kafkastore_topic: str = Field("_schemas", description="Topic that holds the schemas.")
    kafkastore_timeout_ms: int = Field(10_000, gt=0, description="How long a write waits for Kafka.")
    schema_compatibility_level: str = Field(
        "BACKWARD",
        pattern="^(NONE|(BACKWARD|FORWARD|FULL)(_TRANSITIVE)?)$",
        description="Compatibility level where nobody set one.",
    )
    schema_registry_group_id: str = Field("schema-registry", description="Group that elects the node that writes.")
    advertised_url: str = Field(
        "", description="Where other nodes reach this registry; empty is its own port's address."
    )
    mode_mutability: bool = Field(True, description="Whether `/mode` may be changed.")
    incompatible_error_code: int = Field(
        409,
        description="`error_code` of an incompatible schema: 409 as Confluent Platform to 8.1, or 40901 as later ones.",
    )
    request_max_bytes: int = Field(10_000_000, gt=0, description="Largest request body, after decompression.")


class ControlCenterSettings(Section):
    """The pages under /ui."""

    port: int = Field(9021, ge=1, le=65535, description="Conventional port of the Control Center.")
    cluster_name: str = Field(
        "", description="Name shown for the cluster; empty shows `local` if embedded, else its id."
    )


class DatabaseSettings(Section):
    """The metadata DB: history of lag and throughput."""

    url: str = Field(
        "", description="SQLAlchemy URL, for example postgresql+asyncpg://…; empty is SQLite in the data folder."
    )


class Settings(Section):
    """Everything that can be set."""

    data_dir: Path = Field(Path("caudal-data"), description="Folder of all data; made when missing.")
    insecure: bool = Field(False, description="Allow an address that others can reach, without authentication.")
    http: HttpSettings = Field(default_factory=HttpSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    clusters: dict[str, ClusterSettings] = Field(
        default_factory=dict, description="Further clusters, by a name of your own; REST v3 serves them all."
    )
    rest: RestSettings = Field(default_factory=RestSettings)
    schema_registry: SchemaRegistrySettings = Field(default_factory=SchemaRegistrySettings)
    control_center: ControlCenterSettings = Field(default_factory=ControlCenterSettings)
    db: DatabaseSettings = Field(default_factory=DatabaseSettings)
    broker: dict[str, str] = Field(
        default_factory=dict, description="The embedded broker's own configs, by Kafka's names."
    )

    @property
    def is_embedded(self) -> bool:
        return not self.kafka.bootstrap_servers


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    assignments: tuple[str, ...] = (),
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Read file and environment, lay flags (nested) and `--set section.key=value` assignments over them.

    A file that was named must exist; `caudal.toml` in the working folder is read when it is there. Raises StartError
    with one line for anything unknown or of the wrong kind.
    """
    merged: dict[str, Any] = {}
    _overlay(merged, _read_file(file))
    _overlay(merged, _read_environment(environment))
    _overlay(merged, dict(flags or {}))
    for assignment in assignments:
        _overlay(merged, _parse_assignment(assignment))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise StartError(_explain(error)) from error


def _overlay(base: dict[str, Any], upper: Mapping[str, Any]) -> None:
    for key, value in upper.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _read_file(file: Path | None) -> dict[str, Any]:
    path = file or Path(FILE_NAME)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if file is None:
            return {}
        raise StartError(f"the settings file {path} does not exist. Check --config.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartError(f"cannot read the settings file {path}: {error}") from error
    broker = content.get("broker")
    if isinstance(broker, dict):
        content["broker"] = dict(_flatten(broker))
    return content


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Bare dotted keys under [broker] arrive as nested tables; join them back to Kafka's names."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, bool):
            yield prefix + key, "true" if value else "false"
        elif isinstance(value, list):
            yield prefix + key, ",".join(str(one) for one in value)
        else:
            yield prefix + key, str(value)


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if section == "broker" and key:
            found.setdefault("broker", {})[key.replace("_", ".")] = value
        elif section == "clusters":
            _overlay(found, _of_a_cluster(*key.partition("__")[::2], value))
        elif key:
            found.setdefault(section, {})[key] = value
        elif section in Settings.model_fields:
            found[section] = value
    return found


def _parse_assignment(assignment: str) -> dict[str, Any]:
    name, equals, value = assignment.partition("=")
    section, dot, key = name.strip().partition(".")
    if not equals or not section:
        raise StartError(f"--set {name.strip()!r} is not of the form section.key=value, for example rest.port=8082.")
    if section == "clusters" and dot:
        return _of_a_cluster(*key.partition(".")[::2], value)
    return {section: {key: value}} if dot else {section: value}


def _of_a_cluster(name: str, key: str, value: str) -> dict[str, Any]:
    return {"clusters": {name: {key: value}}}


def _explain(error: ValidationError) -> str:
    """One line for the first thing that is wrong, with the nearest known name for an unknown one. Never a secret."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = ".".join(path)
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(name, list(known_names(path)), n=1, cutoff=0.5)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        return f"unknown setting {name}.{hint}"
    if path[-1] in SECRET:
        return f"setting {name} is not usable: {first['msg']}."
    return f"setting {name} = {first['input']!r} is not usable: {first['msg']}."


def known_names(asked: Sequence[str] = ()) -> Iterator[str]:
    """Every setting as `section.key`, the broker's own configs excepted; with those of the cluster that is asked."""
    if len(asked) > 1 and asked[0] == "clusters":
        yield from (f"clusters.{asked[1]}.{key}" for key in ClusterSettings.model_fields)
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            yield from (f"{name}.{key}" for key in section.model_fields)
        elif name not in TABLES:
            yield name
