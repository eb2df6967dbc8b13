"""What operators see: counts by endpoint, and lines of the access log that tell nothing of the records."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.errors import StartError
from app.rest import RestProxy
from app.rest.access.gate import Gate
from app.rest.access.throttle import Throttle
from app.rest.observation import access_log as access_log_module
from app.rest.observation.access_log import AccessLog
from app.rest.observation.observed import Observed
from app.rest.observation.request_stats import RequestStats
from tests.doubles import ManualClock

JSON = {"content-type": "application/vnd.kafka.json.v2+json"}
SECRET = "the-secret-value"


@pytest.fixture
def stats() -> RequestStats:
    return RequestStats()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
async def access_log(path: Path, clock: ManualClock) -> AccessLog:
    """Writes when it is stopped, at the latest."""
    return AccessLog(str(path), clock)


@pytest.fixture
async def client(
    proxy: RestProxy, stats: RequestStats, access_log: AccessLog, clock: ManualClock
) -> AsyncIterator[httpx.AsyncClient]:
    gate = Gate(proxy, credentials=None, throttle=Throttle(3, clock.monotonic_ms))
    transport = httpx.ASGITransport(app=Observed(gate, stats, access_log), client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://rest.example") as client:
        yield client


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counts(stats: RequestStats) -> dict[tuple[str, int], int]:
    return {(endpoint, status): sum(outcomes.buckets) for endpoint, status, outcomes in stats}


async def test_requests_are_counted_by_endpoint_and_status(client: httpx.AsyncClient, stats: RequestStats) -> None:
    await client.get("/topics")
    missing = await client.get("/topics/nope")
    await client.get("/no/such/path")
    await client.get("/topics")  # refused by the gate
    assert counts(stats) == {
        ("api.v2.topics.list", 200): 1,
        ("api.v2.topics.get", 404): 1,
        ("", 404): 1,
        ("", 429): 1,
    }
    assert stats.of("api.v2.topics.get", 404).sent_bytes == len(missing.content)
    assert stats.of("api.v2.topics.get", 404).total_ns > 0
    assert stats.in_flight == 0


async def test_a_line_says_who_did_what_and_how_it_ended(
    client: httpx.AsyncClient, access_log: AccessLog, path: Path
) -> None:
    body = json.dumps({"records": [{"key": "a-secret-key", "value": SECRET}]}).encode()
    answer = await client.post(
        f"/topics/orders?token={SECRET}", content=body, headers={**JSON, "authorization": SECRET}
    )
    assert answer.status_code == 200
    await access_log.stop()
    (line,) = lines(path)
    assert float(str(line.pop("duration_ms"))) > 0
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "client": "192.0.2.7",
        "user": "",
        "method": "POST",
        "path": "/topics/orders",
        "endpoint": "api.v2.produce-to-topic.produce",
        "status": 200,
        "request_bytes": len(body),
        "response_bytes": len(answer.content),
    }
    assert "secret" not in path.read_text()


async def test_a_path_cannot_forge_a_line(client: httpx.AsyncClient, access_log: AccessLog, path: Path) -> None:
    await client.get("/topics/%0A%22x" + "y" * 5000)
    await access_log.stop()
    (line,) = lines(path)
    assert str(line["path"]).startswith("/topics/%0A%22xyy")
    assert len(str(line["path"])) == access_log_module.PATH_CHARS_MAX


async def test_lines_go_on_in_a_new_file_when_the_old_one_was_moved(
    client: httpx.AsyncClient, access_log: AccessLog, path: Path
) -> None:
    await client.get("/topics")
    await access_log._flush()
    path.rename(path.with_suffix(".1"))
    await client.get("/brokers")
    await access_log.stop()
    assert [line["path"] for line in lines(path.with_suffix(".1"))] == ["/topics"]
    assert [line["path"] for line in lines(path)] == ["/brokers"]


async def test_a_file_that_was_cut_is_written_on_from_its_start(
    client: httpx.AsyncClient, access_log: AccessLog, path: Path
) -> None:
    await client.get("/topics")
    await access_log._flush()
    path.write_bytes(b"")
    await client.get("/brokers")
    await access_log.stop()
    assert [line["path"] for line in lines(path)] == ["/brokers"]


async def test_lines_that_the_disk_does_not_take_are_dropped_and_counted(
    client: httpx.AsyncClient, access_log: AccessLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log_module, "WAITING_BYTES_MAX", 300)
    for _ in range(3):
        await client.get("/topics")
    assert access_log.dropped_count == 2
    await access_log.stop()
    assert len(lines(path)) == 1


async def test_a_full_disk_costs_lines_and_no_request(
    client: httpx.AsyncClient, access_log: AccessLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    path.mkdir()  # nothing can be written there
    for _ in range(2):
        assert (await client.get("/topics")).status_code == 200
        await access_log._flush()
    assert access_log.dropped_count == 2
    assert [record.levelname for record in caplog.records if record.name == "caudal.access_log"] == ["ERROR"]
    path.rmdir()
    await client.get("/brokers")
    await access_log.stop()
    assert [line["path"] for line in lines(path)] == ["/brokers"]


async def test_a_dash_is_stderr(proxy: RestProxy, clock: ManualClock, capfd: pytest.CaptureFixture[str]) -> None:
    access_log = AccessLog("-", clock)
    access_log.start()
    app = Observed(proxy, RequestStats(), access_log)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://rest.example") as client:
        await client.get("/brokers")
    await access_log.stop()
    assert json.loads(capfd.readouterr().err)["path"] == "/brokers"


def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(StartError, match=r"cannot write the access log .*Check the setting rest\.access_log\.$"):
        AccessLog(str(tmp_path / "nowhere" / "access.log"), clock)
