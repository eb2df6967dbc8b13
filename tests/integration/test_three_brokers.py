"""The REST Proxy, over HTTPS and with users, on an Apache Kafka of three brokers of which one, or all, are killed."""

import base64
import contextlib
import ssl
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
from argon2 import PasswordHasher

from tests.conftest import Platform, RealKafka, start_platform, wait_until
from tests.integration.broker.certificates import Authority
from tests.integration.rest.produce_run import ProduceRun
from tests.integration.rest.readers import CursorReader, GroupReader, InstanceReader, Reader, TailReader
from tests.integration.rest.record_run import RecordRun, read_values
from tests.integration.rest.running_proxy import JSON

pytestmark = pytest.mark.java
USER = ("root", "correct horse battery")
PARTITIONS = 6
CLIENTS = 4


@dataclass
class Facing:
    """A platform whose REST port is HTTPS with users."""

    platform: Platform
    context: ssl.SSLContext

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.platform.rest, auth=USER, verify=self.context, timeout=60)


@pytest.fixture
def facing(three_brokers: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facing]:
    folder = tmp_path_factory.mktemp("facing")
    authority = Authority(folder)
    password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(USER[1])
    rule = (
        '{ operations = ["produce", "consume", "describe", "manage"], topics = ["*"], groups = ["*"], cluster = true }'
    )
    (folder / "users.toml").write_text(f'[users.{USER[0]}]\npassword = "{password}"\nrules = [{rule}]\n')
    settings = {
        "rest.users_file": folder / "users.toml",
        "rest.ssl_keystore_location": authority.issue("rest", "/CN=rest"),
        "kafka.connect_timeout_ms": 60_000,
    }
    arguments = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    platform = start_platform(folder / "data", "--bootstrap-servers", three_brokers.bootstrap_servers, *arguments)
    yield Facing(platform, ssl.create_default_context(cafile=str(authority.certificate)))
    assert platform.stop() == 0
    assert "Traceback" not in platform.log()


def create_topic(http: httpx.Client, name: str) -> str:
    """Three replicas, of which two must have a record before it is acknowledged; the cluster's URL."""
    cluster_url: str = http.get("/v3/clusters").json()["data"][0]["metadata"]["self"]
    wanted = {
        "topic_name": name,
        "partitions_count": PARTITIONS,
        "replication_factor": 3,
        "configs": [{"name": "min.insync.replicas", "value": "2"}],
    }
    created = http.post(f"{cluster_url}/topics", json=wanted)
    assert created.status_code == 201, created.text
    return cluster_url


def readers_of(facing: Facing, topic: str) -> list[Reader]:
    return [
        InstanceReader(facing.client, topic, f"{topic}-instance"),
        GroupReader(facing.client, topic, f"{topic}-group"),
        CursorReader(facing.client, topic),
        TailReader(facing.client, topic),
    ]


def asked_while_away(facing: Facing, cluster_url: str, topic: str) -> dict[str, tuple[int, int, float]]:
    """One request of each kind, all at once: status, `error_code` and seconds of each."""
    record = {"value": {"type": "JSON", "data": 1}}
    requests: dict[str, tuple[str, str, dict[str, object]]] = {
        "v2 topics": ("GET", "/topics", {}),
        "v2 topic": ("GET", f"/topics/{topic}", {}),
        "v2 offsets": ("GET", f"/topics/{topic}/partitions/0/offsets", {}),
        "v2 produce": ("POST", f"/topics/{topic}", {"json": {"records": [{"value": 1}]}, "headers": JSON}),
        "v3 clusters": ("GET", "/v3/clusters", {}),
        "v3 topics": ("GET", f"{cluster_url}/topics", {}),
        "v3 configs": ("GET", f"{cluster_url}/topics/{topic}/configs", {}),
        "v3 groups": ("GET", f"{cluster_url}/consumer-groups", {}),
        "v3 lags": ("GET", f"{cluster_url}/consumer-groups/{topic}-instance/lags", {}),
        "v3 create": ("POST", f"{cluster_url}/topics", {"json": {"topic_name": "never"}}),
        "records": ("GET", f"/caudal/v1/topics/{topic}/records", {}),
        "group": ("GET", f"/caudal/v1/groups/{topic}-group/topics/{topic}/records?wait_ms=500", {}),
    }

    def ask(request: tuple[str, str, dict[str, object]]) -> tuple[int, int, float]:
        method, url, arguments = request
        begun = time.monotonic()
        with facing.client() as http:
            answer = http.request(method, url, **arguments)  # type: ignore[arg-type]
        return answer.status_code, answer.json()["error_code"], round(time.monotonic() - begun, 1)

    with ThreadPoolExecutor(len(requests) + 1) as pool:
        receipts = pool.submit(ask_by_stream, facing, f"{cluster_url}/topics/{topic}/records", record)
        found = dict(zip(requests, pool.map(ask, requests.values()), strict=True))
        return found | {"v3 records": receipts.result()}


