"""The REST Proxy as its operator sees it: metrics, the access log, endpoints that are switched off."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.rest.access.users_file import hash_of_secret
from app.web_metrics.catalogue import CATALOGUE
from tests.conftest import Platform, start_platform, wait_until

JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}
V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
SHOP, GUEST = ("SHOPKEY", "the-secret-of-shop"), ("GUESTKEY", "the-secret-of-guest")
VALUE = "a-value-that-nobody-else-may-read"
USERS = f"""
[users.shop]
keys = {{ SHOPKEY = "{hash_of_secret(SHOP[1])}" }}
rules = [
  {{ operations = ["produce", "consume", "describe", "manage"], topics = ["*"], groups = ["*"], cluster = true }},
]
[users.guest]
keys = {{ GUESTKEY = "{hash_of_secret(GUEST[1])}" }}
rules = [{{ operations = ["describe"], topics = ["prices"] }}]
"""


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("operated")
    (folder / "users.toml").write_text(USERS)
    settings = {
        "users_file": folder / "users.toml",
        "access_log": folder / "access.log",
        "api_endpoints_blocklist": "api.v3.acls.*",
    }
    arguments = [word for name, value in settings.items() for word in ("--set", f"rest.{name}={value}")]
    platform = start_platform(folder / "data", *arguments)
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def http(operated: Platform) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=operated.rest, auth=SHOP, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def used(http: httpx.Client) -> httpx.Client:
    """After two records were produced to `orders` and read back."""
    records = {"records": [{"key": f"{VALUE}-key", "value": VALUE}, {"value": VALUE}]}
    assert http.post("/topics/orders", json=records, headers=JSON).status_code == 200
    made = http.post("/consumers/g", json={"name": "i", "format": "json", "auto.offset.reset": "earliest"}, headers=V2)
    assert made.status_code == 200
    assert http.post("/consumers/g/instances/i/subscription", json={"topics": ["orders"]}, headers=V2).is_success
    wait_until(lambda: http.get("/consumers/g/instances/i/records", headers={"Accept": JSON["Content-Type"]}).json())
    return http


def samples(platform: Platform) -> dict[tuple[str, str, str], float]:
    """Values by name, endpoint and status, as the official parser reads them."""
    answer = httpx.get(f"{platform.http}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (one.name, one.labels.get("endpoint", ""), one.labels.get("status", "")): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
        if "le" not in one.labels
    }


def test_metrics_count_requests_and_records(operated: Platform, used: httpx.Client) -> None:
    found = samples(operated)
    produce = ("api.v2.produce-to-topic.produce", "200")
    assert found["caudal_rest_requests_total", *produce] == 1
    assert found["caudal_rest_request_duration_seconds_count", *produce] == 1
    assert found["caudal_rest_request_duration_seconds_sum", *produce] > 0
    assert found["caudal_rest_response_bytes_total", *produce] > 0
    assert found["caudal_rest_consumer_instances", "", ""] == 1
    assert found["caudal_rest_consumed_records_total", "", ""] == 2
    assert found["caudal_rest_consumed_bytes_total", "", ""] > 2 * len(VALUE)
    assert found["caudal_web_produced_records_total", "", ""] >= 2
    assert found["caudal_web_produced_bytes_total", "", ""] > 2 * len(VALUE)
    assert found["process_cpu_seconds_total", "", ""] > 0


def test_every_metric_of_the_catalogue_is_there(operated: Platform, used: httpx.Client) -> None:
    text = httpx.get(f"{operated.http}/metrics").text
    told = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in text_string_to_metric_families(text)
    }
    assert told == {(metric.name, metric.type) for metric in CATALOGUE.values()}


def test_open_tails_streams_and_requests_are_told(operated: Platform, used: httpx.Client) -> None:
    listening = {"Accept": "text/event-stream"}
    with used.stream("GET", "/caudal/v1/topics/orders/records", headers=listening) as tail:
        assert tail.status_code == 200
        found = samples(operated)
        assert found["caudal_rest_live_tails", "", ""] == 1
        assert found["caudal_rest_requests_in_flight", "", ""] == 1
    wait_until(lambda: samples(operated)["caudal_rest_live_tails", "", ""] == 0)
    wait_until(lambda: samples(operated)["caudal_rest_requests_in_flight", "", ""] == 0)


def test_metrics_are_on_the_main_port_alone(operated: Platform) -> None:
    assert httpx.get(f"{operated.rest}/metrics", auth=SHOP).status_code == 404
    for port in ("control_center", "schema_registry"):
        assert httpx.get(f"{operated.ready[port]}/metrics").status_code == 404
    refused = httpx.post(f"{operated.http}/metrics")
    assert (refused.status_code, refused.json()["error_code"], refused.headers["allow"]) == (405, 405, "GET, HEAD")


def test_access_log_tells_requests_and_no_contents(operated: Platform, used: httpx.Client) -> None:
    path = operated.data_dir.with_name("access.log")
    assert httpx.get(f"{operated.rest}/topics", auth=("nobody", SHOP[1])).status_code == 401
    assert httpx.get(f"{operated.rest}/topics/orders", auth=GUEST).status_code == 403
    used.get(f"/topics/not-there?password={VALUE}")

    def lines() -> list[dict[str, object]]:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return found if any(line["path"] == "/topics/not-there" for line in found) else []

    found = wait_until(lines)
    assert isinstance(found, list)
    ends = [(line["user"], line["method"], line["path"], line["endpoint"], line["status"]) for line in found]
    assert ("shop", "POST", "/topics/orders", "api.v2.produce-to-topic.produce", 200) in ends
    assert ("", "GET", "/topics", "", 401) in ends
    assert ("guest", "GET", "/topics/orders", "", 403) in ends
    assert ("shop", "GET", "/topics/not-there", "api.v2.topics.get", 404) in ends
    assert {line["client"] for line in found} == {"127.0.0.1"}
    assert VALUE not in path.read_text()
    assert "the-secret" not in path.read_text()


def test_blocked_endpoints_are_gone(http: httpx.Client) -> None:
    cluster = http.get("/v3/clusters").json()["data"][0]["cluster_id"]
    acls = f"/v3/clusters/{cluster}/acls"
    assert http.get(acls).json() == {"error_code": 404, "message": "HTTP 404 Not Found"}
    assert http.post(acls, json={}).json() == {"error_code": 405, "message": "HTTP 405 Method Not Allowed"}


def test_an_unknown_endpoint_stops_the_start(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "app", "start", "--port", "0", "--kafka-port", "0", "--data-dir", str(tmp_path))
    setting = ("--set", "rest.api_endpoints_allowlist=api.v3.topic.list")
    done = subprocess.run((*command, *setting), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "caudal: unknown endpoint api.v3.topic.list in the setting rest.api_endpoints_allowlist. "
        "Did you mean api.v3.topics.list?"
    )
