import base64

import httpx
import pytest

from app.kafka.ports import ConsumedRecords, RecordToSend, TopicPartition
from app.rest import RestProxy
from app.rest.consumers import AUTO_COMMIT_INTERVAL_MS, RELEASE_MS
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster
from tests.unit.app.rest.memory_consumers import MemoryConsumers

TYPE = {"Content-Type": "application/vnd.kafka.v2+json"}
AS_JSON = {"Accept": "application/vnd.kafka.json.v2+json"}
AS_BINARY = {"Accept": "application/vnd.kafka.binary.v2+json"}
INSTANCE = "/consumers/g/instances/c"


async def post(client: httpx.AsyncClient, path: str, body: object = None) -> httpx.Response:
    return await client.post(path, json=body, headers=TYPE)


async def create(client: httpx.AsyncClient, **config: object) -> None:
    body = {"name": "c", "format": "json", "auto.offset.reset": "earliest", **config}
    answer = await post(client, "/consumers/g", body)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def reader(client: httpx.AsyncClient, cluster: MemoryCluster) -> httpx.AsyncClient:
    """A client whose instance follows topic single, with three records in it."""
    cluster.produce("single", 0, b'{"n":1}', b'{"n":2}', b'{"n":3}')
    await create(client)
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    return client


async def read(client: httpx.AsyncClient, query: str = "", headers: dict[str, str] = AS_JSON) -> list[object]:
    answer = await client.get(f"{INSTANCE}/records{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    records: list[object] = answer.json()
    return records


def code(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


# --- instances -----------------------------------------------------------------------------------------------------


async def test_an_instance_has_its_name_and_address(client: httpx.AsyncClient) -> None:
    answer = await post(client, "/consumers/g", {"name": "c"})
    assert answer.json() == {"instance_id": "c", "base_uri": "http://rest.example:8082/consumers/g/instances/c"}
    assert answer.headers["content-type"] == TYPE["Content-Type"]


async def test_the_id_wins_over_the_name(client: httpx.AsyncClient) -> None:
    answer = await post(client, "/consumers/g", {"name": "n", "id": "i"})
    assert answer.json()["instance_id"] == "i"


async def test_an_instance_without_name_gets_one(client: httpx.AsyncClient) -> None:
    answer = await client.post("/consumers/g")
    assert answer.json()["instance_id"].startswith("rest-consumer-")


async def test_odd_names_work_through_their_base_uri(client: httpx.AsyncClient) -> None:
    answer = await post(client, "/consumers/a%2Fb%20%C3%A4", {"name": "x/y ?"})
    assert answer.json()["base_uri"].endswith("/consumers/a%2Fb%20%C3%A4/instances/x%2Fy%20%3F")
    assert (await client.get(f"{answer.json()['base_uri']}/subscription")).json() == {"topics": []}


async def test_a_name_is_taken_only_once_in_a_group(client: httpx.AsyncClient) -> None:
    await create(client)
    assert code(await post(client, "/consumers/g", {"name": "c"})) == (409, 40902)
    assert (await post(client, "/consumers/other", {"name": "c"})).status_code == 200


async def test_there_are_only_so_many_instances(client: httpx.AsyncClient) -> None:
    for name in "abc":
        await post(client, "/consumers/g", {"name": name})
    assert code(await post(client, "/consumers/g", {"name": "d"})) == (503, 50301)
    await client.delete("/consumers/g/instances/a")
    assert (await post(client, "/consumers/g", {"name": "d"})).status_code == 200


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"format": "xml"}, (422, 422)),
        ({"auto.offset.reset": "sometimes"}, (422, 42204)),
        ({"auto.commit.enable": "maybe"}, (422, 42204)),
        ({"fetch.min.bytes": "many"}, (422, 42204)),
        ({"fetch.min.bytes": -2}, (422, 40001)),
        ({"fetch.min.bytes": 10_000_001}, (422, 40001)),
        ({"consumer.request.timeout.ms": -1}, (422, 40001)),
        ({"name": 7}, (400, 400)),
    ],
)
async def test_a_wrong_config_has_its_code(
    client: httpx.AsyncClient, config: dict[str, object], expected: tuple[int, int]
) -> None:
    assert code(await post(client, "/consumers/g", config)) == expected


