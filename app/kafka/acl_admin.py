"""AclAdmin over the Kafka protocol: DescribeAcls, CreateAcls and DeleteAcls."""

from collections.abc import Sequence

from app.kafka.acls import Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType
from app.kafka.answers import raise_for
from app.kafka.requests import ClusterRequests
from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from broker.protocol.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from broker.protocol.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse


class KafkaAcls:
    """Any broker answers, and passes changes on to the controller."""

    def __init__(self, cluster: ClusterRequests) -> None:
        self._cluster = cluster

    async def find(self, wanted: AclFilter) -> tuple[Acl, ...]:
        request = DescribeAclsRequest(
            resource_type_filter=wanted.resource_type,
            resource_name_filter=wanted.resource_name,
            pattern_type_filter=wanted.pattern_type,
            principal_filter=wanted.principal,
            host_filter=wanted.host,
            operation=wanted.operation,
            permission_type=wanted.permission,
        )
        answer = await self._cluster.ask(request, DescribeAclsResponse)
        raise_for(answer.error_code, answer.error_message)
        return tuple(
            Acl(
                AclResourceType(resource.resource_type),
                resource.resource_name,
                AclPatternType(resource.pattern_type),
                acl.principal,
                acl.host,
                AclOperation(acl.operation),
                AclPermission(acl.permission_type),
            )
            for resource in answer.resources
            for acl in resource.acls
        )

    async def create(self, acls: Sequence[Acl]) -> None:
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
        answer = await self._cluster.ask(CreateAclsRequest(creations=creations), CreateAclsResponse)
        for result in answer.results:
            raise_for(result.error_code, result.error_message)

    async def delete(self, wanted: AclFilter) -> tuple[Acl, ...]:
        one = DeleteAclsFilter(
            resource_type_filter=wanted.resource_type,
            resource_name_filter=wanted.resource_name,
            pattern_type_filter=wanted.pattern_type,
            principal_filter=wanted.principal,
            host_filter=wanted.host,
            operation=wanted.operation,
            permission_type=wanted.permission,
        )
        answer = await self._cluster.ask(DeleteAclsRequest(filters=[one]), DeleteAclsResponse)
        result = answer.filter_results[0]
        raise_for(result.error_code, result.error_message)
        for acl in result.matching_acls:
            raise_for(acl.error_code, acl.error_message)
        return tuple(
            Acl(
                AclResourceType(acl.resource_type),
                acl.resource_name,
                AclPatternType(acl.pattern_type),
                acl.principal,
                acl.host,
                AclOperation(acl.operation),
                AclPermission(acl.permission_type),
            )
            for acl in result.matching_acls
        )
