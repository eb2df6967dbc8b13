"""OffsetDelete on the wire, as Kafka 4.3.1 answers it."""

import pytest

from broker.errors import GroupIdNotFound, InvalidGroupId
from broker.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)


def delete(groups, group_id="g"):
    topics = [
        OffsetDeleteRequestTopic(
            name=name, partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in partitions]
        )
        for name, partitions in (("t", [0, 9]), ("nope", [0]))
    ]
    response = groups.ask(OffsetDeleteRequest(group_id=group_id, topics=topics))
    return [[part.error_code for part in topic.partitions] for topic in response.topics]


def test_topics_being_read_and_unknown_partitions_are_refused(groups):
    groups.member()
    assert delete(groups) == [[86, 3], [3]]


def test_offsets_of_an_unknown_group_cannot_be_deleted(groups):
    with pytest.raises(GroupIdNotFound):
        delete(groups)
    with pytest.raises(InvalidGroupId):
        delete(groups, "")
