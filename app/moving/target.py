"""What the other Kafka is asked and told that `app.kafka.admin` has no call for: ACLs, quotas, share groups' offsets,
and transactions that nobody can end.

Values are those of the plan; a refusal is raised as its KafkaError, a cluster that is away as ClusterUnreachable.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.kafka.answers import raise_for
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import TopicPartition
from app.kafka.requests import ClusterRequests, grouped
from app.moving.plan import OpenTransaction, PlannedAcl, PlannedQuota
from broker.errors import GroupIdNotFound
from broker.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
    RequestEntryData,
)
from broker.protocol.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
    AlterShareGroupOffsetsResponse,
)
from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from broker.protocol.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from broker.protocol.messages.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from broker.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    ProducerState,
    TopicRequest,
)
from broker.protocol.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
)
from broker.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

ANY = 1  # of every enum of DescribeAcls

Entity = frozenset[tuple[str, str | None]]
"""Types and names of whom a quota is for; the name None is the default of the type."""


class Target:
    """The cluster that is moved to."""

    def __init__(self, bootstrap_servers: str, settings: ConnectionSettings) -> None:
        self._cluster = ClusterRequests(bootstrap_servers, settings)

    async def close(self) -> None:
        await self._cluster.connections.close()

    # --- ACLs and quotas -------------------------------------------------------------------------------------------

    async def acls(self) -> frozenset[PlannedAcl]:
        """All there are. Raises SecurityDisabled where there is no authorizer."""
        request = DescribeAclsRequest(
            resource_type_filter=ANY,
            resource_name_filter=None,
            pattern_type_filter=ANY,
            principal_filter=None,
            host_filter=None,
            operation=ANY,
            permission_type=ANY,
        )
        answer = await self._cluster.ask(request, DescribeAclsResponse)
        raise_for(answer.error_code, answer.error_message)
        return frozenset(
            PlannedAcl(
                resource.resource_type,
                resource.resource_name,
                resource.pattern_type,
                acl.principal,
                acl.host,
                acl.operation,
                acl.permission_type,
            )
            for resource in answer.resources
            for acl in resource.acls
        )

    async def create_acls(self, acls: Iterable[PlannedAcl]) -> None:
        creations = [
            AclCreation(
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                resource_pattern_type=acl.pattern_type,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
            for acl in acls
        ]
        answer = await self._cluster.ask_controller(
            CreateAclsRequest(creations=creations), CreateAclsResponse, lambda one: one.results[0].error_code
        )
        for result in answer.results:
            raise_for(result.error_code, result.error_message)

    async def quotas(self) -> dict[Entity, dict[str, float]]:
        answer = await self._cluster.ask(DescribeClientQuotasRequest(), DescribeClientQuotasResponse)
        raise_for(answer.error_code, answer.error_message)
        return {
            frozenset((one.entity_type, one.entity_name) for one in entry.entity): {
                value.key: value.value for value in entry.values
            }
            for entry in answer.entries or ()
        }

    async def set_quotas(self, quotas: Iterable[PlannedQuota]) -> None:
        entries = [
            RequestEntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in quota.entity.items()],
                ops=[OpData(key=key, value=value) for key, value in quota.values.items()],
            )
            for quota in quotas
        ]
        answer = await self._cluster.ask_controller(
            AlterClientQuotasRequest(entries=entries), AlterClientQuotasResponse, lambda one: one.entries[0].error_code
        )
        for entry in answer.entries:
            raise_for(entry.error_code, entry.error_message)

    # --- share groups ----------------------------------------------------------------------------------------------

    async def share_starts(self, group_id: str) -> dict[TopicPartition, int]:
        """Where a share group stands; {} for a group that is not there. Raises UnsupportedVersion before Kafka 4.1."""

        async def ask_at(node_id: int, group_ids: Sequence[str]) -> dict[str, dict[TopicPartition, int]]:
            groups = [DescribeShareGroupOffsetsRequestGroup(group_id=one, topics=None) for one in group_ids]
            answer = await self._cluster.ask(
                DescribeShareGroupOffsetsRequest(groups=groups), DescribeShareGroupOffsetsResponse, node_id=node_id
            )
            found: dict[str, dict[TopicPartition, int]] = {}
            for group in answer.groups:
                if group.error_code != GroupIdNotFound.code:
                    raise_for(group.error_code, group.error_message)
                found[group.group_id] = {
                    TopicPartition(topic.topic_name, one.partition_index): one.start_offset
                    for topic in group.topics
                    for one in topic.partitions
                    if not one.error_code and one.start_offset >= 0
                }
            return found

        return (await self._cluster.ask_coordinators([group_id], ask_at))[group_id]

    async def set_share_starts(self, group_id: str, starts: Mapping[TopicPartition, int]) -> None:
        """Let a share group without members go on from there; it is made if there is none. Raises NonEmptyGroup."""
        topics = [
            AlterShareGroupOffsetsRequestTopic(
                topic_name=topic,
                partitions=[
                    AlterShareGroupOffsetsRequestPartition(partition_index=one.partition, start_offset=starts[one])
                    for one in partitions
                ],
            )
            for topic, partitions in grouped(starts, lambda one: one.topic).items()
        ]

        async def ask_at(node_id: int, group_ids: Sequence[str]) -> dict[str, None]:
            answer = await self._cluster.ask(
                AlterShareGroupOffsetsRequest(group_id=group_id, topics=topics),
                AlterShareGroupOffsetsResponse,
                node_id=node_id,
            )
            raise_for(answer.error_code, answer.error_message)
            for topic in answer.responses:
                for one in topic.partitions:
                    raise_for(one.error_code, one.error_message)
            return dict.fromkeys(group_ids)

        await self._cluster.ask_coordinators([group_id], ask_at)

    # --- transactions ----------------------------------------------------------------------------------------------

    async def abort(self, transaction: OpenTransaction) -> bool:
        """Write the marker that its coordinator never will; False when it has ended already."""
        partition = TopicPartition(transaction.topic, transaction.partition)

        async def attempt() -> bool:
            (leader_id,) = await self._cluster.by_leader([partition])
            producer = await self._producer_of(transaction, leader_id)
            if producer is None:
                return False
            marker = WritableTxnMarker(
                producer_id=producer.producer_id,
                producer_epoch=producer.producer_epoch,
                topics=[WritableTxnMarkerTopic(name=transaction.topic, partition_indexes=[transaction.partition])],
                coordinator_epoch=max(0, producer.coordinator_epoch),
            )
            answer = await self._cluster.ask(
                WriteTxnMarkersRequest(markers=[marker]), WriteTxnMarkersResponse, node_id=leader_id
            )
            raise_for(answer.markers[0].topics[0].partitions[0].error_code, None)
            return True

        return await self._cluster.retry(attempt, partitions=[partition])

    async def _producer_of(self, transaction: OpenTransaction, leader_id: int) -> ProducerState | None:
        request = DescribeProducersRequest(topics=[TopicRequest(transaction.topic, [transaction.partition])])
        answer = await self._cluster.ask(request, DescribeProducersResponse, node_id=leader_id)
        partition = answer.topics[0].partitions[0]
        raise_for(partition.error_code, partition.error_message)
        return next(
            (one for one in partition.active_producers if one.current_txn_start_offset == transaction.first_offset),
            None,
        )
