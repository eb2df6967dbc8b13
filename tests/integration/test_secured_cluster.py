"""`caudal start` on a cluster that wants a login: our own broker with TLS and SCRAM, and a genuine Apache Kafka."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.client_properties import read_client_properties
from broker.errors import SaslAuthenticationFailed
from tests.conftest import Platform, RealKafka, free_ports, start_platform, start_real_kafka, wait_until
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import JAAS, SecuredBroker
from tests.integration.rest.further_clusters import cluster_ids, login, receipt, told

V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}
READ_JSON = {"Accept": "application/vnd.kafka.json.v2+json"}


def jaas(user: str, password: str) -> str:
    return f'sasl.jaas.config=org.apache.M required username="{user}" password="{password}";\n'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    settings = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "sasl.jaas.config": JAAS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("broker", "/CN=localhost")),
    }
    broker = SecuredBroker(tmp_path_factory.mktemp("secured"), {"BOTH": "SASL_SSL"}, settings)
    yield broker
    broker.close()


def properties(
    folder: Path,
    authority: Authority,
    *,
    mechanism: str = "SCRAM-SHA-256",
    user: str = "bob",
    password: str = "bob-secret",
) -> Path:
    path = folder / "client.properties"
    path.write_text(
        f"security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\nssl.truststore.type=PEM\n"
        f"ssl.truststore.location={authority.certificate}\n{jaas(user, password)}"
    )
    return path


def use_everything(platform: Platform) -> None:
    """Whatever speaks to the cluster speaks once: admin, producer, group consumer, registry, pages, live tail."""
    cluster = httpx.get(f"{platform.rest}/v3/clusters").json()["data"][0]["metadata"]["self"]
    assert httpx.post(f"{cluster}/topics", json={"topic_name": "guarded"}).status_code == 201
    schema = {"schema": '{"type": "string"}'}
    registered = httpx.post(f"{platform.http}/subjects/guarded-value/versions", json=schema, timeout=30)
    assert registered.json()["id"] == 1, registered.text
    url = f"{platform.rest}/caudal/v1/topics/guarded/records?from=earliest"
    tail_headers = {"Accept": "text/event-stream"}
    produced = httpx.post(f"{platform.rest}/topics/guarded", json={"records": [{"value": 7}]}, headers=JSON)
    assert [one["offset"] for one in produced.json()["offsets"]] == [0]
    with httpx.stream("GET", url.replace("from=earliest", "offset=0"), headers=tail_headers, timeout=30) as tail:
        event = next(line for line in tail.iter_lines() if line.startswith("data:"))
    assert json.loads(event.removeprefix("data:"))["offset"] == 0
    config = {"format": "json", "auto.offset.reset": "earliest"}
    made = httpx.post(f"{platform.rest}/consumers/guarded", json=config, headers=V2)
    instance = made.json()["base_uri"]
    followed = httpx.post(f"{instance}/subscription", json={"topics": ["guarded"]}, headers=V2, timeout=30)
    assert followed.status_code == 204, followed.text
    records = httpx.get(f"{instance}/records?timeout=20000", headers=READ_JSON, timeout=30).json()
    assert [record["value"] for record in records] == [7]
    assert httpx.delete(instance).status_code == 204
    assert httpx.get(f"{platform.cluster_url}/topics").status_code == 200


def test_everything_works_over_tls_with_a_login(secured: SecuredBroker, authority: Authority, tmp_path: Path) -> None:
    config = properties(tmp_path, authority)
    platform = start_platform(
        tmp_path / "data", "--bootstrap-servers", secured.addresses["BOTH"], "--command-config", str(config)
    )
    try:
        use_everything(platform)
    finally:
        assert platform.stop() == 0
    assert "bob-secret" not in platform.log()


def refusal(tmp_path: Path, *arguments: str) -> str:
    """The one line with which `caudal start` gives up."""
    command = [sys.executable, "-m", "app", "start", "--port", "0", "--data-dir", str(tmp_path / "data"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert "secret" not in done.stderr
    assert line.startswith("caudal: "), done.stderr
    return line


def test_a_wrong_password_is_one_line(secured: SecuredBroker, authority: Authority, tmp_path: Path) -> None:
    config = properties(tmp_path, authority, password="no-secret")
    told = refusal(tmp_path, "--bootstrap-servers", secured.addresses["BOTH"], "--command-config", str(config))
    assert "refuses: " in told
    assert "--command-config" in told


def test_an_untrusted_certificate_is_one_line_at_once(
    secured: SecuredBroker, authority: Authority, tmp_path: Path
) -> None:
    told = refusal(
        tmp_path,
        *("--bootstrap-servers", secured.addresses["BOTH"], "--set", "kafka.security_protocol=SSL"),
        *("--set", "kafka.connect_timeout_ms=3600000"),
    )
    assert "its certificate is not trusted" in told


def embedded(authority: Authority, listeners: str, protocols: str) -> list[str]:
    configs = {
        "listeners": listeners,
        "listener.security.protocol.map": protocols,
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.jaas.config": JAAS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("embedded", "/CN=localhost")),
    }
    return [word for name, value in configs.items() for word in ("--set", f"broker.{name}={value}")]


def test_the_embedded_broker_may_have_secured_listeners(authority: Authority, tmp_path: Path) -> None:
    outer, inner = free_ports(2)
    configs = embedded(
        authority, f"OUTER://127.0.0.1:{outer},INNER://127.0.0.1:{inner}", "OUTER:SASL_SSL,INNER:PLAINTEXT"
    )
    platform = start_platform(tmp_path / "data", *configs)
    try:
        assert platform.kafka == f"127.0.0.1:{inner}"
        use_everything(platform)
        with pytest.raises(SaslAuthenticationFailed):
            asyncio.run(
                cluster_id_at(
                    f"127.0.0.1:{outer}", properties(tmp_path, authority, mechanism="PLAIN", password="wrong")
                )
            )
        known = httpx.get(f"{platform.rest}/v3/clusters").json()["data"][0]["cluster_id"]
        as_alice = properties(tmp_path, authority, mechanism="PLAIN", user="alice", password="alice-secret")
        assert asyncio.run(cluster_id_at(f"127.0.0.1:{outer}", as_alice)) == known
    finally:
        assert platform.stop() == 0


async def cluster_id_at(address: str, config: Path) -> str:
    admin = KafkaClusterAdmin(address, read_client_properties(config))
    try:
        return (await admin.metadata()).cluster_id
    finally:
        await admin.close()


def test_the_platform_logs_in_to_its_own_broker_where_every_listener_is_secured(
    authority: Authority, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    configs = embedded(authority, f"OUTER://127.0.0.1:{port}", "OUTER:SASL_SSL")
    told = refusal(tmp_path, *configs, "--kafka-port", "0")
    assert "speaks PLAINTEXT to the embedded broker, and no listener of it does (OUTER is SASL_SSL)" in told
    as_alice = properties(tmp_path, authority, mechanism="PLAIN", user="alice", password="alice-secret")
    platform = start_platform(tmp_path / "data", *configs, "--command-config", str(as_alice))
    try:
        use_everything(platform)
    finally:
        assert platform.stop() == 0


@pytest.fixture(scope="module")
def kafka_with_login(java_tools: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    kafka = start_real_kafka(tmp_path_factory.mktemp("kafka-with-login") / "kafka", "--sasl")
    yield kafka
    kafka.stop()


@pytest.mark.java
def test_everything_works_on_a_real_kafka_with_scram(kafka_with_login: RealKafka, tmp_path: Path) -> None:
    password = jaas("alice", "alice-secret").strip().replace("sasl.jaas.config", "sasl_jaas_config")
    platform = start_platform(
        tmp_path / "data",
        *("--bootstrap-servers", kafka_with_login.bootstrap_servers),
        *("--set", "kafka.security_protocol=SASL_PLAINTEXT"),
        *("--set", "kafka.sasl_mechanism=SCRAM-SHA-512"),
        *("--set", f"kafka.{password}"),
    )
    try:
        use_everything(platform)
    finally:
        assert platform.stop() == 0
    assert "alice-secret" not in platform.log()


@pytest.mark.java
def test_a_real_kafka_with_scram_beside_the_embedded_broker(kafka_with_login: RealKafka, tmp_path: Path) -> None:
    clusters = [
        *login("right", kafka_with_login.bootstrap_servers, "SCRAM-SHA-512", "alice-secret"),
        *login("wrong", kafka_with_login.bootstrap_servers, "SCRAM-SHA-256", "no-secret"),
    ]
    platform = start_platform(tmp_path / "data", *clusters)
    try:
        wait_until(lambda: len(cluster_ids(platform)) == 2, what="the cluster that lets us in")
        default_id, kafka_id = cluster_ids(platform)
        kafka_url = f"{platform.rest}/v3/clusters/{kafka_id}"
        assert httpx.post(f"{kafka_url}/topics", json={"topic_name": "beside"}, timeout=30).status_code == 201
        assert [receipt(kafka_url, "beside")["offset"] for _ in range(3)] == [0, 1, 2]
        assert "beside" not in httpx.get(f"{platform.rest}/topics").json()
        # An id that nobody has said may be that of the cluster that lets nobody in.
        unknown = httpx.get(f"{platform.rest}/v3/clusters/nobody/topics", timeout=30)
        assert told(unknown) == (401, 40101)
        assert httpx.get(f"{platform.rest}/v3/clusters/{default_id}/topics").status_code == 200
    finally:
        assert platform.stop() == 0
    assert "secret" not in platform.log()
