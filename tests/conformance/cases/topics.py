"""Topics: Metadata, CreateTopics, DeleteTopics, CreatePartitions, DescribeTopicPartitions."""

import uuid
from typing import Any

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side
from tests.conformance.cases.produce_and_fetch import TWICE
from tests.conformance.table import Table

TABLE = Table("topics")
KNOWN = "wi-known"
NAMELESS = "A topic with neither name nor id is a topic of an invalid name; Kafka refuses all of the Metadata request."
ONCE = "a word that stands twice in a list config is shown once."
IN_TIME = "what was asked for with a timeout of 0 or less is answered when it is done, because it is done at once."
UNKNOWN_ID = uuid.UUID(int=77 << 64).bytes
LONGEST = "n" * 249


def prepare(at: Side) -> None:
    at.topic(KNOWN, 2)


# -- Metadata

for _version in range(14):
    TABLE.asks(
        f"Metadata v{_version}: known and bad names",
        ApiKey.METADATA,
        _version,
        topics=[{"name": each} for each in (KNOWN, "a b", "", "..", LONGEST + "n")],
        **({} if _version < 4 else {"allow_auto_topic_creation": False}),
    )
    TABLE.asks(
        f"Metadata v{_version}: unknown, not to be created",
        ApiKey.METADATA,
        max(_version, 4),
        topics=[{"name": f"wi-unknown-{_version}"}],
        allow_auto_topic_creation=False,
    )
for _version in (1, 4, 9, 12, 13):
    TABLE.asks(f"Metadata v{_version}: no topics", ApiKey.METADATA, _version, topics=[])
for _version in (8, 9, 10, 12, 13):
    TABLE.asks(
        f"Metadata v{_version}: authorized operations",
        ApiKey.METADATA,
        _version,
        topics=[{"name": KNOWN}],
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=True,
        **({"include_cluster_authorized_operations": True} if _version <= 10 else {}),
    )
TABLE.asks("Metadata: a name twice", ApiKey.METADATA, 12, topics=[{"name": KNOWN}] * 2, allow_auto_topic_creation=False)
TABLE.asks(
    "Metadata v12: an unknown id",
    ApiKey.METADATA,
    12,
    topics=[{"name": None, "topic_id": UNKNOWN_ID}],
    allow_auto_topic_creation=False,
)
TABLE.case("Metadata v12: a known id")(
    lambda at: at.ask(ApiKey.METADATA, 12, topics=[{"name": None, "topic_id": at.topic_ids[KNOWN]}])
)
TABLE.case("Metadata v12: a known and an unknown id")(
    lambda at: at.ask(
        ApiKey.METADATA,
        12,
        topics=[{"name": None, "topic_id": each} for each in (at.topic_ids[KNOWN], UNKNOWN_ID)],
    )
)
TABLE.case("Metadata v12: an id twice", differs=TWICE)(
    lambda at: at.ask(ApiKey.METADATA, 12, topics=[{"name": None, "topic_id": at.topic_ids[KNOWN]}] * 2)
)
TABLE.asks("Metadata v12: neither name nor id", ApiKey.METADATA, 12, topics=[{"name": None}], differs=NAMELESS)
TABLE.asks("Metadata v10: no name", ApiKey.METADATA, 10, topics=[{"name": None}], differs=NAMELESS)
TABLE.case("Metadata v12: id and name, which belong together")(
    lambda at: at.ask(ApiKey.METADATA, 12, topics=[{"name": KNOWN, "topic_id": at.topic_ids[KNOWN]}])
)
TABLE.asks(
    "Metadata v12: id and name, which do not", ApiKey.METADATA, 12, topics=[{"name": KNOWN, "topic_id": UNKNOWN_ID}]
)
TABLE.asks(
    "Metadata: an unknown topic is created by asking",
    ApiKey.METADATA,
    12,
    topics=[{"name": "wi-created-by-asking"}],
    allow_auto_topic_creation=True,
    differs="a topic that is created by asking for it is answered as existing at once, where Kafka answers "
    "UNKNOWN_TOPIC_OR_PARTITION until the retry, because here it does exist.",
)
TABLE.asks(
    "Metadata: names that cannot be created by asking",
    ApiKey.METADATA,
    12,
    topics=[{"name": each} for each in ("a b", "", ".", LONGEST + "n")],
    allow_auto_topic_creation=True,
)

