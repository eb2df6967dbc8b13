"""T13: members come, go and vanish, the broker is killed amid rebalances; nobody owns twice, no commit goes back."""

import asyncio
import random
import time
from collections.abc import Callable

from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.storm_members import PARTITIONS, SESSION_TIMEOUT_MS, TOPIC, Storm, StormMember

KILLS = 3
LEAVES_PER_HEARTBEAT = 0.5
RETURNED_WITHIN_S = 2 * SESSION_TIMEOUT_MS / 1000
SETTINGS = {"group.min.session.timeout.ms": "1000"}


async def run_storm(broker: BrokerUnderTest, storm: Storm, members: int, duration_s: float) -> tuple[float, float]:
    """Let the members storm while the broker is killed at random, then let them settle.

    The longest time that a member was away after a kill, and how long settling took.
    """
    running = [StormMember(storm) for _ in range(members)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(member.run()) for member in running]
        returned_s = 0.0
        for _ in range(KILLS):
            await asyncio.sleep(storm.chance.uniform(0.5, 1.0) * duration_s / KILLS)
            if storm.chance.random() < 0.7:
                await seconds_until(lambda: not all(map(is_settled, running)))  # amid a rebalance
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            returned_s = max(returned_s, await seconds_until(lambda: sum(map(is_settled, running)) > members / 2))
        storm.is_over = True
        settled_s = await seconds_until(lambda: have_settled(running))
        for task in tasks:
            task.cancel()
    return returned_s, settled_s


def is_settled(member: StormMember) -> bool:
    return member.settled is not None


def have_settled(members: list[StormMember]) -> bool:
    """Whether all are in one generation and own all partitions between them."""
    generations = {member.settled for member in members}
    owned = sorted(partition for member in members for partition in member.partitions)
    return len(generations) == 1 and None not in generations and owned == list(range(PARTITIONS))


async def seconds_until(claim: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not claim():
        await asyncio.sleep(0.02)
        if time.monotonic() - begun > 60:
            raise AssertionError("the group did not settle within a minute")
    return time.monotonic() - begun


def test_in_a_storm_nobody_owns_a_partition_twice_and_commits_never_go_back(
    new_broker: Callable[..., BrokerUnderTest],
    chance: random.Random,
    is_soak: bool,
    figures: Callable[..., None],
    within: Callable[..., None],
) -> None:
    members, duration_s = (200, 60) if is_soak else (30, 12)
    broker = new_broker(settings=SETTINGS)
    broker.create_topic(TOPIC, PARTITIONS)
    storm = Storm(broker.port, chance, leave_rate=LEAVES_PER_HEARTBEAT / members)
    returned_s, settled_s = asyncio.run(run_storm(broker, storm, members, duration_s))
    history = storm.history
    figures(
        members=members,
        kills=KILLS,
        generations=len({owned.generation_id for owned in history.owned}),
        commits=len(history.committed),
        returned_s=returned_s,
        settled_s=settled_s,
        violations=len(history.violations()),
    )
    assert history.violations()[:10] == []
    assert storm.unforeseen == []
    assert broker.unforeseen_lines() == []
    within(returned_s=(returned_s, RETURNED_WITHIN_S), settled_s=(settled_s, RETURNED_WITHIN_S))
