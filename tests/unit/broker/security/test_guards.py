"""What guards do to requests that are served by no handler yet, or that no client would send."""

from types import SimpleNamespace

import pytest

import broker.handlers  # registers every API
import broker.security.guards  # noqa: F401  registers every guard
from broker.dispatch import BadRequest
from broker.errors import ClusterAuthorizationFailed, GroupAuthorizationFailed, TransactionalIdAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from broker.protocol.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from broker.protocol.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from broker.protocol.messages.end_txn import EndTxnRequest
from broker.protocol.messages.offset_commit import OffsetCommitRequest
from broker.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from broker.security.acl import Acl, Operation, ResourceType
from broker.security.authorizer import Authorizer
from broker.security.guard import guarded, then


class Asking:
    """A client with the rights that a test gives it; the handler behind the guard answers "handled"."""

    def __init__(self, folder, *rights):
        authorizer = Authorizer(folder)
        authorizer.change(add=[Acl(kind, name, 3, "User:alice", "*", what, 3) for kind, name, what in rights])
        self.context = SimpleNamespace(
            principal="User:alice",
            client_host="127.0.0.1",
            api_version=3,
            security=SimpleNamespace(authorizer=authorizer),
        )

    def ask(self, api_key, request):
        return guarded(api_key, lambda request, context: "handled")(request, self.context)


WRITE_T = (ResourceType.TRANSACTIONAL_ID, "t", Operation.WRITE)
READ_G = (ResourceType.GROUP, "g", Operation.READ)


def test_an_api_without_a_guard_is_for_those_who_may_do_anything(tmp_path):
    with pytest.raises(ClusterAuthorizationFailed):
        Asking(tmp_path).ask(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, None)
    trusted = Asking(tmp_path, (ResourceType.CLUSTER, "kafka-cluster", Operation.CLUSTER_ACTION))
    assert trusted.ask(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, None) == "handled"


def test_a_transaction_ends_by_who_may_write_it(tmp_path):
    request = EndTxnRequest(transactional_id="t")
    with pytest.raises(TransactionalIdAuthorizationFailed):
        Asking(tmp_path).ask(ApiKey.END_TXN, request)
    assert Asking(tmp_path, WRITE_T).ask(ApiKey.END_TXN, request) == "handled"


def test_offsets_join_a_transaction_with_both_rights(tmp_path):
    request = AddOffsetsToTxnRequest(transactional_id="t", group_id="g")
    with pytest.raises(GroupAuthorizationFailed):
        Asking(tmp_path, WRITE_T).ask(ApiKey.ADD_OFFSETS_TO_TXN, request)
    assert Asking(tmp_path, WRITE_T, READ_G).ask(ApiKey.ADD_OFFSETS_TO_TXN, request) == "handled"


def test_with_one_topic_denied_no_partition_joins_a_transaction(tmp_path):
    client = Asking(tmp_path, WRITE_T, (ResourceType.TOPIC, "mine", Operation.WRITE))
    topics = [AddPartitionsToTxnTopic("mine", [0]), AddPartitionsToTxnTopic("hidden", [0])]
    request = AddPartitionsToTxnRequest(v3_and_below_transactional_id="t", v3_and_below_topics=topics)
    answer = client.ask(ApiKey.ADD_PARTITIONS_TO_TXN, request)
    codes = {
        topic.name: topic.results_by_partition[0].partition_error_code for topic in answer.results_by_topic_v3_and_below
    }
    assert codes == {"mine": 55, "hidden": 29}


@pytest.mark.parametrize(("rights", "code"), [([], 53), ([WRITE_T], 30), ([WRITE_T, READ_G], 29)])
def test_offsets_of_a_transaction_need_every_right(tmp_path, rights, code):
    request = TxnOffsetCommitRequest(
        transactional_id="t",
        group_id="g",
        topics=[TxnOffsetCommitRequestTopic("hidden", [TxnOffsetCommitRequestPartition()])],
    )
    answer = Asking(tmp_path, *rights).ask(ApiKey.TXN_OFFSET_COMMIT, request)
    assert [each.error_code for topic in answer.topics for each in topic.partitions] == [code]


@pytest.mark.parametrize(
    ("api_key", "request_"),
    [
        (ApiKey.OFFSET_COMMIT, OffsetCommitRequest(group_id="g")),
        (ApiKey.TXN_OFFSET_COMMIT, TxnOffsetCommitRequest(transactional_id="t", group_id="g")),
    ],
)
def test_a_denied_commit_of_nothing_does_not_reach_the_group(tmp_path, api_key, request_):
    assert Asking(tmp_path).ask(api_key, request_).topics == []


def test_a_member_of_a_consumer_group_may_describe_what_it_reads(tmp_path):
    request = ConsumerGroupHeartbeatRequest(group_id="g", subscribed_topic_names=["hidden"])
    with pytest.raises(Exception, match="Topic authorization failed"):
        Asking(tmp_path, READ_G).ask(ApiKey.CONSUMER_GROUP_HEARTBEAT, request)


def test_a_change_waits_for_a_response_that_comes_later():
    from broker.dispatch import DelayedResponse

    later = DelayedResponse(on_hurry=lambda: None, on_abandon=lambda: None)
    seen = []
    then(later, lambda answer: answer + 1).when_answered(seen.append)
    assert seen == []
    later.answer(1)
    assert seen == [2]


def test_an_error_that_comes_later_stays_as_it_is():
    from broker.dispatch import DelayedResponse

    later = DelayedResponse(on_hurry=lambda: None, on_abandon=lambda: None)
    error, seen = BadRequest("x"), []
    then(later, lambda answer: None).when_answered(seen.append)
    later.answer(error)
    assert seen == [error]
