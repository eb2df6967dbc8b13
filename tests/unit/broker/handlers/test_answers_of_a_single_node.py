"""APIs about what one node without an authorizer, quotas or transactions does not have.

Codes and messages here were measured on a single Apache Kafka 4.3.1 unless a test says otherwise.
"""

import pytest

from broker.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from broker.protocol.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from broker.protocol.messages.describe_acls import DescribeAclsRequest
from broker.protocol.messages.describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from broker.protocol.messages.describe_quorum import DescribeQuorumRequest, RequestPartitionData, RequestTopicData
from broker.protocol.messages.describe_transactions import DescribeTransactionsRequest
from broker.protocol.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from broker.protocol.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from broker.protocol.messages.list_config_resources import ListConfigResourcesRequest
from broker.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from broker.protocol.messages.list_transactions import ListTransactionsRequest
from broker.protocol.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest


@pytest.fixture
def t2(handler_broker):
    return handler_broker.topics.create("t2", partition_count=3)


def elect(handler_broker, topics, election_type=0):
    asked = None if topics is None else [TopicPartitions(topic=t, partitions=p) for t, p in topics]
    return handler_broker.ask(ElectLeadersRequest(election_type=election_type, topic_partitions=asked))


@pytest.mark.parametrize("election_type", [0, 1])
def test_no_leader_is_ever_elected(handler_broker, t2, election_type):
    answer = elect(handler_broker, [("t2", [0, 9]), ("zz", [0])], election_type)
    assert answer.error_code == 0
    assert [
        (result.topic, p.partition_id, p.error_code, p.error_message)
        for result in answer.replica_election_results
        for p in result.partition_result
    ] == [
        ("t2", 0, 84, "Leader election not needed for topic partition."),
        ("t2", 9, 3, "No such partition as t2-9"),
        ("zz", 0, 3, "No such topic as zz"),
    ]


def test_an_election_everywhere_has_nothing_to_tell_of_each_topic(handler_broker, t2):
    (result,) = elect(handler_broker, None).replica_election_results
    assert (result.topic, result.partition_result) == ("t2", [])


def test_an_unknown_election_type_is_refused(handler_broker, t2):
    answer = elect(handler_broker, [("t2", [0])], election_type=5)
    (partition,) = answer.replica_election_results[0].partition_result
    assert (answer.error_code, partition.error_code) == (42, 42)
    assert partition.error_message == "Unknown election type 5"


@pytest.mark.parametrize("topics", [None, [ListPartitionReassignmentsTopics(name="zz", partition_indexes=[0])]])
def test_no_partition_is_being_moved(handler_broker, topics):
    answer = handler_broker.ask(ListPartitionReassignmentsRequest(topics=topics))
    assert (answer.error_code, answer.topics) == (0, [])


@pytest.mark.parametrize(
    ("topic", "partition", "replicas", "code", "message"),
    [
        ("t2", 0, [1], 0, None),
        ("t2", 0, None, 85, None),
        ("t2", 0, [2], 39, "The manual partition assignment includes broker 2, but no such broker is registered."),
        ("t2", 0, [], 39, "The manual partition assignment includes an empty replica list."),
        ("t2", 0, [1, 1], 39, "The manual partition assignment includes the broker 1 more than once."),
        ("t2", 9, [1], 3, "Unable to find partition t2:9."),
        ("t2", 9, None, 3, "Unable to find partition t2:9."),
        ("zz", 0, [1], 3, "Unable to find a topic named zz."),
    ],
)
def test_partitions_move_nowhere(handler_broker, t2, topic, partition, replicas, code, message):
    asked = ReassignableTopic(
        name=topic, partitions=[ReassignablePartition(partition_index=partition, replicas=replicas)]
    )
    answer = handler_broker.ask(AlterPartitionReassignmentsRequest(topics=[asked]))
    (result,) = answer.responses[0].partitions
    assert (answer.error_code, result.error_code, result.error_message) == (0, code, message)


def test_this_node_is_the_quorum(handler_broker, t2):
    metadata, other_topic = (
        RequestTopicData(topic_name=name, partitions=[RequestPartitionData(partition_index=0)])
        for name in ("__cluster_metadata", "t2")
    )
    answer = handler_broker.ask(DescribeQuorumRequest(topics=[metadata]))
    (quorum,) = answer.topics[0].partitions
    assert (quorum.error_code, quorum.leader_id, quorum.leader_epoch) == (0, 1, 1)
    assert [(voter.replica_id, voter.log_end_offset) for voter in quorum.current_voters] == [(1, quorum.high_watermark)]
    assert quorum.observers == []
    assert [(node.node_id, len(node.listeners)) for node in answer.nodes] == [(1, 1)]
    for topic in handler_broker.ask(DescribeQuorumRequest(topics=[metadata, other_topic])).topics:
        (other,) = topic.partitions
        assert (other.error_code, other.error_message) == (3, "This server does not host this topic-partition.")


