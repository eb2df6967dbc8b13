"""Groups: members of both protocols, offsets, and what is asked of groups from outside."""

import struct
from typing import Any

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side
from tests.conformance.cases.topics import UNKNOWN_ID
from tests.conformance.table import Table

TABLE = Table("groups")
TOPIC = "wi-read-by-groups"
SUBSCRIPTION = struct.pack(">hih", 1, 1, len(TOPIC)) + TOPIC.encode() + struct.pack(">ii", -1, 0)
NEW = 0
LEAVE = -1
STATIC_LEAVE = -2


def prepare(at: Side) -> None:
    at.topic(TOPIC, 3)


def join(at: Side, group: str, version: int = 5, **how: Any) -> Any:
    """A JoinGroup of one member, in common form; `raw=True` gives it as it came."""
    ask = at.raw if how.pop("raw", False) else at.ask
    asked = {
        "group_id": group,
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 1000,
        "member_id": "",
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": SUBSCRIPTION}],
        **how,
    }
    if version == 0:
        del asked["rebalance_timeout_ms"]
    return ask(ApiKey.JOIN_GROUP, version, **asked)


def member(at: Side, group: str, **how: Any) -> tuple[str, int]:
    """Make a group of one member, stable; its member id and generation."""
    named = join(at, group, raw=True, **how)
    if named.error_code == 79:
        named = join(at, group, raw=True, **{**how, "member_id": named.member_id})
    assert named.error_code == 0, named
    synced = at.raw(
        ApiKey.SYNC_GROUP,
        3,
        group_id=group,
        generation_id=named.generation_id,
        member_id=named.member_id,
        group_instance_id=how.get("group_instance_id"),
        assignments=[{"member_id": named.member_id, "assignment": b"mine"}],
    )
    assert synced.error_code == 0, synced
    return named.member_id, named.generation_id


# -- JoinGroup

BAD_JOINS: dict[str, dict[str, Any]] = {
    "no group id": {"group": ""},
    "session of 0": {"session_timeout_ms": 0},
    "session below the least": {"session_timeout_ms": 5999},
    "session above the most": {"session_timeout_ms": 1_800_001},
    "session -1": {"session_timeout_ms": -1},
    "no protocols": {"protocols": []},
    "no protocol type": {"protocol_type": ""},
    "an unknown member id": {"member_id": "nobody"},
    "a static member with an unknown id": {"member_id": "nobody", "group_instance_id": "wi-instance"},
    "an empty instance id": {"group_instance_id": ""},
    "an instance id of odd letters": {"group_instance_id": "a b/c"},
    "an instance id of 250 letters": {"group_instance_id": "i" * 250},
    "an instance id of a dot": {"group_instance_id": "."},
    "a new member": {},
}
for _what, _fields in BAD_JOINS.items():

    def _joining(at: Side, what: str = _what, fields: dict[str, Any] = _fields) -> Any:
        how = dict(fields)
        group = how.pop("group", f"wi-join-{what.replace(' ', '-')}")
        versions = (5, 7, 9) if "group_instance_id" in how else (0, 2, 4, 5, 7, 9)
        return {
            str(version): join(at, group if not group else f"{group}-{version}", version, **how) for version in versions
        }

    TABLE.case(f"JoinGroup: {_what}")(_joining)


@TABLE.case("JoinGroup: what does not go with the group")
def _(at: Side) -> Any:
    group = "wi-join-mixed"
    member(at, group)
    return [
        join(at, group, protocol_type="connect"),
        join(at, group, protocols=[{"name": "other", "metadata": b""}]),
        join(at, group, protocols=[]),
        join(at, group, 3, protocols=[{"name": "other", "metadata": b""}]),
    ]


# -- Sync, Heartbeat, Leave


@TABLE.case("SyncGroup, Heartbeat, LeaveGroup: of an unknown group")
def _(at: Side) -> Any:
    found = {}
    for group in ("wi-no-such-group", ""):
        for version in (0, 3, 5):
            found[f"sync {group} {version}"] = at.ask(
                ApiKey.SYNC_GROUP, version, group_id=group, generation_id=1, member_id="m", assignments=[]
            )
        for version in (0, 3, 4):
            found[f"heartbeat {group} {version}"] = at.ask(
                ApiKey.HEARTBEAT, version, group_id=group, generation_id=1, member_id="m"
            )
        for version in (0, 2):
            found[f"leave {group} {version}"] = at.ask(ApiKey.LEAVE_GROUP, version, group_id=group, member_id="m")
        for version in (3, 5):
            members = [{"member_id": "m"}, {"member_id": "", "group_instance_id": "i"}]
            found[f"leave {group} {version}"] = at.ask(ApiKey.LEAVE_GROUP, version, group_id=group, members=members)
    return found


