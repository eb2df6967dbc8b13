"""While the cluster is away every page still renders, dated, and changes nothing."""

import re

import pytest

from tests.unit.app.control_center.conftest import words_of
from tests.unit.app.control_center.test_pages import PAGES


@pytest.fixture
async def away(cluster, clock, sampler):
    clock.advance(3_000)
    cluster.away = True
    await sampler.refresh()


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_still_renders(visitor, path):
    response = await visitor.get(path)
    assert response.status_code == 200
    if path != "/":
        assert "Cluster unreachable since" in words_of(response)
        assert "No broker answered at broker-1:9092" in words_of(response)


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("path", ["topics/new", "topics/orders/settings", "topics/orders/messages", "groups/billing"])
async def test_forms_are_disabled_not_hidden(visitor, path):
    page = (await visitor.get(f"/clusters/prod/{path}")).text
    assert "<fieldset data-changes disabled>" in page
    assert "<fieldset data-changes>" not in page


@pytest.mark.usefixtures("away")
async def test_a_form_sent_all_the_same_says_what_is_wrong(visitor):
    response = await visitor.post("/clusters/prod/topics/orders/delete", {"confirm": "orders"})
    assert response.status_code == 422
    assert "The cluster does not answer" in words_of(response)


async def test_a_live_part_carries_the_notice(visitor, cluster, clock, sampler):
    fragment = await visitor.get("/clusters/prod/topics", htmx=True)
    version = re.search(r'name="v" value="([^"]+)"', fragment.text)[1]
    cluster.away = True
    clock.advance(5_000)
    await sampler.refresh()
    update = await visitor.get(f"/clusters/prod/topics?v={version}", htmx=True)
    assert update.status_code == 200
    assert 'id="notices" data-away="true" hx-swap-oob="true"' in update.text