def test_without_an_authorizer_acls_are_disabled(handler_broker):
    answer = handler_broker.ask(DescribeAclsRequest())
    assert (answer.error_code, answer.error_message) == (54, "No Authorizer is configured on the broker")
    refused = (54, "No Authorizer is configured.")
    created = handler_broker.ask(CreateAclsRequest(creations=[AclCreation()] * 2)).results
    assert [(r.error_code, r.error_message) for r in created] == [refused] * 2
    deleted = handler_broker.ask(DeleteAclsRequest(filters=[DeleteAclsFilter()] * 2)).filter_results
    assert [(r.error_code, r.error_message, r.matching_acls) for r in deleted] == [(*refused, [])] * 2


@pytest.mark.parametrize(
    ("components", "code", "message"),
    [
        ([], 0, ""),
        ([ComponentData(entity_type="user", match="x")], 0, ""),
        ([ComponentData(entity_type="foo", match="x")], 35, "Unsupported entity type foo"),
        ([ComponentData(entity_type="user", match_type=9)], 42, "Unknown match type 9"),
    ],
)
def test_there_are_no_client_quotas(handler_broker, components, code, message):
    answer = handler_broker.ask(DescribeClientQuotasRequest(components=components))
    assert (answer.error_code, answer.error_message) == (code, message)
    assert answer.entries == (None if code else [])


def test_there_are_no_scram_users(handler_broker):
    assert handler_broker.ask(DescribeUserScramCredentialsRequest(users=None)).results == []
    named = [UserName(name=name) for name in ("x", "x", "y")]
    results = handler_broker.ask(DescribeUserScramCredentialsRequest(users=named)).results
    assert [(r.user, r.error_code, r.error_message) for r in results] == [
        ("x", 92, "Cannot describe SCRAM credentials for the same user twice in a single request: x"),
        ("y", 91, "Attempt to describe a user credential that does not exist: y"),
    ]


def test_there_are_no_transactions(handler_broker):
    assert handler_broker.ask(ListTransactionsRequest()).transaction_states == []
    assert handler_broker.ask(ListTransactionsRequest(state_filters=["Nope", "Ongoing"])).unknown_state_filters == [
        "Nope"
    ]
    assert handler_broker.ask(ListTransactionsRequest(transactional_id_pattern="([")).error_code == 128
    # Kafka answers 16 (not coordinator) where a partition of its own topic does not exist yet, else 105.
    states = handler_broker.ask(DescribeTransactionsRequest(transactional_ids=["a", ""])).transaction_states
    assert [(s.transactional_id, s.error_code) for s in states] == [("a", 105), ("", 42)]


@pytest.mark.parametrize(
    ("version", "types", "resources"),
    [
        (1, [], [("1", 4), ("1", 8), ("t2", 2)]),
        (1, [2], [("t2", 2)]),
        (1, [4, 8, 16, 32], [("1", 4), ("1", 8)]),
        (0, [], []),
    ],
)
def test_topics_and_this_broker_have_configs(handler_broker, t2, version, types, resources):
    answer = handler_broker.ask(ListConfigResourcesRequest(resource_types=types), version)
    assert [(r.resource_name, r.resource_type) for r in answer.config_resources] == resources


@pytest.mark.parametrize("resource_type", [0, 99])
def test_an_unknown_resource_type_is_refused(handler_broker, resource_type):
    answer = handler_broker.ask(ListConfigResourcesRequest(resource_types=[resource_type]))
    assert (answer.error_code, answer.config_resources) == (35, [])


@pytest.mark.parametrize(
    ("feature", "level", "upgrade_type", "message"),
    [
        ("metadata.version", 30, 1, None),
        ("nope", 1, 1, "Invalid update version 1 for feature nope. Local controller 1 does not support this feature."),
        (
            "metadata.version",
            31,
            1,
            "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions 7-30",
        ),
        (
            "metadata.version",
            30,
            9,
            "Invalid update version 30 for feature metadata.version. "
            "The controller does not support the given upgrade type.",
        ),
        (
            "metadata.version",
            7,
            2,
            "Invalid update version 7 for feature metadata.version. "
            "Refusing to perform the requested downgrade from 30.",
        ),
    ],
)
def test_features_stay_as_they_are(handler_broker, feature, level, upgrade_type, message):
    update = FeatureUpdateKey(feature=feature, max_version_level=level, upgrade_type=upgrade_type)
    answer = handler_broker.ask(UpdateFeaturesRequest(feature_updates=[update]))
    if message is None:
        assert (answer.error_code, answer.error_message) == (0, None)
    else:
        prefix = "The update failed for all features since the following feature had an error: "
        assert (answer.error_code, answer.error_message) == (95, prefix + message)