@TABLE.case("SyncGroup, Heartbeat, LeaveGroup: what is wrong with a member of a stable group")
def _(at: Side) -> Any:
    group = "wi-stable"
    member_id, generation = member(at, group)
    asked: list[tuple[ApiKey, int, dict[str, Any]]] = []
    for who, which in (
        (member_id, generation + 1),
        (member_id, generation - 1),
        (member_id, -1),
        ("nobody", generation),
    ):
        asked.append((ApiKey.HEARTBEAT, 4, {"generation_id": which, "member_id": who}))
        asked.append((ApiKey.SYNC_GROUP, 4, {"generation_id": which, "member_id": who, "assignments": []}))
    asked += [(ApiKey.HEARTBEAT, each, {"generation_id": generation, "member_id": ""}) for each in (0, 4)]
    given = {"generation_id": generation, "member_id": member_id}
    asked.append((ApiKey.HEARTBEAT, 4, {**given, "group_instance_id": "not-static"}))
    asked.append((ApiKey.SYNC_GROUP, 5, {**given, "assignments": [], "protocol_type": "connect"}))
    asked.append((ApiKey.SYNC_GROUP, 5, {**given, "assignments": [], "protocol_name": "other"}))
    asked.append((ApiKey.SYNC_GROUP, 4, {**given, "assignments": []}))
    asked.append((ApiKey.LEAVE_GROUP, 4, {"members": []}))
    asked.append(
        (
            ApiKey.LEAVE_GROUP,
            4,
            {"members": [{"member_id": "nobody"}, {"member_id": member_id}, {"member_id": member_id}]},
        )
    )
    return [[key.name, version, at.ask(key, version, group_id=group, **fields)] for key, version, fields in asked]


@TABLE.case("static members")
def _(at: Side) -> Any:
    group = "wi-static"
    how = {"group_instance_id": "one"}
    member_id, generation = member(at, group, **how)
    shown: list[Any] = [
        at.ask(ApiKey.HEARTBEAT, 4, group_id=group, generation_id=generation, member_id="other", **how),
        at.ask(
            ApiKey.HEARTBEAT, 4, group_id=group, generation_id=generation, member_id=member_id, group_instance_id="two"
        ),
        join(at, group, member_id="other", **how),
    ]
    again = join(at, group, 9, raw=True, **how)
    shown.append(
        [again.error_code, again.member_id != member_id, again.generation_id == generation, again.skip_assignment]
    )
    shown.append(at.ask(ApiKey.HEARTBEAT, 4, group_id=group, generation_id=generation, member_id=member_id, **how))
    shown.append(
        at.ask(
            ApiKey.SYNC_GROUP, 4, group_id=group, generation_id=generation, member_id=member_id, assignments=[], **how
        )
    )
    shown.append(
        at.ask(ApiKey.LEAVE_GROUP, 4, group_id=group, members=[{"member_id": member_id, "group_instance_id": "one"}])
    )
    shown.append(
        at.ask(ApiKey.LEAVE_GROUP, 4, group_id=group, members=[{"member_id": "", "group_instance_id": "unknown"}])
    )
    shown.append(at.ask(ApiKey.LEAVE_GROUP, 4, group_id=group, members=[{"member_id": "", "group_instance_id": "one"}]))
    return shown


# -- offsets


def committing(at: Side, group: str, version: int = 8, *, topic: Any = TOPIC, **how: Any) -> Any:
    inner = {key: how.pop(key) for key in ("partition_index", "committed_offset", "committed_metadata") if key in how}
    partition = {"partition_index": 0, "committed_offset": 7, **inner}
    named = {"topic_id": topic} if version >= 10 else {"name": topic}
    return at.ask(ApiKey.OFFSET_COMMIT, version, group_id=group, topics=[{**named, "partitions": [partition]}], **how)


