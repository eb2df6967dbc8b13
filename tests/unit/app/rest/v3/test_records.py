import asyncio
import gzip
import json
from collections.abc import Sequence

import httpx
import pytest

from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest import RestProxy
from app.rest.v3 import record_stream
from app.rest.v3.records import iso_time
from broker.errors import KafkaError, MessageTooLarge, NotEnoughReplicas, TopicAuthorizationFailed
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster, MemoryRecord

PATH = "/v3/clusters/c-1/topics/single/records"
JSON = {"Content-Type": "application/json"}
NOW = "2023-11-14T22:13:20Z"


def records(cluster: MemoryCluster, topic: str = "single", partition: int = 0) -> list[MemoryRecord]:
    return cluster.topics[topic].partitions[partition].records


async def stream(client: httpx.AsyncClient, body: str | bytes, path: str = PATH) -> list[dict[str, object]]:
    answer = await client.post(path, content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return [json.loads(line) for line in answer.text.split("\r\n") if line]


async def test_a_record_has_a_receipt(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = '{"key": {"type": "BINARY", "data": "aGk="}, "value": {"type": "json", "data": {"a": 1}}}'
    assert await stream(client, body) == [
        {
            "error_code": 200,
            "cluster_id": "c-1",
            "topic_name": "single",
            "partition_id": 0,
            "offset": 0,
            "timestamp": NOW,
            "key": {"type": "BINARY", "size": 2},
            "value": {"type": "JSON", "size": 7},
        }
    ]
    assert (records(cluster)[0].key, records(cluster)[0].value) == (b"hi", b'{"a":1}')


async def test_what_was_not_sent_is_not_in_the_receipt(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    (receipt,) = await stream(client, "{}")
    assert "key" not in receipt
    assert "value" not in receipt
    assert (records(cluster)[0].key, records(cluster)[0].value) == (None, None)


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        ('{"type":"BINARY","data":"AP8="}', b"\x00\xff"),
        ('{"type":"BINARY","data":null}', None),
        ('{"type":"BINARY"}', None),
        ('{"type":"STRING","data":"ä \\u20ac\\ud83d\\ude00"}', "ä €😀".encode()),
        ('{"type":"STRING","data":""}', b""),
        ('{"type":"JSON","data":"x"}', b'"x"'),
        ('{"type":"JSON","data":[1, 2.50]}', b"[1,2.50]"),
        ('{"type":"JSON","data":null}', None),
        ('{"data":null}', None),
        ("null", None),
    ],
)
async def test_data_becomes_bytes_by_its_type(
    client: httpx.AsyncClient, cluster: MemoryCluster, data: str, stored: bytes | None
) -> None:
    (receipt,) = await stream(client, f'{{"value":{data}}}')
    assert receipt["error_code"] == 200
    assert records(cluster)[0].value == stored


async def test_partition_headers_and_time_are_the_senders(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = (
        '{"partition_id":2,"headers":[{"name":"h","value":"aGk="},{"name":"n","value":null}],'
        '"timestamp":"2026-11-23T09:30:00.123+02:00","value":{"type":"STRING","data":"x"}}'
    )
    (receipt,) = await stream(client, body, "/v3/clusters/c-1/topics/orders/records")
    assert (receipt["partition_id"], receipt["timestamp"]) == (2, "2026-11-23T07:30:00.123Z")
    (record,) = records(cluster, "orders", 2)
    assert record.headers == (("h", b"hi"), ("n", None))
    assert record.timestamp_ms == 1795419000123


@pytest.mark.parametrize("separator", ["", "\n", "\r\n  "])
async def test_receipts_come_in_the_order_of_the_records(client: httpx.AsyncClient, separator: str) -> None:
    bodies = [f'{{"partition_id":{n % 3},"value":{{"type":"JSON","data":{n}}}}}' for n in range(7)]
    receipts = await stream(client, separator.join(bodies), "/v3/clusters/c-1/topics/orders/records")
    found = [(receipt["partition_id"], receipt["offset"]) for receipt in receipts]
    assert found == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2)]


