"""Names may hold anything: shown, linked and acted on as they are."""

import re
from urllib.parse import unquote

import pytest

from app.control_center.links import Links
from tests.unit.app.control_center.conftest import words_of

GROUPS = [
    "a/b",
    "a%2Fb",
    "50%",
    "",
    "<script>alert(1)</script>",
    '"quoted"',
    "😀",
    "ü ö",
    "?q=1#x",
    ".",
    "..",
    "g" * 249,
]


@pytest.mark.parametrize("name", GROUPS)
async def test_a_group_is_found_by_the_link_to_it(visitor, cluster, sampler, name):
    cluster.commit(name, "orders", 0, 1)
    await sampler.refresh()
    link = Links("/ui", "prod").group(name).removeprefix("/ui")
    response = await visitor.get(link)
    assert response.status_code == 200
    assert f"{name or '(no name)'} " in words_of(response)
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("name", GROUPS)
async def test_the_list_links_to_every_group(visitor, cluster, sampler, name):
    cluster.commit(name, "orders", 0, 1)
    await sampler.refresh()
    page = (await visitor.get("/clusters/prod/groups")).text
    links = [
        unquote(link.replace("&amp;", "&")) for link in re.findall(r'href="(/ui/clusters/prod/groups/[^"]*)"', page)
    ]
    assert unquote(Links("/ui", "prod").group(name)) in links
    assert "<script>alert" not in page


@pytest.mark.parametrize("name", GROUPS)
async def test_a_group_is_deleted_by_its_form(visitor, cluster, sampler, name):
    cluster.commit(name, "orders", 0, 1)
    await sampler.refresh()
    page = (await visitor.get(Links("/ui", "prod").group(name).removeprefix("/ui"))).text
    action = re.search(r'action="/ui([^"]*/delete[^"]*)"', page)[1].replace("&amp;", "&")
    response = await visitor.post(action, {"confirm": name or "(no name)"})
    assert response.status_code == 303
    assert name not in cluster.groups


async def test_a_topic_called_new_is_a_topic(visitor, cluster, sampler):
    cluster.add_topic("new")
    await sampler.refresh()
    page = (await visitor.get("/clusters/prod/topics")).text
    assert 'href="/ui/clusters/prod/topics/new/overview"' in page
    assert "1 partition" in words_of(await visitor.get("/clusters/prod/topics/new/overview"))
    assert (await visitor.get("/clusters/prod/topics/new/settings")).status_code == 200


async def test_a_record_cannot_break_out_of_the_page(visitor, cluster, clock):
    clock.advance(1_000)
    cluster.produce("orders", 0, b"</pre><script>alert(1)</script>")
    page = (await visitor.get("/clusters/prod/topics/orders/messages")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_a_group_name_cannot_break_out_of_a_chart(visitor, cluster, sampler, clock):
    cluster.commit("</script><script>alert(1)", "orders", 0, 1)
    for _ in range(3):
        cluster.produce("orders", 0, b"x")
        clock.advance(10_000)
        await sampler.refresh()
    assert "<script>alert" not in (await visitor.get("/clusters/prod")).text