for _version in range(2, 10):
    TABLE.case(f"OffsetCommit v{_version}: unknown topic, partition, bad names")(
        lambda at, version=_version: [  # type: ignore[misc]
            committing(at, f"wi-commit-{version}", version, topic="wi-unknown"),
            committing(at, f"wi-commit-{version}", version, topic=""),
            committing(at, f"wi-commit-{version}", version, partition_index=9),
            committing(at, f"wi-commit-{version}", version, partition_index=-1),
            committing(at, f"wi-commit-{version}", version),
        ]
    )
BAD_COMMITS: dict[str, dict[str, Any]] = {
    "offset -1": {"committed_offset": -1},
    "offset -2": {"committed_offset": -2},
    "offset 2^62": {"committed_offset": 2**62},
    "metadata of 4096": {"committed_metadata": "m" * 4096},
    "metadata of 4097": {"committed_metadata": "m" * 4097},
    "metadata of 4096 wide letters": {"committed_metadata": "é" * 4096},
    "no metadata": {"committed_metadata": None},
    "an unknown generation": {"generation_id_or_member_epoch": 5, "member_id": "m"},
    "a generation without a member": {"generation_id_or_member_epoch": 5},
    "a member without a generation": {"member_id": "m"},
    "an instance without a member": {"group_instance_id": "i"},
}
for _what, _fields in BAD_COMMITS.items():
    TABLE.case(f"OffsetCommit: {_what}")(
        lambda at, what=_what, fields=_fields: committing(at, f"wi-commit-{what.replace(' ', '-')}", **fields)  # type: ignore[misc]
    )
TABLE.case("OffsetCommit: no group id")(lambda at: [committing(at, "", each) for each in (2, 8, 9)])
TABLE.case("OffsetCommit: nothing")(lambda at: at.ask(ApiKey.OFFSET_COMMIT, 8, group_id="wi-commit-nothing", topics=[]))
TABLE.case("OffsetCommit v10: an unknown topic id")(lambda at: committing(at, "wi-commit-id", 10, topic=UNKNOWN_ID))
TABLE.case("OffsetCommit v10: a null topic id")(lambda at: committing(at, "wi-commit-id", 10, topic=bytes(16)))
TABLE.case("OffsetCommit v10: a known topic id")(
    lambda at: committing(at, "wi-commit-id", 10, topic=at.topic_ids[TOPIC])
)
TABLE.case("OffsetCommit: a partition twice")(
    lambda at: [
        at.ask(
            ApiKey.OFFSET_COMMIT,
            8,
            group_id="wi-commit-twice",
            topics=[
                {"name": TOPIC, "partitions": [{"partition_index": 0, "committed_offset": each} for each in (3, 4)]},
            ],
        ),
        fetching(at, "wi-commit-twice", 7),
    ]
)


@TABLE.case("OffsetCommit: into a group with members")
def _(at: Side) -> Any:
    group = "wi-commit-active"
    member_id, generation = member(at, group)
    tried = [(-1, ""), (generation, ""), (generation, "nobody"), (generation + 1, member_id), (-1, member_id)]
    tried.append((generation, member_id))
    shown = [
        [
            which,
            who == member_id,
            [committing(at, group, v, generation_id_or_member_epoch=which, member_id=who) for v in (8, 9)],
        ]
        for which, who in tried
    ]
    shown.append(
        committing(at, group, generation_id_or_member_epoch=generation, member_id=member_id, group_instance_id="x")
    )
    return shown


def fetching(at: Side, group: str, version: int, topics: Any = (TOPIC, 0, 1), **how: Any) -> Any:
    asked = None if topics is None else [{"name": topics[0], "partition_indexes": list(topics[1:])}]
    if version >= 8:
        return at.ask(ApiKey.OFFSET_FETCH, version, groups=[{"group_id": group, "topics": asked}], **how)
    return at.ask(ApiKey.OFFSET_FETCH, version, group_id=group, topics=asked, **how)


for _version in range(1, 10):
    TABLE.case(f"OffsetFetch v{_version}: unknown groups, topics, partitions")(
        lambda at, version=_version: [  # type: ignore[misc]
            fetching(at, "wi-no-such-group", version),
            fetching(at, "", version),
            fetching(at, "wi-commit-9", version, ("wi-unknown", 0)),
            fetching(at, "wi-commit-9", version, (TOPIC, 9, -1, 0, 0)),
            fetching(at, "wi-commit-9", version, (TOPIC,)),
            fetching(at, "wi-commit-9", version, None) if version >= 2 else None,
        ]
    )