@pytest.mark.parametrize(
    ("record", "code", "words"),
    [
        ('{"value":{"type":"BINARY","data":"!"}}', 422, "Error: 42207 : "),
        ('{"value":{"type":"BINARY","data":5}}', 422, "Error: 42207 : "),
        ('{"value":{"type":"STRING","data":5}}', 422, "Error: 42207 : "),
        ('{"value":{"type":"XML","data":"x"}}', 400, "'XML'"),
        ('{"value":{"type":"AVRO","schema":"x","data":1}}', 40801, "Schema Registry"),
        ('{"value":{"type":"JSONSCHEMA","data":1}}', 40801, "Schema Registry"),
        ('{"key":{"schema_id":1,"data":1}}', 40801, "Schema Registry"),
        ('{"value":{"schema_version":1,"data":1}}', 40801, "Schema Registry"),
        ('{"value":{"data":1}}', 40801, "give a type"),
        ('{"partition_id":-1}', 422, "greater than or equal to 0"),
        ('{"partition_id":"x"}', 400, "partition_id"),
        ('{"partition_id":9}', 40403, "no partition 9"),
        ('{"timestamp":"yesterday"}', 400, "timestamp"),
        ('{"timestamp":"1969-12-31T00:00:00Z"}', 400, "timestamp"),
        ('{"headers":[{"value":"aGk="}]}', 400, "name"),
        ('{"headers":[{"name":"h","value":"!"}]}', 400, "base64"),
    ],
)
async def test_an_error_of_a_record_is_its_receipt_and_the_stream_goes_on(
    client: httpx.AsyncClient, cluster: MemoryCluster, record: str, code: int, words: str
) -> None:
    good = '{"value":{"type":"JSON","data":1}}'
    first, failed, last = await stream(client, good + record + good)
    assert (first["offset"], last["offset"]) == (0, 1)
    assert failed["error_code"] == code
    assert words in str(failed["message"])
    assert set(failed) == {"error_code", "message"}


@pytest.mark.parametrize("broken", ['{"value":}', '{"a":1]}', "nonsense", "[{}]", '{"value":{"type":"JSON","data":'])
async def test_malformed_json_ends_the_stream_with_a_400_receipt(
    client: httpx.AsyncClient, cluster: MemoryCluster, broken: str
) -> None:
    good = '{"value":{"type":"JSON","data":1}}'
    receipts = await stream(client, good + broken + ("" if broken.endswith(":") else good))
    assert [receipt["error_code"] for receipt in receipts] == [200, 400]
    assert len(records(cluster)) == 1


@pytest.mark.parametrize("body", [b"", b" \r\n"])
async def test_an_empty_body_is_42206(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(PATH, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42206)


async def test_a_record_larger_than_allowed_ends_the_stream(client: httpx.AsyncClient) -> None:
    receipts = await stream(client, '{}{"value":{"type":"JSON","data":"%s"' % ("x" * 20_001))
    assert [receipt["error_code"] for receipt in receipts] == [200, 400]


async def test_the_stream_as_a_whole_may_be_larger_than_a_record(client: httpx.AsyncClient) -> None:
    assert len(await stream(client, ('{"value":{"type":"JSON","data":"%s"}}' % ("x" * 1000)) * 50)) == 50


async def test_the_stream_may_be_packed(client: httpx.AsyncClient) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await client.post(PATH, content=gzip.compress(b"{}{}"), headers=headers)
    assert answer.text.count('"error_code":200') == 2
    answer = await client.post(PATH, content=gzip.compress(b"{}{}")[:-8], headers=headers)
    assert answer.text.count('"error_code":400') == 1


async def test_records_of_an_unknown_topic_are_40401(client: httpx.AsyncClient) -> None:
    receipts = await stream(client, '{}{"partition_id":"x"}', "/v3/clusters/c-1/topics/nope/records")
    assert [receipt["error_code"] for receipt in receipts] == [40401, 400]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TopicAuthorizationFailed("no"), 40301),
        (MessageTooLarge("no"), 413),
        (NotEnoughReplicas("no"), 50003),
        (ClusterUnreachable("no"), 50302),
    ],
)
async def test_kafkas_errors_are_receipts_too(
    client: httpx.AsyncClient,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
    error: KafkaError,
    code: int,
) -> None:
    async def refuse(topic: str, partition: int, batch: Sequence[RecordToSend]) -> None:
        raise error

    monkeypatch.setattr(cluster, "append", refuse)
    assert await stream(client, "{}") == [{"error_code": code, "message": "no"}]


async def test_an_overlong_stream_gets_408_receipts(client: httpx.AsyncClient, clock: ManualClock) -> None:
    async def body():  # type: ignore[no-untyped-def]
        yield b"{}"
        clock.advance(86_400_000)
        yield b"{}{}"

    answer = await client.post(PATH, content=body(), headers=JSON)
    codes = [json.loads(line)["error_code"] for line in answer.text.split("\r\n") if line]
    assert codes[0] == 200
    assert set(codes[1:]) == {408}


async def test_a_silent_stream_ends_when_its_time_is_over(
    client: httpx.AsyncClient, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_stream, "GRACE_S", 0.01)

    async def body():  # type: ignore[no-untyped-def]
        yield b"{}"
        clock.advance(86_400_000)
        yield b" "
        await asyncio.Event().wait()

    answer = await client.post(PATH, content=body(), headers=JSON)
    assert [json.loads(line)["error_code"] for line in answer.text.split("\r\n") if line] == [200]


async def test_a_piece_of_many_small_records_is_looked_at_in_parts(client: httpx.AsyncClient) -> None:
    receipts = await stream(client, "{}" * 20_000 + '{"value":{"type":"JSON","data":[%s]}}' % ("1," * 9_000 + "1"))
    assert (len(receipts), receipts[-1]["offset"]) == (20_001, 20_000)


