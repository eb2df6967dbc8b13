"""Clusters beside the default one of a platform: their settings, and what v3 says of them."""

import json

import httpx

from tests.conftest import Platform

RECORD = {"value": {"type": "JSON", "data": 1}}


def login(name: str, servers: str, mechanism: str, password: str) -> list[str]:
    """The settings of a further cluster where alice logs in: Kafka's names, with underscores."""
    settings = {
        "bootstrap_servers": servers,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_jaas_config": f'org.apache.M required username="alice" password="{password}";',
    }
    return [word for key, value in settings.items() for word in ("--set", f"clusters.{name}.{key}={value}")]


def told(answer: httpx.Response) -> tuple[int, int | None]:
    """Status and `error_code`; the answer must not name any password."""
    assert "secret" not in answer.text
    return answer.status_code, answer.json().get("error_code")


def cluster_ids(platform: Platform) -> list[str]:
    return [one["cluster_id"] for one in httpx.get(f"{platform.rest}/v3/clusters", timeout=30).json()["data"]]


def receipt(cluster_url: str, topic: str) -> dict[str, object]:
    answer = httpx.post(f"{cluster_url}/topics/{topic}/records", json=RECORD, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = json.loads(answer.text)
    return found