TABLE.asks("OffsetFetch v8: no groups", ApiKey.OFFSET_FETCH, [8, 9, 10], groups=[])
TABLE.asks(
    "OffsetFetch v8: a group twice", ApiKey.OFFSET_FETCH, 8, groups=[{"group_id": "wi-commit-9", "topics": None}] * 2
)
TABLE.asks(
    "OffsetFetch v9: a member that is none",
    ApiKey.OFFSET_FETCH,
    9,
    groups=[
        {"group_id": each, "member_id": "m", "member_epoch": 5, "topics": None}
        for each in ("wi-commit-9", "wi-no-such")
    ],
)
TABLE.case("OffsetFetch v10: topic ids")(
    lambda at: at.ask(
        ApiKey.OFFSET_FETCH,
        10,
        groups=[
            {
                "group_id": "wi-commit-9",
                "topics": [
                    {"topic_id": each, "partition_indexes": [0]}
                    for each in (at.topic_ids[TOPIC], UNKNOWN_ID, bytes(16))
                ],
            }
        ],
    )
)


def forgetting(at: Side, group: str, topic: str = TOPIC, *partitions: int) -> Any:
    topics = [{"name": topic, "partitions": [{"partition_index": each} for each in partitions or (0,)]}]
    return at.ask(ApiKey.OFFSET_DELETE, 0, group_id=group, topics=topics)


TABLE.case("OffsetDelete: unknown group, no group, unknown topic and partition")(
    lambda at: [
        forgetting(at, "wi-no-such-group"),
        forgetting(at, ""),
        forgetting(at, "wi-commit-9", "wi-unknown"),
        forgetting(at, "wi-commit-9", TOPIC, 9, -1),
        forgetting(at, "wi-commit-9", ""),
        forgetting(at, "wi-commit-8"),
        forgetting(at, "wi-commit-8"),
    ]
)


@TABLE.case("OffsetDelete: of a topic that the members read")
def _(at: Side) -> Any:
    group = "wi-forget-active"
    member_id, generation = member(at, group)
    committing(at, group, generation_id_or_member_epoch=generation, member_id=member_id)
    return [forgetting(at, group), forgetting(at, group, "wi-warm"), fetching(at, group, 7)]


@TABLE.case("OffsetDelete: of a group that is no consumer group, with a member")
def _(at: Side) -> Any:
    member(at, "wi-forget-connect", protocol_type="connect")
    return forgetting(at, "wi-forget-connect")


# -- from outside


@TABLE.case("DeleteGroups: unknown, none, twice, with members, empty")
def _(at: Side) -> Any:
    group = "wi-delete-active"
    member(at, group)
    committing(at, "wi-delete-empty")
    asked = [["wi-no-such-group", ""], [group], ["wi-delete-empty", "wi-delete-empty"], ["wi-delete-empty"], []]
    return [[at.ask(ApiKey.DELETE_GROUPS, version, groups_names=names) for version in (0, 2)] for names in asked]


for _version in range(7):
    TABLE.asks(
        f"DescribeGroups v{_version}: unknown and no group",
        ApiKey.DESCRIBE_GROUPS,
        _version,
        groups=["wi-no-such-group", "", "wi-no-such-group"],
        **({"include_authorized_operations": True} if _version >= 3 else {}),
    )
TABLE.asks("DescribeGroups: nothing", ApiKey.DESCRIBE_GROUPS, [0, 6], groups=[])


@TABLE.case("DescribeGroups: of an empty group and one with a member")
def _(at: Side) -> Any:
    member(at, "wi-described")
    committing(at, "wi-described-empty")
    groups = ["wi-described", "wi-described-empty"]
    return [
        at.ask(ApiKey.DESCRIBE_GROUPS, 6, groups=groups, include_authorized_operations=True),
        at.ask(ApiKey.CONSUMER_GROUP_DESCRIBE, 1, group_ids=groups, include_authorized_operations=True),
    ]


def listing(at: Side, version: int, **how: Any) -> Any:
    answer = at.ask(ApiKey.LIST_GROUPS, version, **how)
    if isinstance(answer, dict):
        answer["groups"] = [each for each in answer.get("groups", []) if each["group_id"].startswith("wi-listed")]
    return answer


