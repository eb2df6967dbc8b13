"""What administrators ask: configs, log folders, quorum, features, users, quotas, elections, reassignments."""

from typing import Any

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side, is_confluents
from tests.conformance.table import Table

TABLE = Table("administration")
TOPIC = "wi-administered"
TOPIC_CONFIGS, BROKER_CONFIGS, LOGGER_CONFIGS, CLIENT_METRICS, GROUP_CONFIGS = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
USELESS = "a credential without salt or salted password is refused, because nobody could log in by it."
QUOTA_DIFFERENCES = {
    "a kind twice": "an entity that names a kind twice is refused, because Kafka forgets the first name.",
    "not a number": "a quota that is not a number is refused, because it would limit nobody.",
}
OPERATION = "INVALID_REQUEST, because its UNKNOWN_SERVER_ERROR without a message helps nobody."


def prepare(at: Side) -> None:
    at.topic(TOPIC, 2)


# -- configs


def described(at: Side, kind: int, name: str, *keys: str, version: int = 4, **how: Any) -> Any:
    resource = {"resource_type": kind, "resource_name": name, "configuration_keys": list(keys) or None}
    return at.ask(ApiKey.DESCRIBE_CONFIGS, version, resources=[resource], **how)


for _version in range(1, 5):
    TABLE.case(f"DescribeConfigs v{_version}: a topic's")(
        lambda at, version=_version: described(at, TOPIC_CONFIGS, TOPIC, version=version, include_synonyms=True)  # type: ignore[misc]
    )
BAD_RESOURCES = (
    (TOPIC_CONFIGS, "wi-unknown"),
    (TOPIC_CONFIGS, ""),
    (TOPIC_CONFIGS, "a b"),
    (TOPIC_CONFIGS, "n" * 250),
    (BROKER_CONFIGS, "77"),
    (BROKER_CONFIGS, "x"),
    (BROKER_CONFIGS, "-1"),
    (BROKER_CONFIGS, "99999999999"),
    (LOGGER_CONFIGS, ""),
    (LOGGER_CONFIGS, "77"),
    (LOGGER_CONFIGS, "x"),
    (CLIENT_METRICS, ""),
    (GROUP_CONFIGS, ""),
    (0, "x"),
    (1, "x"),
    (3, "x"),
    (64, "x"),
    (-1, "x"),
)
for _kind, _name in BAD_RESOURCES:
    TABLE.case(f"DescribeConfigs: resource {_kind} {_name[:20]!r}")(
        lambda at, kind=_kind, name=_name: described(at, kind, name)  # type: ignore[misc]
    )
TABLE.case("DescribeConfigs: one config, one that is none, one twice")(
    lambda at: described(at, TOPIC_CONFIGS, TOPIC, "retention.ms", "nope", "retention.ms", include_synonyms=True)
)
TABLE.case("DescribeConfigs: a group's")(
    lambda at: described(at, GROUP_CONFIGS, "wi-no-such-group", include_synonyms=True)
)
TABLE.case("DescribeConfigs: a client metrics subscription's")(
    lambda at: described(at, CLIENT_METRICS, "wi-no-such-subscription", include_synonyms=True)
)
TABLE.asks("DescribeConfigs: nothing", ApiKey.DESCRIBE_CONFIGS, [1, 4], resources=[])
TABLE.case("DescribeConfigs: no keys")(
    lambda at: at.ask(
        ApiKey.DESCRIBE_CONFIGS,
        4,
        resources=[{"resource_type": TOPIC_CONFIGS, "resource_name": TOPIC, "configuration_keys": []}],
    )
)
TABLE.case("DescribeConfigs: documentation is given when asked for")(
    lambda at: [
        bool(each.documentation)
        for each in at.raw(
            ApiKey.DESCRIBE_CONFIGS,
            4,
            resources=[{"resource_type": TOPIC_CONFIGS, "resource_name": TOPIC}],
            include_documentation=True,
        )
        .results[0]
        .configs
        if not is_confluents(each)
    ]
)