# -- CreateTopics


def creating(at: Side, *topics: dict[str, Any], version: int = 7, **how: Any) -> Any:
    return at.ask(ApiKey.CREATE_TOPICS, version, topics=list(topics), timeout_ms=10_000, **how)


def topic(name: str, partitions: int = 1, replicas: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "num_partitions": partitions, "replication_factor": replicas, **more}


def assigned(*replicas: tuple[int, list[int]]) -> dict[str, Any]:
    given = [{"partition_index": index, "broker_ids": brokers} for index, brokers in replicas]
    return {"num_partitions": -1, "replication_factor": -1, "assignments": given}


def config(name: str, value: str | None) -> dict[str, Any]:
    return {"configs": [{"name": name, "value": value}]}


BAD_TOPICS: dict[str, dict[str, Any]] = {
    "no name": topic(""),
    "a dot": topic("."),
    "two dots": topic(".."),
    "a space": topic("a b"),
    "a slash": topic("a/b"),
    "not ASCII": topic("tést"),
    "250 characters": topic(LONGEST + "n"),
    "there already": topic(KNOWN),
    "there, and wrong otherwise": topic(KNOWN, 0, 7),
    "of __consumer_offsets": topic("__consumer_offsets"),
    "no partitions": topic("wi-bad", 0),
    "partitions -2": topic("wi-bad", -2),
    "replicas 0": topic("wi-bad", 1, 0),
    "replicas 2": topic("wi-bad", 1, 2),
    "replicas -2": topic("wi-bad", 1, -2),
    "replicas 32767": topic("wi-bad", 1, 32_767),
    "an unknown config": topic("wi-bad", **config("nope", "1")),
    "an empty config name": topic("wi-bad", **config("", "1")),
    "a config that is no number": topic("wi-bad", **config("retention.ms", "x")),
    "a config out of range": topic("wi-bad", **config("retention.ms", "-2")),
    "a config of no word": topic("wi-bad", **config("cleanup.policy", "compat")),
    "a config without a value": topic("wi-bad", **config("retention.ms", None)),
    "a config of an empty value": topic("wi-bad", **config("retention.ms", "")),
    "an empty cleanup policy": topic("wi-policy", **config("cleanup.policy", "")),
    "a cleanup policy with a gap": topic("wi-bad", **config("cleanup.policy", "delete,,compact")),
    "segments too small": topic("wi-bad", **config("segment.bytes", "10")),
    "a broker's config": topic("wi-bad", **config("log.retention.ms", "10")),
    "remote storage": topic("wi-bad", **config("remote.storage.enable", "true")),
    "a config twice": topic("wi-bad", configs=[{"name": "retention.ms", "value": each} for each in ("1000", "2000")]),
    "assignment to an unknown broker": topic("wi-bad") | assigned((0, [9])),
    "assignment to a broker twice": topic("wi-bad") | assigned((0, [1, 1])),
    "assignment to nobody": topic("wi-bad") | assigned((0, [])),
    "assignment with a gap": topic("wi-bad") | assigned((0, [1]), (2, [1])),
    "assignment not from 0": topic("wi-bad") | assigned((1, [1])),
    "assignment of a partition twice": topic("wi-bad") | assigned((0, [1]), (0, [1])),
    "assignment of a negative partition": topic("wi-bad") | assigned((-1, [1])),
    "assignment and a count": topic("wi-bad") | assigned((0, [1])) | {"num_partitions": 1},
    "assignment and a factor": topic("wi-bad") | assigned((0, [1])) | {"replication_factor": 1},
    "a good assignment": topic("wi-assigned") | assigned((0, [1]), (1, [1])),
    "a word twice": topic("wi-policy-2", **config("cleanup.policy", "delete,delete")),
    "the defaults": topic("wi-defaults", -1, -1),
    "the longest name": topic(LONGEST),
}
for _what, _topic in BAD_TOPICS.items():
    _differs = ONCE if _what == "a word twice" else None
    TABLE.case(f"CreateTopics: {_what}", differs=_differs)(lambda at, each=_topic: creating(at, each))  # type: ignore[misc]