@pytest.mark.parametrize(
    "config",
    [
        {"format": "BINARY", "auto.commit.enable": "false", "fetch.min.bytes": "1"},
        {"format": None, "auto.commit.enable": False, "fetch.min.bytes": 0, "consumer.request.timeout.ms": "50"},
        {"auto.offset.reset": "none", "unknown": []},
    ],
)
async def test_configs_may_be_strings_numbers_or_booleans(client: httpx.AsyncClient, config: dict[str, object]) -> None:
    assert (await post(client, "/consumers/g", config)).status_code == 200


async def test_a_deleted_instance_is_gone_and_has_left_its_group(
    reader: httpx.AsyncClient, consumers: MemoryConsumers
) -> None:
    answer = await reader.delete(INSTANCE)
    assert (answer.status_code, answer.content) == (204, b"")
    assert consumers.made[0].is_stopped
    assert code(await reader.delete(INSTANCE)) == (404, 40403)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "", None),
        ("POST", "/subscription", {"topics": []}),
        ("GET", "/subscription", None),
        ("DELETE", "/subscription", None),
        ("POST", "/assignments", {"partitions": []}),
        ("GET", "/assignments", None),
        ("POST", "/positions", {"offsets": []}),
        ("POST", "/positions/beginning", {"partitions": []}),
        ("POST", "/positions/end", {"partitions": []}),
        ("POST", "/offsets", None),
        ("GET", "/offsets", None),
        ("GET", "/records", None),
    ],
)
async def test_an_unknown_instance_is_40403_everywhere(
    client: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    answer = await client.request(method, INSTANCE + path, json=body, headers=TYPE if body else {})
    assert code(answer) == (404, 40403)


async def test_an_instance_expires_when_nobody_asks_for_it(
    reader: httpx.AsyncClient, proxy: RestProxy, clock: ManualClock, consumers: MemoryConsumers
) -> None:
    clock.advance(299_999)
    await proxy.context.consumers.expire()
    assert (await reader.get(f"{INSTANCE}/subscription")).status_code == 200
    clock.advance(299_999)
    await proxy.context.consumers.expire()
    assert not consumers.made[0].is_stopped
    clock.advance(1)
    await proxy.context.consumers.expire()
    assert consumers.made[0].is_stopped
    assert code(await reader.get(f"{INSTANCE}/subscription")) == (404, 40403)


async def test_an_instance_that_is_not_read_from_gives_up_what_was_fetched_ahead(
    reader: httpx.AsyncClient, proxy: RestProxy, clock: ManualClock, consumers: MemoryConsumers
) -> None:
    clock.advance(RELEASE_MS - 1)
    proxy.context.consumers.release_unused()
    assert consumers.made[0].releases == 0
    clock.advance(1)
    proxy.context.consumers.release_unused()
    assert consumers.made[0].releases == 1


async def test_all_instances_leave_their_groups_at_stop(
    client: httpx.AsyncClient, proxy: RestProxy, consumers: MemoryConsumers
) -> None:
    await create(client, name="a")
    await create(client, name="b")
    await proxy.stop()
    assert [consumer.is_stopped for consumer in consumers.made] == [True, True]


# --- subscription and assignment -----------------------------------------------------------------------------------


async def test_a_subscription_is_told_and_replaced(reader: httpx.AsyncClient) -> None:
    assert (await reader.get(f"{INSTANCE}/subscription")).json() == {"topics": ["single"]}
    await post(reader, f"{INSTANCE}/subscription", {"topics": ["orders", "single"]})
    assert (await reader.get(f"{INSTANCE}/subscription")).json() == {"topics": ["orders", "single"]}


async def test_a_pattern_follows_whole_names(client: httpx.AsyncClient) -> None:
    await create(client)
    assert (await post(client, f"{INSTANCE}/subscription", {"topic_pattern": "or.*"})).status_code == 204
    assert (await client.get(f"{INSTANCE}/subscription")).json() == {"topics": ["orders"]}


async def test_a_pattern_that_is_none_is_refused_and_harms_nothing(client: httpx.AsyncClient) -> None:
    await create(client)
    assert code(await post(client, f"{INSTANCE}/subscription", {"topic_pattern": "("})) == (422, 42204)
    assert (await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})).status_code == 204