def altered(at: Side, kind: int, name: str, *configs: tuple[str, int, str | None], version: int = 1, **how: Any) -> Any:
    given = [{"name": key, "config_operation": operation, "value": value} for key, operation, value in configs]
    resource = {"resource_type": kind, "resource_name": name, "configs": given}
    return at.ask(ApiKey.INCREMENTAL_ALTER_CONFIGS, version, resources=[resource], **how)


for _kind, _name in BAD_RESOURCES:
    TABLE.case(f"IncrementalAlterConfigs: resource {_kind} {_name[:20]!r}")(
        lambda at, kind=_kind, name=_name: altered(at, kind, name, ("retention.ms", SET, "1000"))  # type: ignore[misc]
    )
BAD_CHANGES: dict[str, tuple[int, str, list[tuple[str, int, str | None]]]] = {
    "an unknown config": (TOPIC_CONFIGS, TOPIC, [("nope", SET, "1")]),
    "an unknown config deleted": (TOPIC_CONFIGS, TOPIC, [("nope", DELETE, None)]),
    "an unknown config appended to": (TOPIC_CONFIGS, TOPIC, [("nope", APPEND, "1")]),
    "an empty name": (TOPIC_CONFIGS, TOPIC, [("", SET, "1")]),
    "no number": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "x")]),
    "an empty number": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "")]),
    "out of range": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "-2")]),
    "beyond a long": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "9223372036854775808")]),
    "a fraction": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "1.5")]),
    "a ratio above 1": (TOPIC_CONFIGS, TOPIC, [("min.cleanable.dirty.ratio", SET, "1.1")]),
    "no boolean": (TOPIC_CONFIGS, TOPIC, [("preallocate", SET, "yes")]),
    "an unknown word": (TOPIC_CONFIGS, TOPIC, [("compression.type", SET, "brotli")]),
    "null": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, None)]),
    "null appended": (TOPIC_CONFIGS, TOPIC, [("cleanup.policy", APPEND, None)]),
    "deleted with a value": (TOPIC_CONFIGS, TOPIC, [("retention.ms", DELETE, "5")]),
    "appended to what is no list": (TOPIC_CONFIGS, TOPIC, [("retention.ms", APPEND, "5")]),
    "taken from what is no list": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SUBTRACT, "5")]),
    "a config twice": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "5"), ("retention.ms", SET, "6")]),
    "a config set and deleted": (TOPIC_CONFIGS, TOPIC, [("retention.ms", SET, "5"), ("retention.ms", DELETE, None)]),
    "a policy appended that is none": (TOPIC_CONFIGS, TOPIC, [("cleanup.policy", APPEND, "nope")]),
    "a policy appended that is there": (TOPIC_CONFIGS, TOPIC, [("cleanup.policy", APPEND, "delete")]),
    "a policy taken that is not there": (TOPIC_CONFIGS, TOPIC, [("cleanup.policy", SUBTRACT, "compact")]),
    "the last policy taken": (TOPIC_CONFIGS, TOPIC, [("cleanup.policy", SUBTRACT, "delete")]),
    "operation 4": (TOPIC_CONFIGS, TOPIC, [("retention.ms", 4, "1")]),
    "nothing": (TOPIC_CONFIGS, TOPIC, []),
    "a broker's fixed config": (BROKER_CONFIGS, "1", [("node.id", SET, "7")]),
    "a broker's unknown config": (BROKER_CONFIGS, "1", [("wi.nope", SET, "7")]),
    "a broker's config of no number": (BROKER_CONFIGS, "1", [("log.retention.ms", SET, "x")]),
    "a broker's config appended to": (BROKER_CONFIGS, "1", [("log.retention.ms", APPEND, "1")]),
    "a broker's config that was not set": (BROKER_CONFIGS, "1", [("log.retention.ms", DELETE, None)]),
    "a broker's threads of 0": (BROKER_CONFIGS, "1", [("num.io.threads", SET, "0")]),
    "a broker's config for all": (BROKER_CONFIGS, "", [("sasl.jaas.config", SET, "x")]),
    "a broker's key without a listener": (BROKER_CONFIGS, "1", [("ssl.keystore.location", SET, "/x")]),
    "a topic's config of a broker": (BROKER_CONFIGS, "1", [("retention.ms.x", DELETE, None)]),
    "a logger that is none": (LOGGER_CONFIGS, "1", [("nope.nope", SET, "INFO")]),
    "a level that is none": (LOGGER_CONFIGS, "1", [("root", SET, "LOUD")]),
    "a level in small letters": (LOGGER_CONFIGS, "1", [("root", SET, "info")]),
    "the root's level deleted": (LOGGER_CONFIGS, "1", [("root", DELETE, None)]),
    "a level appended": (LOGGER_CONFIGS, "1", [("root", APPEND, "INFO")]),
    "a group's unknown config": (GROUP_CONFIGS, "wi-g", [("nope", SET, "1")]),
    "a group's session too short": (GROUP_CONFIGS, "wi-g", [("consumer.session.timeout.ms", SET, "44999")]),
    "a group's session too long": (GROUP_CONFIGS, "wi-g", [("consumer.session.timeout.ms", SET, "60001")]),
    "a group's heartbeats too often": (GROUP_CONFIGS, "wi-g", [("share.heartbeat.interval.ms", SET, "4999")]),
    "a group's reset": (GROUP_CONFIGS, "wi-g", [("share.auto.offset.reset", SET, "none")]),
    "a group's reset by a duration below zero": (
        GROUP_CONFIGS,
        "wi-g",
        [("share.auto.offset.reset", SET, "by_duration:-PT1H")],
    ),
    "a group's isolation level": (GROUP_CONFIGS, "wi-g", [("share.isolation.level", SET, "x")]),
    "a group's config appended to": (GROUP_CONFIGS, "wi-g", [("share.isolation.level", APPEND, "x")]),
    "a subscription's unknown config": (CLIENT_METRICS, "wi-m", [("nope", SET, "1")]),
    "a subscription's interval too short": (CLIENT_METRICS, "wi-m", [("interval.ms", SET, "99")]),
    "a subscription's interval of no number": (CLIENT_METRICS, "wi-m", [("interval.ms", SET, "x")]),
    "a subscription's match of an unknown key": (CLIENT_METRICS, "wi-m", [("match", SET, "a=b")]),
    "a subscription's match of a bad expression": (CLIENT_METRICS, "wi-m", [("match", SET, "client_id=[")]),
    "a subscription's metrics with a gap": (CLIENT_METRICS, "wi-m", [("metrics", SET, "a,,b")]),
    "a subscription's metrics appended to": (CLIENT_METRICS, "wi-m", [("metrics", APPEND, "a")]),
}
for _what, (_kind, _name, _configs) in BAD_CHANGES.items():
    TABLE.case(f"IncrementalAlterConfigs: {_what}", differs=OPERATION if _what.startswith("operation ") else None)(
        lambda at, kind=_kind, name=_name, configs=_configs: [  # type: ignore[misc]
            altered(at, kind, name, *configs, version=0, validate_only=True),
            altered(at, kind, name, *configs),
        ]
    )
