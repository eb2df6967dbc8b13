"""ACLs as clients meet them, compared with what a real Kafka 4.3.1 answered (recorded in acl_answers_of_kafka.json).

The recording was made with the same questions. Two answers are ours: a record of 2023 is still there when it is
fetched, and the question for all SCRAM users, which Kafka leaves unanswered when it is denied.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.metadata import MetadataRequest
from tests.integration.broker.acl_questions import HIDDEN, MINE, answers, prepare
from tests.integration.broker.secured_broker import JAAS, SecuredBroker, logged_in
from tests.integration.broker.wire_client import WireClient

EXPECTED = json.loads(Path(__file__).with_name("acl_answers_of_kafka.json").read_text())
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    broker = SecuredBroker(
        tmp_path_factory.mktemp("data"),
        {"LOGIN": "SASL_PLAINTEXT", "OPEN": "PLAINTEXT"},
        {
            "node.id": "1",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": JAAS,
            "authorizer.class.name": AUTHORIZER,
            "super.users": "User:admin",
        },
    )
    with logged_in(broker.addresses["LOGIN"], "admin") as admin:
        prepare(admin)
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def given(guarded: SecuredBroker) -> dict[str, object]:
    with logged_in(guarded.addresses["LOGIN"], "alice") as alice:
        return json.loads(json.dumps(dict(answers(alice))))


@pytest.fixture
def admin(guarded: SecuredBroker) -> Iterator[WireClient]:
    with logged_in(guarded.addresses["LOGIN"], "admin") as client:
        yield client


@pytest.fixture
def alice(guarded: SecuredBroker) -> Iterator[WireClient]:
    with logged_in(guarded.addresses["LOGIN"], "alice") as client:
        yield client


@pytest.mark.parametrize("question", EXPECTED)
def test_who_may_not_is_answered_as_by_kafka(given, question):
    assert given[question] == EXPECTED[question]


def test_nobody_is_anonymous_to_the_authorizer(guarded):
    with WireClient(guarded.addresses["OPEN"]) as anonymous:
        assert anonymous.ask(MetadataRequest(topics=None), 9).topics == []


def read_right(topic: str, principal: str = "User:alice") -> AclCreation:
    return AclCreation(2, topic, 3, principal, "*", 3, 3)


def fetch(topic: str, **fields: object) -> FetchRequest:
    return FetchRequest(topics=[FetchTopic(topic=topic, partitions=[FetchPartition(0)])], **fields)


def test_a_right_that_is_taken_away_ends_running_fetch_sessions(admin, alice):
    admin.ask(CreateTopicsRequest(topics=[CreatableTopic("acl-lent", 1, 1)]), 5)
    admin.ask(CreateAclsRequest(creations=[read_right("acl-lent")]), 2)
    session = alice.ask(fetch("acl-lent", session_epoch=0), 11).session_id
    assert session
    assert alice.ask(FetchRequest(session_id=session, session_epoch=1, topics=[]), 11).error_code == 0

    admin.ask(DeleteAclsRequest(filters=[DeleteAclsFilter(2, "acl-lent", 3, None, None, 1, 1)]), 2)
    assert alice.ask(FetchRequest(session_id=session, session_epoch=2, topics=[]), 11).error_code == 70
    [topic] = alice.ask(fetch("acl-lent", session_epoch=0), 11).responses
    assert topic.partitions[0].error_code == 29


def test_a_fetch_session_of_another_connection_cannot_be_used(guarded, admin, alice):
    session = admin.ask(fetch(HIDDEN, session_epoch=0), 11).session_id
    assert alice.ask(FetchRequest(session_id=session, session_epoch=1, topics=[]), 11).error_code == 70


def test_a_denied_topic_does_not_join_a_session(alice):
    response = alice.ask(fetch(MINE, session_epoch=0), 11)
    assert response.session_id
    assert alice.ask(fetch(HIDDEN, session_id=response.session_id, session_epoch=1), 11).error_code == 70


def test_acks_0_without_the_right_closes(guarded, alice):
    from tests.integration.broker.wire_client import batch, produce_request

    alice.send(produce_request(HIDDEN, batch(b"x"), acks=0), 9)
    assert alice.is_closed_without_answer()


def client(guarded: SecuredBroker, user: str, **more: object) -> dict[str, object]:
    return {
        "bootstrap.servers": guarded.addresses["LOGIN"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": f"{user}-secret",
        **more,
    }


def test_librdkafka_manages_acls_and_obeys_them(guarded):
    admin = AdminClient(client(guarded, "admin"))
    rights = [
        AclBinding(kind, "team-", ResourcePatternType.PREFIXED, "User:bob", "*", what, AclPermissionType.ALLOW)
        for kind, what in (
            (ResourceType.TOPIC, AclOperation.CREATE),
            (ResourceType.TOPIC, AclOperation.WRITE),
            (ResourceType.TOPIC, AclOperation.READ),
            (ResourceType.GROUP, AclOperation.READ),
        )
    ]
    for done in admin.create_acls(rights).values():
        done.result()
    wanted = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, "User:bob", None, AclOperation.ANY, AclPermissionType.ANY
    )
    assert {str(each) for each in admin.describe_acls(wanted).result()} == {str(each) for each in rights}

    errors: list[KafkaError] = []
    producer = Producer(client(guarded, "bob", **{"enable.idempotence": True, "message.timeout.ms": 4000}))
    producer.produce("team-a", b"hello", on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(10) == 0
    assert errors == []
    producer.produce(MINE, b"hello", on_delivery=lambda error, _: error and errors.append(error))
    producer.flush(10)
    assert [error.code() for error in errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]

    consumer = Consumer(client(guarded, "bob", **{"group.id": "team-g", "auto.offset.reset": "earliest"}))
    consumer.subscribe(["team-a"])
    deadline = time.monotonic() + 10
    message = None
    while message is None and time.monotonic() < deadline:
        message = consumer.poll(0.5)
    assert message is not None
    assert message.value() == b"hello"
    consumer.close()

    for done in admin.delete_acls([wanted]).values():
        assert len(done.result()) == 4
