"""The Control Center over a cluster in memory, with a real sampler and a clock that tests turn."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.control_center.access import ClusterAccess, ControlCenterSettings
from app.control_center.app import create_control_center
from app.metrics.sampler import Sampler
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster

ROOT = Path(__file__).resolve().parents[4]
HTMX = {"HX-Request": "true"}


@dataclass
class Visitor:
    """A browser without JavaScript: it keeps cookies, reads pages and posts their forms."""

    client: httpx.AsyncClient

    async def get(self, path: str, *, htmx: bool = False, **headers: str) -> httpx.Response:
        accept = {"Accept": "text/html", **(HTMX if htmx else {}), **headers}
        return await self.client.get(f"/ui{path}", headers=accept)

    async def post(self, path: str, fields: Mapping[str, str], *, htmx: bool = False, **headers: str) -> httpx.Response:
        """As a form of a page that was loaded before would."""
        token = await self.token()
        sent = {"Accept": "text/html", **(HTMX if htmx else {}), **headers}
        return await self.client.post(f"/ui{path}", data={"csrf": token, **fields}, headers=sent)

    async def token(self) -> str:
        page = await self.client.get("/ui/", headers={"Accept": "text/html"})
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found is not None
        return found[1]

    async def follow(self, response: httpx.Response) -> str:
        """The text of the page that a form leads to."""
        assert response.status_code == 303, response.text
        return words_of(await self.client.get(response.headers["location"], headers={"Accept": "text/html"}))


def words_of(response: httpx.Response) -> str:
    """What a reader sees: the body without tags, entities resolved, white space joined, thin spaces as plain ones."""
    body = re.split(r"<body[^>]*>", response.text, maxsplit=1)[-1]
    text = re.sub(r"<(script|template|dialog)\b.*?</\1>", " ", body, flags=re.DOTALL)
    text = re.sub(r"</?(t[dhr]|p|div|h\d|d[td]|li|section|header|strong|em|span)\b[^>]*>", " ", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    return " ".join(text.replace("\u202f", " ").split())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cluster(clock: ManualClock) -> MemoryCluster:
    return MemoryCluster.seeded(broker_count=3, now_ms=clock.now_ms)


@pytest.fixture
async def sampler(cluster: MemoryCluster, clock: ManualClock) -> Sampler:
    sampler = Sampler(cluster, clock=clock)
    await sampler.refresh()
    return sampler


@pytest.fixture
def settings() -> ControlCenterSettings:
    return ControlCenterSettings(version="0.1.0", templates=ROOT / "templates", static=ROOT / "static")


@pytest.fixture
async def visitor(
    cluster: MemoryCluster, sampler: Sampler, clock: ManualClock, settings: ControlCenterSettings
) -> AsyncIterator[Visitor]:
    app = create_control_center(settings, [ClusterAccess("prod", sampler, cluster, cluster)], clock)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://caudal") as client:
        yield Visitor(client)
