import base64
from collections.abc import Sequence

import httpx
import pytest

from app.kafka.partitioner import partition_of_key
from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest.v2 import produce
from broker.errors import (
    KafkaError,
    MessageTooLarge,
    NotEnoughReplicas,
    SaslAuthenticationFailed,
    TopicAuthorizationFailed,
)
from tests.memory_cluster import MemoryCluster

JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}
BINARY = {"Content-Type": "application/vnd.kafka.binary.v2+json"}


def values(cluster: MemoryCluster, topic: str = "single", partition: int = 0) -> list[bytes | None]:
    return [record.value for record in cluster.topics[topic].partitions[partition].records]


async def post(client: httpx.AsyncClient, body: str | bytes, headers: dict[str, str], topic: str = "single") -> object:
    answer = await client.post(f"/topics/{topic}", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    return answer.json()


async def test_records_are_answered_with_partition_and_offset(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    body = await post(client, '{"records":[{"value":"a"},{"value":"b"}]}', JSON)
    assert body == {
        "key_schema_id": None,
        "value_schema_id": None,
        "offsets": [
            {"partition": 0, "offset": 0, "error_code": None, "error": None},
            {"partition": 0, "offset": 1, "error_code": None, "error": None},
        ],
    }
    assert values(cluster) == [b'"a"', b'"b"']


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ('{"a": 1,\n\t"b" : [ ] }', b'{"a":1,"b":[]}'),
        ('"a  b\\n"', b'"a  b\\n"'),
        ("12345678901234567890123456789", b"12345678901234567890123456789"),
        ("1.10", b"1.10"),
        ("1e400", b"1e400"),
        ('"ä€"', '"ä€"'.encode()),
        ('"\\ud83d\\ude00"', b'"\\ud83d\\ude00"'),
        ("null", None),
        ("false", b"false"),
        ('""', b'""'),
    ],
)
async def test_json_is_stored_as_written_without_blanks(
    client: httpx.AsyncClient, cluster: MemoryCluster, sent: str, stored: bytes | None
) -> None:
    await post(client, f'{{"records":[{{"value":{sent}}}]}}', JSON)
    assert values(cluster) == [stored]


