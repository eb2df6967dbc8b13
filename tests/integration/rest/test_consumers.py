import asyncio
import base64
import time

from app.kafka.group_consumer import AiokafkaConsumers
from app.kafka.ports import OffsetReset
from caudal.testing import Broker
from tests.conftest import wait_until
from tests.integration.rest.running_proxy import READ_BINARY, READ_JSON, V2, RunningProxy, running_proxy


def values(records: list[dict[str, object]]) -> list[object]:
    return [record["value"] for record in records]


def test_what_is_produced_is_read_back_at_the_first_read(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, *[{"key": f"k{n}", "value": {"n": n}} for n in range(10)])
    with proxy.consumer(group) as consumer:
        records = consumer.subscribe(topic).read()
        assert sorted(record["value"]["n"] for record in records) == list(range(10))  # type: ignore[index]
        assert set(records[0]) == {"topic", "key", "value", "partition", "offset"}
        assert sorted(consumer.assignment()) == [(topic, 0), (topic, 1)]


def test_an_answer_with_records_does_not_wait_for_its_timeout(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic).read(timeout_ms=1_500)
        proxy.produce(topic, {"value": 1})
        start = time.monotonic()
        assert values(consumer.read()) == [1]
        assert time.monotonic() - start < 2


def test_an_empty_read_takes_its_timeout(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic)
        start = time.monotonic()
        assert consumer.read(timeout_ms=700) == []
        assert 0.6 < time.monotonic() - start < 3


def read_after_subscription(proxy: RunningProxy, topic: str, group: str, *, is_created: bool) -> list[object]:
    """What is read of a topic that comes into being after somebody has subscribed to it and begun to read."""
    proxy.create_topic(f"{topic}-there")
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic, f"{topic}-there").read(timeout_ms=500)
        if is_created:
            proxy.create_topic(topic)
        proxy.produce(topic, {"value": 1})
        found: list[object] = []
        wait_until(lambda: found.extend(values(consumer.read(timeout_ms=2_000))) or found, timeout=40)
        return found


def test_a_topic_that_is_created_after_the_subscription_is_read(topic: str, group: str) -> None:
    with (
        Broker(settings={"auto.create.topics.enable": "false"}) as broker,
        running_proxy(broker.bootstrap_servers) as proxy,
    ):
        assert read_after_subscription(proxy, topic, group, is_created=True) == [1]


def test_a_topic_that_creates_itself_after_the_subscription_is_read(
    proxy: RunningProxy, topic: str, group: str
) -> None:
    assert read_after_subscription(proxy, topic, group, is_created=False) == [1]


def test_binary_records_come_as_base64(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, {"value": "ä"})
    with proxy.consumer(group, format="binary") as consumer:
        consumer.subscribe(topic)
        answer = proxy.http.get(f"{consumer.base_uri}/records", headers=READ_BINARY)
        assert base64.b64decode(answer.json()[0]["value"]) == '"ä"'.encode()
        assert proxy.http.get(f"{consumer.base_uri}/records", headers=READ_JSON).json()["error_code"] == 40601


async def test_what_was_fetched_and_given_up_is_fetched_again(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, *[{"value": n, "partition": n % 2} for n in range(20)])

    async def on_revoked(_: object) -> None:
        """Nothing is committed here."""

    consumers = AiokafkaConsumers(proxy.bootstrap_servers.split(","))
    consumer = consumers(group, offset_reset=OffsetReset.EARLIEST, on_revoked=on_revoked)
    await consumer.start()
    consumer.subscribe([topic])
    found: list[int] = []
    async with asyncio.timeout(30):
        while len(found) < 20:
            for polled in await consumer.poll(wait_s=2, records_max=3):
                found += [int(record.value or b"") for record in polled.records]
            consumer.release()
        assert await consumer.poll(wait_s=0.2, records_max=3) == []
    await consumer.stop()
    assert sorted(found) == list(range(20))


def test_max_bytes_cuts_between_records_and_loses_none(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, *[{"value": str(n) * 100} for n in range(9)])
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic)
        sizes, found = [], []
        while len(found) < 9:
            records = consumer.read(max_bytes=350)
            sizes.append(len(records))
            found += values(records)
    assert max(sizes) == 3
    assert found == [str(n) * 100 for n in range(9)]


