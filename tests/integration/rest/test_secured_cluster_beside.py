"""A further cluster that wants a login, beside the embedded one, which feels nothing of what happens to it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_ports, start_platform, wait_until
from tests.integration.broker.secured_broker import SecuredBroker
from tests.integration.rest.further_clusters import cluster_ids, login, receipt, told

PASSWORD = "west-secret"


class West:
    """Our own broker behind SASL/PLAIN, on one port and one folder; it knows the password that it is started with."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.folder = folder
        self.broker: SecuredBroker | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, password: str) -> str:
        """Its cluster id."""
        self.stop()
        settings = {
            "listeners": f"BOTH://{self.address}",
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.jaas.config": f'x.PlainLoginModule required user_alice="{password}";',
        }
        self.broker = SecuredBroker(self.folder, {"BOTH": "SASL_PLAINTEXT"}, settings)
        return str(self.broker.ready["cluster_id"])

    def stop(self) -> None:
        broker, self.broker = self.broker, None
        if broker is not None:
            broker.close()


@pytest.fixture
def west(tmp_path: Path) -> Iterator[West]:
    west = West(tmp_path / "west")
    yield west
    west.stop()


def test_a_further_cluster_refuses_the_login_takes_it_goes_away_and_comes_back(west: West, tmp_path: Path) -> None:
    west_id = west.start("another-secret")
    platform = start_platform(tmp_path / "data", *login("west", west.address, "PLAIN", PASSWORD))
    try:
        (default_id,) = cluster_ids(platform)
        default_url, west_url = (f"{platform.rest}/v3/clusters/{one}" for one in (default_id, west_id))
        assert httpx.post(f"{default_url}/topics", json={"topic_name": "here"}).status_code == 201
        written = 0

        def default_is_served() -> None:
            nonlocal written
            assert receipt(default_url, "here")["offset"] == written
            written += 1
            assert httpx.get(f"{platform.rest}/topics/here/partitions/0/offsets").json()["end_offset"] == written

        assert told(httpx.get(f"{west_url}/topics", timeout=30)) == (401, 40101)
        default_is_served()

        west.start(PASSWORD)
        wait_until(lambda: httpx.get(f"{west_url}/topics", timeout=30).status_code == 200, what="the login is taken")
        assert cluster_ids(platform) == [default_id, west_id]
        assert httpx.post(f"{west_url}/topics", json={"topic_name": "there"}).status_code == 201
        assert (receipt(west_url, "there")["cluster_id"], receipt(west_url, "there")["offset"]) == (west_id, 1)

        west.stop()
        assert told(httpx.get(f"{west_url}/topics", timeout=30)) == (503, 50302)
        assert cluster_ids(platform) == [default_id, west_id]  # known, and away
        default_is_served()

        west.start("another-secret")
        wait_until(lambda: told(httpx.get(f"{west_url}/topics", timeout=30)) == (401, 40101), what="it is refused")
        wait_until(lambda: receipt(west_url, "there")["error_code"] == 40101, timeout=40, what="its records are, too")
        default_is_served()

        west.start(PASSWORD)
        wait_until(lambda: receipt(west_url, "there").get("offset") == 2, timeout=40, what="records again")
        default_is_served()
    finally:
        assert platform.stop() == 0
    assert "secret" not in platform.log()
    assert "Traceback" not in platform.log()
