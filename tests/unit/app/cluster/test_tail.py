"""Many listeners at one live end."""

import asyncio

from app.cluster.messages import BrowsedRecord
from app.cluster.tail import TailReader, TopicTails
from app.kafka.ports import RecordToSend
from tests.memory_cluster import MemoryCluster


def encode(record: BrowsedRecord, cursor: str) -> bytes:
    return record.value or b""


async def join(tails: TopicTails) -> TailReader:
    return await tails.join("t", None, {}, encode=encode, encoding="value", read_committed=True, idle_s=60)


def followed(cluster: MemoryCluster, monkeypatch) -> list[object]:
    """A list that grows with each call of follow."""
    calls: list[object] = []
    follow = cluster.follow

    def counted(*args, **kwargs):
        calls.append(args)
        return follow(*args, **kwargs)

    monkeypatch.setattr(cluster, "follow", counted)
    return calls


async def first_event(reader: TailReader) -> bytes:
    async with asyncio.timeout(30):
        async for events in reader.events():
            if events:
                return events
    raise AssertionError("the tail ended")


def never_at_once(cluster: MemoryCluster, monkeypatch) -> None:
    """A cluster is elsewhere: between a question and its answer others have their turn."""
    list_offsets = cluster.list_offsets

    async def elsewhere(*args, **kwargs):
        await asyncio.sleep(0)
        return await list_offsets(*args, **kwargs)

    monkeypatch.setattr(cluster, "list_offsets", elsewhere)


async def test_those_who_come_at_the_same_time_share_one_reading_of_the_topic(monkeypatch):
    cluster = MemoryCluster()
    cluster.add_topic("t", partitions=1)
    calls = followed(cluster, monkeypatch)
    never_at_once(cluster, monkeypatch)
    tails = TopicTails(cluster)
    readers = await asyncio.gather(*(join(tails) for _ in range(20)))
    cluster.produce("t", 0, RecordToSend(key=None, value=b"news"))
    heard = await asyncio.gather(*(first_event(reader) for reader in readers))
    assert heard == [b"news"] * 20
    assert len(calls) == 1
    for reader in readers:
        reader.close()
    assert tails.reader_count == 0


async def test_one_who_comes_while_the_last_one_goes_hears_what_comes(monkeypatch):
    cluster = MemoryCluster()
    cluster.add_topic("t", partitions=1)
    cluster.produce("t", 0, RecordToSend(key=None, value=b"old"))
    tails = TopicTails(cluster)
    last = await join(tails)
    is_asked, go_on = asyncio.Event(), asyncio.Event()
    list_offsets = cluster.list_offsets

    async def slow(*args, **kwargs):
        is_asked.set()
        await go_on.wait()
        return await list_offsets(*args, **kwargs)

    monkeypatch.setattr(cluster, "list_offsets", slow)
    coming = asyncio.create_task(
        tails.join("t", None, {0: 1}, encode=encode, encoding="value", read_committed=True, idle_s=60)
    )
    await is_asked.wait()
    last.close()
    go_on.set()
    reader = await coming
    cluster.produce("t", 0, RecordToSend(key=None, value=b"news"))
    assert await first_event(reader) == b"news"
    reader.close()