def test_many_records_come_in_one_answer(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    for _ in range(5):
        proxy.produce(topic, *[{"value": n} for n in range(1_000)])
    with proxy.consumer(group) as consumer:
        records = consumer.subscribe(topic).read()
    assert [record["offset"] for record in records] == list(range(5_000))


def test_a_pattern_follows_all_matching_topics(proxy: RunningProxy, topic: str, group: str) -> None:
    for suffix in ("-a", "-b", "-b-not"):
        proxy.create_topic(topic + suffix)
        proxy.produce(topic + suffix, {"value": suffix})
    with proxy.consumer(group) as consumer:
        assert consumer.post("subscription", {"topic_pattern": f"{topic}-[ab]"}).status_code == 204
        found: list[object] = []
        wait_until(lambda: found.extend(values(consumer.read(timeout_ms=1_000))) or len(found) >= 2)
        assert sorted(found, key=str) == ["-a", "-b"]
        assert proxy.http.get(f"{consumer.base_uri}/subscription").json() == {"topics": [f"{topic}-a", f"{topic}-b"]}


def test_a_group_shares_partitions_and_hands_them_over(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=4)
    first = proxy.consumer(group).subscribe(topic)
    wait_until(lambda: first.read(timeout_ms=500) or len(first.assignment()) == 4)
    proxy.produce(topic, *[{"partition": n % 4, "value": n} for n in range(40)])
    assert len(first.read()) == 40
    with proxy.consumer(group) as second:
        second.subscribe(topic)

        def is_shared() -> bool:
            first.read(timeout_ms=300)
            assert second.read(timeout_ms=300) == []  # what the first has read was committed when it was revoked
            return len(first.assignment()) == len(second.assignment()) == 2

        wait_until(is_shared, timeout=30)
        assert sorted(first.assignment() + second.assignment()) == [(topic, n) for n in range(4)]
        proxy.http.delete(first.base_uri)
        wait_until(lambda: second.read(timeout_ms=300) or len(second.assignment()) == 4, timeout=30)


def test_a_new_instance_goes_on_behind_the_commit(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, *[{"value": n} for n in range(5)])
    at = {"topic": topic, "partition": 0}
    with proxy.consumer(group, **{"auto.commit.enable": "false"}) as consumer:
        assert len(consumer.subscribe(topic).read()) == 5
        answer = consumer.post("offsets", {"offsets": [{**at, "offset": 1, "metadata": "here"}]})
        assert (answer.status_code, answer.json()) == (200, [])
        body = {"partitions": [at, {"topic": topic, "partition": 7}]}
        told = proxy.http.request("GET", f"{consumer.base_uri}/offsets", json=body, headers=V2).json()
        assert told == {"offsets": [{**at, "offset": 2, "metadata": "here"}]}
    with proxy.consumer(group, **{"auto.commit.enable": "true"}) as consumer:
        assert values(consumer.subscribe(topic).read()) == [2, 3, 4]
    with proxy.consumer(group) as consumer:
        assert consumer.subscribe(topic).read(timeout_ms=1_000) == []


def test_positions_move_an_assigned_partition(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, *[{"value": n} for n in range(3)])
    at = {"topic": topic, "partition": 0}
    with proxy.consumer(group) as consumer:
        assert consumer.post("assignments", {"partitions": [at]}).status_code == 204
        assert values(consumer.read()) == [0, 1, 2]
        assert consumer.post("positions", {"offsets": [{**at, "offset": 1}]}).status_code == 204
        assert values(consumer.read()) == [1, 2]
        assert consumer.post("positions/beginning", {"partitions": [at]}).status_code == 204
        assert values(consumer.read()) == [0, 1, 2]
        time.sleep(0.01)
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() % 1 * 1000):03}Z"
        proxy.produce(topic, {"value": 3})
        assert consumer.post("positions", {"timestamps": [{**at, "timestamp": timestamp}]}).status_code == 204
        assert values(consumer.read()) == [3]
        assert consumer.post("positions/end", {"partitions": [at]}).status_code == 204
        assert consumer.read(timeout_ms=500) == []


def test_odd_group_and_instance_names_work(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, {"value": 1})
    with proxy.consumer("g%2F%C3%A4%20" + topic, name="a/b c?") as consumer:
        assert values(consumer.subscribe(topic).read()) == [1]
        consumer.post("offsets")
        groups = proxy.http.get(f"{proxy.cluster_url()}/consumer-groups").json()["data"]
        assert f"g/ä {topic}" in {group["consumer_group_id"] for group in groups}


def test_members_of_other_clients_may_be_in_the_group(proxy: RunningProxy, topic: str, group: str) -> None:
    from confluent_kafka import Consumer

    proxy.create_topic(topic, partitions=4)
    other = Consumer({"bootstrap.servers": proxy.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"})
    other.subscribe([topic])
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic)

        def shares() -> tuple[set[int], set[int]]:
            other.poll(0.2)
            consumer.read(timeout_ms=300)
            return {one.partition for one in other.assignment()}, {number for _, number in consumer.assignment()}

        try:
            wait_until(lambda: [len(share) for share in shares()] == [2, 2], timeout=30, what="each has its half")
            theirs, ours = shares()
            assert sorted(theirs | ours) == [0, 1, 2, 3]
        finally:
            other.close()