def ask_by_stream(facing: Facing, url: str, record: dict[str, object]) -> tuple[int, int, float]:
    """A stream of one record: its status is 200, and its receipt says what became of the record."""
    begun = time.monotonic()
    with facing.client() as http:
        answer = http.post(url, json=record)
    assert answer.status_code == 200, answer.text
    return 503, answer.json()["error_code"], round(time.monotonic() - begun, 1)


def listed(http: httpx.Client, cluster_url: str) -> list[str]:
    """The groups that there are; while one is moved from broker to broker, Kafka itself may not name it."""
    answer = http.get(f"{cluster_url}/consumer-groups")
    assert answer.status_code == 200, answer.text
    return [one["consumer_group_id"] for one in answer.json()["data"]]


def await_all_partitions(run: ProduceRun, *, since: frozenset[int]) -> None:
    """Until records were acknowledged in each partition that are not among those of since."""

    def has_all() -> bool:
        found = {where for number, where in run.acknowledged.copy().items() if number not in since}
        return {partition for partition, _ in found} == set(range(PARTITIONS))

    wait_until(has_all, timeout=120, what="records in all partitions")


def await_all_read(readers: list[Reader], run: ProduceRun) -> dict[str, float]:
    """Until each reader has every acknowledged record; the seconds until then."""
    begun, took = time.monotonic(), {}
    for reader in readers:
        with contextlib.suppress(AssertionError):
            wait_until(lambda one=reader: set(run.acknowledged) <= one.read, timeout=120)
        unread = {number: where for number, where in run.acknowledged.items() if number not in reader.read}
        assert not unread, (reader.name, reader.told, dict(list(unread.items())[:10]))
        took[reader.name] = round(time.monotonic() - begun, 1)
    return took


def lost(run: ProduceRun | RecordRun, kafka: RealKafka, topic: str) -> dict[int, tuple[int, int]]:
    """Acknowledged records that are not at their offset."""
    stored = read_values(kafka.bootstrap_servers, topic, partitions=PARTITIONS)
    return {number: where for number, where in run.acknowledged.items() if stored.get(where) != number}