async def test_subscribing_to_nothing_named_changes_nothing(reader: httpx.AsyncClient) -> None:
    assert (await post(reader, f"{INSTANCE}/subscription", {})).status_code == 204
    assert (await reader.get(f"{INSTANCE}/subscription")).json() == {"topics": ["single"]}


async def test_a_body_is_needed_to_subscribe(client: httpx.AsyncClient) -> None:
    await create(client)
    assert code(await client.post(f"{INSTANCE}/subscription")) == (422, 422)


async def test_after_unsubscribing_partitions_may_be_assigned(reader: httpx.AsyncClient) -> None:
    partitions = {"partitions": [{"topic": "orders", "partition": 1}]}
    assert code(await post(reader, f"{INSTANCE}/assignments", partitions)) == (409, 40903)
    assert (await reader.delete(f"{INSTANCE}/subscription")).status_code == 204
    assert (await post(reader, f"{INSTANCE}/assignments", partitions)).status_code == 204
    assert (await reader.get(f"{INSTANCE}/assignments")).json() == partitions
    assert code(await post(reader, f"{INSTANCE}/subscription", {"topics": ["orders"]})) == (409, 40903)


async def test_an_assignment_is_empty_until_the_group_is_joined(reader: httpx.AsyncClient) -> None:
    assert (await reader.get(f"{INSTANCE}/assignments")).json() == {"partitions": []}
    await read(reader)
    assigned = {"partitions": [{"topic": "single", "partition": 0}]}
    assert (await reader.get(f"{INSTANCE}/assignments")).json() == assigned


@pytest.mark.parametrize("body", [{}, {"partitions": [{"topic": "t"}]}, {"partitions": [{"partition": 0}]}])
async def test_a_partition_needs_topic_and_number(client: httpx.AsyncClient, body: object) -> None:
    await create(client)
    assert code(await post(client, f"{INSTANCE}/assignments", body)) == (422, 422)


# --- records -------------------------------------------------------------------------------------------------------


async def test_the_first_read_waits_for_the_assignment(reader: httpx.AsyncClient) -> None:
    assert await read(reader) == [
        {"topic": "single", "key": None, "value": {"n": number}, "partition": 0, "offset": number - 1}
        for number in (1, 2, 3)
    ]


