"""Bytes that no client should send, on raw sockets: answered in JSON or closed, and others are served meanwhile.

Bodies that stop, and who never reads, have tests of their own in app/test_connection_limits.py; codes in rest/.
"""

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import httpx
import psutil
import pytest

from tests.conftest import Platform, start_platform, wait_until

JSON = b"application/vnd.kafka.json.v2+json"
V2 = b"application/vnd.kafka.v2+json"
V3 = b"application/json"
RECORD = b'{"records":[{"value":1}]}'
HEAD_TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    limits = ("--set", f"http.head_timeout_s={HEAD_TIMEOUT_S}", "--set", "http.unread_timeout_s=1")
    running = start_platform(tmp_path_factory.mktemp("hostile") / "data", *limits)
    yield running
    running.stop()
    assert "Traceback" not in running.log()


@pytest.fixture(scope="module")
def bystander(platform: Platform) -> Iterator[httpx.Client]:
    """Another client, on a connection that stays."""
    with httpx.Client(base_url=platform.rest, timeout=30) as http:
        produced = http.post("/topics/t", content=RECORD, headers={"Content-Type": JSON.decode()})
        assert produced.status_code == 200
        yield http


@pytest.fixture(autouse=True)
def _others_are_served(bystander: httpx.Client) -> Iterator[None]:
    yield
    assert "t" in bystander.get("/topics").json()


@pytest.fixture(scope="module")
def cluster(bystander: httpx.Client) -> str:
    """Path of the cluster's v3 resources."""
    return f"/v3/clusters/{bystander.get('/v3/clusters').json()['data'][0]['cluster_id']}"


@dataclass
class Answer:
    """The first answer on a connection, and all that came on it before the server closed it."""

    everything: bytes

    @property
    def count(self) -> int:
        return self.everything.count(b"HTTP/1.1 ")

    @property
    def status(self) -> int:
        return int(self.everything.split(b" ", 2)[1]) if self.everything else 0

    @property
    def head(self) -> bytes:
        return self.everything.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.everything.partition(b"\r\n\r\n")[2]

    @property
    def error(self) -> tuple[int, int]:
        """Status and error_code; the body must be these two fields."""
        told = json.loads(self.body)
        assert list(told) == ["error_code", "message"]
        assert b"json" in self.head
        return self.status, told["error_code"]


