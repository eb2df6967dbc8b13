"""The user's settings of the REST Proxy reach it, and their defaults are its own."""

import sys
from dataclasses import fields

import pytest

from app import rest
from app.errors import StartError
from app.runtime import _rest_settings
from app.settings import load


def test_the_defaults_are_the_proxys_own() -> None:
    assert _rest_settings(load(environment={})) == rest.RestSettings()


def test_each_setting_of_the_proxy_can_be_set() -> None:
    given = {
        "advertised_listeners": "http://a.example:8082, https://b.example",
        "id": "one",
        "confluent_resource_name_authority": "kafka.example",
        "null_request_body_always_publishes_empty_record": True,
        "compression_enable": False,
        "api_v3_produce_batch_maximum_entries": 50,
        "streaming_connection_max_duration_ms": 1,
        "idle_timeout_ms": 2,
        "produce_stream_pending_max": 3,
        "produce_stream_pending_max_bytes": 4,
        "idempotency_ms": 5,
        "idempotency_keys_max": 6,
        "idempotency_bytes_max": 7,
        "request_max_bytes": 8,
        "consumer_instances_max": 9,
        "consumer_instance_timeout_ms": 10,
        "consumer_request_timeout_ms": 11,
        "consumer_request_max_bytes": 12,
        "api_v2_enable": False,
        "api_v3_enable": False,
        "api_endpoints_allowlist": "api.v3.topics.*",
        "api_endpoints_blocklist": "api.v3.topics.create",
    }
    settings, default = _rest_settings(load({"rest": given}, environment={})), rest.RestSettings()
    same = {one.name for one in fields(settings) if getattr(settings, one.name) == getattr(default, one.name)}
    assert same == set()
    assert settings.advertised_listeners == ("http://a.example:8082", "https://b.example")
    assert settings.response_gzip_min_bytes == sys.maxsize


@pytest.mark.parametrize(
    "listeners", ["rest.example", "ftp://rest.example", "http://a/path", "http://a http://b", "http://"]
)
def test_an_advertised_listener_is_an_address(listeners: str) -> None:
    with pytest.raises(StartError, match="advertised_listeners"):
        load({"rest": {"advertised_listeners": listeners}}, environment={})
