"""Producers' ids and transactions: what coordinators refuse, and what is asked of transactions from outside."""

import time
from typing import Any

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side
from tests.conformance.table import Table
from tests.integration.broker.wire_client import batch

TABLE = Table("transactions")
TOPIC = "wi-transacted"
NOBODY = 987_654_321


def prepare(at: Side) -> None:
    at.topic(TOPIC, 2)


def init(at: Side, transactional_id: str | None, version: int = 4, **how: Any) -> Any:
    ask = at.raw if how.pop("raw", False) else at.ask
    asked = {"transactional_id": transactional_id, "transaction_timeout_ms": 60_000, **how}
    answer = ask(ApiKey.INIT_PRODUCER_ID, version, **asked)
    if isinstance(answer, dict) and answer.get("producer_id", -1) >= 0:
        answer["producer_id"] = "<drawn>"
    return answer


def begun(at: Side, transactional_id: str) -> dict[str, Any]:
    """A new producer: what its requests carry."""
    deadline = time.monotonic() + 10
    while (made := init(at, transactional_id, raw=True)).error_code == 51 and time.monotonic() < deadline:
        time.sleep(0.01)  # the transaction of the one before is being aborted
    assert made.error_code == 0, made
    return {
        "transactional_id": transactional_id,
        "producer_id": made.producer_id,
        "producer_epoch": made.producer_epoch,
    }


for _version in range(6):
    TABLE.case(f"InitProducerId v{_version}: timeouts and ids")(
        lambda at, version=_version: [  # type: ignore[misc]
            init(at, None, version),
            init(at, "", version),
            *[
                init(at, f"wi-timeout-{version}", version, transaction_timeout_ms=each)
                for each in (0, -1, 900_001, 2**31 - 1, 900_000, 1)
            ],
            init(at, None, version, transaction_timeout_ms=-1),
        ]
    )
for _given in ((5, -1), (-1, 5), (NOBODY, 0), (-2, 0), (0, -2)):
    TABLE.case(f"InitProducerId v4: as producer {_given}")(
        lambda at, given=_given: [  # type: ignore[misc]
            init(at, each, 4, producer_id=given[0], producer_epoch=given[1]) for each in (None, f"wi-as-{given}")
        ]
    )


@TABLE.case("InitProducerId: again, as itself and as one of before")
def _(at: Side) -> Any:
    first = begun(at, "wi-again")
    same = {"producer_id": first["producer_id"], "producer_epoch": first["producer_epoch"]}
    return [
        init(at, "wi-again", 4, **same),
        init(at, "wi-again", 4, **same),
        init(at, "wi-again", 3, **same),
        init(at, "wi-again", 4, producer_id=NOBODY, producer_epoch=0),
        init(at, "wi-again", 4, producer_id=first["producer_id"], producer_epoch=9),
    ]


def adding(at: Side, version: int = 3, topics: Any = ((TOPIC, 0),), **who: Any) -> Any:
    asked = [{"name": name, "partitions": list(partitions)} for name, *partitions in topics]
    given = {f"v3_and_below_{key}": value for key, value in who.items()}
    return at.ask(ApiKey.ADD_PARTITIONS_TO_TXN, version, v3_and_below_topics=asked, **given)


@TABLE.case("AddPartitionsToTxn: producers that are none, topics that are none")
def _(at: Side) -> Any:
    who = begun(at, "wi-adding")
    shown = []
    for version in range(4):
        shown += [
            adding(at, version, **{**who, "transactional_id": ""}),
            adding(at, version, **{**who, "transactional_id": "wi-nobody"}),
            adding(at, version, **{**who, "producer_id": NOBODY}),
            adding(at, version, **{**who, "producer_epoch": 7}),
            adding(at, version, **{**who, "producer_epoch": -1}),
            adding(at, version, (("wi-unknown", 0), (TOPIC, 0, 9)), **who),
            adding(at, version, ((TOPIC, -1),), **who),
            adding(at, version, ((TOPIC,),), **who),
            adding(at, version, (), **who),
            adding(at, version, ((TOPIC, 0, 1),), **who),
            adding(at, version, ((TOPIC, 0, 1),), **who),
        ]
    return shown


