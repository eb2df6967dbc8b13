"""Share groups (KIP-932) on the wire, against a real broker process; error codes as measured on Apache Kafka 4.3.1."""

import threading
from collections.abc import Callable, Iterator

import pytest

from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.messages.delete_groups import DeleteGroupsRequest
from broker.protocol.messages.list_groups import ListGroupsRequest
from broker.protocol.record_batch import iter_batches, iter_records
from caudal.testing import Broker
from tests.integration.broker.share_client import ACCEPT, REJECT, RELEASE, RENEW, ShareClient
from tests.integration.broker.wire_client import WireClient

LOCK_MS = 1_000
SETTINGS = {
    "group.share.min.record.lock.duration.ms": str(LOCK_MS),
    "group.share.record.lock.duration.ms": str(LOCK_MS),
}

NewClient = Callable[..., ShareClient]


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(settings=SETTINGS) as running:
        yield running


@pytest.fixture
def new_client(broker: Broker, topic: str, fresh_name: Callable[[str], str]) -> Iterator[NewClient]:
    """Members of one group that begins at the first record."""
    group = fresh_name("shared")
    clients: list[ShareClient] = []

    def make(member_id: str | None = None) -> ShareClient:
        client = ShareClient(broker.bootstrap_servers, group, topic, member_id=member_id)
        if not clients:
            assert client.start_at(0) == 0
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(new_client: NewClient) -> ShareClient:
    return new_client()


def test_the_share_apis_are_announced_as_kafka_does(wire: WireClient):
    answer = wire.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 4)
    versions = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
    assert [versions[key] for key in (76, 77, 78, 79, 90, 91, 92)] == [
        *[(1, 1), (1, 1), (1, 2), (1, 2)],
        *[(0, 1), (0, 0), (0, 0)],
    ]
    assert ("share.version", 1) in [(each.name, each.max_version_level) for each in answer.finalized_features]


def test_records_are_lent_acknowledged_and_never_come_again(client: ShareClient):
    client.beat()
    client.produce(b"a", b"b", b"c")
    answer = client.fetch_answer()
    partition = answer.responses[0].partitions[0]
    values = [bytes(record.value) for batch in iter_batches(partition.records) for record in iter_records(batch)]
    assert values == [b"a", b"b", b"c"]
    assert answer.acquisition_lock_timeout_ms == LOCK_MS
    assert client.progress() == (0, 3)
    assert client.acknowledge((0, 2, [ACCEPT, RELEASE, REJECT])) == 0
    assert client.progress() == (1, 1)
    assert client.fetch() == [(1, 1, 2)]
    assert client.fetch((1, 1, [ACCEPT])) == []
    assert client.progress() == (3, 0)


def test_two_members_get_different_records(new_client: NewClient):
    first, second = new_client(), new_client()
    for _ in range(4):
        first.produce(*[b"x"] * 5)
    assert first.fetch(max_records=10) == [(0, 9, 1)]
    assert second.fetch(max_records=3, share_acquire_mode=1) == [(10, 12, 1)]
    assert first.acknowledge((10, 12, [ACCEPT])) == 121
    assert second.fetch() == [(13, 19, 1)]
    assert first.fetch() == []


def meanwhile(work: Callable[[], object]) -> threading.Thread:
    """Do it soon, in a thread that the caller joins."""
    timer = threading.Timer(0.1, work)
    timer.start()
    return timer


def test_a_fetch_that_waits_is_woken_by_a_record_and_by_a_release(new_client: NewClient):
    """Each wait is longer than the clients' patience."""
    holder, waiting = new_client(), new_client()
    waiting.fetch(max_wait_ms=0)
    producing = meanwhile(lambda: holder.produce(b"x"))
    assert waiting.fetch(max_wait_ms=60_000) == [(0, 0, 1)]
    producing.join()
    holder.fetch(max_wait_ms=0)
    releasing = meanwhile(lambda: waiting.acknowledge((0, 0, [RELEASE])))
    assert holder.fetch(max_wait_ms=60_000) == [(0, 0, 2)]
    releasing.join()


def test_a_fetch_waits_for_min_bytes_and_then_takes_what_there_is(client: ShareClient):
    client.fetch(max_wait_ms=0)
    client.produce(b"x")
    assert client.fetch(min_bytes=100_000, max_wait_ms=100) == [(0, 0, 1)]