for _version in range(2, 8):
    TABLE.case(f"CreateTopics v{_version}: bad name, no such config, there already, only to be checked")(
        lambda at, version=_version: creating(  # type: ignore[misc]
            at,
            topic("a b"),
            topic("wi-bad", **config("nope", "1")),
            topic(KNOWN),
            topic("wi-checked", 3),
            version=version,
            validate_only=True,
        )
    )
TABLE.case("CreateTopics v3: the defaults, which it does not know")(
    lambda at: creating(at, topic("wi-defaults-3", -1, -1), version=3)
)
TABLE.case("CreateTopics: nothing")(lambda at: creating(at))
TABLE.case("CreateTopics: a name twice")(lambda at: creating(at, topic("wi-twice"), topic("wi-twice", 2), topic("a b")))
TABLE.case("CreateTopics: a name three times, and a good one")(
    lambda at: creating(at, *[topic("wi-twice")] * 3, topic("wi-beside"))
)
TABLE.case("CreateTopics: a collision of dot and underscore")(
    lambda at: [creating(at, topic("wi-dot.ted")), creating(at, topic("wi-dot_ted"))]
)
TABLE.case(
    "CreateTopics: two that collide in one request",
    differs="Of two names in one CreateTopics that collide ('.' and '_'), Kafka makes both; "
    "here the second is refused.",
)(lambda at: creating(at, topic("wi-both.dots"), topic("wi-both_dots")))
TABLE.asks(
    "CreateTopics: a timeout of 0",
    ApiKey.CREATE_TOPICS,
    7,
    topics=[topic("wi-in-no-time")],
    timeout_ms=0,
    differs=IN_TIME,
)
TABLE.asks(
    "CreateTopics: a timeout of -1",
    ApiKey.CREATE_TOPICS,
    7,
    topics=[topic("wi-before")],
    timeout_ms=-1,
    differs=IN_TIME,
)

# -- CreatePartitions


def growing(at: Side, *topics: dict[str, Any], version: int = 3, validate_only: bool = False) -> Any:
    given = [{"assignments": None, **each} for each in topics]
    return at.ask(ApiKey.CREATE_PARTITIONS, version, topics=given, timeout_ms=10_000, validate_only=validate_only)


for _count in (-1, 0, 1, 2):
    TABLE.case(f"CreatePartitions: from 2 to {_count}")(
        lambda at, count=_count: growing(at, {"name": KNOWN, "count": count})  # type: ignore[misc]
    )
BAD_GROWTH: dict[str, dict[str, Any]] = {
    "unknown topic": {"name": "wi-unknown", "count": 3},
    "no name": {"name": "", "count": 3},
    "a bad name": {"name": "a b", "count": 3},
    "assignment of too few": {"name": KNOWN, "count": 4, "assignments": [{"broker_ids": [1]}]},
    "assignment of too many": {"name": KNOWN, "count": 3, "assignments": [{"broker_ids": [1]}] * 2},
    "assignment of none": {"name": KNOWN, "count": 3, "assignments": []},
    "assignment to nobody": {"name": KNOWN, "count": 3, "assignments": [{"broker_ids": []}]},
    "assignment to an unknown broker": {"name": KNOWN, "count": 3, "assignments": [{"broker_ids": [9]}]},
    "assignment to a broker twice": {"name": KNOWN, "count": 3, "assignments": [{"broker_ids": [1, 1]}]},
    "assignment of different counts": {
        "name": KNOWN,
        "count": 4,
        "assignments": [{"broker_ids": [1]}, {"broker_ids": [1, 1]}],
    },
}
for _what, _asked in BAD_GROWTH.items():
    TABLE.case(f"CreatePartitions: {_what}")(lambda at, each=_asked: growing(at, each))  # type: ignore[misc]
TABLE.case("CreatePartitions: a topic twice")(
    lambda at: growing(at, {"name": KNOWN, "count": 3}, {"name": KNOWN, "count": 4}, {"name": "wi-unknown", "count": 2})
)
TABLE.case("CreatePartitions: only to be checked")(
    lambda at: [growing(at, {"name": KNOWN, "count": 5}, version=each, validate_only=True) for each in range(4)]
)
TABLE.case("CreatePartitions: a good assignment")(
    lambda at: growing(
        at, {"name": at.topic("wi-grown"), "count": 3, "assignments": [{"broker_ids": [1]}, {"broker_ids": [1]}]}
    )
)
TABLE.case("CreatePartitions: nothing")(lambda at: growing(at))

