"""Operations of one consumer instance that meet each other."""

import asyncio

import pytest

from app.kafka.ports import OffsetReset
from app.rest import RestProxy
from app.rest.consumers import ConsumerConfig
from app.rest.errors import ConsumerInstanceNotFound
from app.rest.formats import EmbeddedFormat, encoder_of
from tests.memory_cluster import MemoryCluster
from tests.unit.app.rest.memory_consumers import MemoryConsumers


@pytest.fixture
def encode():  # type: ignore[no-untyped-def]
    return encoder_of(EmbeddedFormat.BINARY)


async def test_operations_of_one_instance_wait_for_each_other(
    proxy: RestProxy, consumers: MemoryConsumers, encode: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = proxy.context.consumers.create("g", ConsumerConfig())
    await instance.subscribe(["single"])
    go_on = asyncio.Event()

    async def poll(*, wait_s: float, records_max: int) -> list[object]:
        await go_on.wait()
        proxy.context.clock.advance(10_000)  # type: ignore[attr-defined]
        return []

    monkeypatch.setattr(consumers.made[0], "poll", poll)
    reading = asyncio.create_task(instance.read(encode, wait_ms=1000, bytes_max=10))  # type: ignore[arg-type]
    telling = asyncio.create_task(instance.subscription())
    await asyncio.sleep(0.01)
    assert not telling.done()
    assert not instance.is_unused_for(0)
    go_on.set()
    assert await reading == b"[]"
    assert await telling == ("single",)


async def test_deleting_an_instance_does_not_wait_for_its_read(
    proxy: RestProxy, consumers: MemoryConsumers, encode: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = proxy.context.consumers.create("g", ConsumerConfig(name="c"))
    await instance.subscribe(["single"])
    stopped = asyncio.Event()

    async def poll(*, wait_s: float, records_max: int) -> list[object]:
        await stopped.wait()
        return []

    async def stop() -> None:
        stopped.set()

    monkeypatch.setattr(consumers.made[0], "poll", poll)
    monkeypatch.setattr(consumers.made[0], "stop", stop)
    reading = asyncio.create_task(instance.read(encode, wait_ms=60_000, bytes_max=10))  # type: ignore[arg-type]
    waiting = asyncio.create_task(instance.subscription())
    await asyncio.sleep(0.01)
    await proxy.context.consumers.remove("g", "c")
    assert await reading == b"[]"
    with pytest.raises(ConsumerInstanceNotFound):
        await waiting


async def test_a_large_answer_is_put_together_poll_by_poll(
    proxy: RestProxy, consumers: MemoryConsumers, cluster: MemoryCluster, encode: object
) -> None:
    cluster.produce("single", 0, *[b"x"] * 2_500)
    instance = proxy.context.consumers.create("g", ConsumerConfig(name="c", offset_reset=OffsetReset.EARLIEST))
    await instance.subscribe(["single"])
    body = await instance.read(encode, wait_ms=1000, bytes_max=1_000_000)  # type: ignore[arg-type]
    assert body.count(b'"offset"') == 2_500
    assert len(consumers.made[0].polls) == 3


async def test_the_expiry_task_ends_with_the_last_instance(proxy: RestProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.rest.consumers.EXPIRY_CHECK_S", 0.001)
    instances = proxy.context.consumers
    instances.create("g", ConsumerConfig(name="c"))
    await instances.remove("g", "c")
    task = instances._expiring
    assert task is not None
    await asyncio.wait_for(task, 1)


async def test_an_instance_that_is_deleted_while_it_starts_leaves_nothing_behind(
    proxy: RestProxy, consumers: MemoryConsumers, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = proxy.context.consumers.create("g", ConsumerConfig(name="c"))
    connected = asyncio.Event()
    monkeypatch.setattr(consumers.made[0], "start", connected.wait)
    subscribing = asyncio.create_task(instance.subscribe(["single"]))
    await asyncio.sleep(0)
    await proxy.context.consumers.remove("g", "c")
    consumers.made[0].is_stopped = False
    connected.set()
    with pytest.raises(ConsumerInstanceNotFound):
        await subscribing
    assert consumers.made[0].is_stopped