@TABLE.case("ListGroups: states and types")
def _(at: Side) -> Any:
    member(at, "wi-listed")
    committing(at, "wi-listed-empty")
    shown = [listing(at, version) for version in range(6)]
    for states in (["Stable"], ["stable", "EMPTY"], ["Nope"], [""], ["Dead"], ["Stable", "Nope"]):
        shown.append([states, listing(at, 4, states_filter=states)])
    for types in (["classic"], ["CLASSIC"], ["consumer"], ["nope"], ["share"], ["classic", "nope"], ["unknown"]):
        shown.append([types, listing(at, 5, types_filter=types)])
    return shown


TABLE.asks("FindCoordinator: of types", ApiKey.FIND_COORDINATOR, [1, 2, 3], key="wi-found", key_type=0)
for _type in (1, 2, 3, -1):
    TABLE.asks(f"FindCoordinator v3: type {_type}", ApiKey.FIND_COORDINATOR, 3, key="wi-found", key_type=_type)
    if _type != 2:
        TABLE.asks(
            f"FindCoordinator v4 and v6: type {_type}",
            ApiKey.FIND_COORDINATOR,
            [4, 6],
            coordinator_keys=["wi-found"],
            key_type=_type,
        )
TABLE.asks("FindCoordinator: no key", ApiKey.FIND_COORDINATOR, [0, 3], key="")
TABLE.asks("FindCoordinator: no keys", ApiKey.FIND_COORDINATOR, [4, 6], coordinator_keys=[])
TABLE.asks("FindCoordinator: an empty key and one twice", ApiKey.FIND_COORDINATOR, 4, coordinator_keys=["", "a", "a"])

# -- KIP-848


def beating(at: Side, group: str, version: int = 1, **how: Any) -> Any:
    asked = {"group_id": group, "member_id": "wi-member", "member_epoch": NEW, **how}
    return at.ask(ApiKey.CONSUMER_GROUP_HEARTBEAT, version, **asked)


FULL = {"rebalance_timeout_ms": 5000, "subscribed_topic_names": [TOPIC], "topic_partitions": []}
BAD_BEATS: dict[str, dict[str, Any]] = {
    "no group id": {"group": "", **FULL},
    "a blank group id": {"group": " ", **FULL},
    "no member id": {"member_id": "", **FULL},
    "no rebalance timeout": {"subscribed_topic_names": [TOPIC], "topic_partitions": []},
    "a rebalance timeout of 0": {**FULL, "rebalance_timeout_ms": 0},
    "a rebalance timeout of -2": {**FULL, "rebalance_timeout_ms": -2},
    "no topics": {"rebalance_timeout_ms": 5000, "topic_partitions": []},
    "an empty list of topics": {**FULL, "subscribed_topic_names": []},
    "no owned partitions": {"rebalance_timeout_ms": 5000, "subscribed_topic_names": [TOPIC]},
    "owned partitions": {**FULL, "topic_partitions": [{"topic_id": UNKNOWN_ID, "partitions": [0]}]},
    "an empty instance id": {**FULL, "instance_id": ""},
    "an empty rack": {**FULL, "rack_id": ""},
    "an unknown assignor": {**FULL, "server_assignor": "nope"},
    "an empty assignor": {**FULL, "server_assignor": ""},
    "an unknown topic": {**FULL, "subscribed_topic_names": ["wi-unknown"]},
    "a bad topic name": {**FULL, "subscribed_topic_names": ["a b", ""]},
    "a bad expression": {**FULL, "subscribed_topic_names": None, "subscribed_topic_regex": "("},
    "an empty expression": {**FULL, "subscribed_topic_names": [], "subscribed_topic_regex": ""},
    "epoch 5": {"member_epoch": 5},
    "epoch -3": {"member_epoch": -3},
    "leaving": {"member_epoch": LEAVE},
    "leaving for a while": {"member_epoch": STATIC_LEAVE, "instance_id": "i"},
    "leaving for a while without an instance": {"member_epoch": STATIC_LEAVE},
}
for _what, _fields in BAD_BEATS.items():

    def _beating(at: Side, what: str = _what, fields: dict[str, Any] = _fields) -> Any:
        how = dict(fields)
        group = how.pop("group", f"wi-beat-{what.replace(' ', '-')}")
        return beating(at, group, **how)

    TABLE.case(f"ConsumerGroupHeartbeat: {_what}")(_beating)