TABLE.asks("IncrementalAlterConfigs: no resources", ApiKey.INCREMENTAL_ALTER_CONFIGS, [0, 1], resources=[])
TABLE.asks(
    "IncrementalAlterConfigs: a resource twice",
    ApiKey.INCREMENTAL_ALTER_CONFIGS,
    1,
    resources=[{"resource_type": TOPIC_CONFIGS, "resource_name": TOPIC, "configs": []}] * 2,
)


def settled(at: Side, kind: int, name: str, key: str) -> Any:
    """What a config comes to once the broker that answers knows of the change: seen twice alike."""
    seen: list[Any] = []
    for _ in range(200):
        seen.append(described(at, kind, name, key, include_synonyms=True))
        if len(seen) > 20 and all(each == seen[-1] for each in seen[-20:]):
            break
    return seen[-1]


@TABLE.case("IncrementalAlterConfigs: operations on a list, one after the other")
def _(at: Side) -> Any:
    topic = at.topic("wi-listed-policies")
    shown = []
    for operation, value in (
        (APPEND, "compact"),
        (APPEND, "compact"),
        (SUBTRACT, "delete"),
        (SUBTRACT, "compact"),
        (DELETE, None),
    ):
        shown.append(altered(at, TOPIC_CONFIGS, topic, ("cleanup.policy", operation, value)))
        shown.append(settled(at, TOPIC_CONFIGS, topic, "cleanup.policy"))
    return shown


