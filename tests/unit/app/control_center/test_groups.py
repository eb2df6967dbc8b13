import pytest

from app.control_center.group import partition_ranges
from tests.unit.app.control_center.conftest import words_of


async def test_the_list_says_lag_and_status_in_words(visitor):
    page = words_of(await visitor.get("/clusters/prod/groups"))
    assert "3 groups" in page
    assert "analytics" in page
    assert "240" in page
    assert "only commits" in page


async def test_a_group_says_the_lag_of_every_partition(visitor):
    rows = (await visitor.get("/clusters/prod/groups/analytics?format=json")).json()
    assert rows["lag"] == 240
    assert [one["lag"] for one in rows["partitions"]] == [40] * 6
    page = words_of(await visitor.get("/clusters/prod/groups/analytics"))
    assert "analytics-app" in page
    assert "10.0.0.7" in page
    assert "pageviews 0–5" in page


async def test_lag_without_a_commit_is_a_dash(visitor, cluster, sampler):
    from app.kafka.ports import GroupMember, TopicPartition

    cluster.add_group("fresh", members=[GroupMember("m", None, "app", "/h", (TopicPartition("orders", 0),))])
    await sampler.refresh()
    page = words_of(await visitor.get("/clusters/prod/groups/fresh"))
    assert "Lag – 1 partition without a commit" in page
    assert (await visitor.get("/clusters/prod/groups?format=json&q=fresh")).json()[0]["lag"] is None


async def test_a_group_with_members_is_not_deleted(visitor, cluster):
    response = await visitor.post("/clusters/prod/groups/billing/delete", {"confirm": "billing"})
    assert response.status_code == 422
    assert "Stop its consumers first" in words_of(response)
    assert "billing" in cluster.groups


async def test_a_group_is_deleted_by_its_name(visitor, cluster):
    wrong = await visitor.post("/clusters/prod/groups/backup-job/delete", {"confirm": "backup"})
    assert wrong.status_code == 422
    done = await visitor.post("/clusters/prod/groups/backup-job/delete", {"confirm": "backup-job"})
    assert "Group backup-job was deleted" in await visitor.follow(done)
    assert "backup-job" not in cluster.groups


async def test_the_lag_chart_comes_as_table_and_as_csv(visitor, cluster, sampler, clock):
    for _ in range(4):
        cluster.produce("pageviews", 0, b"x")
        clock.advance(10_000)
        await sampler.refresh()
    page = words_of(await visitor.get("/clusters/prod/groups/analytics?table=lag"))
    assert "as chart" in page
    assert "Time lag written/s read/s" in page
    exported = await visitor.get("/clusters/prod/groups/analytics?table=lag&format=csv")
    assert exported.text.splitlines()[0] == "time,lag,written/s,read/s"
    assert len(exported.text.splitlines()) >= 4


@pytest.mark.parametrize(
    ("partitions", "said"), [([], ""), ([3], "3"), ([0, 1, 2], "0–2"), ([0, 2, 3, 7], "0, 2–3, 7")]
)
def test_partitions_are_said_as_ranges(partitions, said):
    assert partition_ranges(partitions) == said