async def test_binary_is_stored_decoded(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    value = base64.b64encode(bytes(range(256))).decode()
    await post(client, f'{{"records":[{{"key":"aGk=","value":"{value}"}},{{"key":null,"value":null}},{{}}]}}', BINARY)
    records = cluster.topics["single"].partitions[0].records
    assert [(record.key, record.value) for record in records] == [
        (b"hi", bytes(range(256))),
        (None, None),
        (None, None),
    ]


async def test_a_missing_value_is_a_tombstone(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await post(client, '{"records":[{"key":"k"}]}', JSON)
    record = cluster.topics["single"].partitions[0].records[0]
    assert (record.key, record.value) == (b'"k"', None)


async def test_unknown_fields_are_ignored(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await post(client, '{"records":[{"value":1,"other":{"x":[]}}],"more":2}', JSON)
    assert values(cluster) == [b"1"]


async def test_keys_choose_partitions_as_javas_producer_does(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    keys = [f'"k{number}"' for number in range(20)]
    records = ",".join(f'{{"key":{key},"value":1}}' for key in keys)
    body = await post(client, f'{{"records":[{records}]}}', JSON, "orders")
    partitions = [entry["partition"] for entry in body["offsets"]]  # type: ignore[index]
    assert partitions == [partition_of_key(key.encode(), 3) for key in keys]


async def test_offsets_stand_in_request_order_over_partitions(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    records = ",".join(f'{{"partition":{number % 3},"value":{number}}}' for number in range(7))
    body = await post(client, f'{{"records":[{records}]}}', JSON, "orders")
    entries = [(entry["partition"], entry["offset"]) for entry in body["offsets"]]  # type: ignore[index]
    assert entries == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2)]
    assert values(cluster, "orders", 0) == [b"0", b"3", b"6"]


async def test_records_without_key_stay_together(client: httpx.AsyncClient) -> None:
    body = await post(client, '{"records":[{"value":1},{"value":2},{"value":3}]}', JSON, "orders")
    assert len({entry["partition"] for entry in body["offsets"]}) == 1  # type: ignore[index]


async def test_the_paths_partition_is_for_records_without_their_own(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    content = '{"records":[{"value":1,"key":"k"},{"value":2,"partition":0}]}'
    answer = await client.post("/topics/orders/partitions/2", content=content, headers=JSON)
    assert [entry["partition"] for entry in answer.json()["offsets"]] == [2, 0]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/topics/nope", 404, 40401),
        ("/topics/nope/partitions/0", 404, 40401),
        ("/topics/orders/partitions/3", 404, 40402),
        ("/topics/orders/partitions/-1", 404, 40402),
        ("/topics/orders/partitions/x", 404, 404),
    ],
)
async def test_a_place_that_is_not_there_fails_the_request(
    client: httpx.AsyncClient, path: str, status: int, code: int
) -> None:
    answer = await client.post(path, content='{"records":[{"value":1}]}', headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"{", 400),
        (b"[]", 400),
        (b'{"records":[{"value":1}]} x', 400),
        (b'{"records":[{"value":"\xff"}]}', 400),
        (b'{"records":[{"value":"\\ud800"}]}', 400),
        (b'{"records":[{"value":nan}]}', 400),
        (b'{"records":[{"value":' + b"[" * 5000 + b"]" * 5000 + b"}]}", 400),
        (b'{"records":"x"}', 400),
        (b'{"records":[1]}', 400),
        (b'{"records":[{"value":1,"partition":"x"}]}', 400),
        (b"{}", 422),
        (b'{"records":null}', 422),
        (b'{"records":[]}', 422),
        (b'{"records":[{"value":1,"partition":-1}]}', 422),
    ],
)
async def test_a_wrong_body_fails_the_request(
    client: httpx.AsyncClient, cluster: MemoryCluster, body: bytes, status: int
) -> None:
    answer = await client.post("/topics/single", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (status, status)
    assert values(cluster) == []


@pytest.mark.parametrize("value", ['"a"', '"!!!!"', '"YQ"', "1", "{}"])
async def test_what_is_no_base64_fails_the_request(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.post("/topics/single", content=f'{{"records":[{{"value":{value}}}]}}', headers=BINARY)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


@pytest.mark.parametrize("embedded", ["avro", "jsonschema", "protobuf"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"records":[{"value":1}]}', 422, 42202),
        ('{"records":[{"key":1,"value":1}],"value_schema_id":1}', 422, 42201),
        ('{"records":[]}', 422, 422),
        ('{"records":[{"value":1}],"value_schema":"\\"int\\""}', 408, 40801),
        ('{"records":[{"key":1,"value":1}],"value_schema_id":1,"key_schema_id":2}', 408, 40801),
    ],
)
async def test_formats_with_schemas_need_a_registry(
    client: httpx.AsyncClient, embedded: str, body: str, status: int, code: int
) -> None:
    headers = {"Content-Type": f"application/vnd.kafka.{embedded}.v2+json"}
    answer = await client.post("/topics/single", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def failing(cluster: MemoryCluster, error: Exception, *, partition: int) -> object:
    async def append(topic: str, number: int, records: Sequence[RecordToSend]) -> Sequence[int]:
        if number == partition:
            raise error
        first = cluster.produce(topic, number, *records)
        return range(first, first + len(records))

    return append


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SaslAuthenticationFailed("no"), 401, 40101),
        (TopicAuthorizationFailed("no"), 403, 40301),
        (NotEnoughReplicas("no"), 200, 50003),
        (MessageTooLarge("no"), 200, 50002),
        (ClusterUnreachable("no"), 200, 50003),
    ],
)
async def test_an_error_of_some_records_stands_in_their_entries(
    client: httpx.AsyncClient,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
    error: KafkaError,
    status: int,
    code: int,
) -> None:
    monkeypatch.setattr(cluster, "append", failing(cluster, error, partition=1))
    content = '{"records":[{"partition":0,"value":1},{"partition":1,"value":2},{"partition":0,"value":3}]}'
    answer = await client.post("/topics/orders", content=content, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["offsets"] == [
        {"partition": 0, "offset": 0, "error_code": None, "error": None},
        {"partition": None, "offset": None, "error_code": code, "error": "no"},
        {"partition": 0, "offset": 1, "error_code": None, "error": None},
    ]


async def test_a_partition_beyond_the_last_is_an_error_of_its_record(client: httpx.AsyncClient) -> None:
    content = '{"records":[{"partition":9,"value":1},{"partition":1,"value":2}]}'
    answer = await client.post("/topics/orders", content=content, headers=JSON)
    assert answer.status_code == 200
    assert [entry["error_code"] for entry in answer.json()["offsets"]] == [50003, None]


async def test_a_cluster_that_takes_nothing_is_a_503(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "append", failing(cluster, ClusterUnreachable("gone"), partition=0))
    answer = await client.post("/topics/single", content='{"records":[{"value":1}]}', headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50302)


# --- large requests, which go out in slices ------------------------------------------------------------------------


@pytest.fixture
def in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of a few records."""
    monkeypatch.setattr(produce, "SLICE_BYTES", 100)


@pytest.mark.usefixtures("in_slices")
async def test_a_large_request_for_one_partition_is_answered_in_one_piece(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    records = ",".join(f'{{"value":{number}}}' for number in range(40))
    body = await post(client, f'{{"records":[{records}]}}', JSON)
    entries = [(entry["partition"], entry["offset"]) for entry in body["offsets"]]  # type: ignore[index]
    assert entries == [(0, offset) for offset in range(40)]
    assert values(cluster) == [b"%d" % number for number in range(40)]
    assert cluster.calls.count("append") > 5


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("place", ['"partition":{0}', '"key":"{0}"'])
async def test_the_entries_of_a_large_request_say_where_each_record_is(
    client: httpx.AsyncClient, cluster: MemoryCluster, place: str
) -> None:
    records = ",".join(f'{{"value":{number},{place.format(number % 3)}}}' for number in range(40))
    body = await post(client, f'{{"records":[{records}]}}', JSON, "orders")
    found = [
        values(cluster, "orders", entry["partition"])[entry["offset"]]
        for entry in body["offsets"]  # type: ignore[index]
    ]
    assert found == [b"%d" % number for number in range(40)]


@pytest.mark.usefixtures("in_slices")
async def test_a_large_request_stops_where_the_cluster_is_gone(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def append(topic: str, number: int, records: Sequence[RecordToSend]) -> Sequence[int]:
        asked.append(len(records))
        if len(asked) > 2:
            raise ClusterUnreachable("gone")
        first = cluster.produce(topic, number, *records)
        return range(first, first + len(records))

    monkeypatch.setattr(cluster, "append", append)
    records = ",".join(f'{{"value":{number}}}' for number in range(40))
    answer = await client.post("/topics/single", content=f'{{"records":[{records}]}}', headers=JSON)
    entries = answer.json()["offsets"]
    written = len(values(cluster))
    assert 0 < written < 40
    assert [entry["offset"] for entry in entries] == [*range(written), *[None] * (40 - written)]
    assert {entry["error_code"] for entry in entries[written:]} == {50003}
    assert sum(asked) < 40


@pytest.mark.usefixtures("in_slices")
async def test_a_large_request_that_finds_no_cluster_is_a_503(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "append", failing(cluster, ClusterUnreachable("gone"), partition=0))
    records = ",".join(f'{{"value":{number}}}' for number in range(40))
    answer = await client.post("/topics/single", content=f'{{"records":[{records}]}}', headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50302)
