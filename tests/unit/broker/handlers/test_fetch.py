"""Waiting fetches: woken by appends, by their limit, by a stop, or let go of."""

import asyncio

import pytest

from broker.dispatch import DelayedResponse
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.record_batch import Record, build_batch, read_header


def request(*, offset=0, partitions=(0,), bytes_max=1 << 20, **fields):
    asked = [FetchPartition(partition=n, fetch_offset=offset, partition_max_bytes=bytes_max) for n in partitions]
    settings = {"max_wait_ms": 5000, "min_bytes": 1} | fields
    return FetchRequest(topics=[FetchTopic(topic="t", partitions=asked)], **settings)


@pytest.fixture
def topic(handler_broker):
    """A broker with one topic `t` of two partitions; `append(partition, size)` adds a record to it."""
    handler_broker.topics.create("t", partition_count=2)

    def append(partition=0, size=1):
        log = handler_broker.topics.partition("t", partition)
        batch = bytearray(build_batch([Record(0, 1_700_000_000_000, None, bytes(size))]))
        log.append(batch, read_header(batch), now_ms=handler_broker.clock.now_ms())

    handler_broker.append = append
    return handler_broker


def answers_of(delayed):
    assert isinstance(delayed, DelayedResponse)
    answers = []
    delayed.when_answered(answers.append)
    return answers


def sizes(response):
    return [len(partition.records) for topic in response.responses for partition in topic.partitions]


async def test_records_that_are_there_are_answered_at_once(topic):
    topic.append()
    assert sizes(topic.ask(request(), 12))[0] > 0


async def test_without_a_wait_the_answer_is_empty(topic):
    assert sizes(topic.ask(request(max_wait_ms=0), 12)) == [0]


async def test_an_append_to_any_partition_wakes_once(topic):
    answers = answers_of(topic.ask(request(partitions=(0, 1)), 12))
    topic.append(1)
    topic.append(1)
    assert not answers  # The producer is answered first.
    await asyncio.sleep(0)
    assert len(answers) == 1
    assert sizes(answers[0])[0] == 0
    assert sizes(answers[0])[1] > 0


async def test_appends_below_min_bytes_do_not_wake(topic):
    answers = answers_of(topic.ask(request(min_bytes=1000), 12))
    for _ in range(3):
        topic.append(size=200)
        await asyncio.sleep(0)
    assert not answers
    topic.append(size=200)
    await asyncio.sleep(0)
    assert len(answers) == 1
    assert sizes(answers[0])[0] >= 1000


async def test_at_the_limit_it_gives_what_there_is(topic):
    topic.append()
    answers = answers_of(topic.ask(request(min_bytes=1000, max_wait_ms=20), 12))
    await asyncio.sleep(0.05)
    assert 0 < sizes(answers[0])[0] < 1000


async def test_a_stop_is_answered_at_once(topic):
    delayed = topic.ask(request(), 12)
    answers = answers_of(delayed)
    delayed.on_hurry()
    assert sizes(answers[0]) == [0]


async def test_a_client_that_left_is_forgotten(topic):
    delayed = topic.ask(request(), 12)
    answers = answers_of(delayed)
    delayed.on_abandon()
    topic.append()
    await asyncio.sleep(0)
    assert not answers


async def test_a_deleted_topic_is_told_at_once(topic):
    answers = answers_of(topic.ask(request(), 12))
    topic.topics.delete("t")
    await asyncio.sleep(0)
    assert [p.error_code for p in answers[0].responses[0].partitions] == [3]


async def test_a_large_answer_stays_in_its_file(topic):
    for _ in range(3):
        topic.append(size=900_000)
    response = topic.ask(request(bytes_max=50 << 20), 12)
    records = response.responses[0].partitions[0].records
    assert len(records) > 2_700_000
    pieces = []
    while len(records):
        pieces.append(records.read_piece())
    assert max(map(len, pieces)) < 300_000
    assert read_header(b"".join(pieces)).base_offset == 0


async def test_what_a_session_was_told_is_not_told_again(topic):
    topic.append()
    full = topic.ask(request(partitions=(0, 1), session_epoch=0), 12)
    assert len(sizes(full)) == 2
    again = FetchRequest(session_id=full.session_id, session_epoch=1, max_wait_ms=0)
    again.topics = request(offset=1).topics
    assert topic.ask(again, 12).responses == []


async def test_an_error_is_told_every_time(topic):
    full = topic.ask(request(offset=9, session_epoch=0), 12)
    for epoch in (1, 2):
        again = FetchRequest(session_id=full.session_id, session_epoch=epoch, max_wait_ms=1000)
        assert topic.ask(again, 12).responses[0].partitions[0].error_code == 1
