"""Every operation of v3, on our broker and on three of Apache Kafka. docs/rest-proxy.md names the test of each."""

import json
from collections.abc import Callable, Iterator

import pytest

from app.rest.app import V3_ROUTES
from broker.errors import CoordinatorLoadInProgress
from broker.protocol.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.conftest import wait_until
from tests.integration.broker.share_client import ShareClient
from tests.integration.broker.wire_client import WireClient
from tests.integration.rest.operations import Operations, proves
from tests.integration.rest.running_proxy import RunningProxy

BROKERS_MAX = 3
C = "/v3/clusters/{cluster_id}"
OPERATIONS = Operations(*V3_ROUTES)

# The keys of each kind after `kind` and `metadata`, in their order.
SHAPES = {
    "KafkaCluster": "cluster_id controller acls brokers broker_configs consumer_groups topics partition_reassignments",
    "KafkaBroker": "cluster_id broker_id host port rack configs partition_replicas",
    "KafkaBrokerConfig": "cluster_id broker_id name value is_default is_read_only is_sensitive source synonyms",
    "KafkaClusterConfig": "cluster_id config_type name value is_default is_read_only is_sensitive source synonyms",
    "KafkaTopicConfig": "cluster_id topic_name name value is_default is_read_only is_sensitive source synonyms",
    "KafkaTopic": "cluster_id topic_name is_internal replication_factor partitions_count partitions configs "
    "partition_reassignments authorized_operations",
    "KafkaPartition": "cluster_id topic_name partition_id leader replicas reassignment",
    "KafkaPartitionWithOffsets": "cluster_id topic_name partition_id earliest_offset latest_offset",
    "KafkaReplica": "cluster_id topic_name partition_id broker_id is_leader is_in_sync broker",
    "KafkaConsumerGroup": "cluster_id consumer_group_id is_simple partition_assignor state type "
    "is_mixed_consumer_group coordinator consumers lag_summary",
    "KafkaConsumer": "cluster_id consumer_group_id consumer_id instance_id client_id assignments",
    "KafkaConsumerAssignment": "cluster_id consumer_group_id consumer_id topic_name partition_id partition lag",
    "KafkaConsumerLag": "cluster_id consumer_group_id topic_name partition_id current_offset log_end_offset lag "
    "consumer_id instance_id client_id",
    "KafkaConsumerGroupLagSummary": "cluster_id consumer_group_id max_lag_consumer_id max_lag_instance_id "
    "max_lag_client_id max_lag_topic_name max_lag_partition_id max_lag total_lag max_lag_consumer max_lag_partition",
    "KafkaShareGroup": "cluster_id share_group_id state coordinator consumers consumer_count partition_count "
    "assigned_topic_partitions",
    "KafkaShareGroupConsumer": "cluster_id group_id consumer_id client_id assignments",
    "KafkaShareGroupConsumerAssignment": "cluster_id group_id consumer_id topic_name partition_id partition",
    "KafkaAcl": "cluster_id resource_type resource_name pattern_type principal host operation permission",
}


@pytest.fixture
def proxy(operations_proxy: RunningProxy) -> RunningProxy:
    return operations_proxy


@pytest.fixture(autouse=True)
def _proven(request: pytest.FixtureRequest, proxy: RunningProxy) -> Iterator[None]:
    with OPERATIONS.proven(proxy, request.function):
        yield


def await_everywhere(claim: Callable[[], object]) -> None:
    """Until it holds as many times as there are brokers: each question goes to the next one of them."""
    wait_until(lambda: all(claim() for _ in range(BROKERS_MAX)))


def get(proxy: RunningProxy, url: str) -> dict[str, object]:
    """A resource, whose shape is checked."""
    answer = proxy.http.get(url)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    check_shape(body)
    return body


