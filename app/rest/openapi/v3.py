"""REST API v3, described."""

from typing import Any, Final

from app.kafka.acls import AclOperation, AclPatternType, AclPermission, AclResourceType
from app.rest.openapi import answers_v3 as answers
from app.rest.openapi.answers_v3 import list_of
from app.rest.openapi.described import Described, Parameter, Surface

_C: Final = "/v3/clusters/{cluster_id}"
_TOPIC: Final = f"{_C}/topics/{{topic}}"
_BROKER: Final = f"{_C}/brokers/{{broker_id}}"
_PARTITION: Final = f"{_TOPIC}/partitions/{{partition}}"
_GROUP: Final = f"{_C}/consumer-groups/{{group}}"
_CONSUMER: Final = f"{_GROUP}/consumers/{{consumer}}"
_SHARE: Final = f"{_C}/share-groups/{{group}}"

_VALUE: Final = {"value": "3600000"}
_ALTER: Final = {
    "data": [{"name": "retention.ms", "value": "3600000"}, {"name": "cleanup.policy", "operation": "DELETE"}]
}
_ACL: Final = {
    "resource_type": "TOPIC",
    "resource_name": "visits",
    "pattern_type": "LITERAL",
    "principal": "User:ada",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}
_RECORD: Final[dict[str, Any]] = {
    "key": {"type": "STRING", "data": "ada"},
    "value": {"type": "JSON", "data": {"page": "/"}},
}
_OFFSET_TYPE: Final = {"enum": ["earliest", "latest", "earliest_and_latest"]}
_MADE: Final = {"Location": "Address of what was created"}
_LIST_CONFIGS: Final = {
    "topic": list_of(answers.KafkaTopicConfig),
    "broker": list_of(answers.KafkaBrokerConfig),
    "cluster": list_of(answers.KafkaClusterConfig),
}


def _word(words: Any) -> dict[str, Any]:
    return {"enum": [name for name in words.__members__ if name != "UNKNOWN"]}


def _acl_query(*, required: bool) -> tuple[Parameter, ...]:
    return (
        Parameter("resource_type", _word(AclResourceType), "Kind of resource", required),
        Parameter("resource_name", str, "Name of the resource; any when left out"),
        Parameter("pattern_type", _word(AclPatternType), "How the name is meant", required),
        Parameter("principal", str, "`User:name`; any when left out"),
        Parameter("host", str, "Address of the client; any when left out"),
        Parameter("operation", _word(AclOperation), "What is done", required),
        Parameter("permission", _word(AclPermission), "Allowed or denied", required),
    )


_OPERATIONS_PARAMETER: Final = Parameter(
    "include_authorized_operations", bool, "Tell what the proxy's own user may do with the topic"
)


def _configs(owner: str, path: str, kind: Any) -> dict[str, Described]:
    return {
        f"GET {path}": Described(f"Configs of {owner}", {200: _LIST_CONFIGS[owner.split()[-1]]}),
        f"GET {path}/{{name}}": Described(f"A config of {owner}", {200: kind}),
        f"PUT {path}/{{name}}": Described(f"Set a config of {owner}", {204: None}, example=_VALUE),
        f"DELETE {path}/{{name}}": Described(f"Reset a config of {owner} to its default", {204: None}),
        f"POST {path}:alter": Described(f"Set and reset many configs of {owner}", {204: None}, example=_ALTER),
    }