def test_a_lock_that_expires_or_a_lost_connection_frees_the_records(new_client: NewClient):
    first, second = new_client(), new_client()
    first.produce(b"x")
    assert first.fetch() == [(0, 0, 1)]
    assert second.fetch(max_wait_ms=10 * LOCK_MS) == [(0, 0, 2)]
    assert first.acknowledge((0, 0, [ACCEPT])) == 121
    second.close()
    assert first.fetch(max_wait_ms=LOCK_MS // 2) == [(0, 0, 3)]


def test_a_renewed_lock_does_not_expire(new_client: NewClient):
    first, second = new_client(), new_client()
    first.produce(b"x")
    first.fetch()
    for _ in range(3):
        assert first.acknowledge((0, 0, [RENEW]), is_renew_ack=True) == 0
        assert second.fetch(max_wait_ms=LOCK_MS // 2) == []
    assert first.acknowledge((0, 0, [ACCEPT])) == 0


def test_a_group_may_forbid_to_renew_locks(new_client: NewClient):
    client = new_client()
    client.produce(b"x", b"y")
    client.fetch()
    client.set_config("share.renew.acknowledge.enable", "false")
    assert client.acknowledge((0, 0, [RENEW]), is_renew_ack=True) == 121
    assert client.acknowledge((0, 1, [ACCEPT, RENEW]), is_renew_ack=True) == 121
    nothing = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 0, "max_records": 0}
    (topic,) = client.fetch_answer((0, 0, [RENEW]), is_renew_ack=True, **nothing).responses
    assert (topic.partitions[0].error_code, topic.partitions[0].acknowledge_error_code) == (0, 121)
    assert topic.partitions[0].acknowledge_error_message == "Renewing acquisition locks is not enabled for the group."
    assert client.acknowledge((0, 0, [ACCEPT]), is_renew_ack=True) == 0
    assert client.progress() == (1, 1)
    client.set_config("share.renew.acknowledge.enable", "true")
    assert client.acknowledge((1, 1, [RENEW]), is_renew_ack=True) == 0


def test_session_epochs_are_checked(new_client: NewClient):
    client, other = new_client(), new_client()
    client.produce(b"x")
    assert other.fetch_answer(epoch=7).error_code == 122
    assert other.fetch_answer(epoch=-1).error_code == 122
    assert client.fetch_answer((0, 0, [ACCEPT]), epoch=0).error_code == 42
    client.fetch()
    assert client.fetch_answer(epoch=7).error_code == 123
    assert client.acknowledge((0, 0, [ACCEPT]), epoch=7) == 123
    assert client.acknowledge((0, 0, [ACCEPT]), epoch=0) == 123
    assert other.acknowledge((0, 0, [ACCEPT]), epoch=1) == 122
    assert client.fetch_answer(epoch=-1).error_code == 0
    assert other.fetch() == [(0, 0, 2)], "the end of a session frees what its member held"
    assert client.fetch_answer(epoch=-1).error_code == 122


@pytest.mark.parametrize(
    "said",
    [
        (0, 0, [9]),
        (0, 0, [1, 1]),
        (0, 0, []),
        (1, 0, [1]),
        (0, 0, [RENEW]),
        (50, 60, [1]),
    ],
)
def test_a_wrong_acknowledgement_is_an_invalid_request(client: ShareClient, said: tuple):
    client.produce(b"x")
    client.fetch()
    assert client.acknowledge(said) == 42
    (answer,) = client.fetch_answer(said).responses
    assert answer.partitions[0].acknowledge_error_code == 42
    assert client.acknowledge((0, 0, [ACCEPT])) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"member_id": ""},
        {"member_id": "m" * 37},
        {"is_renew_ack": True},
        {"share_acquire_mode": 7},
    ],
)
def test_a_wrong_fetch_is_an_invalid_request(client: ShareClient, fields: dict):
    client.member_id = fields.pop("member_id", client.member_id)
    assert client.fetch_answer(**fields).error_code == 42


def test_partitions_that_do_not_exist_are_said_so(client: ShareClient):
    client.topic_id = b"?" * 16
    assert client.fetch_answer().responses[0].partitions[0].error_code == 100
    assert client.acknowledge((0, 0, [ACCEPT])) == 100


def test_an_empty_group_can_be_deleted_and_begins_anew(client: ShareClient):
    epoch = client.beat().member_epoch
    client.produce(b"x")
    client.fetch()
    assert client.acknowledge((0, 0, [ACCEPT])) == 0
    delete = DeleteGroupsRequest(groups_names=[client.group])
    assert client.wire.ask(delete, 2).results[0].error_code == 68
    assert client.start_at(0) == 68
    client.beat(-1)
    assert epoch == 2
    assert client.wire.ask(delete, 2).results[0].error_code == 0
    assert client.progress() == (-1, -1)
    listed = client.wire.ask(ListGroupsRequest(types_filter=["share"]), 5).groups
    assert client.group not in [each.group_id for each in listed]


@pytest.mark.parametrize("flush_mode", ["interval", "always"])
def test_a_kill_loses_no_acknowledgement_and_frees_what_was_lent(flush_mode: str):
    with Broker(settings={**SETTINGS, "caudal.flush.mode": flush_mode}) as broker:
        broker.create_topic("t")
        client = ShareClient(broker.bootstrap_servers, "g", "t", member_id="m")
        client.start_at(0)
        epoch = client.beat().member_epoch
        client.produce(*[b"x"] * 10)
        client.fetch()
        assert client.acknowledge((0, 3, [ACCEPT]), (6, 7, [REJECT]), (9, 9, [RELEASE])) == 0
        before = client.progress()
        broker.kill()
        broker.start()
        again = ShareClient(broker.bootstrap_servers, "g", "t", member_id="m")
        assert again.progress() == before == (4, 4)
        assert again.beat(epoch).error_code == 0, "the member is still in the group"
        assert again.fetch() == [(4, 5, 1), (8, 8, 1), (9, 9, 2)]
        assert again.acknowledge((4, 9, [ACCEPT, ACCEPT, 0, 0, ACCEPT, ACCEPT])) == 121, "6 and 7 are done with"
        assert again.fetch((4, 5, [ACCEPT]), (8, 9, [ACCEPT])) == []
        assert again.progress() == (10, 0)
