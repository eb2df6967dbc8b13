import csv
import io
import re

import pytest

from tests.unit.app.control_center.conftest import words_of


def names_in(response):
    return re.findall(r'<td class="name"><a class="mono" href="[^"]*">([^<]+)</a>', response.text)


@pytest.fixture
async def many(cluster, sampler):
    """120 topics; the largest is the last by name."""
    for number in range(120):
        cluster.add_topic(f"team{number % 10}.events-{number:03}", partitions=3, replication_factor=3)
    cluster.produce("team9.events-119", 0, *[b"x" * 1000] * 2000)
    await sampler.refresh()


async def test_internal_topics_are_hidden_and_counted(visitor):
    page = await visitor.get("/clusters/prod/topics")
    assert names_in(page) == ["customers", "orders", "pageviews"]
    assert "3 topics. 1 internal topic is hidden. Show it" in words_of(page)
    assert "__consumer_offsets" in names_in(await visitor.get("/clusters/prod/topics?internal=1"))


@pytest.mark.usefixtures("many")
async def test_a_page_holds_fifty_rows(visitor):
    page = await visitor.get("/clusters/prod/topics")
    assert len(names_in(page)) == 50
    assert "by name, 1 to 50 of 123" in words_of(page)
    assert len(names_in(await visitor.get("/clusters/prod/topics?page=3"))) == 23
    assert len(names_in(await visitor.get("/clusters/prod/topics?page=99"))) == 23
    assert len(names_in(await visitor.get("/clusters/prod/topics?per=100000"))) == 123


@pytest.mark.usefixtures("many")
async def test_sorting_is_over_all_topics_not_over_the_page(visitor):
    by_size = await visitor.get("/clusters/prod/topics?sort=size&dir=desc")
    assert names_in(by_size)[0] == "team9.events-119"
    assert re.search(r'<th scope="col" class="num" aria-sort="descending"><a [^>]*>Size', by_size.text)
    assert names_in(await visitor.get("/clusters/prod/topics?sort=name&dir=desc"))[0] == "team9.events-119"


@pytest.mark.usefixtures("many")
async def test_the_search_takes_words_in_any_order_and_case(visitor):
    page = await visitor.get("/clusters/prod/topics?q=EVENTS+team7")
    assert len(names_in(page)) == 12
    assert "12 of 123 match EVENTS team7" in words_of(page)


async def test_a_search_without_result_offers_to_create_the_topic(visitor):
    page = await visitor.get("/clusters/prod/topics?q=invoices")
    assert "No topic matches invoices" in words_of(page)
    assert 'href="/ui/clusters/prod/topics/new?name=invoices"' in page.text


async def test_an_empty_cluster_says_what_to_do(visitor, cluster, sampler):
    cluster.topics.clear()
    cluster.groups.clear()
    await sampler.refresh()
    for path in ("/clusters/prod", "/clusters/prod/topics"):
        page = await visitor.get(path)
        assert "There is no topic yet" in words_of(page)
        assert "caudal demo" in words_of(page)


@pytest.mark.usefixtures("many")
async def test_the_csv_has_all_rows_of_the_filter(visitor):
    response = await visitor.get("/clusters/prod/topics?q=team7&format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert len(rows) == 12
    assert rows[0]["name"] == "team7.events-007"
    assert rows[0]["partitions"] == "3"
    assert response.headers["content-disposition"] == 'attachment; filename="topics.csv"'


async def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(visitor, cluster, sampler):
    cluster.add_topic("-1+1")
    await sampler.refresh()
    assert "\r\n'-1+1," in (await visitor.get("/clusters/prod/topics?format=csv")).text


async def test_only_topics_in_trouble(visitor, cluster, sampler):
    cluster.kill_broker(2)
    await sampler.refresh()
    page = await visitor.get("/clusters/prod/topics?only=under-replicated")
    assert "orders" in names_in(page)
    assert "3 of 3 short" in words_of(page)
    assert "topics with under-replicated partitions" in words_of(page)


async def test_htmx_gets_the_rows_and_the_sentence_with_the_address_to_show(visitor):
    fragment = await visitor.get("/clusters/prod/topics?q=ord&sort=&page=", htmx=True)
    assert names_in(fragment) == ["orders"]
    assert 'id="topic-words" hx-swap-oob="true"' in fragment.text
    assert fragment.headers["hx-push-url"] == "/ui/clusters/prod/topics?q=ord"
    poll = await visitor.get("/clusters/prod/topics?q=ord&v=0", htmx=True)
    assert "hx-push-url" not in poll.headers