@TABLE.case("IncrementalAlterConfigs: a group's and a subscription's, and what is listed then")
def _(at: Side) -> Any:
    shown = [
        altered(at, GROUP_CONFIGS, "wi-listed", ("consumer.session.timeout.ms", SET, "50000")),
        altered(at, CLIENT_METRICS, "wi-listed", ("interval.ms", SET, "1000"), ("match", SET, " client_id = b ")),
        settled(at, GROUP_CONFIGS, "wi-listed", "consumer.session.timeout.ms"),
        settled(at, CLIENT_METRICS, "wi-listed", "match"),
    ]
    for version, types in ((0, None), (1, [16]), (1, [32]), (1, [16, 32]), (1, [1]), (1, [2, 64]), (1, [-1])):
        answer = at.ask(ApiKey.LIST_CONFIG_RESOURCES, version, **({} if types is None else {"resource_types": types}))
        answer["config_resources"] = [
            each for each in answer.get("config_resources", []) if each["resource_name"] == "wi-listed"
        ]
        shown.append([version, types, answer])
    shown.append(altered(at, GROUP_CONFIGS, "wi-listed", ("consumer.session.timeout.ms", DELETE, None)))
    return shown


def replaced(at: Side, kind: int, name: str, *configs: tuple[str, str | None], version: int = 2, **how: Any) -> Any:
    given = [{"name": key, "value": value} for key, value in configs]
    resource = {"resource_type": kind, "resource_name": name, "configs": given}
    return at.ask(ApiKey.ALTER_CONFIGS, version, resources=[resource], **how)


for _kind, _name in BAD_RESOURCES:
    TABLE.case(f"AlterConfigs: resource {_kind} {_name[:20]!r}")(
        lambda at, kind=_kind, name=_name: replaced(at, kind, name, ("retention.ms", "1000"))  # type: ignore[misc]
    )
for _what, _pairs in {
    "an unknown config": [("nope", "1")],
    "no number": [("retention.ms", "x")],
    "null": [("retention.ms", None)],
    "a config twice": [("retention.ms", "5"), ("retention.ms", "6")],
    "nothing": [],
}.items():
    TABLE.case(f"AlterConfigs: {_what}")(
        lambda at, pairs=_pairs: [replaced(at, TOPIC_CONFIGS, TOPIC, *pairs, version=each) for each in range(3)]  # type: ignore[misc]
    )
TABLE.case("AlterConfigs: loggers")(lambda at: replaced(at, LOGGER_CONFIGS, "1", ("root", "INFO")))

# -- the cluster

for _version in range(3):
    TABLE.asks(
        f"DescribeCluster v{_version}",
        ApiKey.DESCRIBE_CLUSTER,
        _version,
        include_cluster_authorized_operations=True,
    )
for _type in (0, 2, 3, -1):
    TABLE.asks(f"DescribeCluster: endpoints of type {_type}", ApiKey.DESCRIBE_CLUSTER, [1, 2], endpoint_type=_type)
