"""Stateless reads and the live tail, on a real broker over a real socket."""

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from confluent_kafka import Producer

from tests.conftest import wait_until
from tests.docs.curl_blocks import curl_blocks
from tests.integration.rest.running_proxy import RunningProxy

EVENTS = {"Accept": "text/event-stream"}


def path(topic: str) -> str:
    return f"/caudal/v1/topics/{topic}/records"


@pytest.fixture
def filled(proxy: RunningProxy, topic: str) -> str:
    """A topic of three partitions: 30 records, value n in partition n % 3 at time 1,000 + n, a header each."""
    proxy.create_topic(topic, partitions=3)
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers})
    for number in range(30):
        producer.produce(
            topic,
            key=f"k{number}",
            value=json.dumps({"n": number}),
            partition=number % 3,
            timestamp=1_000 + number,
            headers={"n": str(number).encode()},
        )
    assert producer.flush(10) == 0
    return topic


def numbers(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [record["value"]["n"] for record in answer.json()["records"]]


def test_a_record_is_told_whole(proxy: RunningProxy, filled: str) -> None:
    answer = proxy.http.get(path(filled), params={"partition": 1, "offset": 2, "limit": 1})
    (record,) = answer.json()["records"]
    assert record == {
        "topic": filled,
        "partition": 1,
        "offset": 2,
        "timestamp": 1_007,
        "key": base64.b64encode(b"k7").decode(),
        "value": base64.b64encode(b'{"n": 7}').decode(),
        "headers": [{"name": "n", "value": base64.b64encode(b"7").decode()}],
    }
    told = proxy.http.get(path(filled), params={"partition": 1, "offset": 2, "limit": 1, "format": "string,json"})
    assert (told.json()["records"][0]["key"], told.json()["records"][0]["value"]) == ("k7", {"n": 7})


def test_reading_on_by_the_cursor_tells_each_record_once(proxy: RunningProxy, filled: str) -> None:
    found: list[int] = []
    answer = proxy.http.get(path(filled), params={"limit": 7, "format": "json"})
    for _ in range(10):
        found += numbers(answer)
        answer = proxy.http.get(answer.links["next"]["url"])
    assert sorted(found) == list(range(30))
    assert answer.json()["stopped_by"] == "end"
    proxy.produce(filled, {"value": {"n": 99}, "partition": 0})
    assert numbers(proxy.http.get(answer.links["next"]["url"])) == [99]


def test_by_time_and_from_the_end(proxy: RunningProxy, filled: str) -> None:
    asked = {"format": "json", "limit": 100}
    assert sorted(numbers(proxy.http.get(path(filled), params={**asked, "timestamp": 1_020}))) == list(range(20, 30))
    iso = "1970-01-01T00:00:01.020+00:00"
    assert sorted(numbers(proxy.http.get(path(filled), params={**asked, "timestamp": iso}))) == list(range(20, 30))
    assert numbers(proxy.http.get(path(filled), params={"format": "json", "newest": 4})) == [26, 27, 28, 29]
    assert numbers(proxy.http.get(path(filled), params={**asked, "timestamp": 5_000})) == []


def test_ndjson_is_a_line_per_record(proxy: RunningProxy, filled: str) -> None:
    answer = proxy.http.get(path(filled), params={"format": "json"}, headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert sorted(json.loads(line)["value"]["n"] for line in answer.text.splitlines()) == list(range(30))
    assert "next" in answer.links


def test_bytes_that_are_not_the_format_are_told_as_bytes_with_the_reason(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers})
    producer.produce(topic, key=b"\xff", value=b"{half")
    producer.produce(topic, key=None, value=None)
    producer.flush(10)
    first, second = proxy.http.get(path(topic), params={"format": "string,json"}).json()["records"]
    assert first["key"] == base64.b64encode(b"\xff").decode()
    assert "UTF-8" in first["key_error"]
    assert first["value"] == base64.b64encode(b"{half").decode()
    assert "JSON" in first["value_error"]
    assert (second["key"], second["value"]) == (None, None)
    assert "key_error" not in second


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("limit=1000000", "limit"),
        ("offset=-1", "offset"),
        ("offset=1&newest=1", "exclude each other"),
        ("timestamp=yesterday", "timestamp"),
        ("cursor=x", "cursor"),
        ("cursor=0:-1", "cursor"),
        ("partition=a", "partition"),
        ("format=yaml", "format"),
        ("isolation=none", "isolation"),
        ("ofset=1", "unknown parameter ofset"),
    ],
)
def test_a_wrong_query_is_named(proxy: RunningProxy, filled: str, query: str, word: str) -> None:
    answer = proxy.http.get(f"{path(filled)}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert word in answer.json()["message"]


def test_what_is_not_there_is_404(proxy: RunningProxy, filled: str) -> None:
    for where, code in ((path("no-such-topic"), 40401), (f"{path(filled)}?partition=7", 40402)):
        for accept in ("application/json", "text/event-stream"):
            answer = proxy.http.get(where, headers={"Accept": accept})
            assert (answer.status_code, answer.json()["error_code"]) == (404, code)


# --- the live tail -------------------------------------------------------------------------------------------------


class Listener:
    """A client of the event stream, reading in a thread."""

    def __init__(self, answer: httpx.Response) -> None:
        self.values: list[int] = []
        self.last_id = ""
        self.errors: list[dict[str, object]] = []
        self._answer = answer
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        event = ""
        try:
            for line in self._answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    event = value
                elif name == "data" and event == "error":
                    self.errors.append(json.loads(value))
                elif name == "data":
                    self.values.append(json.loads(value)["value"]["n"])
        except httpx.TransportError:
            return  # the test has hung up

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def listening(proxy: RunningProxy, topic: str, *, last_id: str = "", **query: object) -> Iterator[Listener]:
    headers = EVENTS | ({"Last-Event-ID": last_id} if last_id else {})
    with (
        httpx.Client(base_url=proxy.url, timeout=30) as http,
        http.stream("GET", path(topic), headers=headers, params={"format": "json", **query}) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        listener = Listener(answer)
        yield listener
        answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        listener.join()


def produce(proxy: RunningProxy, topic: str, *values: int, partitions: int = 3) -> None:
    proxy.produce(topic, *({"value": {"n": value}, "partition": value % partitions} for value in values))


def test_the_tail_tells_what_comes_and_only_that(proxy: RunningProxy, filled: str) -> None:
    with listening(proxy, filled) as one, listening(proxy, filled, partition=1) as other:
        produce(proxy, filled, *range(100, 130))
        wait_until(lambda: len(one.values) == 30 and len(other.values) == 10, what="all have come")
        assert sorted(one.values) == list(range(100, 130))
        assert other.values == [value for value in range(100, 130) if value % 3 == 1]


def test_the_tail_goes_on_after_the_last_event_that_was_seen(proxy: RunningProxy, filled: str) -> None:
    with listening(proxy, filled) as first:
        produce(proxy, filled, *range(100, 110))
        wait_until(lambda: len(first.values) == 10, what="the first ten")
    produce(proxy, filled, *range(110, 120))
    with listening(proxy, filled, last_id=first.last_id) as second:
        produce(proxy, filled, *range(120, 130))
        wait_until(lambda: len(second.values) == 20, what="what was missed and what is new")
        assert sorted(second.values) == list(range(110, 130))


@pytest.mark.parametrize("query", [{"offset": 0}, {"timestamp": 0}, {"cursor": "0:0,1:0,2:0"}])
def test_the_tail_can_begin_in_the_past(proxy: RunningProxy, filled: str, query: dict[str, object]) -> None:
    with listening(proxy, filled, **query) as listener:
        produce(proxy, filled, 100, 101, 102)
        wait_until(lambda: len(listener.values) == 33, what="the past and the present")
        assert sorted(listener.values) == [*range(30), 100, 101, 102]


def test_a_topic_that_is_deleted_ends_its_tail_with_the_reason(proxy: RunningProxy, filled: str) -> None:
    with listening(proxy, filled) as listener:
        produce(proxy, filled, 100)
        wait_until(lambda: listener.values, what="it listens")
        assert proxy.http.delete(f"{proxy.cluster_url()}/topics/{filled}").status_code == 204
        wait_until(lambda: listener.errors, what="the end is told")
        assert listener.errors[0]["error_code"] == 40403


def test_a_reader_that_falls_behind_misses_nothing(proxy: RunningProxy, topic: str) -> None:
    """More than its buffer comes while it does not read at all."""
    proxy.create_topic(topic)
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers, "linger.ms": 5})
    count, padding = 20_000, "x" * 1_000
    with (
        httpx.Client(base_url=proxy.url, timeout=30) as http,
        http.stream("GET", path(topic), headers=EVENTS, params={"format": "json"}) as answer,
    ):
        for number in range(count):
            producer.produce(topic, value=json.dumps({"n": number, "padding": padding}))
            producer.poll(0)
        assert producer.flush(60) == 0
        found = []
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:])["value"]["n"])
                if len(found) == count:
                    break
        assert found == list(range(count))


