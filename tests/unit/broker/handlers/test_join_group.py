"""JoinGroup and SyncGroup on the wire, as Kafka 4.3.1 answers them."""

import pytest

from broker.errors import InconsistentGroupProtocol


@pytest.mark.parametrize("version", range(4))
def test_old_clients_join_in_one_round(groups, version):
    response = groups.join(version=version)
    assert (response.error_code, response.generation_id, response.protocol_name) == (0, 1, "range")


@pytest.mark.parametrize("version", range(4, 10))
def test_newer_clients_are_given_a_member_id_first(groups, version):
    refused = groups.join(version=version)
    assert (refused.error_code, refused.generation_id) == (79, -1)
    assert refused.member_id.startswith("app-")
    assert groups.join(refused.member_id, version).error_code == 0


@pytest.mark.parametrize(("version", "name"), [(0, ""), (6, ""), (7, None), (9, None)])
def test_no_protocol_name_is_null_only_where_null_is_allowed(groups, version, name):
    response = groups.join(version=version, session_timeout_ms=10)
    assert (response.error_code, response.protocol_name) == (26, name)


def test_client_without_a_client_id_gets_a_member_id_too(groups):
    groups.broker.context.client_id = ""
    assert groups.join().member_id.startswith("-")


def test_version_0_waits_for_the_session_timeout_in_a_rebalance(groups):
    groups.join(version=0, rebalance_timeout_ms=-1, session_timeout_ms=7_000)
    (member,) = groups.broker.groups._groups["g"].members
    assert member.rebalance_timeout_ms == 7_000


@pytest.mark.parametrize("version", range(6))
def test_leader_gets_its_assignment_back(groups, version):
    member_id = groups.join(version=3).member_id
    response = groups.sync(member_id, 1, version)
    assert (response.error_code, response.assignment) == (0, b"A")
    assert response.protocol_name == (None if version < 5 else "range")


def test_sync_must_name_the_protocol_from_version_5(groups):
    member_id = groups.member()
    for missing in ("protocol_type", "protocol_name"):
        with pytest.raises(InconsistentGroupProtocol):
            groups.sync(member_id, 1, **{missing: None})


def test_second_member_waits_for_the_first(groups):
    groups.member()
    assert groups.join(version=3) is None


def test_stopping_broker_answers_a_waiting_join_with_not_coordinator(groups):
    groups.member()
    waiting = groups.waiting_join()
    waiting.on_hurry()
    answers: list = []
    waiting.when_answered(answers.append)
    assert answers[0].error_code == 16


def test_client_that_hangs_up_while_joining_does_not_stop_the_group(groups):
    member_id = groups.member()
    groups.waiting_join().on_abandon()
    assert groups.join(member_id).generation_id == 2