@TABLE.case("ConsumerGroupHeartbeat: a member and its epochs")
def _(at: Side) -> Any:
    group = "wi-beat-epochs"
    shown = [beating(at, group, **FULL)]
    epoch = shown[0]["member_epoch"]
    for which in (epoch, epoch + 1, epoch - 1, epoch + 7):
        shown.append(beating(at, group, member_epoch=which))
    shown.append(beating(at, group, member_epoch=epoch, member_id="other"))
    shown.append(beating(at, group, member_epoch=epoch, topic_partitions=[{"topic_id": UNKNOWN_ID, "partitions": [0]}]))
    shown.append(beating(at, group, member_epoch=epoch, subscribed_topic_regex="("))
    for which, who in ((epoch, "wi-member"), (epoch + 1, "wi-member"), (epoch, "other"), (-1, ""), (-1, "wi-member")):
        shown.append([committing(at, group, v, generation_id_or_member_epoch=which, member_id=who) for v in (8, 9)])
    for which, who in ((epoch, "wi-member"), (epoch + 1, "wi-member"), (epoch, "other")):
        groups = [{"group_id": group, "member_id": who, "member_epoch": which, "topics": None}]
        shown.append(at.ask(ApiKey.OFFSET_FETCH, 9, groups=groups))
    shown.append(join(at, group, protocols=[{"name": "other", "metadata": b""}]))
    shown.append(join(at, group, protocol_type="connect"))
    shown.append(at.ask(ApiKey.HEARTBEAT, 4, group_id=group, generation_id=epoch, member_id="wi-member"))
    shown.append(
        at.ask(ApiKey.SYNC_GROUP, 4, group_id=group, generation_id=epoch, member_id="wi-member", assignments=[])
    )
    shown.append(at.ask(ApiKey.LEAVE_GROUP, 4, group_id=group, members=[{"member_id": "nobody"}]))
    shown.append(at.ask(ApiKey.DELETE_GROUPS, 2, groups_names=[group]))
    shown.append(forgetting(at, group))
    shown.append(at.ask(ApiKey.DESCRIBE_GROUPS, 6, groups=[group]))
    described = at.ask(ApiKey.CONSUMER_GROUP_DESCRIBE, 1, group_ids=[group], include_authorized_operations=True)
    shown.append(described)
    shown.append(beating(at, group, member_epoch=LEAVE))
    shown.append(beating(at, group, member_epoch=LEAVE))
    return shown


@TABLE.case("ConsumerGroupHeartbeat: static members")
def _(at: Side) -> Any:
    group = "wi-beat-static"
    static = {**FULL, "instance_id": "one"}
    first = beating(at, group, **static)
    epoch = first["member_epoch"]
    return [
        first,
        beating(at, group, member_id="other", **static),
        beating(at, group, member_id="other", member_epoch=epoch, instance_id="one"),
        beating(at, group, member_epoch=epoch, instance_id="two"),
        beating(at, group, member_epoch=STATIC_LEAVE, instance_id="two"),
        beating(at, group, member_epoch=STATIC_LEAVE, instance_id="one"),
        beating(at, group, member_id="other", **static),
        beating(at, group, member_epoch=epoch, instance_id="one"),
    ]


@TABLE.case("ConsumerGroupHeartbeat: into a classic group with a member")
def _(at: Side) -> Any:
    member(at, "wi-beat-classic", protocol_type="connect")
    return [beating(at, "wi-beat-classic", **FULL), beating(at, "wi-beat-classic", member_epoch=3)]


TABLE.asks(
    "ConsumerGroupDescribe: unknown and none",
    ApiKey.CONSUMER_GROUP_DESCRIBE,
    [0, 1],
    group_ids=["wi-no-such-group", "", "wi-commit-9"],
)
TABLE.asks("ConsumerGroupDescribe: nothing", ApiKey.CONSUMER_GROUP_DESCRIBE, 1, group_ids=[])


@TABLE.case("ConsumerGroupHeartbeat: a group's own heartbeat interval holds at once")
def _(at: Side) -> Any:
    group = "wi-beat-configured"
    first = beating(at, group, **FULL)
    configs = [{"name": "consumer.heartbeat.interval.ms", "config_operation": 0, "value": "9000"}]
    resources = [{"resource_type": 32, "resource_name": group, "configs": configs}]
    set_to = at.ask(ApiKey.INCREMENTAL_ALTER_CONFIGS, 1, resources=resources)
    for _ in range(100):
        then = beating(at, group, member_epoch=first["member_epoch"])
        if then["heartbeat_interval_ms"] != first["heartbeat_interval_ms"]:
            break
    return [first["heartbeat_interval_ms"], set_to, then["heartbeat_interval_ms"]]
