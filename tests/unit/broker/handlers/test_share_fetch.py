"""ShareFetch where the records themselves matter: transactions, deleted records, and what a session is told."""

import pytest

from broker.groups import Now
from broker.protocol.messages.find_coordinator import FindCoordinatorRequest
from broker.protocol.messages.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ForgottenTopic,
    ShareFetchRequest,
)
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from broker.protocol.record_batch import Record, build_batch, read_header


@pytest.fixture
def handlers(make_broker):
    broker = make_broker()
    broker.groups.load(Now.by(broker.clock))
    broker.topics.create("t", partition_count=2)
    return broker


def append(handlers, count: int, **fields) -> None:
    batch = bytearray(build_batch([Record(offset, 0, None, b"x") for offset in range(count)], **fields))
    handlers.topics.partition("t", 0).append(batch, read_header(batch), now_ms=0)


def append_transaction(handlers, producer_id: int, count: int, *, commit: bool) -> None:
    append(handlers, count, producer_id=producer_id, producer_epoch=0, base_sequence=0, transactional=True)
    handlers.topics.partition("t", 0).end_transaction(
        commit=commit, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, now_ms=0
    )


def begin(handlers, **configs: str) -> None:
    named = {name.replace("_", "."): value for name, value in configs.items()}
    handlers.configs.replace_of_group("g", {"share.auto.offset.reset": "earliest", **named})
    handlers.ask(ShareGroupHeartbeatRequest(group_id="g", member_id="m", subscribed_topic_names=["t"]))


def fetch(handlers, epoch: int, *partitions: int, said: tuple = (), forgotten: tuple = (), **fields):
    topic_id = handlers.topics.get("t").topic_id
    asked = [FetchPartition(partition_index=each) for each in partitions]
    asked += [FetchPartition(0, [AcknowledgementBatch(*each)]) for each in said]
    request = ShareFetchRequest(
        group_id="g",
        member_id="m",
        share_session_epoch=epoch,
        max_records=fields.pop("max_records", 500),
        topics=[FetchTopic(topic_id=topic_id, partitions=asked)] if asked else [],
        forgotten_topics_data=[ForgottenTopic(topic_id, list(forgotten))] if forgotten else [],
        **fields,
    )
    answer = handlers.ask(request)
    return {each.partition_index: each for topic in answer.responses for each in topic.partitions}


def acquired(partition) -> list[tuple[int, int]]:
    return [(each.first_offset, each.last_offset) for each in partition.acquired_records]


def test_by_default_records_of_every_transaction_are_lent(handlers):
    append_transaction(handlers, 1, 3, commit=False)
    begin(handlers)
    assert acquired(fetch(handlers, 0, 0)[0]) == [(0, 3)]


def test_a_group_that_reads_committed_never_sees_an_aborted_transaction(handlers):
    append(handlers, 2)
    append_transaction(handlers, 1, 3, commit=False)
    append_transaction(handlers, 2, 2, commit=True)
    append(handlers, 1, producer_id=3, producer_epoch=0, base_sequence=0, transactional=True)
    append(handlers, 1)
    begin(handlers, share_isolation_level="read_committed")
    partition = fetch(handlers, 0, 0)[0]
    assert acquired(partition) == [(0, 1), (5, 8)], "2 to 4 were aborted, 9 is of an open transaction"
    assert fetch(handlers, 1, said=[(0, 1, [1]), (5, 8, [1])])[0].acknowledge_error_code == 0
    assert handlers.shares.of_group("g")[handlers.topics.get("t").topic_id, 0].at.start_offset == 9
    handlers.topics.partition("t", 0).end_transaction(
        commit=True, producer_id=3, producer_epoch=0, coordinator_epoch=0, now_ms=0
    )
    assert acquired(fetch(handlers, 2)[0]) == [(9, 11)]


def test_deleted_records_are_passed_over(handlers):
    append(handlers, 10)
    begin(handlers)
    fetch(handlers, 0, 0, max_records=1, share_acquire_mode=1)
    append(handlers, 5)
    handlers.topics.partition("t", 0).delete_records(12)
    assert acquired(fetch(handlers, 1)[0]) == [(12, 14)]


def test_a_session_is_told_of_all_partitions_first_and_then_of_changes(handlers):
    begin(handlers)
    assert set(fetch(handlers, 0, 0, 1)) == {0, 1}
    assert fetch(handlers, 1) == {}
    append(handlers, 1)
    assert set(fetch(handlers, 2)) == {0}
    append(handlers, 1)
    assert fetch(handlers, 3, forgotten=(0,)) == {}


def test_the_answer_ends_with_the_last_batch_that_was_lent(handlers):
    for _ in range(5):
        append(handlers, 10)
    begin(handlers)
    partition = fetch(handlers, 0, 0, max_records=15)[0]
    whole = handlers.topics.partition("t", 0).size_bytes
    assert acquired(partition) == [(0, 19)]
    assert len(partition.records) == whole * 2 // 5


@pytest.mark.parametrize(
    ("key", "error_code"),
    [("g:AAAAAAAAAAAAAAAAAAAAAA:0", 0), ("a:b:AAAAAAAAAAAAAAAAAAAAAA:12", 0), ("g", 42), ("g:x:0", 42), (":", 42)],
)
def test_the_coordinator_of_a_share_partition_is_found(handlers, key, error_code):
    request = FindCoordinatorRequest(key_type=2, coordinator_keys=[key])
    assert handlers.ask(request, 6).coordinators[0].error_code == error_code
    assert handlers.ask(request, 5).coordinators[0].error_code == 42
