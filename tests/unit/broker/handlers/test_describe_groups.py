"""DescribeGroups, ListGroups and DeleteGroups on the wire, as Kafka 4.3.1 answers them."""

import pytest

from broker.protocol.messages.delete_groups import DeleteGroupsRequest
from broker.protocol.messages.describe_groups import DescribeGroupsRequest
from broker.protocol.messages.leave_group import LeaveGroupRequest
from broker.protocol.messages.list_groups import ListGroupsRequest
from tests.unit.broker.handlers.asking_groups import SUBSCRIPTION


def describe(groups, version, *group_ids, operations=False):
    request = DescribeGroupsRequest(groups=list(group_ids), include_authorized_operations=operations)
    return groups.ask(request, version).groups


@pytest.mark.parametrize("version", range(7))
def test_stable_group_shows_its_members_with_their_bytes_unchanged(groups, version):
    member_id = groups.member()
    (group,) = describe(groups, version, "g")
    assert (group.error_code, group.group_state, group.protocol_type, group.protocol_data) == (
        0,
        "Stable",
        "consumer",
        "range",
    )
    (member,) = group.members
    assert (member.member_id, member.client_id, member.client_host) == (member_id, "app", "/127.0.0.1")
    assert (member.member_metadata, member.member_assignment) == (SUBSCRIPTION, b"A")


@pytest.mark.parametrize("version", range(6))
def test_unknown_group_is_dead_in_old_versions(groups, version):
    (group,) = describe(groups, version, "nope")
    assert (group.group_id, group.group_state, group.error_code) == ("nope", "Dead", 0)


def test_unknown_group_is_an_error_from_version_6(groups):
    (group,) = describe(groups, 6, "nope", operations=True)
    assert (group.group_state, group.error_code, group.error_message) == ("Dead", 69, "Group nope not found.")
    assert group.authorized_operations == -2147483648


@pytest.mark.parametrize("version", range(3, 7))
def test_allowed_operations_are_told_when_asked_for(groups, version):
    groups.member()
    assert describe(groups, version, "g", operations=True)[0].authorized_operations == 3400
    assert describe(groups, version, "g")[0].authorized_operations == -2147483648


@pytest.mark.parametrize("version", range(6))
def test_groups_are_listed(groups, version):
    groups.member()
    (group,) = groups.ask(ListGroupsRequest(), version).groups
    assert (group.group_id, group.protocol_type) == ("g", "consumer")
    assert group.group_state == ("Stable" if version >= 4 else "")
    assert group.group_type == ("classic" if version >= 5 else "")


@pytest.mark.parametrize(("states", "listed"), [(["stable"], 1), (["Empty"], 0), ([], 1)])
def test_groups_are_listed_by_state(groups, states, listed):
    groups.member()
    assert len(groups.ask(ListGroupsRequest(states_filter=states), 5).groups) == listed


@pytest.mark.parametrize("version", range(3))
def test_only_groups_without_members_are_deleted(groups, version):
    member_id = groups.member()

    def delete():
        results = groups.ask(DeleteGroupsRequest(groups_names=["g", "nope", "g"]), version).results
        return [(result.group_id, result.error_code) for result in results]

    assert delete() == [("g", 68), ("nope", 69)]
    groups.ask(LeaveGroupRequest(group_id="g", member_id=member_id), 0)
    assert delete() == [("g", 0), ("nope", 69)]
    assert describe(groups, 5, "g")[0].group_state == "Dead"