def test_v2_goes_on_when_a_leader_is_killed(facing: Facing, three_brokers: RealKafka) -> None:
    """The broker that leads partitions and coordinates the group of the instance: whom the proxy talks to most."""
    topic = f"v2-killed-{uuid.uuid4().hex[:8]}"
    with contextlib.ExitStack() as stack:
        http = stack.enter_context(facing.client())
        cluster_url = create_topic(http, topic)
        readers = [stack.enter_context(reader) for reader in readers_of(facing, topic)]
        with ProduceRun(facing.client, topic, clients=CLIENTS) as run:
            await_all_partitions(run, since=frozenset())
            for reader in readers:
                wait_until(lambda one=reader: one.read, timeout=30, what=f"a first record by {reader.name}")
            group = http.get(f"{cluster_url}/consumer-groups/{topic}-instance").json()
            victim = int(group["coordinator"]["related"].rpartition("/")[2])
            partitions = http.get(f"{cluster_url}/topics/{topic}/partitions").json()["data"]
            assert [one for one in partitions if one["leader"]["related"].endswith(f"/{victim}")]
            before = frozenset(run.acknowledged)
            three_brokers.kill_broker(victim)
            killed_at = time.monotonic()
            groups = http.get(f"{cluster_url}/consumer-groups")
            groups_s = time.monotonic() - killed_at
            wait_until(lambda: f"{topic}-instance" in listed(http, cluster_url), timeout=120, what="the group listed")
            await_all_partitions(run, since=before)
            failover_s = time.monotonic() - killed_at
            three_brokers.start_broker(victim)
            wait_until(three_brokers.is_whole, timeout=120, what="a whole cluster again")
            whole_s = time.monotonic() - killed_at
        read_s = await_all_read(readers, run)
    print(f"\nkilled broker {victim}: {len(run.acknowledged)} acknowledged, told {dict(run.told)}", end=", ")
    print(f"slowest {run.slowest_s:.1f} s, all partitions written after {failover_s:.1f} s, whole {whole_s:.1f} s")
    print(f"groups listed with {groups.status_code} after {groups_s:.1f} s; read after the end {read_s}")
    print({reader.name: dict(reader.told) for reader in readers})
    assert lost(run, three_brokers, topic) == {}
    assert set(run.told) <= {"200/written", "200/50003", "503/50302"}
    assert groups.status_code == 200, groups.text
    assert [reader.told["tail opened"] for reader in readers if isinstance(reader, TailReader)] == [1]


def test_when_every_broker_is_killed_all_answers_are_503_until_they_are_back(
    facing: Facing, three_brokers: RealKafka
) -> None:
    topic = f"all-killed-{uuid.uuid4().hex[:8]}"
    with contextlib.ExitStack() as stack:
        http = stack.enter_context(facing.client())
        cluster_url = create_topic(http, topic)
        create_topic(http, f"{topic}-stream")
        readers = [stack.enter_context(reader) for reader in readers_of(facing, topic)]
        login = base64.b64encode(":".join(USER).encode()).decode()
        stream = RecordRun(cluster_url, f"{topic}-stream", tls=facing.context, authorization=f"Basic {login}")
        with stream, ProduceRun(facing.client, topic, clients=2) as run:
            await_all_partitions(run, since=frozenset())
            for reader in readers:
                wait_until(lambda one=reader: one.read, timeout=30, what=f"a first record by {reader.name}")
            wait_until(lambda: stream.acknowledged, what="a receipt")
            three_brokers.kill_all()
            killed_at = time.monotonic()
            away = asked_while_away(facing, cluster_url, topic)
            before, receipts = frozenset(run.acknowledged), len(stream.acknowledged)
            three_brokers.start_all()
            ready_s = time.monotonic() - killed_at
            await_all_partitions(run, since=before)
            wait_until(lambda: len(stream.acknowledged) > receipts, timeout=120, what="a receipt again")
            back_s = time.monotonic() - killed_at - ready_s
        read_s = await_all_read(readers, run)
        assert http.get("/topics").status_code == 200
    print(f"\n{away}\nbrokers ready {ready_s:.1f} s after the kill, written {back_s:.1f} s after that", end="; ")
    print(f"v2 told {dict(run.told)}, stream: {len(stream.acknowledged)} of {stream.sent_count}", end="; ")
    print(f"read after the end {read_s}\n{ {reader.name: dict(reader.told) for reader in readers} }")
    assert {name: told[:2] for name, told in away.items()} == dict.fromkeys(away, (503, 50302))
    assert lost(run, three_brokers, topic) == {}
    assert lost(stream, three_brokers, f"{topic}-stream") == {}
    assert set(run.told) <= {"200/written", "200/50003", "503/50302"}
    assert set(stream.refused) <= {50302, 50003}
    assert [reader.told["tail opened"] for reader in readers if isinstance(reader, TailReader)] == [1]