async def test_records_are_read_once(reader: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await read(reader)
    assert await read(reader) == []
    cluster.produce("single", 0, b"4")
    assert [record["offset"] for record in await read(reader)] == [3]  # type: ignore[index]


async def test_binary_records_are_base64(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.produce("single", 0, RecordToSend(b"k", bytes(range(256))), RecordToSend(b"", None))
    await create(client, format="binary")
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    first, second = await read(client, headers={})
    assert first["key"] == "aw=="  # type: ignore[index]
    assert base64.b64decode(first["value"]) == bytes(range(256))  # type: ignore[index]
    assert (second["key"], second["value"]) == ("", None)  # type: ignore[index]


async def test_the_answers_type_is_the_asked_one(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(f"{INSTANCE}/records", headers=AS_JSON)
    assert answer.headers["content-type"] == AS_JSON["Accept"]


@pytest.mark.parametrize(
    "accept", ["application/vnd.kafka.binary.v2+json", "*/*", "application/vnd.kafka.v2+json", "application/json"]
)
async def test_another_format_than_the_instances_is_refused(reader: httpx.AsyncClient, accept: str) -> None:
    answer = await reader.get(f"{INSTANCE}/records", headers={"Accept": accept})
    assert code(answer) == (406, 40601)
    assert len(await read(reader)) == 3


async def test_reading_in_no_known_type_is_406(reader: httpx.AsyncClient) -> None:
    assert code(await reader.get(f"{INSTANCE}/records", headers={"Accept": "text/plain"})) == (406, 406)


@pytest.mark.parametrize("embedded", ["avro", "jsonschema", "protobuf"])
async def test_formats_with_schemas_need_a_registry_to_read(client: httpx.AsyncClient, embedded: str) -> None:
    await create(client, format=embedded)
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    headers = {"Accept": f"application/vnd.kafka.{embedded}.v2+json"}
    assert code(await client.get(f"{INSTANCE}/records", headers=headers)) == (408, 40801)


async def test_reading_without_any_partition_is_an_illegal_state(client: httpx.AsyncClient) -> None:
    await create(client)
    assert code(await client.get(f"{INSTANCE}/records", headers=AS_JSON)) == (409, 40903)


async def test_max_bytes_ends_the_answer_before_it_is_exceeded(reader: httpx.AsyncClient) -> None:
    assert [record["offset"] for record in await read(reader, "?max_bytes=14")] == [0, 1]  # type: ignore[index]
    assert [record["offset"] for record in await read(reader, "?max_bytes=14")] == [2]  # type: ignore[index]


async def test_a_record_larger_than_max_bytes_is_returned_alone(reader: httpx.AsyncClient) -> None:
    assert [record["offset"] for record in await read(reader, "?max_bytes=1")] == [0]  # type: ignore[index]
    assert [record["offset"] for record in await read(reader, "?max_bytes=1")] == [1]  # type: ignore[index]


async def test_an_empty_read_waits_for_its_timeout(reader: httpx.AsyncClient, clock: ManualClock) -> None:
    await read(reader)
    start_ms = clock.monotonic_ms()
    assert await read(reader, "?timeout=300") == []
    assert clock.monotonic_ms() - start_ms == 300


@pytest.mark.parametrize(("query", "wait_ms"), [("", 700), ("?timeout=0", 700), ("?timeout=900", 700)])
async def test_the_query_can_only_shorten_the_instances_timeout(
    client: httpx.AsyncClient, clock: ManualClock, query: str, wait_ms: int
) -> None:
    await create(client, **{"consumer.request.timeout.ms": 700})
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    start_ms = clock.monotonic_ms()
    await read(client, query)
    assert clock.monotonic_ms() - start_ms == wait_ms


async def test_a_read_goes_on_until_it_has_all_that_was_there_at_its_first_record(
    reader: httpx.AsyncClient, consumers: MemoryConsumers, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    poll = consumers.made[0].poll

    async def poll_one(*, wait_s: float, records_max: int) -> list[ConsumedRecords]:
        return await poll(wait_s=wait_s, records_max=1)  # a fetch that was answered with what was there then

    monkeypatch.setattr(consumers.made[0], "poll", poll_one)
    start_ms = clock.monotonic_ms()
    assert len(await read(reader)) == 3
    assert clock.monotonic_ms() == start_ms


async def test_fetch_min_bytes_makes_a_read_wait_for_more(
    client: httpx.AsyncClient, cluster: MemoryCluster, clock: ManualClock
) -> None:
    cluster.produce("single", 0, b"1")
    await create(client, **{"fetch.min.bytes": 5})
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    start_ms = clock.monotonic_ms()
    assert len(await read(client)) == 1
    assert clock.monotonic_ms() - start_ms == 1000


@pytest.mark.parametrize("query", ["?timeout=soon", "?max_bytes=many"])
async def test_a_query_that_is_no_number_is_400(reader: httpx.AsyncClient, query: str) -> None:
    assert code(await reader.get(f"{INSTANCE}/records{query}", headers=AS_JSON)) == (400, 400)


async def test_what_is_no_json_is_named_and_can_be_skipped(reader: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.produce("single", 0, b"{no json", b"5")
    assert len(await read(reader)) == 3
    for _ in range(2):
        answer = await reader.get(f"{INSTANCE}/records", headers=AS_JSON)
        assert code(answer) == (408, 40801)
        assert "single-0 at offset 3" in answer.json()["message"]
    position = {"offsets": [{"topic": "single", "partition": 0, "offset": 4}]}
    await post(reader, f"{INSTANCE}/positions", position)
    assert [record["value"] for record in await read(reader)] == [5]  # type: ignore[index]


async def test_json_is_passed_on_as_it_was_written(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.produce("single", 0, b' {"n": 12345678901234567890123, "f": 1.10} ', b"", '"ä"'.encode())
    await create(client)
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    answer = await client.get(f"{INSTANCE}/records", headers=AS_JSON)
    assert b'{"n": 12345678901234567890123, "f": 1.10}' in answer.content
    assert [record["value"] for record in answer.json()[1:]] == [None, "ä"]


async def test_a_cluster_that_is_away_is_a_503_and_the_instance_lives_on(
    reader: httpx.AsyncClient, cluster: MemoryCluster, proxy: RestProxy
) -> None:
    await read(reader)
    cluster.away = True
    assert code(await reader.get(f"{INSTANCE}/records", headers=AS_JSON)) == (503, 50302)
    cluster.away = False
    proxy.context.consumers._probe._asked_at_s = float("-inf")
    cluster.produce("single", 0, b"4")
    assert len(await read(reader)) == 1


async def test_subscribing_while_the_cluster_is_away_can_be_tried_again(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    await create(client)
    cluster.away = True
    assert code(await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})) == (503, 50302)
    cluster.away = False
    assert (await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})).status_code == 204


# --- positions -----------------------------------------------------------------------------------------------------

SINGLE = {"topic": "single", "partition": 0}


async def test_a_position_is_the_next_offset_read(reader: httpx.AsyncClient) -> None:
    await read(reader)
    assert (await post(reader, f"{INSTANCE}/positions", {"offsets": [{**SINGLE, "offset": 1}]})).status_code == 204
    assert [record["offset"] for record in await read(reader)] == [1, 2]  # type: ignore[index]


async def test_a_position_drops_what_was_fetched_but_not_answered(reader: httpx.AsyncClient) -> None:
    await read(reader, "?max_bytes=1")
    await post(reader, f"{INSTANCE}/positions", {"offsets": [{**SINGLE, "offset": 2}]})
    assert [record["offset"] for record in await read(reader)] == [2]  # type: ignore[index]


async def test_beginning_and_end_are_those_of_the_log(reader: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await read(reader)
    assert (await post(reader, f"{INSTANCE}/positions/beginning", {"partitions": [SINGLE]})).status_code == 204
    assert len(await read(reader)) == 3
    await post(reader, f"{INSTANCE}/positions/beginning", {"partitions": [SINGLE]})
    assert (await post(reader, f"{INSTANCE}/positions/end", {"partitions": [SINGLE]})).status_code == 204
    assert await read(reader) == []


async def test_a_time_is_the_first_record_from_then_on(
    reader: httpx.AsyncClient, cluster: MemoryCluster, clock: ManualClock
) -> None:
    clock.set_wall_clock(1_800_000_000_000)
    cluster.produce("single", 0, b"4")
    await read(reader)
    for timestamp, offsets in (("2027-01-15T08:00:00Z", [3]), ("2099-01-01T00:00:00+02:00", [])):
        body = {"timestamps": [{**SINGLE, "timestamp": timestamp}]}
        assert (await post(reader, f"{INSTANCE}/positions", body)).status_code == 204
        assert [record["offset"] for record in await read(reader)] == offsets  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("positions", {"offsets": [{"topic": "orders", "partition": 0, "offset": 0}]}),
        ("positions", {"timestamps": [{"topic": "orders", "partition": 0, "timestamp": "2027-01-15T08:00:00Z"}]}),
        ("positions/beginning", {"partitions": [{"topic": "orders", "partition": 0}]}),
        ("positions/end", {"partitions": [{"topic": "orders", "partition": 0}]}),
        ("offsets", {"offsets": [{"topic": "orders", "partition": 0, "offset": 0}]}),
    ],
)
async def test_a_partition_that_is_not_assigned_is_an_illegal_state(
    reader: httpx.AsyncClient, path: str, body: object
) -> None:
    await read(reader)
    assert code(await post(reader, f"{INSTANCE}/{path}", body)) == (409, 40903)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (422, 422)),
        ({"offsets": [SINGLE]}, (422, 422)),
        ({"offsets": [{**SINGLE, "offset": -1}]}, (422, 422)),
        ({"timestamps": [SINGLE]}, (422, 422)),
        ({"timestamps": [{**SINGLE, "timestamp": "yesterday"}]}, (400, 400)),
        ({"timestamps": [{**SINGLE, "timestamp": "2027-01-15T08:00:00"}]}, (400, 400)),
    ],
)
async def test_a_wrong_position_has_its_code(
    reader: httpx.AsyncClient, body: object, expected: tuple[int, int]
) -> None:
    await read(reader)
    assert code(await post(reader, f"{INSTANCE}/positions", body)) == expected


