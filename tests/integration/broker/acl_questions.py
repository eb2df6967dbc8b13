"""What an unprivileged user is answered, request by request: the same questions for us and for a real Kafka.

`alice` may write and read the topic `acl-mine`, read the group `acl-group` and no more; `acl-hidden` is there too.
"""

from collections.abc import Callable, Iterator
from typing import Any

from broker.protocol.messages import (
    alter_client_quotas,
    alter_user_scram_credentials,
    create_acls,
    delete_acls,
    describe_acls,
    describe_client_quotas,
    describe_user_scram_credentials,
    incremental_alter_configs,
)
from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from broker.protocol.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.delete_groups import DeleteGroupsRequest
from broker.protocol.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from broker.protocol.messages.describe_cluster import DescribeClusterRequest
from broker.protocol.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from broker.protocol.messages.describe_groups import DescribeGroupsRequest
from broker.protocol.messages.describe_log_dirs import DescribeLogDirsRequest
from broker.protocol.messages.describe_producers import DescribeProducersRequest
from broker.protocol.messages.describe_producers import TopicRequest as ProducersTopic
from broker.protocol.messages.describe_quorum import DescribeQuorumRequest
from broker.protocol.messages.describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from broker.protocol.messages.describe_transactions import DescribeTransactionsRequest
from broker.protocol.messages.elect_leaders import ElectLeadersRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.find_coordinator import FindCoordinatorRequest
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.init_producer_id import InitProducerIdRequest
from broker.protocol.messages.join_group import JoinGroupRequest
from broker.protocol.messages.leave_group import LeaveGroupRequest
from broker.protocol.messages.list_config_resources import ListConfigResourcesRequest
from broker.protocol.messages.list_groups import ListGroupsRequest
from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from broker.protocol.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from broker.protocol.messages.list_transactions import ListTransactionsRequest
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from broker.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from broker.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from broker.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.messages.sync_group import SyncGroupRequest
from broker.protocol.messages.update_features import UpdateFeaturesRequest
from broker.protocol.primitives import Message
from tests.integration.broker.wire_client import WireClient, batch

MINE, HIDDEN, GROUP, OTHER_GROUP = "acl-mine", "acl-hidden", "acl-group", "acl-other-group"
TOPICS = (MINE, HIDDEN)

Codes = list[tuple[str, int]]
TOPIC, GROUP_TYPE, LITERAL, READ, WRITE, ALLOW = 2, 3, 3, 3, 4, 3


def prepare(admin: WireClient) -> None:
    """Make the topics and alice's ACLs."""
    admin.ask(CreateTopicsRequest(topics=[CreatableTopic(name, 1, 1) for name in TOPICS]), 5)
    allowed = [(TOPIC, MINE, READ), (TOPIC, MINE, WRITE), (GROUP_TYPE, GROUP, READ)]
    request = CreateAclsRequest(
        creations=[AclCreation(kind, name, LITERAL, "User:alice", "*", what, ALLOW) for kind, name, what in allowed]
    )
    assert all(result.error_code == 0 for result in admin.ask(request, 2).results)


def answers(alice: WireClient) -> Iterator[tuple[str, object]]:
    """Every question with what matters of its answer."""
    for name, request, version, look in _questions():
        yield name, look(alice.ask(request, version))