TABLE.asks("DescribeCluster v2: fenced brokers too", ApiKey.DESCRIBE_CLUSTER, 2, include_fenced_brokers=True)


def log_dirs(at: Side, version: int, topics: Any) -> Any:
    answer = at.raw(ApiKey.DESCRIBE_LOG_DIRS, version, topics=topics)
    shown = at.common(answer)
    for each in shown.get("results", []):
        for name in ("log_dir", "total_bytes", "usable_bytes"):
            each[name] = bool(each.get(name))
        for topic in each.get("topics", []):
            for partition in topic["partitions"]:
                partition["partition_size"] = partition.get("partition_size", 0) > 0
    return shown


for _version in range(1, 6):
    TABLE.case(f"DescribeLogDirs v{_version}: known and unknown")(
        lambda at, version=_version: [  # type: ignore[misc]
            log_dirs(
                at, version, [{"topic": TOPIC, "partitions": [0, 9, -1]}, {"topic": "wi-unknown", "partitions": [0]}]
            ),
            log_dirs(at, version, []),
            log_dirs(at, version, [{"topic": TOPIC, "partitions": []}]),
        ]
    )


def moved(at: Side, path: str, topic: str, *partitions: int) -> Any:
    dirs = [{"path": path, "topics": [{"name": topic, "partitions": list(partitions)}]}]
    return at.ask(ApiKey.ALTER_REPLICA_LOG_DIRS, 2, dirs=dirs)


TABLE.case("AlterReplicaLogDirs: to a folder that is none, of what is not there")(
    lambda at: [
        moved(at, "/nowhere", TOPIC, 0, 9),
        moved(at, "/nowhere", "wi-unknown", 0),
        moved(at, "relative", TOPIC, 0),
        moved(at, "", TOPIC, 0),
        at.ask(ApiKey.ALTER_REPLICA_LOG_DIRS, 1, dirs=[]),
    ]
)


def quorum(at: Side, version: int, *topics: tuple[str, list[int]]) -> Any:
    asked = [
        {"topic_name": name, "partitions": [{"partition_index": each} for each in indexes]} for name, indexes in topics
    ]
    shown = at.ask(ApiKey.DESCRIBE_QUORUM, version, topics=asked)
    for topic in shown.get("topics", []):
        for partition in topic["partitions"]:
            for name in ("high_watermark", "leader_epoch"):
                partition[name] = partition.get(name, 0) > 0
            for voter in partition.get("current_voters", []) + partition.get("observers", []):
                voter.pop("log_end_offset", None)
    for node in shown.get("nodes", []):
        node.pop("listeners", None)
    return shown


for _topics in (
    (("wi-unknown", [0]),),
    (("__cluster_metadata", [1]),),
    (("__cluster_metadata", [0, 1]),),
    (("__cluster_metadata", [0]), ("wi-unknown", [0])),
    (),
):
    TABLE.case(f"DescribeQuorum of {_topics}")(
        lambda at, topics=_topics: [quorum(at, version, *topics) for version in range(3)]  # type: ignore[misc]
    )
for _feature in (
    {"feature": "nope", "max_version_level": 1, "upgrade_type": 1},
    {"feature": "", "max_version_level": 1, "upgrade_type": 1},
    {"feature": "metadata.version", "max_version_level": 99, "upgrade_type": 1},
    {"feature": "metadata.version", "max_version_level": 0, "upgrade_type": 1},
    {"feature": "metadata.version", "max_version_level": -1, "upgrade_type": 1},
    {"feature": "metadata.version", "max_version_level": 30, "upgrade_type": 1},
    {"feature": "metadata.version", "max_version_level": 30, "upgrade_type": 0},
    {"feature": "metadata.version", "max_version_level": 30, "upgrade_type": 9},
    {"feature": "transaction.version", "max_version_level": 3, "upgrade_type": 1},
    {"feature": "group.version", "max_version_level": 1, "upgrade_type": 1},
):
    TABLE.asks(
        f"UpdateFeatures: {_feature['feature']!r} to {_feature['max_version_level']}, type {_feature['upgrade_type']}",
        ApiKey.UPDATE_FEATURES,
        [1, 2],
        timeout_ms=5000,
        feature_updates=[_feature],
        validate_only=True,
    )