# -- DeleteTopics


def deleting(at: Side, version: int, *names: str) -> Any:
    return at.ask(ApiKey.DELETE_TOPICS, version, topic_names=list(names), timeout_ms=10_000)


def deleting_by(at: Side, *topics: dict[str, Any]) -> Any:
    return at.ask(ApiKey.DELETE_TOPICS, 6, topics=[{"name": None, **each} for each in topics], timeout_ms=10_000)


for _version in range(1, 6):
    TABLE.case(f"DeleteTopics v{_version}: unknown, bad, none")(
        lambda at, version=_version: [  # type: ignore[misc]
            deleting(at, version, "wi-unknown", "a b", "", LONGEST + "n"),
            deleting(at, version),
        ]
    )
TABLE.case("DeleteTopics: a name twice")(lambda at: deleting(at, 5, "wi-unknown", "wi-unknown", "wi-other"))
TABLE.case("DeleteTopics: a topic that is there, twice")(
    lambda at: [deleting(at, 5, KNOWN, KNOWN), at.ask(ApiKey.METADATA, 12, topics=[{"name": KNOWN}])]
)
TABLE.case("DeleteTopics v6: unknown name, unknown id, neither")(
    lambda at: deleting_by(at, {"name": "wi-unknown"}, {"topic_id": UNKNOWN_ID}, {})
)
TABLE.case("DeleteTopics v6: name and id")(lambda at: deleting_by(at, {"name": KNOWN, "topic_id": at.topic_ids[KNOWN]}))
TABLE.case("DeleteTopics v6: name and an unknown id")(
    lambda at: deleting_by(at, {"name": KNOWN, "topic_id": UNKNOWN_ID})
)
TABLE.case("DeleteTopics v6: by name and by id", differs=TWICE)(
    lambda at: deleting_by(at, {"name": KNOWN}, {"topic_id": at.topic_ids[KNOWN]})
)
TABLE.case("DeleteTopics v6: an id twice")(
    lambda at: deleting_by(at, {"topic_id": UNKNOWN_ID}, {"topic_id": UNKNOWN_ID})
)


@TABLE.case("DeleteTopics: and again")
def _(at: Side) -> Any:
    name = at.topic("wi-gone")
    first = deleting_by(at, {"topic_id": at.topic_ids[name]})
    return [first, deleting_by(at, {"topic_id": at.topic_ids[name]}), deleting(at, 5, name)]


# -- DescribeTopicPartitions


def described(at: Side, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None) -> Any:
    return at.ask(
        ApiKey.DESCRIBE_TOPIC_PARTITIONS,
        0,
        topics=[{"name": each} for each in names],
        response_partition_limit=limit,
        cursor=None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]},
    )


TABLE.case("DescribeTopicPartitions: known, unknown, bad")(lambda at: described(at, KNOWN, "wi-unknown", "a b"))
TABLE.case(
    "DescribeTopicPartitions: no name",
    differs="an empty name is INVALID_TOPIC_EXCEPTION, because Kafka's unknown server error refuses its neighbours "
    "too.",
)(lambda at: described(at, KNOWN, ""))
TABLE.case("DescribeTopicPartitions: a name twice")(lambda at: described(at, KNOWN, KNOWN))
for _limit in (1, 2, 0, -1, 100_000):
    TABLE.case(f"DescribeTopicPartitions: limit {_limit}")(
        lambda at, limit=_limit: described(at, KNOWN, limit=limit)  # type: ignore[misc]
    )
for _cursor in ((KNOWN, 1), (KNOWN, 2), (KNOWN, 9), (KNOWN, -1), ("wi-aaa", 0), ("wi-zzz", 0), ("", 0)):
    TABLE.case(f"DescribeTopicPartitions: from {_cursor}")(
        lambda at, cursor=_cursor: described(at, KNOWN, cursor=cursor)  # type: ignore[misc]
    )
