"""The HTTP application: which surface answers which port and path.

`uvicorn --factory app.main:create_app` works too; the settings then come from file and environment.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.data_directory import DataDirectory
from app.health import Health
from app.listeners import Surface
from app.runtime import Runtime
from app.settings import Settings, load
from app.web_metrics.endpoint import MetricsEndpoint

# First segments of the Schema Registry's paths on the main port; none of them is the REST Proxy's.
REGISTRY_ROOTS = frozenset({"associations", "compatibility", "config", "contexts", "mode", "schemas", "subjects"})


class Application:
    """Choose the surface by the port that was dialled, then by the path.

    The choice is made in front of any framework: the REST Proxy's hot routes must not pay for it.
    """

    def __init__(self, runtime: Runtime, surface_by_port: Mapping[int, Surface]) -> None:
        self._runtime = runtime
        self._surface_by_port = surface_by_port
        self._health: ASGIApp = Health(runtime)
        self._metrics: ASGIApp = MetricsEndpoint(lambda: runtime.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._choose(scope)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    def _choose(self, scope: Scope) -> ASGIApp:
        runtime = self._runtime
        path: str = scope["path"]
        server = scope.get("server")
        surface = self._surface_by_port.get(server[1], Surface.ALL) if server else Surface.ALL
        if surface is Surface.REST:
            return runtime.rest or self._health
        if surface is Surface.SCHEMA_REGISTRY:
            return runtime.registry or self._health
        if path == "/metrics" and surface is Surface.ALL:
            return self._metrics
        if path.startswith("/ui") and path[3:4] in ("", "/"):
            return runtime.control_center or self._health
        if surface is Surface.CONTROL_CENTER or path.startswith("/health/"):
            return self._health
        if path == "/" and _wants_html(scope):
            return self._health
        if path[1:].partition("/")[0] in REGISTRY_ROOTS or path.startswith("/v1/metadata/"):
            return runtime.registry or self._health
        return runtime.rest or self._health

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start and stop the runtime when somebody else's server runs us."""
        await receive()
        try:
            self._runtime.data.open()
            await self._runtime.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._runtime.stop()
        self._runtime.data.close()
        await send({"type": "lifespan.shutdown.complete"})


def _wants_html(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def create_app(settings: Settings | None = None) -> Application:
    """The application for a server of your own; it starts the runtime in its lifespan."""
    settings = settings or load()
    return Application(Runtime(settings, DataDirectory(settings.data_dir.absolute())), {})
