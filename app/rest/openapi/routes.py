"""`GET /openapi.json`, `GET /docs/`, and the files that the page needs: all of it ours or vendored."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from markupsafe import escape

from app.http.json_body import encode
from app.http.media_types import JSON, Offers
from app.http.routing import EndpointFunction, Routes
from app.resources import STATIC
from app.rest.http import Request, Response
from app.rest.openapi import page
from app.rest.openapi.document import build
from app.rest.openapi.types import Schema

_HTML: Final = "text/html; charset=utf-8"
_CSS: Final = "text/css; charset=utf-8"
_FONTS: Final = tuple(
    f"vendor/{family}/{family}-{letters}-wght-normal.woff2"
    for family in ("inter", "jetbrains-mono")
    for letters in ("latin", "latin-ext")
)
_FILES: Final = {
    "css/caudal.css": _CSS,
    "css/rest-docs.css": _CSS,
    "favicon.svg": "image/svg+xml",
    **dict.fromkeys(_FONTS, "font/woff2"),
}
_PAGE_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)
_FILE_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"max-age=3600"))
_NO_BODY: Final[frozenset[str]] = frozenset()


class Documentation:
    """The routes that describe other routes and themselves; nothing is made before somebody asks for it."""

    def __init__(self, *routes: Sequence[Routes]) -> None:
        self.routes = Routes(consumes=_NO_BODY, offers=Offers({JSON: 1.0}))
        self.files = Routes(consumes=_NO_BODY, offers=Offers({JSON: 1.0}), prefix="/docs/static")
        self._described = [*(one for each in routes for one in each), self.routes]
        self.routes.on("GET", "/openapi.json")(self.openapi_json)
        self.routes.on("GET", "/docs/", offers=Offers({"text/html": 1.0}))(self.docs)
        for name, media_type in _FILES.items():
            offers = Offers({media_type.partition(";")[0]: 1.0})
            self.files.on("GET", f"/{name}", offers=offers)(_file(name, media_type))

    @property
    def all_routes(self) -> tuple[Routes, Routes]:
        return self.routes, self.files

    @cached_property
    def document(self) -> Schema:
        return build(self._described)

    @cached_property
    def _json(self) -> bytes:
        return encode(self.document)

    @cached_property
    def _page(self) -> str:
        return page.render(self.document)

    async def openapi_json(self, request: Request) -> Response:
        return Response(200, await asyncio.to_thread(lambda: self._json), JSON, _PAGE_HEADERS[-1:])

    async def docs(self, request: Request) -> Response:
        if not request.path.endswith("/"):  # what the page refers to is found from there
            return Response(308, headers=((b"location", b"docs/"), (b"content-length", b"0")))
        text = await asyncio.to_thread(lambda: self._page)
        return Response(200, text.replace(page.BASE, escape(request.base_url)).encode(), _HTML, _PAGE_HEADERS)


def _file(name: str, media_type: str) -> EndpointFunction:
    async def file(request: Request) -> Response:
        content = await asyncio.to_thread((STATIC / name).read_bytes)
        return Response(200, content, media_type, _FILE_HEADERS)

    return file
