"""Kafka's decision rules, one by one."""

from types import SimpleNamespace

import pytest

from broker.errors import InvalidRequest
from broker.security.acl import Acl, AclFilter, Operation, PatternType, Permission, ResourceType, check_acl
from broker.security.authorizer import Authorizer

TOPIC = ResourceType.TOPIC


def acl(
    operation: Operation,
    name: str = "orders",
    *,
    pattern: PatternType = PatternType.LITERAL,
    principal: str = "User:alice",
    host: str = "*",
    permission: Permission = Permission.ALLOW,
) -> Acl:
    return Acl(TOPIC, name, pattern, principal, host, operation, permission)


def asks(principal: str = "User:alice", host: str = "10.0.0.1") -> SimpleNamespace:
    return SimpleNamespace(principal=principal, client_host=host)


@pytest.fixture
def authorizer(tmp_path):
    return Authorizer(tmp_path, super_users=["User:root"])


def allowed(authorizer, operation=Operation.READ, name="orders", **who):
    return authorizer.allows(asks(**who), operation, TOPIC, name)


def test_without_any_acl_all_is_denied(authorizer):
    assert not allowed(authorizer)


def test_a_super_user_may_even_what_is_denied(authorizer):
    authorizer.change(add=[acl(Operation.ALL, principal="User:*", permission=Permission.DENY)])
    assert allowed(authorizer, principal="User:root")


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        (acl(Operation.READ), True),
        (acl(Operation.ALL), True),
        (acl(Operation.WRITE), False),
        (acl(Operation.READ, "*"), True),
        (acl(Operation.READ, "ord", pattern=PatternType.PREFIXED), True),
        (acl(Operation.READ, "orders", pattern=PatternType.PREFIXED), True),
        (acl(Operation.READ, "orders-", pattern=PatternType.PREFIXED), False),
        (acl(Operation.READ, "ord"), False),
        (acl(Operation.READ, principal="User:*"), True),
        (acl(Operation.READ, principal="User:bob"), False),
        (acl(Operation.READ, host="10.0.0.1"), True),
        (acl(Operation.READ, host="10.0.0.2"), False),
    ],
)
def test_one_rule_fits_or_not(authorizer, rule, is_allowed):
    authorizer.change(add=[rule])
    assert allowed(authorizer) is is_allowed


@pytest.mark.parametrize(
    ("given", "asked", "is_allowed"),
    [
        *((each, Operation.DESCRIBE, True) for each in (Operation.READ, Operation.WRITE, Operation.DELETE)),
        (Operation.ALTER, Operation.DESCRIBE, True),
        (Operation.CREATE, Operation.DESCRIBE, False),
        (Operation.ALTER_CONFIGS, Operation.DESCRIBE_CONFIGS, True),
        (Operation.ALTER_CONFIGS, Operation.DESCRIBE, False),
        (Operation.DESCRIBE, Operation.READ, False),
    ],
)
def test_what_an_allow_implies(authorizer, given, asked, is_allowed):
    authorizer.change(add=[acl(given)])
    assert allowed(authorizer, asked) is is_allowed


def test_a_deny_wins_over_every_allow(authorizer):
    deny = acl(Operation.READ, "or", pattern=PatternType.PREFIXED, principal="User:*", permission=Permission.DENY)
    authorizer.change(add=[acl(Operation.ALL), deny])
    assert not allowed(authorizer)
    assert allowed(authorizer, Operation.WRITE)


def test_a_deny_implies_nothing(authorizer):
    authorizer.change(add=[acl(Operation.DESCRIBE), acl(Operation.READ, permission=Permission.DENY)])
    assert allowed(authorizer, Operation.DESCRIBE)


def test_a_deny_of_all_denies_each(authorizer):
    authorizer.change(add=[acl(Operation.READ), acl(Operation.ALL, permission=Permission.DENY)])
    assert not allowed(authorizer)


