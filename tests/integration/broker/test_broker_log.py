"""What a broker process writes to its log."""

import json
from pathlib import Path

import pytest

from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest
from tests.integration.broker.secured_broker import JAAS, SecuredBroker, logged_in
from tests.integration.broker.wire_client import WireClient

BROKER_LOGGER = 8


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "broker.log"


@pytest.fixture(scope="module")
def secured(tmp_path_factory, log_file):
    settings = {
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.jaas.config": JAAS,
        "caudal.log.format": "json",
        "caudal.log.level": "DEBUG",
        "connection.failed.authentication.delay.ms": "0",
    }
    broker = SecuredBroker(tmp_path_factory.mktemp("data"), {"LOGIN": "SASL_PLAINTEXT"}, settings, log_file=log_file)
    yield broker
    broker.close()


def events(log_file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log_file.read_text().splitlines()]


def test_every_line_is_an_object_and_none_has_a_password(secured, log_file):
    logged_in(secured.addresses["LOGIN"], "alice").socket.close()
    with WireClient(secured.addresses["LOGIN"]) as wire:
        wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
        assert wire.ask(SaslAuthenticateRequest(auth_bytes=b"\0alice\0my-guess"), 2).error_code == 58
    found = events(log_file)
    assert all({"time", "level", "logger", "event"} <= event.keys() for event in found)
    (refused,) = [event for event in found if event["event"] == "login refused"]
    assert (refused["level"], refused["client"]) == ("WARN", "127.0.0.1")
    assert not any(secret in log_file.read_text() for secret in ("alice-secret", "my-guess", "admin-secret"))


def test_requests_are_logged_only_while_their_logger_is_switched_on(secured, log_file):
    def requests() -> list[dict[str, object]]:
        return [event for event in events(log_file) if event["logger"] == "broker.requests"]

    with logged_in(secured.addresses["LOGIN"], "alice") as wire:

        def switch(level: str) -> None:
            resource = AlterConfigsResource(BROKER_LOGGER, "0", [AlterableConfig("broker.requests", 0, level)])
            assert wire.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses[0].error_code == 0

        wire.ask(MetadataRequest(topics=[]), 9)
        assert requests() == []
        switch("DEBUG")
        wire.ask(MetadataRequest(topics=[]), 9)
        switch("WARN")
        wire.ask(MetadataRequest(topics=[]), 9)
    (first,) = requests()
    assert (first["api"], first["version"]) == ("METADATA", 9)
    assert (first["principal"], first["client_id"]) == ("User:alice", "wire")