def test_what_an_open_transaction_wrote_is_told_once_it_is_committed(
    proxy: RunningProxy, topic: str, group: str
) -> None:
    proxy.create_topic(topic)
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value='{"n": 1}')
    assert producer.flush(10) == 0
    early = proxy.http.get(path(topic), params={"offset": 0, "format": "json"})
    as_group = proxy.http.get(group_path(group, topic), params={"format": "json"})
    assert (numbers(early), numbers(as_group)) == ([], [])
    assert (early.json()["next"], as_group.json()["next"]) == ("0:0", "0:0")
    assert numbers(proxy.http.get(path(topic), params={"isolation": "read_uncommitted", "format": "json"})) == [1]
    producer.commit_transaction(30)
    on = {"cursor": early.json()["next"], "format": "json"}
    wait_until(lambda: numbers(proxy.http.get(path(topic), params=on)) == [1])
    assert numbers(proxy.http.get(group_path(group, topic), params={"format": "json"})) == [1]


def test_the_link_to_the_next_page_keeps_to_the_partitions_asked_for(proxy: RunningProxy, filled: str) -> None:
    first = proxy.http.get(path(filled), params={"partition": 1, "limit": 4, "format": "json"})
    second = proxy.http.get(first.links["next"]["url"])
    produce(proxy, filled, 100, 101)
    third = proxy.http.get(second.links["next"]["url"])
    found = numbers(first) + numbers(second) + numbers(third)
    assert found == [*range(1, 30, 3), 100]  # 100 % 3 == 1


