import httpx
import pytest

from app.kafka.ports import RecordToSend
from tests.memory_cluster import MemoryCluster

RECORDS = "/caudal/v1/groups/g/topics/orders/records"


@pytest.mark.parametrize(("reset", "status"), [("latest", 404), ("earliest", 200)])
async def test_a_group_does_not_begin_at_an_end_that_nobody_can_tell(
    client: httpx.AsyncClient, cluster: MemoryCluster, reset: str, status: int
) -> None:
    """From 0 on, all that is old would be told as new."""
    cluster.add_topic("orders", partitions=3)
    cluster.produce("orders", 0, RecordToSend(None, b"old"))
    cluster.kill_broker(2)
    answer = await client.get(RECORDS, params={"reset": reset})
    assert answer.status_code == status, answer.text
    assert reset == "earliest" or answer.json()["error_code"] == 40404
    assert reset == "latest" or answer.json()["next"] == "0:1,1:0,2:0"
