"""Incremental fetch sessions (KIP-227): ids, epochs, what is remembered, eviction."""

import itertools

import pytest

from broker.errors import FetchSessionIdNotFound, FetchSessionTopicIdError, InvalidFetchSessionEpoch
from broker.fetch_sessions import EPOCH_MAX, EVICTION_MS, FetchSessions
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic


def request(*partitions, session_id=0, epoch=0, forgotten=()):
    """A request for (topic, partition, offset) triples."""
    return FetchRequest(
        session_id=session_id,
        session_epoch=epoch,
        topics=[
            FetchTopic(topic=topic, partitions=[FetchPartition(partition=index, fetch_offset=offset)])
            for topic, index, offset in partitions
        ],
        forgotten_topics_data=[ForgottenTopic(topic=topic, partitions=[index]) for topic, index in forgotten],
    )


@pytest.fixture
def sessions():
    return FetchSessions(2, itertools.count(1).__next__)


def begin(sessions, *partitions, now_ms=0):
    session = sessions.create(uses_topic_ids=False, now_ms=now_ms)
    session.update(request(*partitions))
    return session


def resume(sessions, *partitions, session_id=1, epoch=1, forgotten=(), uses_topic_ids=False, now_ms=0):
    asked = request(*partitions, session_id=session_id, epoch=epoch, forgotten=forgotten)
    return sessions.resume(asked, uses_topic_ids=uses_topic_ids, now_ms=now_ms)


def read(session):
    return [(p.topic, p.index, p.asked.fetch_offset) for p in session.partitions.values()]


def test_partitions_are_remembered_between_requests(sessions):
    begin(sessions, ("a", 0, 5), ("b", 0, 7))
    assert read(resume(sessions, ("b", 0, 8))) == [("a", 0, 5), ("b", 0, 8)]


def test_partitions_are_added_and_forgotten(sessions):
    begin(sessions, ("a", 0, 5), ("b", 0, 7))
    session = resume(sessions, ("c", 1, 0), forgotten=[("a", 0), ("never", 0)])
    assert read(session) == [("b", 0, 7), ("c", 1, 0)]


def test_epochs_must_follow_each_other(sessions):
    begin(sessions)
    resume(sessions, epoch=1)
    with pytest.raises(InvalidFetchSessionEpoch):
        resume(sessions, epoch=1)
    resume(sessions, epoch=2)


def test_the_epoch_after_the_highest_is_one(sessions):
    begin(sessions).epoch = EPOCH_MAX
    assert resume(sessions, epoch=EPOCH_MAX).epoch == 1


def test_an_unknown_session_is_refused(sessions):
    with pytest.raises(FetchSessionIdNotFound):
        resume(sessions, session_id=99)


def test_a_session_of_names_cannot_go_on_with_ids(sessions):
    begin(sessions)
    with pytest.raises(FetchSessionTopicIdError):
        resume(sessions, uses_topic_ids=True)


def test_a_closed_session_is_unknown(sessions):
    begin(sessions)
    sessions.close(1)
    sessions.close(1)
    with pytest.raises(FetchSessionIdNotFound):
        resume(sessions)


def test_when_all_slots_are_in_use_there_is_no_session(sessions):
    begin(sessions)
    begin(sessions)
    assert sessions.create(uses_topic_ids=False, now_ms=EVICTION_MS - 1) is None
    assert len(sessions) == 2


def test_a_session_long_unused_makes_room(sessions):
    begin(sessions)
    begin(sessions)
    resume(sessions, session_id=1, now_ms=10)
    assert sessions.create(uses_topic_ids=False, now_ms=EVICTION_MS) is not None
    resume(sessions, session_id=1, epoch=2)
    with pytest.raises(FetchSessionIdNotFound):
        resume(sessions, session_id=2)


def test_partitions_served_move_to_the_end(sessions):
    session = begin(sessions, ("a", 0, 0), ("b", 0, 0), ("c", 0, 0))
    session.move_to_end([session.partitions["a", 0]])
    assert [topic for topic, _, _ in read(session)] == ["b", "c", "a"]
