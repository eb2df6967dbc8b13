"""ACLs over REST: words and numbers, the query as a filter, and what is refused."""

import httpx
import pytest

from app.kafka.acls import AclOperation, AclResourceType, operations_of
from tests.memory_cluster import MemoryCluster

BASE = "http://rest.example:8082/v3/clusters/c-1/acls"
PATH = "/v3/clusters/c-1/acls"
READ = {
    "resource_type": "TOPIC",
    "resource_name": "orders ",
    "pattern_type": "PREFIXED",
    "principal": "User:ada",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}


@pytest.fixture(autouse=True)
async def two_acls(client: httpx.AsyncClient) -> None:
    other = {**READ, "resource_type": "group", "resource_name": "g", "pattern_type": "literal", "operation": "all"}
    answer = await client.post(f"{PATH}:batch", json={"data": [READ, other]})
    assert (answer.status_code, answer.content, answer.headers["location"]) == (201, b"", BASE)


async def test_an_acl_is_told_by_the_query_that_finds_it(client: httpx.AsyncClient) -> None:
    url = (
        f"{BASE}?resource_type=TOPIC&resource_name=orders%20&pattern_type=PREFIXED&principal=User:ada&host=*"
        "&operation=READ&permission=ALLOW"
    )
    answer = await client.get(url)
    assert answer.json() == {
        "kind": "KafkaAclList",
        "metadata": {"self": url, "next": None},
        "data": [{"kind": "KafkaAcl", "metadata": {"self": url}, "cluster_id": "c-1", **READ}],
    }
    assert list(answer.json()["data"][0])[2:] == ["cluster_id", *READ]
    made = await client.post(PATH, json=READ)
    assert (made.status_code, made.content, made.headers["location"]) == (201, b"", url)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("principal=User:ada", 2),
        ("principal=User:bob", 0),
        ("resource_type=topic", 1),
        ("resource_type=any&operation=all", 1),
        ("pattern_type=match&resource_name=orders of today", 1),
        ("pattern_type=MATCH&resource_name=g", 1),
    ],
)
async def test_what_the_query_leaves_out_may_be_anything(client: httpx.AsyncClient, query: str, count: int) -> None:
    answer = await client.get(f"{PATH}?{query}")
    assert (answer.status_code, len(answer.json()["data"])) == (200, count)


@pytest.mark.parametrize(
    "query",
    ["resource_type=UNKNOWN", "pattern_type=LIKE", "operation=EAT", "permission=unknown"],
)
async def test_a_word_that_is_none_is_400(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


async def test_deleting_answers_what_was_deleted(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    query = "resource_type=TOPIC&pattern_type=ANY&operation=ANY&permission=ANY"
    answer = await client.delete(f"{PATH}?{query}")
    assert answer.status_code == 200
    assert [one["resource_name"] for one in answer.json()["data"]] == ["orders "]
    assert list(answer.json()) == ["data"]
    assert [acl.resource_type for acl in cluster.acls.acls] == [AclResourceType.GROUP]


@pytest.mark.parametrize("missing", ["resource_type", "pattern_type", "operation", "permission"])
async def test_deleting_must_say_what(client: httpx.AsyncClient, cluster: MemoryCluster, missing: str) -> None:
    query = {name: "ANY" for name in ("resource_type", "pattern_type", "operation", "permission") if name != missing}
    answer = await client.delete(PATH, params=query)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert missing in answer.json()["message"]
    assert len(cluster.acls.acls) == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"resource_type": None}, 422),
        ({"resource_name": ""}, 422),
        ({"principal": None}, 422),
        ({"host": None}, 422),
        ({"permission": None}, 422),
        ({"pattern_type": "MATCH"}, 400),
        ({"operation": "ANY"}, 400),
        ({"operation": "EAT"}, 400),
        ({"resource_type": 5}, 400),
    ],
)
async def test_what_is_no_acl_is_refused(
    client: httpx.AsyncClient, cluster: MemoryCluster, change: dict[str, object], status: int
) -> None:
    for path, body in ((PATH, {**READ, **change}), (f"{PATH}:batch", {"data": [READ, {**READ, **change}]})):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (status, status)
    assert len(cluster.acls.acls) == 2


async def test_a_batch_of_nothing_is_422(client: httpx.AsyncClient) -> None:
    for body in ({}, {"data": []}):
        answer = await client.post(f"{PATH}:batch", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (422, 422)


async def test_without_an_authorizer_kafka_refuses(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.acls.has_authorizer = False
    answer = await client.get(PATH)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 40002)


def test_a_number_that_only_a_newer_broker_knows_is_unknown() -> None:
    assert AclOperation(99) is AclOperation.UNKNOWN
    assert operations_of(0b1000_0000_1000) == (AclOperation.READ, AclOperation.ALTER_CONFIGS)
    assert operations_of(-2147483648) == ()