def get_list(proxy: RunningProxy, url: str) -> list[dict[str, object]]:
    answer = proxy.http.get(url)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["kind", "metadata", "data"]
    assert (list(body["metadata"]), body["metadata"]["next"]) == (["self", "next"], None)
    found: list[dict[str, object]] = body["data"]
    for one in found:
        assert f"{one['kind']}List" == body["kind"]
        check_shape(one)
    return found


def check_shape(resource: dict[str, object]) -> None:
    assert list(resource) == ["kind", "metadata", *SHAPES[str(resource["kind"])].split()]


def related(resource: dict[str, object], relation: str) -> str:
    link = resource[relation]
    assert isinstance(link, dict)
    return str(link["related"])


def self_of(resource: dict[str, object]) -> str:
    metadata = resource["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["self"])


@proves("GET /v3/clusters", f"GET {C}")
def test_the_cluster_is_listed_and_found(proxy: RunningProxy) -> None:
    (cluster,) = get_list(proxy, "/v3/clusters")
    # KRaft names any of its brokers as the controller, another one each time.
    assert {**get(proxy, self_of(cluster)), "controller": cluster["controller"]} == cluster
    assert self_of(cluster).startswith(proxy.url)


@proves(f"GET {C}/brokers", f"GET {C}/brokers/{{broker_id}}", f"GET {C}/brokers/{{broker_id}}/partition-replicas")
def test_brokers_and_their_replicas_are_listed(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=2)
    brokers = get_list(proxy, f"{proxy.cluster_url()}/brokers")
    assert len({broker["broker_id"] for broker in brokers}) == len(brokers) == proxy.broker_count
    assert {f"{broker['host']}:{broker['port']}" for broker in brokers} == set(proxy.bootstrap_servers.split(","))
    leading: list[object] = []
    for broker in brokers:
        assert get(proxy, self_of(broker)) == broker
        replicas = get_list(proxy, related(broker, "partition_replicas"))
        of_topic = [one for one in replicas if one["topic_name"] == topic]
        assert [one["partition_id"] for one in of_topic] == [0, 1]
        assert {one["broker_id"] for one in of_topic} == {broker["broker_id"]}
        leading += [one["partition_id"] for one in of_topic if one["is_leader"]]
    assert sorted(leading, key=str) == [0, 1]


CONFIG = "log.cleaner.delete.retention.ms"


@proves(
    f"GET {C}/broker-configs",
    f"GET {C}/broker-configs/{{name}}",
    f"PUT {C}/broker-configs/{{name}}",
    f"DELETE {C}/broker-configs/{{name}}",
    f"POST {C}/broker-configs:alter",
)
def test_configs_of_the_cluster_are_set_altered_and_reset(proxy: RunningProxy) -> None:
    url = f"{proxy.cluster_url()}/broker-configs"
    set_and_reset(proxy, url, "DYNAMIC_DEFAULT_BROKER_CONFIG")
    await_everywhere(lambda: proxy.http.get(f"{url}/{CONFIG}").status_code == 404)
    assert CONFIG not in [one["name"] for one in get_list(proxy, url)]  # only what was set is listed


@proves(
    f"GET {C}/brokers/-/configs",
    f"GET {C}/brokers/{{broker_id}}/configs",
    f"GET {C}/brokers/{{broker_id}}/configs/{{name}}",
    f"PUT {C}/brokers/{{broker_id}}/configs/{{name}}",
    f"DELETE {C}/brokers/{{broker_id}}/configs/{{name}}",
    f"POST {C}/brokers/{{broker_id}}/configs:alter",
)
def test_configs_of_a_broker_are_set_altered_and_reset(proxy: RunningProxy) -> None:
    *others, broker = get_list(proxy, f"{proxy.cluster_url()}/brokers")
    url = related(broker, "configs")
    set_and_reset(proxy, url, "DYNAMIC_BROKER_CONFIG")
    wait_until(lambda: get(proxy, f"{url}/{CONFIG}")["is_default"])
    of_each = [get_list(proxy, related(one, "configs")) for one in (*others, broker)]
    assert get_list(proxy, f"{proxy.cluster_url()}/brokers/-/configs") == [one for found in of_each for one in found]


def set_and_reset(proxy: RunningProxy, url: str, source: str) -> None:
    """Each way to change the config CONFIG below this URL; it is reset at the end."""

    def is_told(value: str) -> bool:
        found = {one["name"]: one for one in get_list(proxy, url)}
        return CONFIG in found and (found[CONFIG]["value"], found[CONFIG]["source"]) == (value, source)

    assert proxy.http.put(f"{url}/{CONFIG}", json={"value": "1111"}).status_code == 204
    await_everywhere(lambda: is_told("1111"))
    assert get(proxy, f"{url}/{CONFIG}")["is_default"] is False
    data = [{"name": CONFIG, "value": "2222"}]
    assert proxy.http.post(f"{url}:alter", json={"data": data, "validate_only": True}).status_code == 204
    assert is_told("1111")
    assert proxy.http.post(f"{url}:alter", json={"data": data}).status_code == 204
    await_everywhere(lambda: is_told("2222"))
    wrong = proxy.http.put(f"{url}/{CONFIG}", json={"value": "soon"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (400, 40002)
    assert proxy.http.delete(f"{url}/{CONFIG}").status_code == 204
    await_everywhere(lambda: not is_told("2222"))


@proves(
    f"GET {C}/topics",
    f"POST {C}/topics",
    f"GET {C}/topics/{{topic}}",
    f"PATCH {C}/topics/{{topic}}",
    f"DELETE {C}/topics/{{topic}}",
)
def test_a_topic_is_created_listed_widened_and_deleted(proxy: RunningProxy, topic: str) -> None:
    topics = f"{proxy.cluster_url()}/topics"
    rehearsed = proxy.http.post(topics, json={"topic_name": topic, "partitions_count": 2, "validate_only": True})
    assert (rehearsed.status_code, rehearsed.json()["partitions_count"]) == (200, 2)
    assert topic not in [one["topic_name"] for one in get_list(proxy, topics)]
    brokers = [one["broker_id"] for one in get_list(proxy, f"{proxy.cluster_url()}/brokers")]
    places = {"0": brokers, "1": brokers[::-1]}
    created = proxy.http.post(topics, json={"topic_name": topic, "replicas_assignments": places})
    assert (created.status_code, created.headers["location"]) == (201, f"{topics}/{topic}")
    assert (created.json()["partitions_count"], created.json()["replication_factor"]) == (2, len(brokers))
    of_second = get_list(proxy, f"{topics}/{topic}/partitions/1/replicas")
    assert [one["broker_id"] for one in of_second] == places["1"]
    check_shape(created.json())
    names = [str(one["topic_name"]) for one in get_list(proxy, topics)]
    assert names == sorted(names)
    assert topic in names
    assert proxy.http.patch(f"{topics}/{topic}", json={"partitions_count": 3}).json()["partitions_count"] == 3
    asked = get(proxy, f"{topics}/{topic}?include_authorized_operations=true")["authorized_operations"]
    assert asked == ["READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]
    assert get(proxy, f"{topics}/{topic}")["authorized_operations"] == []
    assert proxy.http.delete(f"{topics}/{topic}").status_code == 204
    await_everywhere(lambda: proxy.http.get(f"{topics}/{topic}").status_code == 404)


@proves(
    f"GET {C}/topics/-/configs",
    f"GET {C}/topics/{{topic}}/configs",
    f"GET {C}/topics/{{topic}}/configs/{{name}}",
    f"PUT {C}/topics/{{topic}}/configs/{{name}}",
    f"DELETE {C}/topics/{{topic}}/configs/{{name}}",
    f"POST {C}/topics/{{topic}}/configs:alter",
    f"POST {C}/topics/-/configs:alter",
)
def test_configs_of_topics_are_set_altered_and_reset(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    proxy.create_topic(f"{topic}-2")
    url = f"{proxy.cluster_url()}/topics/{topic}/configs"

    def value(name: str, of: str = topic) -> object:
        return get(proxy, f"{proxy.cluster_url()}/topics/{of}/configs/{name}")["value"]

    assert [one["name"] for one in get_list(proxy, url)] == sorted(str(one["name"]) for one in get_list(proxy, url))
    assert proxy.http.put(f"{url}/retention.ms", json={"value": "1111"}).status_code == 204
    await_everywhere(lambda: value("retention.ms") == "1111")
    changes = [{"name": "retention.ms", "operation": "delete"}, {"name": "cleanup.policy", "value": "compact"}]
    assert proxy.http.post(f"{url}:alter", json={"data": changes}).status_code == 204
    await_everywhere(lambda: (value("retention.ms"), value("cleanup.policy")) == ("604800000", "compact"))
    assert proxy.http.delete(f"{url}/cleanup.policy").status_code == 204
    await_everywhere(lambda: value("cleanup.policy") == "delete")
    of_both = [{"topic_name": one, "name": "retention.ms", "value": "3333"} for one in (topic, f"{topic}-2")]
    everywhere = f"{proxy.cluster_url()}/topics/-/configs"
    assert proxy.http.post(f"{everywhere}:alter", json={"data": of_both}).status_code == 204
    await_everywhere(lambda: value("retention.ms") == value("retention.ms", f"{topic}-2") == "3333")
    told = {(one["topic_name"], one["value"]) for one in get_list(proxy, everywhere) if one["name"] == "retention.ms"}
    assert {(topic, "3333"), (f"{topic}-2", "3333")} <= told


@proves(
    f"GET {C}/topics/{{topic}}/partitions",
    f"GET {C}/topics/{{topic}}/partitions/{{partition}}",
    f"GET {C}/topics/{{topic}}/partitions/{{partition}}/offset",
    f"GET {C}/topics/{{topic}}/partitions/{{partition}}/replicas",
    f"GET {C}/topics/{{topic}}/partitions/{{partition}}/replicas/{{broker_id}}",
)
def test_partitions_offsets_and_replicas_are_told(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, *[{"partition": 1, "value": number} for number in range(3)])
    partitions = get_list(proxy, f"{proxy.cluster_url()}/topics/{topic}/partitions")
    assert [one["partition_id"] for one in partitions] == [0, 1]
    assert get(proxy, self_of(partitions[1])) == partitions[1]
    (offsets,) = get_list(proxy, f"{self_of(partitions[1])}/offset")
    assert (offsets["earliest_offset"], offsets["latest_offset"]) == (0, 3)
    latest = proxy.http.get(f"{self_of(partitions[1])}/offset?offset_type=latest").json()["data"][0]
    assert (latest["latest_offset"], "earliest_offset" in latest) == (3, False)
    replicas = get_list(proxy, related(partitions[1], "replicas"))
    assert len({one["broker_id"] for one in replicas}) == len(replicas) == proxy.broker_count
    assert [get(proxy, self_of(one)) for one in replicas] == replicas
    assert [get(proxy, related(partitions[1], "leader"))] == [one for one in replicas if one["is_leader"]]
    wait_until(lambda: all(one["is_in_sync"] for one in get_list(proxy, related(partitions[1], "replicas"))))


@proves(
    f"GET {C}/topics/-/partitions/-/reassignment",
    f"GET {C}/topics/{{topic}}/partitions/-/reassignment",
    refused=f"GET {C}/topics/{{topic}}/partitions/{{partition}}/reassignment",
)
def test_where_nothing_moves_there_are_no_reassignments(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    for name in ("-", topic):
        assert get_list(proxy, f"{proxy.cluster_url()}/topics/{name}/partitions/-/reassignment") == []
    answer = proxy.http.get(f"{proxy.cluster_url()}/topics/{topic}/partitions/0/reassignment")
    assert (answer.status_code, answer.json()) == (404, {"error_code": 404, "message": "HTTP 404 Not Found"})


@proves(
    f"GET {C}/consumer-groups",
    f"GET {C}/consumer-groups/{{group}}",
    f"GET {C}/consumer-groups/{{group}}/consumers",
    f"GET {C}/consumer-groups/{{group}}/consumers/{{consumer}}",
    f"GET {C}/consumer-groups/{{group}}/consumers/{{consumer}}/assignments",
    f"GET {C}/consumer-groups/{{group}}/consumers/{{consumer}}/assignments/{{topic}}/partitions/{{partition}}",
    f"GET {C}/consumer-groups/{{group}}/lags",
    f"GET {C}/consumer-groups/{{group}}/lags/{{topic}}/partitions/{{partition}}",
    f"GET {C}/consumer-groups/{{group}}/lag-summary",
)
def test_a_group_its_members_and_their_lags_are_told(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, *[{"partition": 1, "value": number} for number in range(5)])
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic).read()
        consumer.post("offsets", {"offsets": [{"topic": topic, "partition": 1, "offset": 1}]})
        groups = get_list(proxy, f"{proxy.cluster_url()}/consumer-groups")
        (found,) = [one for one in groups if one["consumer_group_id"] == group]
        assert get(proxy, self_of(found)) == found
        assert (found["state"], found["type"], found["is_simple"]) == ("STABLE", "CLASSIC", False)
        (member,) = get_list(proxy, related(found, "consumers"))
        assert get(proxy, self_of(member)) == member
        assignments = get_list(proxy, related(member, "assignments"))
        assert [one["partition_id"] for one in assignments] == [0, 1]
        assert get(proxy, self_of(assignments[1])) == assignments[1]
        (lag,) = get_list(proxy, f"{self_of(found)}/lags")
        assert get(proxy, related(assignments[1], "lag")) == lag
        assert (lag["current_offset"], lag["log_end_offset"], lag["lag"]) == (2, 5, 3)
        summary = get(proxy, related(found, "lag_summary"))
        assert (summary["max_lag"], summary["total_lag"], summary["max_lag_topic_name"]) == (3, 3, topic)


def coordinator_of(proxy: RunningProxy, group: str) -> str:
    """The address of the broker that coordinates this group."""

    def find() -> str:
        with WireClient(proxy.bootstrap_servers.split(",")[0]) as wire:
            answer = wire.ask(FindCoordinatorRequest(coordinator_keys=[group]), 4)
        assert isinstance(answer, FindCoordinatorResponse)
        (found,) = answer.coordinators
        return "" if found.error_code else f"{found.host}:{found.port}"

    return str(wait_until(find))


@proves(
    f"GET {C}/share-groups",
    f"GET {C}/share-groups/{{group}}",
    f"GET {C}/share-groups/{{group}}/consumers",
    f"GET {C}/share-groups/{{group}}/consumers/{{consumer}}",
    f"GET {C}/share-groups/{{group}}/consumers/{{consumer}}/assignments",
)
def test_a_share_group_and_its_members_are_told(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    member = ShareClient(coordinator_of(proxy, group), group, topic)
    try:
        epoch = 0

        def is_assigned() -> bool:
            nonlocal epoch
            answer = member.beat(epoch)
            if answer.error_code == CoordinatorLoadInProgress.code:
                return False
            assert answer.error_code == 0, answer
            epoch = answer.member_epoch
            told = proxy.http.get(f"{proxy.cluster_url()}/share-groups/{group}")
            return told.status_code == 200 and told.json()["partition_count"] == 1

        wait_until(is_assigned)
        (found,) = [
            one for one in get_list(proxy, f"{proxy.cluster_url()}/share-groups") if one["share_group_id"] == group
        ]
        assert get(proxy, self_of(found)) == found
        assert (found["state"], found["consumer_count"]) == ("STABLE", 1)
        (consumer,) = get_list(proxy, related(found, "consumers"))
        assert (consumer["consumer_id"], get(proxy, self_of(consumer))) == (member.member_id, consumer)
        (assignment,) = get_list(proxy, related(consumer, "assignments"))
        assert (assignment["topic_name"], assignment["partition_id"]) == (topic, 0)
        assert group not in [
            one["consumer_group_id"] for one in get_list(proxy, f"{proxy.cluster_url()}/consumer-groups")
        ]
        member.beat(-1)
    finally:
        member.close()


@proves(f"GET {C}/acls", f"POST {C}/acls", f"POST {C}/acls:batch", f"DELETE {C}/acls")
def test_acls_are_made_found_and_deleted(proxy: RunningProxy, topic: str) -> None:
    url = f"{proxy.cluster_url()}/acls"
    acl = {
        "resource_type": "TOPIC",
        "resource_name": topic,
        "pattern_type": "LITERAL",
        "principal": "User:ada",
        "host": "*",
        "operation": "READ",
        "permission": "ALLOW",
    }
    made = proxy.http.post(url, json=acl)
    assert (made.status_code, made.content) == (201, b"")
    found = wait_until(lambda: get_list(proxy, made.headers["location"]))
    assert found == [{"kind": "KafkaAcl", "metadata": {"self": made.headers["location"]}, **cluster_id(proxy), **acl}]
    others = [{**acl, "operation": "WRITE"}, {**acl, "resource_name": topic[:3], "pattern_type": "PREFIXED"}]
    assert proxy.http.post(f"{url}:batch", json={"data": others}).status_code == 201
    wait_until(lambda: len(get_list(proxy, f"{url}?resource_name={topic}&pattern_type=match")) == 3)
    assert len(get_list(proxy, f"{url}?resource_type=topic&resource_name={topic}&operation=write")) == 1
    kinds = "resource_type=topic&pattern_type=any&operation=any&permission=any"
    deleted = proxy.http.delete(f"{url}?principal=User:ada&{kinds}")
    assert (deleted.status_code, list(deleted.json())) == (200, ["data"])
    assert len(deleted.json()["data"]) == 3
    check_shape(deleted.json()["data"][0])
    wait_until(lambda: get_list(proxy, f"{url}?principal=User:ada") == [])


def cluster_id(proxy: RunningProxy) -> dict[str, str]:
    return {"cluster_id": proxy.cluster_url().rpartition("/")[2]}


@proves(f"POST {C}/topics/{{topic}}/records", f"POST {C}/topics/{{topic}}/records:batch")
def test_records_have_receipts_in_their_order(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=2)
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    record = {"partition_id": 1, "key": {"type": "STRING", "data": "k"}, "value": {"type": "JSON", "data": {"n": 1}}}
    body = (json.dumps({**record, "partition_id": number % 3}).encode() for number in range(6))
    answer = proxy.http.post(url, content=body, headers={"Content-Type": "application/json"})
    receipts = [json.loads(line) for line in answer.content.split(b"\r\n") if line]
    assert [one.get("offset") for one in receipts] == [0, 0, None, 1, 1, None]
    assert [one["error_code"] for one in receipts] == [200, 200, 40403, 200, 200, 40403]
    assert list(receipts[0]) == [
        "error_code",
        "cluster_id",
        "topic_name",
        "partition_id",
        "offset",
        "timestamp",
        "key",
        "value",
    ]
    assert (receipts[0]["key"], receipts[0]["value"]) == ({"type": "STRING", "size": 1}, {"type": "JSON", "size": 7})
    batch = proxy.http.post(f"{url}:batch", json={"entries": [{"id": "a", **record}, {"id": "b", "partition_id": 7}]})
    assert batch.status_code == 207
    assert [(one["id"], one["offset"]) for one in batch.json()["successes"]] == [("a", 2)]
    assert [(one["id"], one["error_code"]) for one in batch.json()["failures"]] == [("b", 40403)]