SURFACE: Final = Surface(
    name="v3",
    description="REST API v3: the cluster as resources with kind, metadata and links; records as a stream.",
    error_media_types=("application/json",),
    operations={
        "GET /v3/clusters": Described("The clusters: one", {200: list_of(answers.KafkaCluster)}),
        f"GET {_C}": Described("The cluster", {200: answers.KafkaCluster}),
        f"GET {_C}/brokers": Described("Brokers", {200: list_of(answers.KafkaBroker)}),
        f"GET {_BROKER}": Described("A broker", {200: answers.KafkaBroker}),
        f"GET {_BROKER}/partition-replicas": Described(
            "Replicas that a broker holds", {200: list_of(answers.KafkaReplica)}
        ),
        f"GET {_C}/topics": Described(
            "Topics", {200: list_of(answers.KafkaTopic)}, parameters=(_OPERATIONS_PARAMETER,)
        ),
        f"POST {_C}/topics": Described(
            "Create a topic, or check whether it could be",
            {200: answers.KafkaTopic, 201: answers.KafkaTopic},
            example={"topic_name": "visits", "partitions_count": 3},
            headers=_MADE,
        ),
        f"GET {_TOPIC}": Described("A topic", {200: answers.KafkaTopic}, parameters=(_OPERATIONS_PARAMETER,)),
        f"PATCH {_TOPIC}": Described("Add partitions", {200: answers.KafkaTopic}, example={"partitions_count": 6}),
        f"DELETE {_TOPIC}": Described("Delete a topic with its records", {204: None}),
        **_configs("a topic", f"{_TOPIC}/configs", answers.KafkaTopicConfig),
        **_configs("a broker", f"{_BROKER}/configs", answers.KafkaBrokerConfig),
        **_configs("the cluster", f"{_C}/broker-configs", answers.KafkaClusterConfig),
        f"GET {_C}/topics/-/configs": Described("Configs of all topics", {200: _LIST_CONFIGS["topic"]}),
        f"GET {_C}/brokers/-/configs": Described("Configs of all brokers", {200: _LIST_CONFIGS["broker"]}),
        f"POST {_C}/topics/-/configs:alter": Described(
            "Set and reset configs of many topics; all are checked before any is changed",
            {204: None},
            example={"data": [{"topic_name": "visits", "name": "retention.ms", "value": "3600000"}]},
        ),
        f"GET {_TOPIC}/partitions": Described("Partitions of a topic", {200: list_of(answers.KafkaPartition)}),
        f"GET {_PARTITION}": Described("A partition", {200: answers.KafkaPartition}),
        f"GET {_PARTITION}/offset": Described(
            "First and next offset of a partition",
            {200: list_of(answers.KafkaPartitionWithOffsets)},
            parameters=(Parameter("offset_type", _OFFSET_TYPE, "Which; both by default"),),
        ),
        f"GET {_PARTITION}/replicas": Described("Replicas of a partition", {200: list_of(answers.KafkaReplica)}),
        f"GET {_PARTITION}/replicas/{{broker_id}}": Described("A replica", {200: answers.KafkaReplica}),
        f"GET {_C}/topics/-/partitions/-/reassignment": Described(
            "Partitions on their way to other brokers", {200: list_of(answers.KafkaReassignment)}
        ),
        f"GET {_TOPIC}/partitions/-/reassignment": Described(
            "A topic's partitions on their way to other brokers", {200: list_of(answers.KafkaReassignment)}
        ),
        f"GET {_PARTITION}/reassignment": Described(
            "A partition's way to other brokers; 404 while there is none", {200: answers.KafkaReassignment}
        ),
        f"GET {_C}/acls": Described(
            "ACLs that the query finds", {200: list_of(answers.KafkaAcl)}, parameters=_acl_query(required=False)
        ),
        f"POST {_C}/acls": Described("Create an ACL", {201: None}, example=_ACL, headers=_MADE),
        f"POST {_C}/acls:batch": Described("Create ACLs", {201: None}, example={"data": [_ACL]}, headers=_MADE),
        f"DELETE {_C}/acls": Described(
            "Delete the ACLs that the query finds", {200: answers.DeletedAcls}, parameters=_acl_query(required=True)
        ),
        f"GET {_C}/consumer-groups": Described("Consumer groups", {200: list_of(answers.KafkaConsumerGroup)}),
        f"GET {_GROUP}": Described("A consumer group", {200: answers.KafkaConsumerGroup}),
        f"GET {_GROUP}/consumers": Described("Members of a group", {200: list_of(answers.KafkaConsumer)}),
        f"GET {_CONSUMER}": Described("A member of a group", {200: answers.KafkaConsumer}),
        f"GET {_CONSUMER}/assignments": Described(
            "Partitions that a member reads", {200: list_of(answers.KafkaConsumerAssignment)}
        ),
        f"GET {_CONSUMER}/assignments/{{topic}}/partitions/{{partition}}": Described(
            "A partition that a member reads", {200: answers.KafkaConsumerAssignment}
        ),
        f"GET {_GROUP}/lags": Described("How far a group is behind", {200: list_of(answers.KafkaConsumerLag)}),
        f"GET {_GROUP}/lags/{{topic}}/partitions/{{partition}}": Described(
            "How far a group is behind on one partition", {200: answers.KafkaConsumerLag}
        ),
        f"GET {_GROUP}/lag-summary": Described(
            "How far a group is behind in all", {200: answers.KafkaConsumerGroupLagSummary}
        ),
        f"GET {_C}/share-groups": Described("Share groups", {200: list_of(answers.KafkaShareGroup)}),
        f"GET {_SHARE}": Described("A share group", {200: answers.KafkaShareGroup}),
        f"GET {_SHARE}/consumers": Described(
            "Members of a share group", {200: list_of(answers.KafkaShareGroupConsumer)}
        ),
        f"GET {_SHARE}/consumers/{{consumer}}": Described(
            "A member of a share group", {200: answers.KafkaShareGroupConsumer}
        ),
        f"GET {_SHARE}/consumers/{{consumer}}/assignments": Described(
            "Partitions that a member of a share group reads", {200: list_of(answers.KafkaShareGroupConsumerAssignment)}
        ),
        f"POST {_TOPIC}/records": Described(
            "Append records: any number of JSON objects, a receipt for each while the request goes on",
            {200: answers.Receipt | answers.Failure},
            example=_RECORD,
        ),
        f"POST {_TOPIC}/records:batch": Described(
            "Append a few records at once, each with an id of yours",
            {207: answers.BatchReceipts},
            example={"entries": [{"id": "1", **_RECORD}]},
        ),
    },
)
