"""Which operations of the proxy a test had a success from: the tables in docs/rest-proxy.md stand on it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from app.http.routing import Routes
from tests.integration.rest.running_proxy import RunningProxy


def proves(*operations: str, refused: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test must have had a success from each of these operations; refused: from which it had a 404 of its own."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        test.operations = operations  # type: ignore[attr-defined]
        test.refused = refused  # type: ignore[attr-defined]
        return test

    return mark


class Operations:
    """The operations that modules serve, as `METHOD /template`."""

    def __init__(self, *modules: Routes) -> None:
        self.templates = [(method, template) for routes in modules for method, template, _ in routes.found]

    def of(self, request: httpx.Request) -> str:
        """The operation of a request: the template with the fewest parameters that fits; else its path."""
        path = request.url.raw_path.decode().partition("?")[0]
        fitting = [
            template
            for method, template in self.templates
            if method == request.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        return f"{request.method} {min(fitting, key=lambda template: template.count('{'))}" if fitting else path

    @contextmanager
    def proven(self, proxy: RunningProxy, test: Callable[..., None]) -> Iterator[None]:
        """Watch what is asked of the proxy; at the end the test's claims must have been met."""
        seen: set[str] = set()
        refused = getattr(test, "refused", "")

        def watch(response: httpx.Response) -> None:
            operation = self.of(response.request)
            if response.status_code < 400 or (operation == refused and response.status_code == 404):
                seen.add(operation)

        proxy.http.event_hooks = {"response": [watch]}
        yield
        proxy.http.event_hooks = {}
        assert {*getattr(test, "operations", ()), refused} - {""} - seen == set()