def exchange(url: str, *pieces: bytes, end: bool = False) -> Answer:
    """What is answered until the server closes; end: we have nothing more to say and show it."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        # A server that has refused what it saw need not take the rest, and may reset what it did not read.
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                plain.sendall(piece)
            if end:
                plain.shutdown(socket.SHUT_WR)
        everything = b""
        with contextlib.suppress(ConnectionError):
            while piece := plain.recv(1 << 16):
                everything += piece
    return Answer(everything)


def request(
    method: str,
    target: bytes,
    *headers: bytes,
    body: bytes | None = None,
    content_type: bytes = b"",
    close: bool = True,
) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), b"host: x", *headers]
    if content_type:
        lines.append(b"content-type: " + content_type)
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    if close:
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


# --- requests that are none ----------------------------------------------------------------------------------------

POST = b"POST /topics/smuggled HTTP/1.1\r\nhost: x\r\ncontent-type: " + JSON + b"\r\n"
CHUNKED = b"\r\n\r\n19\r\n" + RECORD + b"\r\n0\r\n\r\n"
NO_REQUESTS = {
    "length and chunks": POST + b"content-length: 5\r\ntransfer-encoding: chunked" + CHUNKED,
    "chunks and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 5" + CHUNKED,
    "chunks before HTTP/1.1": POST.replace(b"1.1", b"1.0")
    + b"content-length: 5\r\ntransfer-encoding: chunked"
    + CHUNKED,
    "an unknown transfer encoding": POST + b"transfer-encoding: xchunked" + CHUNKED,
    "chunks within another encoding": POST + b"transfer-encoding: chunked, identity" + CHUNKED,
    "two transfer encodings": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: identity" + CHUNKED,
    "a blank before the colon": POST + b"transfer-encoding : chunked" + CHUNKED,
    "a control character in an encoding": POST + b"transfer-encoding: \x0bchunked" + CHUNKED,
    "two lengths": POST + b"content-length: 25\r\ncontent-length: 5\r\n\r\n" + RECORD,
    "a list of lengths": POST + b"content-length: 25, 25\r\n\r\n" + RECORD,
    "a length below 0": POST + b"content-length: -25\r\n\r\n" + RECORD,
    "a length with a sign": POST + b"content-length: +25\r\n\r\n" + RECORD,
    "a length in hex": POST + b"content-length: 0x19\r\n\r\n" + RECORD,
    "a length beyond 64 bits": POST + b"content-length: 99999999999999999999999\r\n\r\n" + RECORD,
    "an empty length": POST + b"content-length: \r\n\r\n" + RECORD,
    "a chunk without a size": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n" + RECORD,
    "a chunk below 0": POST + b"transfer-encoding: chunked\r\n\r\n-19\r\n" + RECORD,
    "a chunk beyond 64 bits": POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n" + RECORD,
    "a chunk longer than its size": POST + b"transfer-encoding: chunked\r\n\r\n5\r\n" + RECORD + b"\r\n0\r\n\r\n",
    "lines that end in LF": b"GET /topics HTTP/1.1\nhost: x\n\n",
    "lines that end in CR": b"GET /topics HTTP/1.1\rhost: x\r\r",
    "a header over two lines": b"GET /topics HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
    "a header without a name": b"GET /topics HTTP/1.1\r\nhost: x\r\n: a\r\n\r\n",
    "a header without a colon": b"GET /topics HTTP/1.1\r\nhost: x\r\nabc\r\n\r\n",
    "a header with a zero byte": b"GET /topics HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target in raw bytes": b"GET /topics/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target with a tab": b"GET /topics/\tt HTTP/1.1\r\nhost: x\r\n\r\n",
    "an unknown method": b"FETCH /topics HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method in lower case": b"get /topics HTTP/1.1\r\nhost: x\r\n\r\n",
    "an unknown version": b"GET /topics HTTP/1.7\r\nhost: x\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(200),
    "Kafka": bytes.fromhex("00000015001200030000000100076b2d7465737400016b0101"),
    "a request and then nonsense": request("GET", b"/topics/no-such", close=False) + b"\x01\x02\x03\r\n\r\n",
}


@pytest.mark.parametrize("raw", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    platform: Platform, bystander: httpx.Client, raw: bytes
) -> None:
    answer = exchange(platform.rest, raw)
    assert answer.everything.rpartition(b"HTTP/1.1 ")[2].startswith(b"400 ")
    assert Answer(b"HTTP/1.1 " + answer.everything.rpartition(b"HTTP/1.1 ")[2]).error == (400, 400)
    assert b" 200 " not in answer.everything
    assert "smuggled" not in bystander.get("/topics").json()


LARGE = b"a" * (1 << 20)
TOO_LARGE_HEADS = {
    "a header": b"GET /topics HTTP/1.1\r\nhost: x\r\nx: " + LARGE,
    "a path": b"GET /topics/" + LARGE,
    "a query": b"GET /topics?" + LARGE,
    "a method": b"G" + LARGE,
    "many headers": b"GET /topics HTTP/1.1\r\n" + b"x: y\r\n" * 200_000,
}


@pytest.mark.parametrize("raw", TOO_LARGE_HEADS.values(), ids=TOO_LARGE_HEADS)
def test_a_head_of_a_megabyte_is_refused(platform: Platform, raw: bytes) -> None:
    answer = exchange(platform.rest, raw)
    assert answer.error in ((431, 431), (400, 400))


def test_heads_in_drops_are_given_up_and_many_of_them_hold_nobody_up(
    platform: Platform, bystander: httpx.Client
) -> None:
    """A byte at a time, which does not give a head more time than another has."""
    host, port = platform.rest.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((host, int(port)), timeout=30)) for _ in range(200)]
        done = threading.Event()

        def drip() -> None:
            for byte in b"GET /topics HTTP/1.1\r\n" + b"x: y\r\n" * 10_000:
                for one in slow:
                    with contextlib.suppress(OSError):
                        one.send(bytes([byte]))
                if done.wait(0.1):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert bystander.get("/topics").status_code == 200
            told = [one.recv(1 << 16) for one in slow]
        finally:
            done.set()
            dripping.join()
    assert {Answer(one).error for one in told} == {(408, 408)}


def test_what_ends_in_the_middle_is_closed(platform: Platform, bystander: httpx.Client) -> None:
    for raw in (
        b"",
        b"GET /topics HT",
        b"GET /topics HTTP/1.1\r\nhost: x\r\n",
        POST + b"content-length: 500\r\n\r\n" + RECORD,
        POST + b"transfer-encoding: chunked\r\n\r\n19\r\n" + RECORD,
    ):
        assert exchange(platform.rest, raw, end=True).status in (0, 400), raw
    assert "smuggled" not in bystander.get("/topics").json()


SERVED = {
    "HTTP/1.0": b"GET /topics HTTP/1.0\r\n\r\n",
    "an absolute target": request("GET", b"http://elsewhere/topics"),
    "empty lines before it": b"\r\n\r\n" + request("GET", b"/topics"),
    "a fragment": request("GET", b"/topics#part"),
    "a body that nobody asked for": request("GET", b"/topics", body=b"abc"),
    "an offer of HTTP/2": request("GET", b"/topics", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    "a query that is no UTF-8": request("GET", b"/topics?%ff=%ff"),
    "headers in raw bytes": request("GET", b"/topics", b"x: \xff\xfe"),
}


@pytest.mark.parametrize("raw", SERVED.values(), ids=SERVED)
def test_what_is_unusual_and_allowed_is_served(platform: Platform, raw: bytes) -> None:
    answer = exchange(platform.rest, raw)
    assert (answer.status, answer.count) == (200, 1)
    assert "t" in json.loads(answer.body)


def test_chunks_with_extensions_and_trailers_are_a_body(platform: Platform, bystander: httpx.Client) -> None:
    head = request("POST", b"/topics/t", b"transfer-encoding: chunked", content_type=JSON)
    assert (
        exchange(platform.rest, head + b"19;name=value\r\n" + RECORD + b"\r\n0\r\nx-trailer: y\r\n\r\n").status == 200
    )
    # Its body is there already, so that nobody has to be asked for it.
    at_once = request("POST", b"/topics/t", b"expect: 100-continue", body=RECORD, content_type=JSON)
    answer = exchange(platform.rest, at_once)
    assert (answer.status, answer.count) == (200, 1)


def test_requests_one_behind_the_other_are_answered_in_their_order(platform: Platform) -> None:
    paths = (b"/topics/t", b"/nothing", b"/topics", b"/v3/nothing", b"/topics/t/partitions/0")
    raw = b"".join(request("GET", path, close=False) for path in paths)
    answer = exchange(platform.rest, raw + request("GET", b"/"))
    statuses = [one[:3] for one in answer.everything.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"404", b"200", b"404", b"200", b"200"]


def test_what_comes_behind_a_body_is_no_part_of_it(platform: Platform, bystander: httpx.Client) -> None:
    """A Content-Length that is too small: the record ends there, and what is left is no request."""
    answer = exchange(platform.rest, POST + b"content-length: 5\r\n\r\n" + RECORD)
    assert answer.status == 400
    assert b" 200 " not in answer.everything
    assert "smuggled" not in bystander.get("/topics").json()


# --- paths, methods and types --------------------------------------------------------------------------------------

PREFIXES = (b"/topics", b"/brokers", b"/consumers", b"/v3", b"/caudal", b"/docs", b"/openapi.json", b"/subjects", b"/x")
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")


def test_unknown_routes_and_methods_are_told_in_json(platform: Platform) -> None:
    """On the proxy's port and on the main one, the registry's paths there included."""
    assert platform.rest != platform.http
    for url, prefix, method in product((platform.rest, platform.http), PREFIXES, METHODS):
        for rest in (b"/x/y/z/x/y/z", b""):
            if rest or method not in ("GET", "POST"):
                answer = exchange(url, request(method, prefix + rest))
                assert answer.error in ((404, 404), (405, 405)), (url, method, prefix + rest)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "CONNECT"])
def test_the_target_of_the_whole_server_is_no_resource(platform: Platform, method: str) -> None:
    for url in (platform.rest, platform.http):
        assert exchange(url, request(method, b"*")).error in ((404, 404), (405, 405), (400, 400))


NO_PATHS = rb"""
//topics /// /topics// /topics/.. /topics/../topics /topics/%2e%2e/topics /./topics /%2e/topics /docs/../topics
/Topics /topics;a=b /topics/t;a=b /%74opics /topics\t /topics%2Ft /%2Ftopics /topics/%2e%2e%2ftopics /v3/../topics
/topics/% /topics/%zz /topics/%2F /topics/%00 /topics/%ff /topics/%ED%A0%80 /topics/%C0%AF /topics/t%0d%0ax:%20y
""".split()
NO_PATHS += [b"/topics/" + b"a" * 60_000, b"/topics/" + b"a/" * 20_000, b"/" + b"%41" * 20_000]
NO_PATHS += [b"/topics/t/partitions/" + b"9" * 5_000, b"/v3/clusters/" + b"%2F" * 100]


def test_no_path_leads_anywhere_by_a_trick(platform: Platform) -> None:
    for url, path in product((platform.rest, platform.http), NO_PATHS):
        status, code = exchange(url, request("GET", path)).error
        assert (status, code // 100 if code > 999 else code) == (404, 404), path[:60]


def test_a_method_in_a_header_or_a_query_is_none(platform: Platform, bystander: httpx.Client) -> None:
    for name in (b"x-http-method-override", b"x-http-method", b"x-method-override"):
        exchange(
            platform.rest, request("POST", b"/topics/t?_method=DELETE", name + b": DELETE", body=b"", content_type=V3)
        )
        answer = exchange(platform.rest, request("GET", b"/topics", name + b": POST"))
        assert answer.status == 200
    for name in (b"x-original-url", b"x-rewrite-url", b"x-forwarded-prefix", b"x-forwarded-path"):
        assert exchange(platform.rest, request("GET", b"/nothing", name + b": /topics")).error == (404, 404)


# --- bodies --------------------------------------------------------------------------------------------------------

INSTANCE = "/consumers/hostile/instances/one"
V2_EMBEDDED = ("json", "binary", "avro", "jsonschema", "protobuf")
V2_PATHS = "/ /consumers/other {i}/subscription {i}/assignments {i}/positions {i}/positions/beginning {i}/offsets"
V3_PATHS = """
{c}/topics {c}/topics/t/records {c}/topics/t/records:batch {c}/topics/t/configs:alter {c}/topics/-/configs:alter
{c}/broker-configs:alter {c}/acls {c}/acls:batch /caudal/v1/groups/hostile/topics/t/offsets
"""
ENDPOINTS = [
    *(("/topics/t", f"application/vnd.kafka.{embedded}.v2+json") for embedded in V2_EMBEDDED),
    ("/topics/t/partitions/0", JSON.decode()),
    *((path, V2.decode()) for path in V2_PATHS.split()),
    *((path, V3.decode()) for path in V3_PATHS.split()),
]


def everywhere(text: bytes) -> bytes:
    """A body that has this JSON text wherever any of the endpoints looks for a name, a number or data."""
    return (
        b'{"records":[{"key":%b,"value":%b,"partition":%b}],"topics":[%b],"topic_name":%b,"id":%b,"partition_id":%b,'
        b'"partitions":[{"topic":%b,"partition":%b}],"offsets":[{"topic":"t","partition":%b,"offset":%b,"metadata":%b}],'
        b'"timestamps":[{"topic":"t","partition":0,"timestamp":%b}],"partitions_count":%b,"replication_factor":%b,'
        b'"data":[{"name":%b,"value":%b,"topic_name":%b,"resource_type":%b}],"entries":[{"id":"a","value":%b}],'
        b'"key":{"type":"JSON","data":%b},"value":{"type":%b,"data":1},"headers":[{"name":%b,"value":%b}],"timestamp":%b,'
        b'"committed":%b,"next":%b,"key_schema":%b,"value_schema":%b,"value_schema_id":%b,"principal":%b,"name":"c"}'
    ).replace(b"%b", text)


BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "cut off": b'{"records":[{"value":',
    "too much": RECORD + b"]",
    "nulls": everywhere(b"null"),
    "numbers": everywhere(b"1"),
    "texts": everywhere(b'"x"'),
    "objects": everywhere(b"{}"),
    "large numbers": everywhere(b"9" * 30),
    "huge numbers": everywhere(b"9" * 5_000),
    "numbers without end": everywhere(b"1e999999"),
    "numbers below 0": everywhere(b"-1"),
    "fractions": everywhere(b"0.5"),
    "not a number": everywhere(b"NaN"),
    "lone surrogates": everywhere(b'"\\ud800"'),
    "surrogates the wrong way round": everywhere(b'"\\udc00\\ud800"'),
    "no UTF-8": everywhere(b'"\xff\xfe"'),
    "surrogates in raw bytes": everywhere(b'"\xed\xa0\x80"'),
    "zero characters": everywhere(b'"\\u0000"'),
    "blanks": everywhere(b'" "'),
    "long texts": everywhere(b'"%b"' % (b"x" * 40_000)),
    "the last time": everywhere(b'"9999-12-31T23:59:59-23:59"'),
    "the first time": everywhere(b'"0001-01-01T00:00:00+23:59"'),
    "depth": b"[" * 100_000,
    "depth that ends": everywhere(b"[" * 5_000 + b"]" * 5_000),
    "deep objects": b'{"a":' * 100_000,
    "UTF-16": RECORD.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + RECORD,
    "a comment": b'{"records":[{"value":1}]/* */}',
    "no JSON": b"records=1&value=2",
}


@pytest.fixture
def instance(bystander: httpx.Client) -> Iterator[None]:
    """A consumer instance that has a partition."""
    headers = {"Content-Type": V2.decode()}
    there = {"partitions": [{"topic": "t", "partition": 0}]}
    assert bystander.post("/consumers/hostile", json={"name": "one"}, headers=headers).status_code == 200
    assert bystander.post(f"{INSTANCE}/assignments", json=there, headers=headers).status_code == 204
    yield
    assert bystander.delete(INSTANCE).status_code == 204


@pytest.mark.usefixtures("instance")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_wrong_body_is_told_what_is_wrong_wherever_it_is_sent(platform: Platform, cluster: str, body: bytes) -> None:
    with httpx.Client(base_url=platform.rest, timeout=30) as http:
        for path, content_type in ENDPOINTS:
            url = path.format(i=INSTANCE, c=cluster)
            answer = http.post(url, content=body, headers={"Content-Type": content_type})
            assert answer.status_code < 500, (url, answer.text)
            if answer.status_code >= 400:
                assert list(answer.json()) == ["error_code", "message"], url
            assert '"error_code":500,' not in answer.text.replace(" ", ""), url


def test_of_a_field_that_stands_twice_the_last_counts(platform: Platform, bystander: httpx.Client) -> None:
    body = b'{"records":[],"records":[{"value":"first","value":"last"}]}'
    answer = bystander.post("/topics/twice", content=body, headers={"Content-Type": JSON.decode()})
    assert answer.json()["offsets"][0]["offset"] == 0
    told = bystander.get("/caudal/v1/topics/twice/records?format=json").json()["records"]
    assert [one["value"] for one in told] == ["last"]


BOMBS = {
    "zeros": gzip.compress(bytes(300 << 20), 1),
    "members of nothing": gzip.compress(b"") * 300_000,
    "blanks and half a record": gzip.compress(b" " * (300 << 20) + RECORD[:-1], 1),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_does_not_go_off(platform: Platform, bystander: httpx.Client, cluster: str, bomb: bytes) -> None:
    """Others are served while it is unpacked."""
    paths = [(b"/topics/t", JSON), (f"{cluster}/topics".encode(), V3), (f"{cluster}/topics/t/records".encode(), V3)]
    answers: list[Answer] = []

    def throw() -> None:
        for path, content_type in paths:
            raw = request("POST", path, b"content-encoding: gzip", body=bomb, content_type=content_type)
            answers.append(exchange(platform.rest, raw))

    throwing = threading.Thread(target=throw)
    throwing.start()
    while throwing.is_alive():
        assert bystander.get("/topics/t/partitions").status_code == 200
    throwing.join()
    *refused, stream = answers
    assert {one.error for one in refused} <= {(413, 413), (422, 422)}
    assert stream.status in (200, 422)  # of a stream the receipt says it
    assert b'"error_code":4' in stream.everything


# --- who does not read ---------------------------------------------------------------------------------------------


def test_who_reads_no_answer_is_left_and_the_records_are_there_for_the_next(
    platform: Platform, bystander: httpx.Client
) -> None:
    """Records of an instance, a plain read, a live tail: each more than the buffers between the two can hold."""
    large = b'{"records":[{"value":"%b"}]}' % (b"x" * 900_000)
    for _ in range(40):
        assert bystander.post("/topics/large", content=large, headers={"Content-Type": JSON.decode()}).is_success
    config = {"name": "one", "format": "json", "auto.offset.reset": "earliest"}
    headers = {"Content-Type": V2.decode()}
    assert bystander.post("/consumers/unread", json=config, headers=headers).status_code == 200
    reader = "/consumers/unread/instances/one"
    assert bystander.post(f"{reader}/subscription", json={"topics": ["large"]}, headers=headers).status_code == 204
    read_all = b"/caudal/v1/topics/large/records?offset=0&format=json&limit=1000"
    asked = [
        request("GET", f"{reader}/records?timeout=10000".encode(), b"accept: " + JSON),
        request("GET", read_all),
        request("GET", read_all, b"accept: text/event-stream"),
    ]
    host, port = platform.rest.removeprefix("http://").split(":")
    for raw in asked:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            silent.settimeout(30)
            silent.connect((host, int(port)))
            silent.sendall(raw)
            assert silent.recv(1)
            wait_until(partial(has_left, platform, silent.getsockname()[1]), what="the server leaves")
            assert bystander.get("/topics/large").status_code == 200
    assert bystander.delete(reader).status_code == 204


def has_left(platform: Platform, port: int) -> bool:
    """Whether the server has no connection any more with the client's port of this number."""
    return not any(
        one.raddr and one.raddr.port == port for one in psutil.Process(platform.process.pid).net_connections()
    )
