"""The Control Center as one ASGI application that answers everything under /ui."""

import logging
from collections.abc import Sequence

from fastapi import Depends, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.control_center import (
    broker,
    brokers,
    find,
    group,
    groups,
    messages,
    overview,
    partitions,
    report,
    theme,
    topic,
    topic_config,
    topic_create,
    topic_settings,
    topics,
)
from app.control_center import clusters as clusters_page
from app.control_center.access import Clock, ClusterAccess, ControlCenter, ControlCenterSettings
from app.control_center.errors import ForgedRequest, FormTooLarge, PageNotFound, PageNotReady
from app.control_center.forgery import CsrfToken, refuse_forgery
from app.control_center.rendering import build_templates
from app.control_center.security_headers import SecurityHeaders
from app.control_center.static_files import StaticFiles

__all__ = ["ClusterAccess", "ControlCenter", "ControlCenterSettings", "create_control_center"]

log = logging.getLogger(__name__)

PREFIX = "/ui"
GZIP_LEVEL = 4
GZIP_BYTES_MIN = 600
PAGES = (
    clusters_page,
    overview,
    report,
    find,
    topics,
    topic_create,
    messages,
    topic_config,
    partitions,
    topic_settings,
    topic,
    groups,
    group,
    brokers,
    broker,
    theme,
)


def create_control_center(settings: ControlCenterSettings, clusters: Sequence[ClusterAccess], clock: Clock) -> ASGIApp:
    """The whole of /ui. The clusters' samplers are started and stopped by whoever made them.

    May be called with the whole path, or mounted at /ui by a framework that says so in root_path.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(refuse_forgery)])
    app.state.center = ControlCenter(settings, tuple(clusters), clock)
    app.state.templates = build_templates(settings.templates)
    app.state.static_files = StaticFiles(settings.static)
    app.router.redirect_slashes = False
    app.add_route("/static/{digest}/{path:path}", app.state.static_files.serve, include_in_schema=False)
    for page in PAGES:
        app.include_router(page.router)
    if any(cluster.schemas for cluster in clusters):
        from app.control_center.schemas import pages  # with the registry behind it, which not everybody runs

        for page in pages.PAGES:
            app.include_router(page.router)
    app.add_exception_handler(404, _no_such_page)
    app.add_exception_handler(PageNotFound, _no_such_page)
    app.add_exception_handler(PageNotReady, _not_ready)
    app.add_exception_handler(ForgedRequest, _forged)
    app.add_exception_handler(FormTooLarge, _too_large)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)
    app.add_middleware(CsrfToken)
    app.add_middleware(SecurityHeaders)
    return UndecodedPath(app)


class UndecodedPath:
    """Match routes on the path as it was sent: servers decode %2F before routing, and a group may be called 'a/b'.

    The `name` convertor of links.py decodes each segment once, after the match.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root_path = scope.get("root_path", "")
            root_path = root_path if root_path.endswith(PREFIX) else root_path + PREFIX
            raw_path = scope.get("raw_path")
            path = raw_path.decode("ascii", errors="replace") if raw_path else scope["path"]
            scope = {**scope, "path": path, "root_path": root_path}
            if path == root_path:
                await RedirectResponse(f"{root_path}/", status_code=308)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _no_such_page(request: Request, error: Exception) -> Response:
    words = str(error) if isinstance(error, PageNotFound) else "There is no page at this address."
    return _error_page(request, 404, "Not found", words)


async def _not_ready(request: Request, error: Exception) -> Response:
    return _error_page(request, 503, "Not ready yet", str(error))


async def _forged(request: Request, error: Exception) -> Response:
    words = f"Nothing was changed: {error}. Load the page again and repeat what you did."
    return _error_page(request, 403, "Refused", words)


async def _too_large(request: Request, error: Exception) -> Response:
    return _error_page(request, 413, "Too large", f"Nothing was changed: {error}.")


async def _failed(request: Request, error: Exception) -> Response:
    return _error_page(request, 500, "Something broke", "This page could not be made. The log says why.")


def _error_page(request: Request, status_code: int, title: str, words: str) -> Response:
    from app.control_center.visit import visit_of

    visit = visit_of(request, cluster_must_exist=False)
    if visit.wanted_format != "html":
        return visit.json({"error_code": status_code, "message": words}, status_code)
    view = {"title": title, "words": words}
    return visit.page(
        "errors/page.html", "errors/_page.html", title=title, section="", view=view, status_code=status_code
    )