def ending(at: Side, version: int = 3, **how: Any) -> Any:
    answer = at.ask(ApiKey.END_TXN, version, **{"committed": True, **how})
    if isinstance(answer, dict) and answer.get("producer_id", -1) >= 0:
        answer["producer_id"] = "<drawn>"
    return answer


@TABLE.case("EndTxn: producers that are none, transactions that are none")
def _(at: Side) -> Any:
    who = begun(at, "wi-ending")
    shown = []
    for version in range(6):
        for committed in (True, False):
            shown += [
                ending(at, version, committed=committed, **{**who, "transactional_id": ""}),
                ending(at, version, committed=committed, **{**who, "transactional_id": "wi-nobody"}),
                ending(at, version, committed=committed, **{**who, "producer_id": NOBODY}),
                ending(at, version, committed=committed, **{**who, "producer_epoch": 77}),
                ending(at, version, committed=committed, **{**who, "producer_epoch": -1}),
            ]
        if version < 5:
            shown += [ending(at, version, **who), ending(at, version, committed=False, **who)]
    return shown


def end_until_done(at: Side, version: int, **how: Any) -> Any:
    """EndTxn, again while the coordinator is at work on the one before (51)."""
    deadline = time.monotonic() + 10
    while (answer := ending(at, version, **how))["error_code"] == 51 and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer


@TABLE.case("EndTxn v3: twice, and the other way after")
def _(at: Side) -> Any:
    who = begun(at, "wi-ending-twice")
    adding(at, **who)
    shown = [end_until_done(at, 3, **who), end_until_done(at, 3, **who), end_until_done(at, 3, committed=False, **who)]
    adding(at, **who)
    shown += [end_until_done(at, 3, committed=False, **who), end_until_done(at, 3, committed=False, **who)]
    return [*shown, end_until_done(at, 3, **who)]


@TABLE.case("EndTxn v5: the epoch rises, and of the one before")
def _(at: Side) -> Any:
    who = begun(at, "wi-ending-v5")
    shown = [end_until_done(at, 5, **who)]
    shown.append(end_until_done(at, 5, committed=False, **who))
    shown.append(end_until_done(at, 5, committed=False, **who))
    shown.append(end_until_done(at, 5, committed=False, **{**who, "producer_epoch": who["producer_epoch"] + 1}))
    return shown


@TABLE.case("a producer that was fenced")
def _(at: Side) -> Any:
    old = begun(at, "wi-fenced")
    adding(at, **old)
    new = begun(at, "wi-fenced")
    assert new["producer_epoch"] > old["producer_epoch"]
    records = batch(
        b"x", transactional=True, producer_id=old["producer_id"], producer_epoch=old["producer_epoch"], base_sequence=0
    )
    data = [{"name": TOPIC, "partition_data": [{"index": 0, "records": bytes(records)}]}]
    shown = [
        at.ask(ApiKey.PRODUCE, version, acks=-1, timeout_ms=5000, transactional_id="wi-fenced", topic_data=data)
        for version in (9, 11, 12)
    ]
    for each in shown:
        each["responses"][0]["partition_responses"][0].pop("log_start_offset", None)
    for version in (0, 2, 3):
        shown.append(adding(at, version, **old))
    for version in (0, 2, 3, 5):
        shown.append(ending(at, version, **old))
    for version in (0, 2, 4):
        shown.append(at.ask(ApiKey.ADD_OFFSETS_TO_TXN, version, group_id="wi-group", **old))
    for version in (2, 3, 4):
        as_itself = {"producer_id": old["producer_id"], "producer_epoch": old["producer_epoch"]}
        shown.append(init(at, "wi-fenced", version, **(as_itself if version > 2 else {})))
    return shown