TABLE.asks("UpdateFeatures: nothing", ApiKey.UPDATE_FEATURES, [0, 1, 2], timeout_ms=5000, feature_updates=[])
for _type in (0, 1, 2, -1):
    TABLE.asks(
        f"ElectLeaders: type {_type}",
        ApiKey.ELECT_LEADERS,
        [1, 2],
        election_type=_type,
        timeout_ms=5000,
        topic_partitions=[
            {"topic": TOPIC, "partitions": [0, 9, -1]},
            {"topic": "wi-unknown", "partitions": [0]},
        ],
    )
TABLE.asks("ElectLeaders: nothing", ApiKey.ELECT_LEADERS, [0, 1, 2], timeout_ms=5000, topic_partitions=[])


def reassigned(at: Side, topic: str, *partitions: tuple[int, list[int] | None], version: int = 0) -> Any:
    given = [{"partition_index": index, "replicas": replicas} for index, replicas in partitions]
    topics = [{"name": topic, "partitions": given}]
    return at.ask(ApiKey.ALTER_PARTITION_REASSIGNMENTS, version, timeout_ms=5000, topics=topics)


for _replicas in ([9], [1, 9], [1, 1], [], [-1], None, [1]):
    TABLE.case(f"AlterPartitionReassignments: to {_replicas}")(
        lambda at, replicas=_replicas: [  # type: ignore[misc]
            reassigned(at, TOPIC, (0, replicas), (9, replicas)),
            reassigned(at, "wi-unknown", (0, replicas)),
        ]
    )
TABLE.asks(
    "AlterPartitionReassignments: nothing", ApiKey.ALTER_PARTITION_REASSIGNMENTS, [0, 1], timeout_ms=1000, topics=[]
)
TABLE.asks(
    "ListPartitionReassignments: of what is not there",
    ApiKey.LIST_PARTITION_REASSIGNMENTS,
    0,
    timeout_ms=1000,
    topics=[{"name": "wi-unknown", "partition_indexes": [0]}, {"name": TOPIC, "partition_indexes": [9, 0]}],
)
TABLE.asks("ListPartitionReassignments: nothing", ApiKey.LIST_PARTITION_REASSIGNMENTS, 0, timeout_ms=1000, topics=[])
TABLE.asks(
    "ListPartitionReassignments: everything", ApiKey.LIST_PARTITION_REASSIGNMENTS, 0, timeout_ms=1000, topics=None
)

# -- users and quotas

SCRAM_256 = 1


def scram(at: Side, *names: str) -> Any:
    return at.ask(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, 0, users=[{"name": each} for each in names])


TABLE.case("DescribeUserScramCredentials: unknown, empty, twice")(
    lambda at: [scram(at, "wi-nobody"), scram(at, ""), scram(at, "wi-nobody", "wi-nobody", "wi-other")]
)


def upserted(at: Side, **how: Any) -> Any:
    given = {
        "name": "wi-user",
        "mechanism": SCRAM_256,
        "iterations": 4096,
        "salt": b"salt",
        "salted_password": bytes(32),
        **how,
    }
    return at.ask(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, 0, deletions=[], upsertions=[given])


for _what, _fields in {
    "no name": {"name": ""},
    "mechanism 0": {"mechanism": 0},
    "mechanism 9": {"mechanism": 9},
    "too few iterations": {"iterations": 4095},
    "too many iterations": {"iterations": 16_385},
    "iterations -1": {"iterations": -1},
    "no salt": {"salt": b""},
    "no password": {"salted_password": b""},
    "a long name": {"name": "u" * 300},
}.items():
    TABLE.case(f"AlterUserScramCredentials: {_what}", differs=USELESS if _what in ("no salt", "no password") else None)(
        lambda at, fields=_fields: upserted(at, **fields)
    )  # type: ignore[misc]


