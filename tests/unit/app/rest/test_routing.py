import pytest

from app.http.routing import Router, Routes
from app.rest.errors import MethodNotAllowed, NotFound
from app.rest.http import Request, Response
from app.rest.negotiation import V3_CONSUMED, V3_OFFERS


@pytest.fixture
def router() -> Router:
    routes = Routes(consumes=V3_CONSUMED, offers=V3_OFFERS, prefix="/c/{cluster}")

    @routes.on("GET", "/topics/{topic}/configs")
    async def one(request: Request, cluster: str, topic: str) -> Response:
        return Response(200)

    @routes.on("GET", "/topics/-/configs")
    async def every(request: Request, cluster: str) -> Response:
        return Response(200)

    @routes.on("POST", "/topics/{topic}/configs:alter")
    @routes.on("DELETE", "/topics/{topic}")
    async def change(request: Request, cluster: str, topic: str) -> Response:
        return Response(204)

    return Router(routes)


def test_a_literal_segment_wins_over_a_parameter(router: Router) -> None:
    assert router.find("GET", "/c/1/topics/-/configs")[0].function.__name__ == "every"
    assert router.find("GET", "/c/1/topics/t/configs")[0].function.__name__ == "one"


def test_a_parameter_may_equal_a_literal_elsewhere(router: Router) -> None:
    assert router.find("DELETE", "/c/1/topics/-")[1] == ("1", "-")


def test_an_encoded_slash_stays_inside_its_segment(router: Router) -> None:
    assert router.find("DELETE", "/c/a%2Fb/topics/%C3%A4%20%25")[1] == ("a/b", "ä %")


def test_a_trailing_slash_is_ignored(router: Router) -> None:
    assert router.find("DELETE", "/c/1/topics/t/")[1] == ("1", "t")


@pytest.mark.parametrize("path", ["/", "/c", "/c/1/topics", "/c/1/topics//configs", "/c/1/topics/%ff/configs", "/x/1"])
def test_unknown_paths_are_not_found(router: Router, path: str) -> None:
    with pytest.raises(NotFound):
        router.find("GET", path)


def test_another_method_is_refused_with_those_allowed(router: Router) -> None:
    with pytest.raises(MethodNotAllowed) as refusal:
        router.find("PUT", "/c/1/topics/-/configs")
    assert refusal.value.allowed == ("GET",)


def test_head_is_answered_like_get(router: Router) -> None:
    assert router.find("HEAD", "/c/1/topics/t/configs")[1] == ("1", "t")


def test_a_very_long_path_is_matched_but_not_remembered(router: Router) -> None:
    assert router.find("DELETE", "/c/1/topics/" + "t" * 1000)[1] == ("1", "t" * 1000)
    assert router._find_remembered.cache_info().currsize == 0


def test_two_endpoints_for_one_route_are_a_mistake() -> None:
    routes = Routes(consumes=V3_CONSUMED, offers=V3_OFFERS)

    @routes.on("GET", "/a/{x}")
    @routes.on("GET", "/a/{y}")
    async def endpoint(request: Request, x: str) -> Response:
        return Response(200)

    with pytest.raises(ValueError, match="two endpoints"):
        Router(routes)
