"""The cluster stops to know the proxy's password, while the proxy runs, and knows it again later."""

from pathlib import Path

from app.kafka.connection import ConnectionSettings
from app.kafka.sasl import SaslLogin
from tests.conftest import free_ports, wait_until
from tests.integration.broker.secured_broker import SecuredBroker
from tests.integration.rest.running_proxy import JSON, READ_JSON, running_proxy


def broker_that_knows(password: str, folder: Path, port: int) -> SecuredBroker:
    settings = {
        "listeners": f"BOTH://127.0.0.1:{port}",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.jaas.config": f'x.PlainLoginModule required user_alice="{password}";',
    }
    return SecuredBroker(folder, {"BOTH": "SASL_PLAINTEXT"}, settings)


def test_a_login_that_is_refused_later_is_told_and_comes_back(tmp_path: Path, topic: str, group: str) -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    connection = ConnectionSettings(request_timeout_s=5.0, login=SaslLogin("PLAIN", "alice", "old-secret"))
    broker = broker_that_knows("old-secret", tmp_path, port)
    try:
        with running_proxy(address, connection=connection) as proxy:
            proxy.create_topic(topic)
            cluster_url = proxy.cluster_url()
            proxy.produce(topic, {"value": 1})
            consumer = proxy.consumer(group).subscribe(topic)
            assert len(consumer.read()) == 1
            newcomer = proxy.consumer(f"{group}-2")

            broker.close()
            broker = broker_that_knows("new-secret", tmp_path, port)
            refused = {
                "v2": proxy.http.get("/topics"),
                "v3": proxy.http.get(f"{cluster_url}/topics"),
                "list": proxy.http.get("/v3/clusters"),
                "ours": proxy.http.get(f"/caudal/v1/topics/{topic}/records?offset=0"),
                "read": proxy.http.get(f"{consumer.base_uri}/records?timeout=500", headers=READ_JSON),
                "subscribe": newcomer.post("subscription", {"topics": [topic]}),
            }
            told = {name: (answer.status_code, answer.json()["error_code"]) for name, answer in refused.items()}
            assert told == dict.fromkeys(refused, (401, 40101))
            produced = proxy.http.post(f"/topics/{topic}", json={"records": [{"value": 2}]}, headers=JSON)
            assert produced.status_code == 401, produced.text
            assert not [answer.text for answer in refused.values() if "secret" in answer.text]

            broker.close()
            broker = broker_that_knows("old-secret", tmp_path, port)
            wait_until(lambda: proxy.http.get("/topics").status_code == 200)
            assert [one["offset"] for one in proxy.produce(topic, {"value": 3})] == [1]
            assert newcomer.post("subscription", {"topics": [topic]}).status_code == 204
    finally:
        broker.close()
