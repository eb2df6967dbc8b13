"""Names of endpoints, and what is left of the proxy when some of them are disabled."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from app.errors import StartError
from app.rest import RestSettings, create_rest
from app.rest.app import OUR_ROUTES, V2_ROUTES, V3_ROUTES, routes_of
from app.rest.endpoint_names import NAMES, name_of
from app.rest.v2.metadata import list_topics
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster
from tests.unit.app.rest.memory_consumers import MemoryConsumers

CLUSTER = "/v3/clusters/c-1"
Ask = Callable[..., Awaitable[list[int]]]


@pytest.fixture
def ask(cluster: MemoryCluster, consumers: MemoryConsumers, clock: ManualClock) -> Ask:
    """Statuses of some `METHOD /path` with these settings; every error is in the standard shape."""

    @asynccontextmanager
    async def client(settings: dict[str, object]):  # type: ignore[no-untyped-def]
        proxy = create_rest(
            admin=cluster,
            producer=cluster,
            consumers=consumers,
            clock=clock,
            settings=RestSettings(**settings),  # type: ignore[arg-type]
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=proxy), base_url="http://rest.example") as http:
            yield http
        await proxy.stop()

    async def ask(*requests: str, **settings: object) -> list[int]:
        statuses = []
        async with client(settings) as http:
            for request in requests:
                answer = await http.request(*request.split(" "))
                statuses.append(answer.status_code)
                if answer.is_error and not request.startswith("HEAD"):
                    body = answer.json()
                    assert set(body) == {"error_code", "message"}
                    assert body["error_code"] // (1 if body["error_code"] < 1000 else 100) == answer.status_code
        return statuses

    return ask


def test_every_endpoint_has_a_name_of_its_own() -> None:
    routes = [one for module in (*V2_ROUTES, *V3_ROUTES, *OUR_ROUTES) for one in module.found]
    names = [name_of(method, template, endpoint.function.__name__) for method, template, endpoint in routes]
    assert len(set(names)) == len(names)
    assert set(NAMES) <= {(method, template) for method, template, _ in routes}


def test_a_route_without_a_name_is_called_after_its_function() -> None:
    assert name_of("GET", "/v3/things/{thing}", "get_thing") == "api.v3.get-thing"
    assert name_of("GET", "/caudal/v1/things", "list_things") == "api.caudal.list-things"
    assert name_of("GET", "/things", "list_things") == "api.v2.list-things"


def test_the_router_knows_the_names() -> None:
    endpoint, _ = routes_of(RestSettings()).find("GET", "/topics")
    assert (endpoint.name, endpoint.function) == ("api.v2.topics.list", list_topics)


async def test_a_blocked_get_is_not_found_and_another_method_not_allowed(ask: Ask) -> None:
    blocked = "api.v3.topics.create, api.v2.topics.list,api.v3.acls.*"
    asked = (f"POST {CLUSTER}/topics", "GET /topics", "HEAD /topics", f"GET {CLUSTER}/acls", f"DELETE {CLUSTER}/acls")
    assert await ask(*asked, api_endpoints_blocklist=blocked) == [405, 404, 404, 404, 405]
    others = (f"GET {CLUSTER}/topics", "GET /topics/orders", "POST /topics")
    assert await ask(*others, api_endpoints_blocklist=blocked) == [200, 200, 405]


async def test_only_what_is_allowed_is_served_and_the_block_list_wins(ask: Ask) -> None:
    asked = (
        f"GET {CLUSTER}/topics",
        f"GET {CLUSTER}/topics/orders",
        "GET /topics",
        "GET /",
        f"DELETE {CLUSTER}/topics/x",
    )
    lists = {"api_endpoints_allowlist": "api.v3.topics.*", "api_endpoints_blocklist": "api.v3.topics.get"}
    assert await ask(*asked, **lists) == [200, 404, 404, 404, 404]


async def test_no_other_endpoint_answers_in_the_place_of_a_disabled_one(ask: Ask) -> None:
    """`-` would do as a topic's name."""
    blocked = "api.v3.topic-configs.list-all,api.v3.topic-configs.alter-multi"
    asked = (f"GET {CLUSTER}/topics/-/configs", f"POST {CLUSTER}/topics/-/configs:alter")
    assert await ask(*asked, api_endpoints_blocklist=blocked) == [404, 405]
    assert await ask(f"GET {CLUSTER}/topics/orders/configs", api_endpoints_blocklist=blocked) == [200]


async def test_a_version_that_is_off_has_no_paths(ask: Ask) -> None:
    asked = ("GET /topics", "POST /topics/orders", f"GET {CLUSTER}/topics", f"POST {CLUSTER}/topics")
    ours = "GET /caudal/v1/topics/orders/records"
    assert await ask(*asked, ours, api_v2_enable=False) == [404, 404, 200, 422, 200]
    assert await ask(*asked, ours, api_v3_enable=False) == [200, 415, 404, 404, 200]


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("api.v3.topics.craete", "api.v3.topics.create"),
        ("api.v2.consumers.consume-json", "api.v2.consumers.consume"),
        ("api.v3.topic.*", "api.v3.topics.*"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(written: str, nearest: str) -> None:
    with pytest.raises(StartError) as refusal:
        routes_of(RestSettings(api_endpoints_blocklist=f"api.v2.*,{written}"))
    assert str(refusal.value) == (
        f"unknown endpoint {written} in the setting rest.api_endpoints_blocklist. Did you mean {nearest}?"
    )
