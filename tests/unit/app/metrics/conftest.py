import pytest

from app.metrics.sampler import Sampler
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cluster(clock: ManualClock) -> MemoryCluster:
    return MemoryCluster.seeded(broker_count=3, now_ms=clock.now_ms)


@pytest.fixture
def sampler(cluster: MemoryCluster, clock: ManualClock) -> Sampler:
    return Sampler(cluster, clock=clock)
