"""What every endpoint is called: in the lists of endpoints, in metrics, in the access log.

Where Confluent's proxy has the endpoint, the name is the one that its `api.endpoints.allowlist` and `…blocklist` take.
It tells embedded formats of v2 apart (`api.v2.consumers.consume-json`); ours are one endpoint.
"""

from collections.abc import Mapping
from typing import Final

_INSTANCE: Final = "/consumers/{group}/instances/{instance}"
_CLUSTER: Final = "/v3/clusters/{cluster_id}"
_TOPIC: Final = f"{_CLUSTER}/topics/{{topic}}"
_GROUP: Final = f"{_CLUSTER}/consumer-groups/{{group}}"
_SHARE_GROUP: Final = f"{_CLUSTER}/share-groups/{{group}}"
_BROKER: Final = f"{_CLUSTER}/brokers/{{broker_id}}"

NAMES: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "/"): "api.v2.root.get",
    ("POST", "/"): "api.v2.root.post",
    ("GET", "/brokers"): "api.v2.brokers.list",
    ("GET", "/topics"): "api.v2.topics.list",
    ("GET", "/topics/{topic}"): "api.v2.topics.get",
    ("GET", "/topics/{topic}/partitions"): "api.v2.partitions.list",
    ("GET", "/topics/{topic}/partitions/{partition}"): "api.v2.partitions.get",
    ("GET", "/topics/{topic}/partitions/{partition}/offsets"): "api.v2.partitions.get-offsets",
    ("POST", "/topics/{topic}"): "api.v2.produce-to-topic.produce",
    ("POST", "/topics/{topic}/partitions/{partition}"): "api.v2.produce-to-partition.produce",
    ("POST", "/consumers/{group}"): "api.v2.consumers.create",
    ("DELETE", _INSTANCE): "api.v2.consumers.delete",
    ("POST", f"{_INSTANCE}/subscription"): "api.v2.consumers.subscribe",
    ("GET", f"{_INSTANCE}/subscription"): "api.v2.consumers.get-subscription",
    ("DELETE", f"{_INSTANCE}/subscription"): "api.v2.consumers.unsubscribe",
    ("POST", f"{_INSTANCE}/assignments"): "api.v2.consumers.assign",
    ("GET", f"{_INSTANCE}/assignments"): "api.v2.consumers.get-assignments",
    ("POST", f"{_INSTANCE}/positions"): "api.v2.consumers.seek-to-offset",
    ("POST", f"{_INSTANCE}/positions/beginning"): "api.v2.consumers.seek-to-beginning",
    ("POST", f"{_INSTANCE}/positions/end"): "api.v2.consumers.seek-to-end",
    ("POST", f"{_INSTANCE}/offsets"): "api.v2.consumers.commit-offsets",
    ("GET", f"{_INSTANCE}/offsets"): "api.v2.consumers.get-committed-offsets",
    ("GET", f"{_INSTANCE}/records"): "api.v2.consumers.consume",
    ("GET", "/v3/clusters"): "api.v3.clusters.list",
    ("GET", _CLUSTER): "api.v3.clusters.get",
    ("GET", f"{_CLUSTER}/acls"): "api.v3.acls.list",
    ("POST", f"{_CLUSTER}/acls"): "api.v3.acls.create",
    ("POST", f"{_CLUSTER}/acls:batch"): "api.v3.acls.batch-create",
    ("DELETE", f"{_CLUSTER}/acls"): "api.v3.acls.delete",
    ("GET", f"{_CLUSTER}/broker-configs"): "api.v3.cluster-configs.list",
    ("GET", f"{_CLUSTER}/broker-configs/{{name}}"): "api.v3.cluster-configs.get",
    ("PUT", f"{_CLUSTER}/broker-configs/{{name}}"): "api.v3.cluster-configs.update",
    ("DELETE", f"{_CLUSTER}/broker-configs/{{name}}"): "api.v3.cluster-configs.delete",
    ("POST", f"{_CLUSTER}/broker-configs:alter"): "api.v3.cluster-configs.alter",
    ("GET", f"{_CLUSTER}/brokers"): "api.v3.brokers.list",
    ("GET", _BROKER): "api.v3.brokers.get",
    ("GET", f"{_CLUSTER}/brokers/-/configs"): "api.v3.brokers-configs.list",
    ("GET", f"{_BROKER}/configs"): "api.v3.broker-configs.list",
    ("GET", f"{_BROKER}/configs/{{name}}"): "api.v3.broker-configs.get",
    ("PUT", f"{_BROKER}/configs/{{name}}"): "api.v3.broker-configs.update",
    ("DELETE", f"{_BROKER}/configs/{{name}}"): "api.v3.broker-configs.delete",
    ("POST", f"{_BROKER}/configs:alter"): "api.v3.broker-configs.alter",
    ("GET", f"{_BROKER}/partition-replicas"): "api.v3.replicas.search-by-broker",
    ("GET", f"{_CLUSTER}/topics"): "api.v3.topics.list",
    ("POST", f"{_CLUSTER}/topics"): "api.v3.topics.create",
    ("GET", _TOPIC): "api.v3.topics.get",
    ("PATCH", _TOPIC): "api.v3.topics.update",
    ("DELETE", _TOPIC): "api.v3.topics.delete",
    ("GET", f"{_CLUSTER}/topics/-/configs"): "api.v3.topic-configs.list-all",
    ("POST", f"{_CLUSTER}/topics/-/configs:alter"): "api.v3.topic-configs.alter-multi",
    ("GET", f"{_TOPIC}/configs"): "api.v3.topic-configs.list",
    ("GET", f"{_TOPIC}/configs/{{name}}"): "api.v3.topic-configs.get",
    ("PUT", f"{_TOPIC}/configs/{{name}}"): "api.v3.topic-configs.update",
    ("DELETE", f"{_TOPIC}/configs/{{name}}"): "api.v3.topic-configs.delete",
    ("POST", f"{_TOPIC}/configs:alter"): "api.v3.topic-configs.alter",
    ("GET", f"{_TOPIC}/partitions"): "api.v3.partitions.list",
    ("GET", f"{_TOPIC}/partitions/{{partition}}"): "api.v3.partitions.get",
    ("GET", f"{_TOPIC}/partitions/{{partition}}/offset"): "api.v3.partitions.list.offsets",
    ("GET", f"{_TOPIC}/partitions/{{partition}}/replicas"): "api.v3.replicas.list",
    ("GET", f"{_TOPIC}/partitions/{{partition}}/replicas/{{broker_id}}"): "api.v3.replicas.get",
    ("GET", f"{_CLUSTER}/topics/-/partitions/-/reassignment"): "api.v3.partition-reassignments.list",
    ("GET", f"{_TOPIC}/partitions/-/reassignment"): "api.v3.partition-reassignments.search-by-topic",
    ("GET", f"{_TOPIC}/partitions/{{partition}}/reassignment"): "api.v3.partition-reassignments.get",
    ("POST", f"{_TOPIC}/records"): "api.v3.produce.produce-to-topic",
    ("POST", f"{_TOPIC}/records:batch"): "api.v3.batch-produce.produce-to-topic",
    ("GET", f"{_CLUSTER}/consumer-groups"): "api.v3.consumer-groups.list",
    ("GET", _GROUP): "api.v3.consumer-groups.get",
    ("GET", f"{_GROUP}/consumers"): "api.v3.consumers.list",
    ("GET", f"{_GROUP}/consumers/{{consumer}}"): "api.v3.consumers.get",
    ("GET", f"{_GROUP}/consumers/{{consumer}}/assignments"): "api.v3.consumer-assignments.list",
    (
        "GET",
        f"{_GROUP}/consumers/{{consumer}}/assignments/{{topic}}/partitions/{{partition}}",
    ): "api.v3.consumer-assignments.get",
    ("GET", f"{_GROUP}/lags"): "api.v3.consumer-lags.list",
    ("GET", f"{_GROUP}/lags/{{topic}}/partitions/{{partition}}"): "api.v3.consumer-lags.get",
    ("GET", f"{_GROUP}/lag-summary"): "api.v3.consumer-group-lag-summary.get",
    ("GET", f"{_CLUSTER}/share-groups"): "api.v3.share-groups.list",
    ("GET", _SHARE_GROUP): "api.v3.share-groups.get",
    ("GET", f"{_SHARE_GROUP}/consumers"): "api.v3.share-consumers.list",
    ("GET", f"{_SHARE_GROUP}/consumers/{{consumer}}"): "api.v3.share-consumers.get",
    ("GET", f"{_SHARE_GROUP}/consumers/{{consumer}}/assignments"): "api.v3.share-consumer-assignments.list",
    ("GET", "/caudal/v1/topics/{topic}/records"): "api.caudal.topics.read",
    ("GET", "/caudal/v1/groups/{group}/topics/{topic}/records"): "api.caudal.groups.read",
    ("POST", "/caudal/v1/groups/{group}/topics/{topic}/offsets"): "api.caudal.groups.commit",
}


def name_of(method: str, template: str, function_name: str) -> str:
    """The name of a route; one that is not in the table is called after its version and function."""
    name = NAMES.get((method, template))
    if name is not None:
        return name
    first = template.split("/", 2)[1]
    return f"api.{first if first in ('v3', 'caudal') else 'v2'}.{function_name.replace('_', '-')}"
