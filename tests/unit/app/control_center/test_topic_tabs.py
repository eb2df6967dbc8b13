"""Config, partitions and settings of a topic."""

import re

from tests.unit.app.control_center.conftest import words_of

TOPIC = "/clusters/prod/topics/orders"


async def test_the_overview_tab_names_readers_with_their_lag(visitor):
    page = words_of(await visitor.get("/clusters/prod/topics/pageviews"))
    assert "6 partitions, 3 copies of each, 7 days." in page
    assert "analytics" in page
    assert " 240 " in page


async def test_every_config_stands_with_value_source_and_default(visitor):
    page = words_of(await visitor.get(f"{TOPIC}/config"))
    assert "retention.ms" in page
    assert "86400000" in page
    assert "1 day" in page
    assert "this topic" in page
    assert "How long records are kept before their segment is deleted." in page
    only_own = words_of(await visitor.get(f"{TOPIC}/config?only=own"))
    assert "retention.ms" in only_own
    assert "segment.bytes" not in only_own


async def test_a_config_is_set_and_reset(visitor, cluster):
    changed = {"name": "retention.ms", "value": "3600000", "before": "86400000"}
    response = await visitor.post(f"{TOPIC}/config", changed)
    assert "retention.ms of orders is 3600000 now." in await visitor.follow(response)
    assert cluster.topics["orders"].configs["retention.ms"] == "3600000"
    reset = {"name": "retention.ms", "value": "x", "before": "3600000", "reset": "1"}
    assert "is back at its default" in await visitor.follow(await visitor.post(f"{TOPIC}/config", reset))
    assert "retention.ms" not in cluster.topics["orders"].configs


async def test_a_refused_config_stands_beside_its_field_with_the_input_kept(visitor):
    wrong = {"name": "retention.ms", "value": "soon", "before": "86400000"}
    response = await visitor.post(f"{TOPIC}/config", wrong)
    assert response.status_code == 422
    assert "InvalidConfig, error 40" in words_of(response)
    assert 'value="soon"' in response.text


async def test_an_edit_of_an_old_value_is_not_written(visitor, cluster):
    stale = {"name": "retention.ms", "value": "1", "before": "604800000"}
    response = await visitor.post(f"{TOPIC}/config", stale)
    assert response.status_code == 409
    assert "It was changed meanwhile: it is 86400000 now." in words_of(response)
    assert cluster.topics["orders"].configs["retention.ms"] == "86400000"


async def test_partitions_say_leader_replicas_and_offsets(visitor, cluster, sampler):
    cluster.kill_broker(2)
    await sampler.refresh()
    page = await visitor.get(f"{TOPIC}/partitions")
    assert "2 of 3" in words_of(page)
    assert 'title="Broker 2 is not in sync"' in page.text
    rows = (await visitor.get(f"{TOPIC}/partitions?format=json")).json()
    assert [row["end"] for row in rows] == [100, 100, 100]


async def test_partitions_are_added_never_taken(visitor, cluster):
    less = await visitor.post(f"{TOPIC}/partitions", {"count": "2"})
    assert less.status_code == 422
    assert "At least 4 partitions." in words_of(less)
    assert 'value="2"' in less.text
    more = await visitor.post(f"{TOPIC}/partitions", {"count": "5"})
    assert "orders has 5 partitions now." in await visitor.follow(more)
    assert len(cluster.topics["orders"].partitions) == 5


async def test_a_topic_is_deleted_only_by_its_exact_name(visitor, cluster):
    for typed in ("", "Orders", "orders ", "orders2"):
        response = await visitor.post(f"{TOPIC}/delete", {"confirm": typed})
        assert response.status_code == 422
        assert "This is not the name of the topic." in words_of(response)
        assert "orders" in cluster.topics
    done = await visitor.post(f"{TOPIC}/delete", {"confirm": "orders"})
    assert done.headers["location"] == "/ui/clusters/prod/topics"
    assert "Topic orders was deleted." in await visitor.follow(done)
    assert "orders" not in cluster.topics


async def test_records_are_deleted_up_to_an_offset_or_all(visitor, cluster):
    one = {"partition": "1", "before": "40", "confirm": "orders"}
    assert "40 records of orders were deleted." in await visitor.follow(
        await visitor.post(f"{TOPIC}/delete-records", one)
    )
    assert cluster.topics["orders"].partitions[1].log_start_offset == 40
    await visitor.post(f"{TOPIC}/delete-records", {"partition": "", "before": "", "confirm": "orders"})
    assert [log.log_start_offset for log in cluster.topics["orders"].partitions] == [100, 100, 100]


async def test_deleting_records_asks_for_the_name_and_a_readable_offset(visitor, cluster):
    response = await visitor.post(f"{TOPIC}/delete-records", {"partition": "0", "before": "soon", "confirm": "x"})
    assert response.status_code == 422
    assert "Write an offset, or leave it empty" in words_of(response)
    assert "This is not the name of the topic." in words_of(response)
    beyond = await visitor.post(f"{TOPIC}/delete-records", {"partition": "0", "before": "999", "confirm": "orders"})
    assert beyond.status_code == 422
    assert "OffsetOutOfRange, error 1" in words_of(beyond)
    assert cluster.topics["orders"].partitions[0].log_start_offset == 0


async def test_the_settings_say_who_reads_the_topic(visitor):
    page = words_of(await visitor.get(f"{TOPIC}/settings"))
    assert "In use. billing is reading it now." in page
    assert re.search(r"300 records, [\d.]+ KiB in 3 partitions", page)
