"""Fetches under way: what each leader has comes when it has it, and nothing that was answered is lost."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from app.kafka.partition_fetch import FetchesUnderWay, Found, PartitionFetcher
from app.kafka.ports import ClusterUnreachable, TopicPartition

A, B = TopicPartition("t", 0), TopicPartition("t", 1)
LEADERS = {A: 1, B: 2}


class Leaders:
    """Two brokers that answer when they are told to (see PartitionFetcher)."""

    def __init__(self) -> None:
        self.asked: list[dict[TopicPartition, int]] = []
        self.moved: set[str] = set()
        self._answers: dict[int, asyncio.Future[list[Found]]] = {}

    async def by_leader(self, offsets: Mapping[TopicPartition, int]) -> dict[int, dict[TopicPartition, int]]:
        found: dict[int, dict[TopicPartition, int]] = {}
        for partition, offset in offsets.items():
            found.setdefault(LEADERS[partition], {})[partition] = offset
        return found

    def start(self, leader_id: int, offsets: Mapping[TopicPartition, int], wait_ms: int) -> asyncio.Task[list[Found]]:
        self.asked.append(dict(offsets))
        answer = self._answers[leader_id] = asyncio.get_running_loop().create_future()

        async def wait() -> list[Found]:
            return await answer

        return asyncio.create_task(wait())

    def look_up_again(self, topics: set[str]) -> None:
        self.moved |= topics

    def answer(self, partition: TopicPartition, offset: int) -> Found:
        found = Found(partition, offset, 0, b"batches")
        self._answers[LEADERS[partition]].set_result([found])
        return found

    def fail(self, leader_id: int, error: Exception) -> None:
        self._answers[leader_id].set_exception(error)

    def has_nothing(self, leader_id: int) -> None:
        self._answers[leader_id].set_result([])


@pytest.fixture
def leaders() -> Leaders:
    return Leaders()


@pytest.fixture
def fetches(leaders: Leaders) -> FetchesUnderWay:
    return FetchesUnderWay(cast(PartitionFetcher, leaders))


async def begin(fetches: FetchesUnderWay, offsets: dict[TopicPartition, int]) -> asyncio.Task[list[Found]]:
    task = asyncio.create_task(fetches.found(offsets, wait_ms=500))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_a_leader_without_records_holds_nobody_up_and_its_answer_is_there_later(
    leaders: Leaders, fetches: FetchesUnderWay
) -> None:
    first = await begin(fetches, {A: 0, B: 0})
    of_a = leaders.answer(A, 0)
    assert await first == [of_a]
    of_b = leaders.answer(B, 0)
    assert await (await begin(fetches, {A: 5, B: 0})) == [of_b]
    assert leaders.asked == [{A: 0}, {B: 0}, {A: 5}]


async def test_an_answer_that_came_after_the_readers_time_is_kept(leaders: Leaders, fetches: FetchesUnderWay) -> None:
    first = await begin(fetches, {A: 0})
    first.cancel()
    await asyncio.wait([first])
    of_a = leaders.answer(A, 0)
    assert await fetches.found({A: 0}, wait_ms=500) == [of_a]
    assert leaders.asked == [{A: 0}]


async def test_who_has_moved_meanwhile_asks_anew(leaders: Leaders, fetches: FetchesUnderWay) -> None:
    first = await begin(fetches, {A: 0})
    first.cancel()
    second = await begin(fetches, {A: 7})
    of_a = leaders.answer(A, 7)
    assert await second == [of_a]
    assert leaders.asked == [{A: 0}, {A: 7}]


async def test_a_leader_that_fails_is_told_of_when_no_other_has_anything(
    leaders: Leaders, fetches: FetchesUnderWay
) -> None:
    first = await begin(fetches, {A: 0, B: 0})
    leaders.fail(1, ClusterUnreachable("gone"))
    leaders.has_nothing(2)
    with pytest.raises(ClusterUnreachable):
        await first
    assert leaders.moved == {"t"}


async def test_what_is_forgotten_is_asked_again(leaders: Leaders, fetches: FetchesUnderWay) -> None:
    first = await begin(fetches, {A: 0})
    first.cancel()
    fetches.forget()
    await begin(fetches, {A: 0})
    assert leaders.asked == [{A: 0}, {A: 0}]