@TABLE.case("AlterUserScramCredentials: deletions, twice, both")
def _(at: Side) -> Any:
    gone = {"name": "wi-gone", "mechanism": SCRAM_256}
    kept = {**gone, "iterations": 4096, "salt": b"salt", "salted_password": bytes(32)}

    def ask(deletions: list[Any], upsertions: list[Any]) -> Any:
        return at.ask(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, 0, deletions=deletions, upsertions=upsertions)

    return [
        ask([gone], []),
        ask([gone, gone], []),
        ask([gone], [kept]),
        ask([], [kept, kept]),
        ask([{**gone, "mechanism": 0}], []),
        ask([{**gone, "name": ""}], []),
        ask([gone, {**gone, "mechanism": 2}], [{**kept, "name": "wi-third", "iterations": 1}]),
        ask([], []),
    ]


def quota(at: Side, entity: Any, *ops: tuple[str, float, bool], **how: Any) -> Any:
    given = [{"key": key, "value": value, "remove": remove} for key, value, remove in ops]
    named = [{"entity_type": kind, "entity_name": name} for kind, name in entity]
    return at.ask(ApiKey.ALTER_CLIENT_QUOTAS, 1, entries=[{"entity": named, "ops": given}], **how)


RATE = ("producer_byte_rate", 1000.0, False)
for _what, (_entity, _ops) in {
    "an unknown key": ([("user", "wi-u")], [("nope", 1.0, False)]),
    "an empty key": ([("user", "wi-u")], [("", 1.0, False)]),
    "a connection rate of a user": ([("user", "wi-u")], [("connection_creation_rate", 1.0, False)]),
    "a byte rate of an ip": ([("ip", "127.0.0.1")], [RATE]),
    "no ip": ([("ip", "not an ip")], [("connection_creation_rate", 1.0, False)]),
    "an ip and a user": ([("ip", "127.0.0.1"), ("user", "wi-u")], [("connection_creation_rate", 1.0, False)]),
    "an unknown kind of entity": ([("nope", "wi-u")], [RATE]),
    "no entity": ([], [RATE]),
    "an empty name": ([("user", "")], [RATE]),
    "a kind twice": ([("user", "wi-u"), ("user", "wi-v")], [RATE]),
    "a rate below zero": ([("user", "wi-u")], [("producer_byte_rate", -1.0, False)]),
    "a rate of zero": ([("user", "wi-u")], [("producer_byte_rate", 0.0, False)]),
    "a fraction of a byte": ([("user", "wi-u")], [("producer_byte_rate", 1.5, False)]),
    "a fraction of a connection": ([("ip", "127.0.0.1")], [("connection_creation_rate", 1.5, False)]),
    "not a number": ([("user", "wi-u")], [("request_percentage", float("nan"), False)]),
    "without end": ([("user", "wi-u")], [("producer_byte_rate", float("inf"), False)]),
    "above a long": ([("user", "wi-u")], [("producer_byte_rate", 1e19, False)]),
    "a key twice": ([("user", "wi-u")], [RATE, RATE]),
    "removed, never set": ([("user", "wi-u")], [("producer_byte_rate", 0.0, True)]),
    "an unknown key removed": ([("user", "wi-u")], [("nope", 0.0, True)]),
    "nothing": ([("user", "wi-u")], []),
}.items():
    TABLE.case(f"AlterClientQuotas: {_what}", differs=QUOTA_DIFFERENCES.get(_what))(
        lambda at, entity=_entity, ops=_ops: [  # type: ignore[misc]
            quota(at, entity, *ops, validate_only=True),
            quota(at, entity, *ops),
        ]
    )