@TABLE.case("Produce: transactional batches of what is no transaction")
def _(at: Side) -> Any:
    who = begun(at, "wi-producing")

    def produced(version: int, transactional_id: str | None = "wi-producing", partition: int = 0, **how: Any) -> Any:
        given = {"producer_id": who["producer_id"], "producer_epoch": who["producer_epoch"], "base_sequence": 0, **how}
        records = bytes(batch(b"x", transactional=True, **given))
        data = [{"name": TOPIC, "partition_data": [{"index": partition, "records": records}]}]
        answer = at.ask(
            ApiKey.PRODUCE, version, acks=-1, timeout_ms=5000, transactional_id=transactional_id, topic_data=data
        )
        for each in answer["responses"][0]["partition_responses"]:
            if not each["error_code"]:
                each.pop("base_offset", None)
        return answer

    shown = []
    for version in (9, 10, 11, 12):
        shown += [
            produced(version, producer_id=NOBODY),
            produced(version, producer_epoch=who["producer_epoch"] + 5),
            produced(version, transactional_id="wi-somebody-else"),
            produced(version, transactional_id=None),
            produced(version, transactional_id=""),
        ]
        if version < 12:
            shown.append(produced(version))  # the partition was not added
    adding(at, **who)
    return [*shown, produced(9), produced(9, partition=1), end_until_done(at, 3, **who)]


@TABLE.case("AddOffsetsToTxn: producers and groups that are none")
def _(at: Side) -> Any:
    who = begun(at, "wi-adding-offsets")
    shown = []
    for version in range(5):
        for given in (
            {**who, "transactional_id": ""},
            {**who, "transactional_id": "wi-nobody"},
            {**who, "producer_id": NOBODY},
            {**who, "producer_epoch": 5},
            who,
        ):
            shown.append(at.ask(ApiKey.ADD_OFFSETS_TO_TXN, version, group_id="wi-txn-group", **given))
        shown.append(at.ask(ApiKey.ADD_OFFSETS_TO_TXN, version, group_id="", **who))
    return shown


def committing(at: Side, version: int, group: str, who: dict[str, Any], **how: Any) -> Any:
    inner = {key: how.pop(key) for key in ("partition_index", "committed_offset", "committed_metadata") if key in how}
    partition = {"partition_index": 0, "committed_offset": 3, **inner}
    topics = [{"name": how.pop("topic", TOPIC), "partitions": [partition]}]
    return at.ask(ApiKey.TXN_OFFSET_COMMIT, version, group_id=group, topics=topics, **who, **how)


@TABLE.case("TxnOffsetCommit: what is wrong")
def _(at: Side) -> Any:
    who = begun(at, "wi-txn-commit")
    group = "wi-txn-commit-group"
    at.ask(ApiKey.ADD_OFFSETS_TO_TXN, 3, group_id=group, **who)
    shown = []
    for version in range(5):
        shown += [
            committing(at, version, group, who, topic="wi-unknown"),
            committing(at, version, group, who, partition_index=9),
            committing(at, version, group, who, committed_metadata="m" * 4097),
            committing(at, version, group, {**who, "producer_epoch": who["producer_epoch"] - 1}),
            committing(at, version, "", who),
            committing(at, version, group, who),
        ]
        if version >= 3:
            shown += [
                committing(at, version, group, who, generation_id=5, member_id="m"),
                committing(at, version, group, who, generation_id=5),
                committing(at, version, group, who, member_id="m"),
                committing(at, version, "wi-txn-no-group", who, generation_id=5, member_id="m"),
            ]
    groups = [{"group_id": group, "topics": [{"name": TOPIC, "partition_indexes": [0]}]}]
    shown += [at.ask(ApiKey.OFFSET_FETCH, 8, groups=groups, require_stable=each) for each in (False, True)]
    shown.append(end_until_done(at, 3, **who))
    return shown


@TABLE.case("WriteTxnMarkers: of nothing, of a producer that is not there, of a topic that is not there")
def _(at: Side) -> Any:
    def marked(topic: str, *partitions: int, **how: Any) -> Any:
        marker = {
            "producer_id": NOBODY,
            "producer_epoch": 0,
            "transaction_result": False,
            "coordinator_epoch": 0,
            **how,
        }
        topics = [{"name": topic, "partition_indexes": list(partitions)}]
        return at.ask(ApiKey.WRITE_TXN_MARKERS, 1, markers=[{**marker, "topics": topics}])

    return [at.ask(ApiKey.WRITE_TXN_MARKERS, 1, markers=[]), marked("wi-unknown", 0), marked(TOPIC, 9)]


