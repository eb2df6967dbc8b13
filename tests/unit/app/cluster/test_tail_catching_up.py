"""A reader of a live tail that is behind, and what stands in its way."""

from collections.abc import AsyncIterator

import pytest

from app.cluster.messages import BrowsedRecord
from app.cluster.tail import TailReader, TopicTails
from app.kafka.ports import ClusterUnreachable, FetchedBatch
from tests.memory_cluster import MemoryCluster


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.add_topic("t")
    for number in range(5):
        cluster.produce("t", 0, b"%d" % number)
    return cluster


@pytest.fixture
async def reader(cluster: MemoryCluster) -> AsyncIterator[TailReader]:
    """From the first record on, while the tail itself is at the end."""

    def encode(record: BrowsedRecord, _cursor: str) -> bytes:
        return b"%b " % record.value

    reader = await TopicTails(cluster).join(
        "t", None, {0: 0}, encode=encode, encoding="", read_committed=True, idle_s=5
    )
    yield reader
    reader.close()


async def test_what_a_new_leader_does_not_show_yet_is_not_skipped(
    cluster: MemoryCluster, reader: TailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, lags = cluster.fetch, iter([0, 3])

    async def fetch_behind(partition, *, offset, **asked):
        high_watermark = next(lags, None) if offset < 5 else None
        if high_watermark is not None:
            return FetchedBatch(b"", high_watermark, 0)
        return await fetch(partition, offset=offset, **asked)

    monkeypatch.setattr(cluster, "fetch", fetch_behind)
    assert await anext(reader.events()) == b"0 1 2 3 4 "
    assert next(lags, None) is None


async def test_a_cluster_that_is_away_while_a_reader_catches_up_keeps_it_waiting(
    cluster: MemoryCluster, reader: TailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, failures = cluster.fetch, iter([ClusterUnreachable("away")])

    async def fetch_away(partition, *, offset, **asked):
        failure = next(failures, None) if offset < 5 else None
        if failure is not None:
            raise failure
        return await fetch(partition, offset=offset, **asked)

    monkeypatch.setattr(cluster, "fetch", fetch_away)
    events = reader.events()
    assert await anext(events) == b""
    assert await anext(events) == b"0 1 2 3 4 "
