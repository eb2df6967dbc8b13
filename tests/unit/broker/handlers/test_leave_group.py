"""LeaveGroup and Heartbeat on the wire, as Kafka 4.3.1 answers them."""

import pytest

from broker.errors import InvalidGroupId, UnknownMemberId
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity


@pytest.mark.parametrize("version", range(3))
def test_one_member_leaves_in_old_versions(groups, version):
    member_id = groups.member()
    request = LeaveGroupRequest(group_id="g", member_id=member_id)
    assert groups.ask(request, version).error_code == 0
    assert groups.ask(request, version).error_code == 25


@pytest.mark.parametrize("version", range(3, 6))
def test_each_of_many_members_is_answered_in_newer_versions(groups, version):
    leaving = [MemberIdentity(member_id="x"), MemberIdentity(member_id=groups.member(), reason="done")]
    response = groups.ask(LeaveGroupRequest(group_id="g", members=leaving), version)
    assert response.error_code == 0
    assert [each.error_code for each in response.members] == [25, 0]
    assert [each.group_instance_id for each in response.members] == [None, None]


@pytest.mark.parametrize("version", range(6))
def test_leaving_without_a_group_id_is_refused(groups, version):
    with pytest.raises(InvalidGroupId):
        groups.ask(LeaveGroupRequest(members=[MemberIdentity(member_id="x")]), version)


@pytest.mark.parametrize("version", range(5))
def test_heartbeat_is_answered_in_every_version(groups, version):
    request = HeartbeatRequest(group_id="g", member_id=groups.member(), generation_id=1)
    assert groups.ask(request, version).error_code == 0


def test_heartbeat_of_an_unknown_member_raises(groups):
    with pytest.raises(UnknownMemberId):
        groups.ask(HeartbeatRequest(group_id="g", member_id="x", generation_id=1))