# --- as a group ----------------------------------------------------------------------------------------------------


def group_path(group: str, topic: str, what: str = "records") -> str:
    return f"/caudal/v1/groups/{group}/topics/{topic}/{what}"


def test_a_group_reads_on_from_what_it_committed(proxy: RunningProxy, filled: str, group: str) -> None:
    found: list[int] = []
    while len(found) < 30:
        answer = proxy.http.get(group_path(group, filled), params={"format": "json", "limit": 8})
        again = proxy.http.get(group_path(group, filled), params={"format": "json", "limit": 8})
        assert again.json() == answer.json()  # nothing is committed by reading
        found += numbers(answer)
        moved = {name: answer.json()[name] for name in ("committed", "next")}
        assert proxy.http.post(group_path(group, filled, "offsets"), json=moved).status_code == 204
    assert sorted(found) == list(range(30))
    lag = proxy.http.get(f"{proxy.cluster_url()}/consumer-groups/{group}/lag-summary").json()
    assert lag["total_lag"] == 0


def test_of_two_readers_of_a_group_the_second_to_commit_is_told(proxy: RunningProxy, filled: str, group: str) -> None:
    first, second = (proxy.http.get(group_path(group, filled), params={"limit": 3}).json() for _ in range(2))
    bodies = [{name: answer[name] for name in ("committed", "next")} for answer in (first, second)]
    assert proxy.http.post(group_path(group, filled, "offsets"), json=bodies[0]).status_code == 204
    third = proxy.http.get(group_path(group, filled), params={"limit": 3}).json()
    body = {name: third[name] for name in ("committed", "next")}
    assert proxy.http.post(group_path(group, filled, "offsets"), json=body).status_code == 204
    late = proxy.http.post(group_path(group, filled, "offsets"), json=bodies[1])
    assert (late.status_code, late.json()["error_code"]) == (409, 409)


