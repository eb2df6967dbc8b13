"""Which endpoint answers a method and a path.

Paths are matched segment by segment on the raw path, so that a `%2F` inside a group id or instance name stays inside.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from app.http.errors import MethodNotAllowed, NotFound
from app.http.exchange import Answer
from app.http.media_types import Offers

EndpointFunction: TypeAlias = Callable[..., Awaitable[Answer]]
BodyType: TypeAlias = type | Mapping[str, type] | None
F = TypeVar("F", bound=EndpointFunction)

PATHS_CACHED_MAX = 4_096  # found routes that are remembered; a path longer than PATH_CACHED_MAX_CHARS never is
PATH_CACHED_MAX_CHARS = 512


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A function `(request, *path parameters)`, the body types it reads and the answer types it can give.

    body: what is decoded of a request's body, one type or one per media type; None where it has none.
    """

    function: EndpointFunction
    consumes: frozenset[str]
    offers: Offers
    name: str = ""
    """What metrics, logs and lists of endpoints call it."""
    body: BodyType = None


@dataclass(slots=True)
class Routes:
    """The endpoints of one module, in the order they are written."""

    consumes: frozenset[str]
    offers: Offers
    prefix: str = ""
    found: list[tuple[str, str, Endpoint]] = field(default_factory=list)

    def on(
        self,
        method: str,
        template: str,
        *,
        consumes: frozenset[str] | None = None,
        offers: Offers | None = None,
        body: BodyType = None,
    ) -> Callable[[F], F]:
        """Register the decorated function for `METHOD /path/{parameter}`; parameters arrive by position, decoded."""

        def register(function: F) -> F:
            endpoint = Endpoint(function, consumes or self.consumes, offers or self.offers, body=body)
            self.found.append((method, self.prefix + template, endpoint))
            return function

        return register


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)


class Router:
    """All routes as a tree of path segments.

    Of disabled routes (method, template) nothing is left but that no other route answers in their place: a GET is then
    not found, any other method not allowed.
    """

    def __init__(self, *modules: Routes, disabled: Iterable[tuple[str, str]] = ()) -> None:
        self._root = _Node()
        for routes in modules:
            for method, template, endpoint in routes.found:
                self._add(method, template, endpoint)
        for method, template in disabled:
            self._node(template).disabled.add(method)
        self._find_remembered = lru_cache(PATHS_CACHED_MAX)(self._find)

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
        """The endpoint and its decoded parameters. Raises NotFound or MethodNotAllowed."""
        return self._find_remembered(method, path) if len(path) <= PATH_CACHED_MAX_CHARS else self._find(method, path)

    def _node(self, template: str) -> _Node:
        node = self._root
        for segment in _segments(template):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        return node

    def _add(self, method: str, template: str, endpoint: Endpoint) -> None:
        node = self._node(template)
        if method in node.endpoints:
            raise ValueError(f"two endpoints for {method} {template}")
        node.endpoints[method] = endpoint

    def _find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
        matches = _matches(self._root, _segments(path), ())
        if not matches:
            raise NotFound
        for node, parameters in matches:
            # HEAD is a GET whose body the server drops.
            endpoint = node.endpoints.get(method) or (node.endpoints.get("GET") if method == "HEAD" else None)
            if endpoint is not None:
                return endpoint, parameters
            if "GET" in node.disabled and method in ("GET", "HEAD"):
                raise NotFound
            if method in node.disabled:
                break
        raise MethodNotAllowed(tuple(sorted({name for node, _ in matches for name in node.endpoints})))


def _segments(path: str) -> list[str]:
    return [] if path in ("", "/") else path.removeprefix("/").removesuffix("/").split("/")


def _matches(node: _Node, segments: list[str], parameters: tuple[str, ...]) -> list[tuple[_Node, tuple[str, ...]]]:
    """Every node that fits, those with literal segments first: `topics/-/configs` before `topics/{topic}/configs`."""
    if not segments:
        return [(node, parameters)] if node.endpoints or node.disabled else []
    first, *rest = segments
    found = []
    literal = node.children.get(first)
    if literal is not None:
        found += _matches(literal, rest, parameters)
    if node.parameter is not None and first:
        found += _matches(node.parameter, rest, (*parameters, decode_segment(first)))
    return found


def decode_segment(segment: str) -> str:
    """Percent-decode one path segment; what is no UTF-8 names nothing that Kafka could have."""
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise NotFound from None
