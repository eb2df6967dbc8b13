"""Nothing changes but by our own forms."""

from tests.unit.app.control_center.conftest import words_of

DELETE = "/ui/clusters/prod/topics/orders/delete"


async def test_a_post_without_the_token_is_refused(visitor, cluster):
    await visitor.get("/")
    response = await visitor.client.post(DELETE, data={"confirm": "orders"})
    assert response.status_code == 403
    assert "Nothing was changed" in words_of(response)
    assert "orders" in cluster.topics


async def test_a_token_of_somebody_else_is_refused(visitor, cluster):
    await visitor.get("/")
    response = await visitor.client.post(DELETE, data={"confirm": "orders", "csrf": "x" * 32})
    assert response.status_code == 403
    assert "orders" in cluster.topics


async def test_a_browser_without_our_cookie_is_refused(visitor, cluster):
    token = await visitor.token()
    visitor.client.cookies.clear()
    response = await visitor.client.post(DELETE, data={"confirm": "orders", "csrf": token})
    assert response.status_code == 403
    assert "orders" in cluster.topics


async def test_another_site_is_refused_even_with_the_token(visitor, cluster):
    for site in ("cross-site", "same-site"):
        response = await visitor.post(
            "/clusters/prod/topics/orders/delete", {"confirm": "orders"}, **{"Sec-Fetch-Site": site}
        )
        assert response.status_code == 403
    assert "orders" in cluster.topics


async def test_htmx_may_send_the_token_as_a_header(visitor, cluster):
    token = await visitor.token()
    response = await visitor.client.post(DELETE, data={"confirm": "orders"}, headers={"X-CSRF-Token": token})
    assert response.status_code == 303
    assert "orders" not in cluster.topics


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(visitor):
    response = await visitor.get("/")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/ui" in cookie
    assert "set-cookie" not in (await visitor.get("/")).headers


async def test_a_form_beyond_the_limit_is_refused(visitor):
    response = await visitor.post("/clusters/prod/topics/orders/messages", {"value": "x" * 5_000_000})
    assert response.status_code == 413


async def test_the_theme_form_leads_back_but_never_away(visitor):
    there = await visitor.post("/theme", {"theme": "dark", "back": "/ui/clusters/prod/topics"})
    assert there.headers["location"] == "/ui/clusters/prod/topics"
    assert 'data-theme="dark"' in (await visitor.get("/")).text
    for back in ("https://evil.example", "//evil.example", "/ui//evil.example", "/ui/\\evil", ""):
        away = await visitor.post("/theme", {"theme": "light", "back": back})
        assert away.headers["location"] == "/ui/"
