"""OffsetFetch on the wire, as Kafka 4.3.1 answers it."""

import uuid

import pytest

from broker.errors import CoordinatorLoadInProgress
from broker.groups import CommittedOffset, Now, PartitionOffset
from broker.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from broker.protocol.primitives import NULL_UUID

UNKNOWN_ID = uuid.UUID("11111111-2222-4333-8444-555555555555").bytes


@pytest.fixture
def committed(groups):
    """Group `g` has committed offset 5 for t-0, with leader epoch 4 and metadata."""
    commit(groups, groups.topic.topic_id)
    return groups


def commit(groups, topic_id):
    offset = CommittedOffset(5, 4, "méta", 0, None, topic_id)
    groups.broker.groups.commit_offsets(
        "g",
        [PartitionOffset("t", 0, offset)],
        member_id="",
        group_instance_id=None,
        generation_id=-1,
        now=Now.by(groups.broker.clock),
    )


def answered(topics):
    return [
        (topic.name, part.partition_index, part.committed_offset, part.metadata, part.error_code)
        for topic in topics
        for part in topic.partitions
    ]


def one_group(groups, version, topics, group_id="g"):
    request = OffsetFetchRequest(group_id=group_id, topics=topics)
    return groups.ask(request, version).topics


def many_groups(groups, version, *asked):
    request = OffsetFetchRequest(
        groups=[OffsetFetchRequestGroup(group_id=group_id, topics=topics) for group_id, topics in asked]
    )
    return groups.ask(request, version).groups


@pytest.mark.parametrize("version", range(1, 8))
def test_what_was_never_committed_has_offset_minus_1_and_no_error(committed, version):
    topics = [
        OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1, 9]),
        OffsetFetchRequestTopic(name="nope", partition_indexes=[0]),
    ]
    assert answered(one_group(committed, version, topics)) == [
        ("t", 0, 5, "méta", 0),
        ("t", 1, -1, "", 0),
        ("t", 9, -1, "", 0),
        ("nope", 0, -1, "", 0),
    ]


@pytest.mark.parametrize("version", range(5, 8))
def test_leader_epoch_comes_back(committed, version):
    topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1])]
    (topic,) = one_group(committed, version, topics)
    assert [part.committed_leader_epoch for part in topic.partitions] == [4, -1]


@pytest.mark.parametrize("version", range(2, 8))
def test_null_topics_are_all_topics(committed, version):
    assert answered(one_group(committed, version, None)) == [("t", 0, 5, "méta", 0)]
    assert one_group(committed, version, []) == []


def test_unknown_group_is_no_error(groups):
    topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0])]
    assert answered(one_group(groups, 7, topics, "zip")) == [("t", 0, -1, "", 0)]
    assert one_group(groups, 7, None, "zip") == []


@pytest.mark.parametrize("version", [8, 9])
def test_many_groups_are_answered_in_order(committed, version):
    some = [OffsetFetchRequestTopics(name="t", partition_indexes=[0, 1])]
    found = many_groups(committed, version, ("g", some), ("zip", None), ("", None), ("g", None), ("g", []))
    assert [(group.group_id, group.error_code) for group in found] == [
        ("g", 0),
        ("zip", 0),
        ("", 0),
        ("g", 0),
        ("g", 0),
    ]
    assert answered(found[0].topics) == [("t", 0, 5, "méta", 0), ("t", 1, -1, "", 0)]
    assert answered(found[3].topics) == [("t", 0, 5, "méta", 0)]
    assert found[1].topics == found[2].topics == found[4].topics == []


def test_topics_are_named_by_id_in_version_10(committed):
    known = committed.topic.topic_id
    some = [
        OffsetFetchRequestTopics(topic_id=known, partition_indexes=[0]),
        OffsetFetchRequestTopics(topic_id=UNKNOWN_ID, partition_indexes=[0]),
    ]
    named, everything = many_groups(committed, 10, ("g", some), ("g", None))
    assert [topic.topic_id for topic in named.topics] == [known, UNKNOWN_ID]
    assert answered(named.topics) == [("", 0, 5, "méta", 0), ("", 0, -1, "", 100)]
    assert [topic.topic_id for topic in everything.topics] == [known]


def test_offsets_of_a_deleted_topic_are_not_those_of_its_namesake(groups):
    commit(groups, UNKNOWN_ID)
    topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0])]
    assert answered(one_group(groups, 7, topics)) == [("t", 0, -1, "", 0)]
    assert one_group(groups, 7, None) == []


def test_offset_committed_before_topics_had_ids_counts(groups):
    commit(groups, NULL_UUID)
    assert answered(one_group(groups, 7, None)) == [("t", 0, 5, "méta", 0)]


def test_loading_groups_are_an_error_where_the_version_has_place_for_it(groups):
    groups.broker.groups._refusal = CoordinatorLoadInProgress
    topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0])]
    assert answered(one_group(groups, 1, topics)) == [("t", 0, -1, "", 14)]
    with pytest.raises(CoordinatorLoadInProgress):
        one_group(groups, 2, topics)
    assert [group.error_code for group in many_groups(groups, 9, ("g", None), ("h", None))] == [14, 14]