# --- offsets -------------------------------------------------------------------------------------------------------


def committed(cluster: MemoryCluster) -> int | None:
    found = cluster.groups["g"].offsets.get(TopicPartition("single", 0)) if "g" in cluster.groups else None
    return found.offset if found else None


async def test_a_commit_without_body_covers_what_was_answered(
    reader: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    await read(reader, "?max_bytes=14")
    answer = await reader.post(f"{INSTANCE}/offsets")
    assert (answer.status_code, answer.json()) == (200, [])
    assert committed(cluster) == 2


async def test_a_named_offset_is_the_last_processed_one(reader: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await read(reader)
    answer = await post(reader, f"{INSTANCE}/offsets?async=true", {"offsets": [{**SINGLE, "offset": 1}]})
    assert (answer.status_code, answer.json()) == (200, [])
    assert committed(cluster) == 2
    await reader.post(f"{INSTANCE}/offsets")
    assert committed(cluster) == 3


async def test_committed_offsets_are_told_for_the_named_partitions(
    reader: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    await read(reader)
    await reader.post(f"{INSTANCE}/offsets")
    expected = {"offsets": [{**SINGLE, "offset": 3, "metadata": ""}]}
    body = {"partitions": [SINGLE, {"topic": "orders", "partition": 0}]}
    assert (await reader.request("GET", f"{INSTANCE}/offsets", json=body, headers=TYPE)).json() == expected
    assert (await reader.get(f"{INSTANCE}/offsets?topic=single&partition=0")).json() == expected
    assert code(await reader.get(f"{INSTANCE}/offsets")) == (404, 40402)


async def test_answered_records_are_committed_by_themselves(
    reader: httpx.AsyncClient, cluster: MemoryCluster, clock: ManualClock
) -> None:
    await read(reader, "?max_bytes=14")
    await read(reader, "?max_bytes=1")
    assert committed(cluster) is None
    clock.advance(AUTO_COMMIT_INTERVAL_MS)
    await read(reader)
    assert committed(cluster) == 3


@pytest.mark.parametrize(("auto_commit", "expected"), [(True, 3), (False, None)])
async def test_closing_commits_only_with_auto_commit(
    client: httpx.AsyncClient, cluster: MemoryCluster, auto_commit: bool, expected: int | None
) -> None:
    cluster.produce("single", 0, b"1", b"2", b"3")
    await create(client, **{"auto.commit.enable": auto_commit})
    await post(client, f"{INSTANCE}/subscription", {"topics": ["single"]})
    await read(client)
    await client.delete(INSTANCE)
    assert committed(cluster) == expected


async def test_a_revoked_partition_is_committed_and_its_fetched_records_forgotten(
    reader: httpx.AsyncClient, cluster: MemoryCluster, consumers: MemoryConsumers
) -> None:
    await read(reader, "?max_bytes=1")
    await consumers.made[0].revoke(TopicPartition("single", 0))
    assert committed(cluster) == 1
    assert await read(reader) == []


async def test_a_failed_automatic_commit_does_not_stop_reading(
    reader: httpx.AsyncClient, cluster: MemoryCluster, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await read(reader, "?max_bytes=1")
    clock.advance(AUTO_COMMIT_INTERVAL_MS)
    cluster.away = True
    assert len(await read(reader)) == 2
    assert "automatic commit failed group=g instance=c" in caplog.text
