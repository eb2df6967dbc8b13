"""A real Chromium in front of the Control Center, over a cluster in memory (fast) or a running platform (true)."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from app.clock import Clock
from app.control_center.access import ClusterAccess, ControlCenterSettings
from app.control_center.app import create_control_center
from app.control_center.schemas.desk import SchemaDesk
from app.http.connection import ConnectionLimits, protocol_class
from app.metrics.sampler import Cadence, Sampler
from app.registry.service import RegistryService, create_service
from tests.memory_cluster import MemoryCluster
from tests.unit.app.registry.service.conftest import WaitingCluster

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=15_000)  # ms; the machine may be busy
GIVEN_UP = ("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")  # said of a request under way when a page is left
QUICK = Cadence(
    metadata_s=0.5, quorum_s=0.5, configs_s=0.5, log_starts_s=0.5, offsets_s=0.5, groups_s=0.5, log_dirs_s=0.5
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and CI must have it")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@dataclass
class Place:
    """A served Control Center and the cluster behind it."""

    url: str
    cluster: MemoryCluster
    sampler: Sampler
    loop: asyncio.AbstractEventLoop
    registry: RegistryService | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    def refresh(self) -> None:
        self.run(self.sampler.refresh())


@pytest.fixture
def place() -> Iterator[Place]:
    clock = Clock()
    with served(MemoryCluster.seeded(broker_count=3, now_ms=clock.now_ms), clock) as place:
        yield place


@pytest.fixture
def place_with_registry() -> Iterator[Place]:
    """The Schema Registry keeps its topic in a cluster of its own, so that the one shown stays as it is seeded."""
    clock, kept = Clock(), WaitingCluster()
    registry = create_service(admin=kept, producer=kept)
    with served(MemoryCluster.seeded(broker_count=3, now_ms=clock.now_ms), clock, registry) as place:
        yield place


@contextmanager
def served(cluster: MemoryCluster, clock: Clock, registry: RegistryService | None = None) -> Iterator[Place]:
    sampler = Sampler(cluster, clock=clock, cadence=QUICK)
    settings = ControlCenterSettings(version="0.1.0", templates=ROOT / "templates", static=ROOT / "static")
    access = ClusterAccess("prod", sampler, cluster, cluster, schemas=SchemaDesk(registry) if registry else None)
    app = create_control_center(settings, [access], clock)
    http = protocol_class(ConnectionLimits())
    server = uvicorn.Server(uvicorn.Config(app, http=http, port=0, log_level="error", lifespan="off"))
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        if registry is not None:
            await registry.start()
        await sampler.start()
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        started.set()
        await serving
        await sampler.stop()
        if registry is not None:
            await registry.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Place(f"http://127.0.0.1:{port}/ui", cluster, sampler, loop, registry)
    server.should_exit = True
    thread.join(timeout=10)
    loop.close()


OpenPage = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Browser) -> OpenPage:
    """`with open_page(…) as page`: a page that must neither break the content policy nor ask anywhere else."""

    @contextmanager
    def opened(**options: Any) -> Iterator[Page]:
        context: BrowserContext = chromium.new_context(**{"viewport": DESKTOP, **options})
        page = context.new_page()
        wrong: list[str] = []
        own: set[str] = set()

        def heard(message: ConsoleMessage) -> None:
            is_of_htmx = "htmx" in message.text.casefold() and not message.text.startswith(GIVEN_UP)
            if "Content Security Policy" in message.text or is_of_htmx:
                wrong.append(message.text)

        def asked(request: Request) -> None:
            address = urlsplit(request.url)
            if address.scheme in ("http", "https"):
                own.add(address.netloc)

        def unanswered(request: Request) -> None:
            if request.failure != "net::ERR_ABORTED":  # which is what leaving a page does to those under way
                wrong.append(f"{request.method} {request.url}: {request.failure}")

        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", asked)
        page.on("requestfailed", unanswered)
        try:
            yield page
        finally:
            found = list(wrong)
            with suppress(PlaywrightError):
                page.goto("about:blank")  # a page closed on its way to another may keep Chromium from ever answering
            context.close()
        assert found == []
        assert len(own) <= 1, own

    return opened