def _questions() -> Iterator[tuple[str, Message, int, Callable[[Any], object]]]:
    def per_partition(response: Any) -> Codes:
        return sorted(
            (getattr(topic, "name", None) or getattr(topic, "topic", ""), each.error_code)
            for topic in response.topics
            for each in topic.partitions
        )

    def code(response: Any) -> int:
        return response.error_code

    def named(*names: str) -> list[MetadataRequestTopic]:
        return [MetadataRequestTopic(name=name) for name in names]

    def of_metadata(response: Any) -> object:
        return [
            sorted((topic.name, topic.error_code, topic.topic_authorized_operations) for topic in response.topics),
            response.cluster_authorized_operations,
        ]

    def data(name: str) -> TopicProduceData:
        return TopicProduceData(name=name, partition_data=[PartitionProduceData(0, batch(b"x"))])

    def of_produce(response: Any) -> Codes:
        return sorted(
            (topic.name, each.error_code) for topic in response.responses for each in topic.partition_responses
        )

    yield "metadata of all", MetadataRequest(topics=None), 12, of_metadata
    yield "metadata v0 of all", MetadataRequest(topics=[]), 0, of_metadata
    yield "metadata by name", MetadataRequest(topics=named(*TOPICS, "acl-none")), 12, of_metadata
    yield (
        "metadata with operations",
        MetadataRequest(
            topics=named(*TOPICS),
            include_topic_authorized_operations=True,
            include_cluster_authorized_operations=True,
        ),
        10,
        of_metadata,
    )
    yield "produce", ProduceRequest(acks=-1, timeout_ms=5000, topic_data=[data(each) for each in TOPICS]), 9, of_produce
    yield (
        "produce in a transaction",
        ProduceRequest(transactional_id="t", acks=-1, timeout_ms=5000, topic_data=[]),
        9,
        of_produce,
    )
    yield (
        "fetch",
        FetchRequest(topics=[FetchTopic(topic=each, partitions=[FetchPartition(0)]) for each in TOPICS]),
        11,
        lambda response: [
            response.session_id,
            sorted((topic.topic, each.error_code) for topic in response.responses for each in topic.partitions),
        ],
    )
    yield (
        "list offsets",
        ListOffsetsRequest(
            topics=[ListOffsetsTopic(each, [ListOffsetsPartition(timestamp=-1)]) for each in TOPICS], replica_id=-1
        ),
        6,
        per_partition,
    )
    yield (
        "offset for leader epoch",
        OffsetForLeaderEpochRequest(
            topics=[OffsetForLeaderTopic(each, [OffsetForLeaderPartition()]) for each in TOPICS], replica_id=-1
        ),
        4,
        per_partition,
    )
    for group in (GROUP, OTHER_GROUP):
        topics = [OffsetCommitRequestTopic(name=each, partitions=[OffsetCommitRequestPartition()]) for each in TOPICS]
        yield f"offset commit of {group}", OffsetCommitRequest(group_id=group, topics=topics), 8, per_partition
        asked = [OffsetFetchRequestTopics(name=each, partition_indexes=[0]) for each in TOPICS]
        for what, wanted in (("named", asked), ("all", None)):
            yield (
                f"offset fetch of {group} {what}",
                OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=wanted)]),
                8,
                lambda response: [(each.group_id, each.error_code, per_partition(each)) for each in response.groups],
            )
        yield f"find coordinator of {group}", FindCoordinatorRequest(key=group), 2, code
        yield f"heartbeat of {group}", HeartbeatRequest(group_id=group, generation_id=1, member_id="m"), 4, code
        yield f"sync of {group}", SyncGroupRequest(group_id=group, generation_id=1, member_id="m"), 3, code
        yield f"leave {group}", LeaveGroupRequest(group_id=group, member_id="m"), 1, code
        yield (
            f"offset delete of {group}",
            OffsetDeleteRequest(
                group_id=group,
                topics=[OffsetDeleteRequestTopic(each, [OffsetDeleteRequestPartition()]) for each in TOPICS],
            ),
            0,
            lambda response: [response.error_code, per_partition(response)],
        )
    yield "join", JoinGroupRequest(group_id=OTHER_GROUP, session_timeout_ms=10_000, protocol_type="consumer"), 5, code
    yield (
        "find coordinators",
        FindCoordinatorRequest(coordinator_keys=[GROUP, OTHER_GROUP]),
        4,
        lambda response: sorted((each.key, each.error_code, each.error_message) for each in response.coordinators),
    )
    yield (
        "find transaction coordinator",
        FindCoordinatorRequest(coordinator_keys=["t"], key_type=1),
        4,
        lambda response: [(each.key, each.error_code, each.node_id) for each in response.coordinators],
    )
    yield (
        "describe groups",
        DescribeGroupsRequest(groups=[GROUP, OTHER_GROUP], include_authorized_operations=True),
        5,
        lambda response: sorted(
            (each.group_id, each.error_code, each.authorized_operations) for each in response.groups
        ),
    )
    yield "list groups", ListGroupsRequest(), 4, lambda response: [each.group_id for each in response.groups]
    yield (
        "delete groups",
        DeleteGroupsRequest(groups_names=[GROUP, OTHER_GROUP]),
        2,
        lambda response: sorted((each.group_id, each.error_code) for each in response.results),
    )
    yield (
        "create topics",
        CreateTopicsRequest(topics=[CreatableTopic("acl-new", 1, 1)]),
        5,
        lambda response: [(each.name, each.error_code, each.error_message) for each in response.topics],
    )
    yield (
        "delete topics",
        DeleteTopicsRequest(topics=[DeleteTopicState(each) for each in (*TOPICS, "acl-none")], timeout_ms=5000),
        6,
        lambda response: sorted((each.name, each.error_code) for each in response.responses),
    )
    yield (
        "delete records",
        DeleteRecordsRequest(
            topics=[DeleteRecordsTopic(each, [DeleteRecordsPartition()]) for each in TOPICS], timeout_ms=1000
        ),
        2,
        per_partition,
    )
    yield (
        "create partitions",
        CreatePartitionsRequest(topics=[CreatePartitionsTopic(each, 2, None) for each in TOPICS], timeout_ms=1000),
        3,
        lambda response: sorted((each.name, each.error_code) for each in response.results),
    )
    yield (
        "describe topic partitions by name",
        DescribeTopicPartitionsRequest(topics=[TopicRequest(each) for each in (*TOPICS, "acl-none")]),
        0,
        lambda response: sorted(
            (each.name, each.error_code, each.topic_authorized_operations) for each in response.topics
        ),
    )
    yield (
        "describe topic partitions of all",
        DescribeTopicPartitionsRequest(topics=[]),
        0,
        lambda response: sorted((each.name, each.error_code) for each in response.topics),
    )
    yield (
        "describe configs",
        DescribeConfigsRequest(
            resources=[
                DescribeConfigsResource(2, MINE),
                DescribeConfigsResource(2, HIDDEN),
                DescribeConfigsResource(4, "1"),
            ]
        ),
        4,
        lambda response: sorted((each.resource_name, each.error_code, each.error_message) for each in response.results),
    )
    yield (
        "alter configs",
        incremental_alter_configs.IncrementalAlterConfigsRequest(
            resources=[
                incremental_alter_configs.AlterConfigsResource(kind, name, [])
                for kind, name in ((2, MINE), (2, HIDDEN), (4, "1"))
            ]
        ),
        1,
        lambda response: sorted(
            (each.resource_name, each.error_code, each.error_message) for each in response.responses
        ),
    )
    yield (
        "describe cluster",
        DescribeClusterRequest(include_cluster_authorized_operations=True),
        1,
        lambda response: [response.error_code, response.cluster_authorized_operations],
    )
    yield "describe log dirs", DescribeLogDirsRequest(topics=None), 4, code
    yield (
        "describe producers",
        DescribeProducersRequest(topics=[ProducersTopic(each, [0]) for each in TOPICS]),
        0,
        per_partition,
    )
    yield "describe quorum", DescribeQuorumRequest(), 1, code
    yield (
        "describe transactions",
        DescribeTransactionsRequest(transactional_ids=["t"]),
        0,
        lambda response: [(each.transactional_id, each.error_code) for each in response.transaction_states],
    )
    yield "list transactions", ListTransactionsRequest(), 0, code
    yield "elect leaders", ElectLeadersRequest(topic_partitions=None), 2, code
    yield "list reassignments", ListPartitionReassignmentsRequest(), 0, code
    yield "update features", UpdateFeaturesRequest(), 1, code
    yield "list config resources", ListConfigResourcesRequest(resource_types=[2]), 1, code
    yield "init producer id", InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4, code
    yield "init transactions", InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=1000), 4, code
    yield (
        "describe acls",
        describe_acls.DescribeAclsRequest(1, None, 1, None, None, 1, 1),
        2,
        lambda response: [response.error_code, len(response.resources)],
    )
    yield (
        "create acls",
        create_acls.CreateAclsRequest(creations=[AclCreation(2, "x", 3, "User:alice", "*", 3, 3)]),
        2,
        lambda response: [each.error_code for each in response.results],
    )
    yield (
        "delete acls",
        delete_acls.DeleteAclsRequest(filters=[delete_acls.DeleteAclsFilter(1, None, 1, None, None, 1, 1)]),
        2,
        lambda response: [each.error_code for each in response.filter_results],
    )
    yield "describe quotas", describe_client_quotas.DescribeClientQuotasRequest(), 1, code
    entity = [alter_client_quotas.EntityData("user", "alice")]
    entry = alter_client_quotas.RequestEntryData(entity, [alter_client_quotas.OpData("producer_byte_rate", 1.0, False)])
    yield (
        "alter quotas",
        alter_client_quotas.AlterClientQuotasRequest(entries=[entry]),
        1,
        lambda response: [each.error_code for each in response.entries],
    )
    yield (
        "describe scram users",
        describe_user_scram_credentials.DescribeUserScramCredentialsRequest(users=None),
        0,
        code,
    )
    yield (
        "alter scram users",
        alter_user_scram_credentials.AlterUserScramCredentialsRequest(
            upsertions=[alter_user_scram_credentials.ScramCredentialUpsertion("alice", 1, 4096, b"salt", b"x" * 32)]
        ),
        0,
        lambda response: [each.error_code for each in response.results],
    )