class Duplex:
    """One exchange at the level of ASGI, so that a test can send and receive in turns."""

    def __init__(self, proxy: RestProxy, path: str) -> None:
        self._chunks: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "scheme": "http",
            "headers": [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")],
        }
        self.task = asyncio.create_task(proxy(scope, self._chunks.get, self.sent.put))  # type: ignore[arg-type]

    def send(self, body: bytes, *, more: bool = True) -> None:
        self._chunks.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnect(self) -> None:
        self._chunks.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> bytes:
        message = await asyncio.wait_for(self.sent.get(), 2)
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            message = await asyncio.wait_for(self.sent.get(), 2)
        body = message["body"]
        assert isinstance(body, bytes)
        return body


async def test_receipts_are_written_while_the_request_is_open(proxy: RestProxy) -> None:
    exchange = Duplex(proxy, PATH)
    for offset in range(3):
        exchange.send(b'{"value":{"type":"JSON",')
        exchange.send(b'"data":1}}')
        assert json.loads(await exchange.receive())["offset"] == offset
    exchange.send(b"", more=False)
    assert await exchange.receive() == b""
    await exchange.task


async def test_a_bug_under_a_stream_ends_the_exchange(proxy: RestProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(topic: str) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(proxy.context.producer, "partition_count", fail)
    exchange = Duplex(proxy, PATH)
    exchange.send(b"{}")
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(exchange.task, 2)


async def test_a_large_piece_of_the_body_is_taken_in_turns(proxy: RestProxy, cluster: MemoryCluster) -> None:
    exchange = Duplex(proxy, PATH)
    exchange.send(b"{}" * 450, more=False)
    assert [(await exchange.receive()).count(b"\r\n") for _ in range(4)] == [200, 200, 50, 0]


async def test_a_client_that_leaves_ends_its_stream(proxy: RestProxy, cluster: MemoryCluster) -> None:
    exchange = Duplex(proxy, PATH)
    exchange.send(b"{}")
    await exchange.receive()
    exchange.disconnect()
    await asyncio.wait_for(exchange.task, 2)
    assert len(records(cluster)) == 1


async def test_a_client_that_reads_nothing_stops_being_read(proxy: RestProxy, cluster: MemoryCluster) -> None:
    exchange = Duplex(proxy, PATH)
    exchange.sent = asyncio.Queue()
    blocked = asyncio.Event()

    async def send(_: object) -> None:
        await blocked.wait()

    exchange.task.cancel()
    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "scheme": "http"}
    scope["headers"] = [(b"content-type", b"application/json")]
    task = asyncio.create_task(proxy(scope, exchange._chunks.get, send))  # type: ignore[arg-type]
    for _ in range(500):
        exchange.send(b"{}")
    await asyncio.sleep(0.05)
    assert len(records(cluster)) <= 66
    exchange.send(b"", more=False)
    blocked.set()
    await asyncio.wait_for(task, 2)
    assert len(records(cluster)) == 500


# --- batches -------------------------------------------------------------------------------------------------------


async def batch(client: httpx.AsyncClient, body: object) -> httpx.Response:
    return await client.post(f"{PATH}:batch", json=body)


async def test_a_batch_is_told_apart_by_ids(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    entries = [
        {"id": "a", "value": {"type": "JSON", "data": {"x": 1}}},
        {"id": "b", "value": {"type": "BINARY", "data": "!"}},
        {"id": "c", "partition_id": "x"},
        {"id": "d", "value": {"type": "STRING", "data": "y"}},
    ]
    answer = await batch(client, {"entries": entries})
    assert answer.status_code == 207
    body = answer.json()
    assert [(one["id"], one["error_code"], one["offset"]) for one in body["successes"]] == [
        ("a", 200, 0),
        ("d", 200, 1),
    ]
    assert [(one["id"], one["error_code"]) for one in body["failures"]] == [("b", 422), ("c", 400)]
    assert [record.value for record in records(cluster)] == [b'{"x":1}', b"y"]


@pytest.mark.parametrize(
    "entries",
    [
        None,
        [],
        [{"id": str(number)} for number in range(11)],
        [{"id": "a"}, {"id": "a"}],
        [{"id": ""}],
        [{}],
        [{"id": "x" * 81}],
        [{"id": "a b"}],
    ],
)
async def test_what_is_no_batch_is_42208(client: httpx.AsyncClient, cluster: MemoryCluster, entries: object) -> None:
    answer = await batch(client, {"entries": entries})
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42208)
    assert records(cluster) == []


async def test_a_batch_needs_a_body_of_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{PATH}:batch", content=b"", headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42206)
    answer = await client.post(f"{PATH}:batch", content=b'{"entries":[{', headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


def test_times_are_told_as_java_tells_them() -> None:
    assert iso_time(1_700_000_000_000) == "2023-11-14T22:13:20Z"
    assert iso_time(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