# -- from outside

TABLE.asks(
    "DescribeTransactions: unknown, empty, twice",
    ApiKey.DESCRIBE_TRANSACTIONS,
    0,
    transactional_ids=["wi-nobody", "wi-nobody"],
)
TABLE.asks("DescribeTransactions: no id", ApiKey.DESCRIBE_TRANSACTIONS, 0, transactional_ids=[""])
TABLE.asks("DescribeTransactions: nothing", ApiKey.DESCRIBE_TRANSACTIONS, 0, transactional_ids=[])


def without_ids(answer: Any) -> Any:
    for each in answer.get("transaction_states", []):
        each.pop("producer_id", None)
        each.pop("transaction_start_time_ms", None)
    return answer


@TABLE.case("DescribeTransactions: begun, open, done")
def _(at: Side) -> Any:
    who = begun(at, "wi-described")
    shown = [without_ids(at.ask(ApiKey.DESCRIBE_TRANSACTIONS, 0, transactional_ids=["wi-described"]))]
    adding(at, **who)
    shown.append(without_ids(at.ask(ApiKey.DESCRIBE_TRANSACTIONS, 0, transactional_ids=["wi-described"])))
    shown.append([listing(at, 2, producer_id_filters=[who["producer_id"]], **how) for how in FILTERS])
    end_until_done(at, 3, **who)
    return shown


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"state_filters": ["Ongoing"]},
    {"state_filters": ["Empty"]},
    {"state_filters": ["ongoing"]},
    {"state_filters": ["Nope"]},
    {"state_filters": ["Ongoing", "Nope", ""]},
    {"duration_filter": 0},
    {"duration_filter": 3_600_000},
    {"duration_filter": -5},
    {"transactional_id_pattern": "wi-desc.*"},
    {"transactional_id_pattern": "desc"},
    {"transactional_id_pattern": ""},
    {"transactional_id_pattern": "("},
)


def listing(at: Side, version: int, **how: Any) -> Any:
    answer = at.ask(ApiKey.LIST_TRANSACTIONS, version, **how)
    if isinstance(answer, dict):
        answer["transaction_states"] = [
            each for each in answer.get("transaction_states", []) if each["transactional_id"] == "wi-described"
        ]
    return without_ids(answer) if isinstance(answer, dict) else answer


TABLE.case("ListTransactions: producers that are none")(
    lambda at: [listing(at, version, producer_id_filters=[NOBODY, -1]) for version in range(3)]
)
TABLE.case("ListTransactions: states that are none")(
    lambda at: [at.ask(ApiKey.LIST_TRANSACTIONS, version, state_filters=["Nope", "Odd"]) for version in range(3)]
)
TABLE.asks(
    "DescribeProducers: what is not there",
    ApiKey.DESCRIBE_PRODUCERS,
    0,
    topics=[
        {"name": TOPIC, "partition_indexes": [9, -1]},
        {"name": "wi-unknown", "partition_indexes": [0]},
    ],
)
TABLE.asks(
    "DescribeProducers: bad names", ApiKey.DESCRIBE_PRODUCERS, 0, topics=[{"name": "a b", "partition_indexes": [0]}]
)
TABLE.asks("DescribeProducers: nothing", ApiKey.DESCRIBE_PRODUCERS, 0, topics=[])


@TABLE.case("DescribeProducers: an idempotent producer")
def _(at: Side) -> Any:
    topic = at.topic("wi-producers")
    at.produce(topic, b"x", b"y", producer_id=4711, producer_epoch=3, base_sequence=5)
    return at.ask(ApiKey.DESCRIBE_PRODUCERS, 0, topics=[{"name": topic, "partition_indexes": [0]}])
