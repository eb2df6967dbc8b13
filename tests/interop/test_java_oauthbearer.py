"""Apache Kafka's own Java clients log in with a token from a file."""

from pathlib import Path

import pytest

from tests.conftest import JavaTools
from tests.integration.broker.secured_broker import SecuredBroker
from tests.integration.broker.token_issuer import TokenIssuer

pytestmark = pytest.mark.java

LOGIN = "org.apache.kafka.common.security.oauthbearer."


def test_java_logs_in_with_a_token(java_tools: JavaTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = TokenIssuer()
    keys, good = tmp_path / "jwks.json", tmp_path / "good.jwt"
    keys.write_text(issuer.jwks("RS256"))
    good.write_text(issuer.token("alice", "RS256", scope="kafka"))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{good}")
    broker = SecuredBroker(
        tmp_path / "data",
        {"TOKEN": "SASL_PLAINTEXT"},
        {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.expected.audience": "kafka",
            "sasl.oauthbearer.jwks.endpoint.url": f"file://{keys}",
        },
    )

    def create(topic: str, token: Path) -> str:
        config = tmp_path / "client.properties"
        config.write_text(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n"
            f"sasl.jaas.config={LOGIN}OAuthBearerLoginModule required;\n"
            f"sasl.login.callback.handler.class={LOGIN}OAuthBearerLoginCallbackHandler\n"
            f"sasl.oauthbearer.token.endpoint.url=file://{token}\n"
        )
        done = java_tools.run(
            "topics",
            *("--bootstrap-server", broker.addresses["TOKEN"], "--command-config", str(config)),
            *("--create", "--topic", topic),
            check=False,
        )
        return done.stdout + done.stderr

    try:
        assert "Created topic by-token" in create("by-token", good)
    finally:
        broker.close()
