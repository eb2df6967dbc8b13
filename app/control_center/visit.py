"""One request to one page: who asks, for what, seen at which moment; and the shapes an answer can take.

A page module builds its frozen view and calls `visit.page(...)`. Whether that becomes a whole page, the fragment that
htmx swaps in, or 204 because nothing changed since the fragment the browser has, is decided here and nowhere else.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.cluster.partitions import PartitionFacts
from app.cluster.snapshot import ClusterSnapshot
from app.cluster.topic_summaries import TopicSummary
from app.control_center import flash
from app.control_center.access import ClusterAccess, ControlCenter
from app.control_center.errors import PageNotFound
from app.control_center.links import Links, query
from app.control_center.shell import Shell, build_shell
from app.control_center.words import Zone

SETTLE_WAITS_S = (0.05, 0.1, 0.2, 0.4)
NO_STORE = "no-store"
PRIVATE = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Visit:
    """What every page module is given. cluster is None only on the pages above clusters."""

    request: Request
    center: ControlCenter
    links: Links
    zone: Zone
    now_ms: int
    cluster: ClusterAccess | None

    # --- the request -----------------------------------------------------------------------------------------------

    @property
    def access(self) -> ClusterAccess:
        assert self.cluster is not None, "a page below a cluster"
        return self.cluster

    @property
    def snapshot(self) -> ClusterSnapshot:
        return self.access.sampler.snapshot

    def topic_summaries(self) -> tuple[TopicSummary, ...]:
        return self.access.facts.topics(self.snapshot)

    def partition_facts(self) -> PartitionFacts:
        return self.access.facts.partitions(self.snapshot)

    @property
    def is_reachable(self) -> bool:
        return self.snapshot.unreachable_since_ms is None

    @property
    def is_fragment(self) -> bool:
        """htmx asks for a part, except when it restores a page of the history that it did not keep."""
        headers = self.request.headers
        return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"

    @property
    def wanted_format(self) -> str:
        """'html', 'json' or 'csv': by ?format=, else by Accept."""
        named = self.argument("format")
        if named in ("json", "csv"):
            return named
        accept = self.request.headers.get("accept", "")
        if "text/html" in accept or self.is_fragment:
            return "html"
        if "application/json" in accept:
            return "json"
        return "csv" if "text/csv" in accept else "html"

    def argument(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def number_argument(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A number of the query, kept within its bounds; anything else is the default."""
        text = self.argument(name)
        if not text.isascii() or not text.isdigit():
            return default
        return min(max(int(text), least), most)

    def arguments(self, *without: str) -> dict[str, str]:
        """The query as it came, less what belongs to one request only."""
        left_out = {"v", "format", *without}
        return {name: value for name, value in self.request.query_params.items() if name not in left_out}

    def form(self) -> dict[str, str]:
        """The fields of a posted form that was checked for forgery on its way here (see forgery.py)."""
        body: bytes = self.request.state.form_body
        fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in fields.items()}

    @property
    def path(self) -> str:
        """The path as it came, still percent-encoded."""
        return str(self.request.scope["path"])

    @property
    def here(self) -> str:
        """The address of this view: the path and what of the query is not empty."""
        return self.path + query(self.arguments())

    @property
    def rest_url(self) -> str:
        """Where the REST Proxy answers, for commands to copy."""
        url = self.request.url
        return self.center.settings.rest_url or f"{url.scheme}://{url.netloc}"

    async def settle(self, is_there: Callable[[ClusterSnapshot], bool] = lambda snapshot: True) -> None:
        """Look at the cluster now, again for a moment until the change is seen: brokers spread metadata with delay."""
        for wait_s in SETTLE_WAITS_S:
            await self.access.sampler.refresh()
            if is_there(self.snapshot):
                return
            await asyncio.sleep(wait_s)

    # --- the answer ------------------------------------------------------------------------------------------------

    def shell(self, title: str, section: str) -> Shell:
        return build_shell(
            self.center,
            self.cluster,
            links=self.links,
            zone=self.zone,
            now_ms=self.now_ms,
            title=title,
            section=section,
            theme=self.request.cookies.get("caudal_theme", ""),
            csrf_token=self.request.state.csrf_token,
            toast=flash.read(self.request),
            path=self.path,
        )

    def page(
        self,
        template: str,
        fragment: str,
        *,
        title: str,
        section: str,
        view: object,
        version: str = "",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The whole page, or its live part for htmx.

        version names what the fragment shows; a poll that brings the same one back is answered 204 and swaps nothing.
        """
        marks = {"Vary": "HX-Request, Accept, Cookie", "Caudal-As-Of": self._as_of(), **(headers or {})}
        if self.is_fragment and version and self.argument("v") == version:
            return Response(status_code=204, headers={**marks, "Cache-Control": NO_STORE})
        is_poll = "v" in self.request.query_params
        if self.is_fragment and not is_poll and status_code == 200:
            marks.setdefault("HX-Push-Url", self.here)
        shell = self.shell(title, section)
        context = {
            "shell": shell,
            "links": self.links,
            "view": view,
            "version": version,
            "here": self.here,
            "fragment": fragment,
            "is_fragment": self.is_fragment,
        }
        name = "_fragment.html" if self.is_fragment else template
        html = self.request.app.state.templates.get_template(name).render(context)
        response = HTMLResponse(html, status_code, headers=marks)
        response.headers["Cache-Control"] = NO_STORE if self.is_fragment else PRIVATE
        if shell.toast is not None and not self.is_fragment:
            flash.clear(response, self.request)
        return response

    def part(self, template: str, *, view: object, status_code: int = 200) -> Response:
        """One fragment for htmx that has no page of its own (a live check beside a field)."""
        context = {"links": self.links, "view": view, "shell": self.shell("", "")}
        html = self.request.app.state.templates.get_template(template).render(context)
        return HTMLResponse(html, status_code, headers={"Cache-Control": NO_STORE, "Vary": "HX-Request"})

    def done(self, location: str, words: str) -> Response:
        """After a form did its work: go to `location`, where a toast says what happened."""
        if self.is_fragment:
            response: Response = Response(status_code=204, headers={"HX-Redirect": location})
        else:
            response = RedirectResponse(location, status_code=303)
        flash.leave(response, self.request, words)
        return response

    def json(self, content: Any, status_code: int = 200) -> Response:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        headers = {"Cache-Control": NO_STORE, "Vary": "HX-Request, Accept, Cookie"}
        return Response(body, status_code, headers=headers, media_type="application/json")

    def _as_of(self) -> str:
        if self.cluster is None or not self.snapshot.taken_at_ms:
            return ""
        return self.zone.clock(self.snapshot.taken_at_ms).text


def visit_of(request: Request, *, cluster_must_exist: bool = True) -> Visit:
    """Raises PageNotFound when the path names a cluster that is not here."""
    center: ControlCenter = request.app.state.center
    base = request.scope.get("root_path", "")
    name = request.path_params.get("cluster")
    cluster = center.find(name) if name is not None else None
    if name is not None and cluster is None and cluster_must_exist:
        raise PageNotFound(f"There is no cluster “{name}” here.")
    return Visit(
        request=request,
        center=center,
        links=Links(base, cluster.title if cluster else "", request.app.state.static_files.base(base)),
        zone=Zone.parse(request.cookies.get("caudal_zone")),
        now_ms=center.clock.now_ms(),
        cluster=cluster,
    )


async def _visit(request: Request) -> Visit:
    return visit_of(request)


Asked = Annotated[Visit, Depends(_visit)]