@pytest.mark.parametrize(("name", "cursor", "code"), [("nobody", "0:1", 40401), (None, "0:1,77:1", 40402)])
def test_where_nothing_is_nothing_is_committed(
    proxy: RunningProxy, filled: str, group: str, name: str | None, cursor: str, code: int
) -> None:
    body = {"committed": "0:0", "next": cursor}
    answer = proxy.http.post(group_path(group, name or filled, "offsets"), json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (404, code)
    assert proxy.http.get(group_path(group, filled), params={"limit": 1}).json()["committed"].startswith("0:0")


def test_a_group_with_members_is_theirs(proxy: RunningProxy, filled: str, group: str) -> None:
    with proxy.consumer(group, format="json") as member:
        member.subscribe(filled)
        wait_until(lambda: member.assignment() or member.read(timeout_ms=1_000), what="the member has partitions")
        answer = proxy.http.get(group_path(group, filled), params={"limit": 1}).json()
        body = {name: answer[name] for name in ("committed", "next")}
        refused = proxy.http.post(group_path(group, filled, "offsets"), json=body)
        assert (refused.status_code, refused.json()["error_code"]) == (409, 409)
        assert "members" in refused.json()["message"]


def test_a_group_can_wait_for_records(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    empty = proxy.http.get(group_path(group, topic), params={"reset": "latest"})
    assert numbers(empty) == []
    late = threading.Timer(0.3, lambda: produce(proxy, topic, 5, partitions=1))
    late.start()
    try:
        assert numbers(proxy.http.get(group_path(group, topic), params={"wait_ms": 20_000, "format": "json"})) == [5]
    finally:
        late.join()


@pytest.mark.parametrize(
    ("query", "word"),
    [("wait_ms=a", "wait_ms"), ("wait_ms=99999", "wait_ms"), ("reset=x", "reset"), ("offset=1", "offset")],
)
def test_a_wrong_query_of_a_group_is_named(proxy: RunningProxy, filled: str, group: str, query: str, word: str) -> None:
    answer = proxy.http.get(f"{group_path(group, filled)}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert word in answer.json()["message"]


def test_a_wrong_commit_moves_nothing(proxy: RunningProxy, filled: str, group: str) -> None:
    where = group_path(group, filled, "offsets")
    assert proxy.http.post(where, json={"committed": "x", "next": "0:1"}).status_code == 400
    assert proxy.http.post(where, json={"next": "0:1"}).status_code == 422
    assert proxy.http.post(where, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert proxy.http.get(group_path(group, filled)).json()["committed"] == "0:0,1:0,2:0"
    assert proxy.http.get(group_path(group, "no-such-topic")).json()["error_code"] == 40401


# --- the page about it ---------------------------------------------------------------------------------------------


def test_the_lines_of_the_page_do_what_it_says(proxy: RunningProxy) -> None:
    proxy.create_topic("visits")
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers})
    for name in ("ada", "bob", "eve"):
        producer.produce("visits", key=name, value='{"page": "/"}')
    assert producer.flush(10) == 0
    printed = []
    try:
        for block in curl_blocks("docs/rest-reads.md"):
            script = block.replace("http://localhost:8082", proxy.url)
            done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, text=True, timeout=60)
            assert done.returncode in (0, 28), done.stderr  # curl's own time is over: the tail has no end
            printed.append(done.stdout)
    finally:
        proxy.http.delete(f"{proxy.cluster_url()}/topics/visits")
    some, lines, tail, as_group = printed
    assert [record["key"] for record in json.loads(some)["records"]] == ["bob", "eve"]
    assert [json.loads(line)["key"] for line in lines.splitlines()] == ["ada", "bob", "eve"]
    assert tail.count("data: ") == 3
    assert "id: 0:3" in tail
    assert "204" in as_group.splitlines()[-1]