TABLE.asks("AlterClientQuotas: no entries", ApiKey.ALTER_CLIENT_QUOTAS, [0, 1], entries=[])
for _what, _components in {
    "an unknown kind": [{"entity_type": "nope", "match_type": 0, "match": "x"}],
    "an empty kind": [{"entity_type": "", "match_type": 0, "match": "x"}],
    "a kind twice": [{"entity_type": "user", "match_type": 2, "match": None}] * 2,
    "match 3": [{"entity_type": "user", "match_type": 3, "match": None}],
    "match -1": [{"entity_type": "user", "match_type": -1, "match": None}],
    "exactly null": [{"entity_type": "user", "match_type": 0, "match": None}],
    "the default with a name": [{"entity_type": "user", "match_type": 1, "match": "x"}],
    "any with a name": [{"entity_type": "user", "match_type": 2, "match": "x"}],
    "an unknown user": [{"entity_type": "user", "match_type": 0, "match": "wi-no-such"}],
    "ip and user": [
        {"entity_type": "ip", "match_type": 2, "match": None},
        {"entity_type": "user", "match_type": 2, "match": None},
    ],
}.items():
    TABLE.asks(
        f"DescribeClientQuotas: {_what}", ApiKey.DESCRIBE_CLIENT_QUOTAS, [0, 1], components=_components, strict=False
    )

# -- without an authorizer, without tokens

TABLE.asks(
    "DescribeAcls without an authorizer",
    ApiKey.DESCRIBE_ACLS,
    [1, 2, 3],
    resource_type_filter=1,
    pattern_type_filter=1,
    operation=1,
    permission_type=1,
)
TABLE.asks("CreateAcls without an authorizer", ApiKey.CREATE_ACLS, [1, 3], creations=[])
TABLE.asks("DeleteAcls without an authorizer", ApiKey.DELETE_ACLS, [1, 3], filters=[])
TABLE.asks(
    "CreateDelegationToken without a key", ApiKey.CREATE_DELEGATION_TOKEN, [1, 2, 3], renewers=[], max_lifetime_ms=-1
)
TABLE.asks("RenewDelegationToken without a key", ApiKey.RENEW_DELEGATION_TOKEN, [1, 2], hmac=b"x", renew_period_ms=-1)
TABLE.asks(
    "ExpireDelegationToken without a key", ApiKey.EXPIRE_DELEGATION_TOKEN, [1, 2], hmac=b"x", expiry_time_period_ms=-1
)
TABLE.asks("DescribeDelegationToken without a key", ApiKey.DESCRIBE_DELEGATION_TOKEN, [1, 2, 3], owners=None)
TABLE.asks("UnregisterBroker: unknown", ApiKey.UNREGISTER_BROKER, 0, broker_id=77)
TABLE.asks(
    "AddRaftVoter",
    ApiKey.ADD_RAFT_VOTER,
    [0, 1],
    cluster_id=None,
    timeout_ms=1000,
    voter_id=5,
    voter_directory_id=bytes(15) + b"\7",
    listeners=[],
)
TABLE.asks(
    "AddRaftVoter with a listener",
    ApiKey.ADD_RAFT_VOTER,
    [0, 1],
    cluster_id=None,
    timeout_ms=1000,
    voter_id=5,
    voter_directory_id=bytes(15) + b"\7",
    listeners=[{"name": "CONTROLLER", "host": "127.0.0.1", "port": 9093}],
)
TABLE.asks(
    "RemoveRaftVoter", ApiKey.REMOVE_RAFT_VOTER, 0, cluster_id=None, voter_id=5, voter_directory_id=bytes(15) + b"\7"
)
TABLE.asks("SaslHandshake without SASL", ApiKey.SASL_HANDSHAKE, [0, 1], mechanism="PLAIN")
TABLE.asks("SaslAuthenticate without SASL", ApiKey.SASL_AUTHENTICATE, [0, 2], auth_bytes=b"\0a\0b")