def test_everyone_is_allowed_only_where_a_resource_has_no_rule(tmp_path):
    authorizer = Authorizer(tmp_path, allow_if_no_acl=True)
    authorizer.change(add=[acl(Operation.READ, principal="User:bob")])
    assert allowed(authorizer, name="free")
    assert not allowed(authorizer)


def test_a_change_counts_at_once(authorizer):
    changes = []
    authorizer.on_change = lambda: changes.append(1)
    assert not allowed(authorizer)
    authorizer.change(add=[acl(Operation.READ)])
    assert allowed(authorizer)
    authorizer.change(remove=[acl(Operation.READ)])
    assert not allowed(authorizer)
    assert len(changes) == 2


def test_rules_survive_a_restart(tmp_path, authorizer):
    authorizer.change(add=[acl(Operation.READ)])
    again = Authorizer(tmp_path)
    again.open()
    assert list(again) == [acl(Operation.READ)]
    assert allowed(again)


def test_a_damaged_file_is_not_taken_for_an_empty_one(tmp_path, authorizer):
    authorizer.change(add=[acl(Operation.READ)])
    (tmp_path / "acls.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="damaged"):
        Authorizer(tmp_path).open()


def test_remembered_decisions_are_bounded(authorizer, monkeypatch):
    monkeypatch.setattr("broker.security.authorizer.DECISIONS_MAX", 10)
    for number in range(100):
        allowed(authorizer, name=f"topic-{number}")
    assert len(authorizer._decisions) <= 10


@pytest.mark.parametrize(
    ("rules", "is_allowed"),
    [
        ([], False),
        ([acl(Operation.WRITE)], True),
        ([acl(Operation.READ)], False),
        ([acl(Operation.WRITE), acl(Operation.WRITE, permission=Permission.DENY)], False),
        (
            [acl(Operation.WRITE), acl(Operation.WRITE, "o", pattern=PatternType.PREFIXED, permission=Permission.DENY)],
            False,
        ),
        ([acl(Operation.WRITE, "*"), acl(Operation.ALL, "*", permission=Permission.DENY)], False),
        ([acl(Operation.WRITE, "*"), acl(Operation.ALL, "other", permission=Permission.DENY)], True),
    ],
)
def test_whether_there_can_be_a_topic_to_write_to(authorizer, rules, is_allowed):
    authorizer.change(add=rules)
    assert authorizer.allows_on_any(asks(), Operation.WRITE, TOPIC) is is_allowed


def test_operations_are_bits(authorizer):
    authorizer.change(add=[acl(Operation.READ), acl(Operation.WRITE)])
    assert authorizer.operations(asks(), TOPIC, "orders") == 1 << 3 | 1 << 4 | 1 << 8


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        (PatternType.ANY, None, ["*", "or", "orders"]),
        (PatternType.MATCH, "orders", ["*", "or", "orders"]),
        (PatternType.MATCH, "other", ["*"]),
        (PatternType.LITERAL, "orders", ["orders"]),
        (PatternType.PREFIXED, "or", ["or"]),
        (PatternType.PREFIXED, "orders", []),
        (PatternType.ANY, "or", ["or"]),
    ],
)
def test_filters_find_by_name(authorizer, pattern, name, found):
    rules = [acl(Operation.READ), acl(Operation.READ, "*"), acl(Operation.READ, "or", pattern=PatternType.PREFIXED)]
    authorizer.change(add=rules)
    wanted = AclFilter(1, name, pattern, None, None, 1, 1)
    assert sorted(each.resource_name for each in authorizer.find(wanted)) == found


@pytest.mark.parametrize(
    "wrong",
    [
        acl(Operation.ANY),
        acl(Operation.READ, ""),
        acl(Operation.READ, principal="alice"),
        acl(Operation.READ, pattern=PatternType.MATCH),
        acl(Operation.READ, permission=Permission.ANY),
        Acl(ResourceType.CLUSTER, "other", 3, "User:a", "*", 7, 3),
        Acl(99, "x", 3, "User:a", "*", 7, 3),
    ],
)
def test_a_rule_that_means_nothing_is_refused(wrong):
    with pytest.raises(InvalidRequest):
        check_acl(wrong)
