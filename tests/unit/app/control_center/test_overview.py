import re

from app.control_center import charts
from tests.unit.app.control_center.conftest import words_of


async def test_a_healthy_cluster_says_so_with_full_score(visitor):
    page = words_of(await visitor.get("/clusters/prod"))
    assert "prod is healthy 3 brokers, 3 topics, 3 consumer groups. Clients can write and read everything." in page
    assert "score 100 of 100" in page
    assert "Nothing is wrong." in page


async def test_findings_stand_before_numbers_and_numbers_before_charts(visitor, cluster, clock, sampler):
    cluster.kill_broker(2)
    clock.advance(240_000)
    await sampler.refresh()
    page = words_of(await visitor.get("/clusters/prod"))
    assert "prod needs attention" in page
    places = [page.index(said) for said in ("Broker 2 has been away", "Offline partitions", "most", "What changed")]
    assert places == sorted(places)
    assert "Broker 2 left" in page


async def test_findings_as_json(visitor, cluster, sampler):
    cluster.kill_broker(2)
    await sampler.refresh()
    content = (await visitor.get("/clusters/prod?format=json")).json()
    assert content["state"] == "needs attention"
    assert {finding["id"] for finding in content["findings"]} >= {"under_replicated"}
    assert set(content["findings"][0]) == {"id", "severity", "since", "summary", "objects", "fix"}


async def test_before_the_first_answer_the_page_says_that_it_looks(cluster, clock, settings):
    import httpx

    from app.control_center.access import ClusterAccess
    from app.control_center.app import create_control_center
    from app.metrics.sampler import Sampler

    app = create_control_center(
        settings, [ClusterAccess("prod", Sampler(cluster, clock=clock), cluster, cluster)], clock
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        assert "Looking at prod" in words_of(await client.get("/ui/clusters/prod"))
        for path in ("topics", "groups", "brokers"):
            assert (await client.get(f"/ui/clusters/prod/{path}")).status_code == 200


async def test_charts_change_their_range_and_become_tables(visitor, cluster, clock, sampler):
    for _ in range(5):
        cluster.produce("orders", 0, *[b"x"] * 50)
        clock.advance(10_000)
        await sampler.refresh()
    for name, words in charts.RANGE_WORDS.items():
        page = (await visitor.get(f"/clusters/prod?range={name}")).text
        assert f'<b aria-current="true">{words}</b>' in page
        assert 'data-figure="rate-plot"' in page
    table = await visitor.get("/clusters/prod?table=rate")
    assert 'data-figure="rate-plot"' not in table.text
    assert "Time produced" in words_of(table)
    assert (await visitor.get("/clusters/prod?table=rate&format=csv")).text.startswith("time,produced")


async def test_the_report_stands_alone(visitor, cluster, clock, sampler):
    cluster.kill_broker(3)
    for _ in range(4):
        cluster.produce("orders", 0, *[b"x"] * 50)
        clock.advance(10_000)
        await sampler.refresh()
    response = await visitor.get("/clusters/prod/report")
    assert re.match(r'attachment; filename="prod-[\d-]+\.html"', response.headers["content-disposition"])
    text = response.text
    assert "Broker 3 has been away" in text
    assert "Plotly.newPlot" in text
    outside = text.split("</script>", 1)[1]  # after plotly itself
    assert not re.search(r'(src|href)="', outside)


async def test_find_knows_names_and_actions(visitor):
    page = words_of(await visitor.get("/clusters/prod/find?q=ana"))
    assert "analytics consumer group" in page
    found = (await visitor.get("/clusters/prod/find?q=create&format=json")).json()
    assert found == [{"kind": "action", "name": "Create topic", "href": "/ui/clusters/prod/topics/new"}]
    part = await visitor.get("/clusters/prod/find?q=ord", htmx=True)
    assert part.text.lstrip().startswith("<li>")


async def test_brokers_say_role_load_and_disk(visitor, cluster, sampler):
    cluster.kill_broker(2)
    await sampler.refresh()
    page = words_of(await visitor.get("/clusters/prod/brokers"))
    assert "2 brokers up, broker 2 away. Broker 1 is the controller." in page
    assert "40 % 60 GiB free" in page
    assert "Broker 2 is away" in words_of(await visitor.get("/clusters/prod/brokers/2"))
    config = words_of(await visitor.get("/clusters/prod/brokers/1?tab=config&q=retention"))
    assert "log.retention.hours" in config
    assert "num.network.threads" not in config
