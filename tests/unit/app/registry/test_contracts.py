import pytest

from app.registry.contracts import Metadata, Rule, RuleSet, merge_metadata, merge_rule_sets, validate_rules
from app.registry.errors import InvalidRuleSet


def rule(name="r", **kwargs):
    return Rule(**{"name": name, "kind": "TRANSFORM", "mode": "WRITE", "type": "CEL", **kwargs})


@pytest.mark.parametrize(
    "rules",
    [
        RuleSet(domain_rules=[rule("")]),
        RuleSet(domain_rules=[rule("1a")]),
        RuleSet(domain_rules=[rule("a b")]),
        RuleSet(domain_rules=[rule(), rule()]),
        RuleSet(domain_rules=[rule(type=None)]),
        RuleSet(domain_rules=[rule(kind="OTHER")]),
        RuleSet(domain_rules=[rule(mode="UPGRADE")]),
        RuleSet(migration_rules=[rule(mode="WRITE")]),
    ],
)
def test_a_rule_that_breaks_the_rules_is_refused(rules):
    with pytest.raises(InvalidRuleSet):
        validate_rules(rules)


def test_good_rules_pass():
    rules = RuleSet(migration_rules=[rule("up-1", mode="UPGRADE")], domain_rules=[rule("_d", mode="READ")])
    assert validate_rules(rules) is None


def test_the_newer_rule_of_a_name_replaces_the_older():
    merged = merge_rule_sets(RuleSet(domain_rules=[rule("a"), rule("b")]), RuleSet(domain_rules=[rule("a", expr="x")]))
    assert merged is not None
    assert [(one.name, one.expr) for one in merged.domain_rules] == [("b", None), ("a", "x")]


def test_the_newer_metadata_wins():
    older = Metadata(tags={"a": ["1"], "b": ["2"]}, properties={"k": "old"}, sensitive=["x"])
    merged = merge_metadata(older, Metadata(tags={"b": ["3"]}, properties={"k": "new"}, sensitive=["w"]))
    assert merged == Metadata(tags={"a": ["1"], "b": ["3"]}, properties={"k": "new"}, sensitive=["w", "x"])
    assert merge_metadata(None, older) is older
