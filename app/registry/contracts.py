"""Data contracts: what travels beside a schema's text. The registry stores, merges, checks them; clients run them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.registry.errors import InvalidRuleSet

MIGRATION_MODES = frozenset({"UPGRADE", "DOWNGRADE", "UPDOWN"})
DOMAIN_MODES = frozenset({"WRITE", "READ", "WRITEREAD"})
RULE_KINDS = frozenset({"TRANSFORM", "CONDITION"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """Tags by path, free properties, and the names of those that are secret."""

    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    sensitive: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a contract. Absent texts are None: an empty one is part of the schema's identity, None is not."""

    name: str
    doc: str | None = None
    kind: str | None = None
    mode: str | None = None
    type: str | None = None
    tags: Sequence[str] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    expr: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules between versions (migration), on records (domain) and on bytes (encoding), in the order they run."""

    migration_rules: Sequence[Rule] = ()
    domain_rules: Sequence[Rule] = ()
    encoding_rules: Sequence[Rule] = ()
    enable_at: str | None = None


def validate_rules(rule_set: RuleSet) -> None:
    """Raises InvalidRuleSet for a name that is missing, malformed or taken, for no type, for a mode of another list."""
    _validate_list(rule_set.migration_rules, MIGRATION_MODES, "migration")
    _validate_list(rule_set.domain_rules, DOMAIN_MODES, "domain")
    _validate_list(rule_set.encoding_rules, DOMAIN_MODES, "encoding")


def _validate_list(rules: Sequence[Rule], modes: frozenset[str], family: str) -> None:
    seen: set[str] = set()
    for rule in rules:
        if not rule.name or not (rule.name[0].isalpha() or rule.name[0] == "_"):
            raise InvalidRuleSet(f"{family} rule name {rule.name!r} must start with a letter or _")
        if not all(character.isalnum() or character in "_-" for character in rule.name):
            raise InvalidRuleSet(f"{family} rule name {rule.name!r} has a character that is no letter, digit, _ or -")
        if rule.name in seen:
            raise InvalidRuleSet(f"two {family} rules are named {rule.name!r}")
        seen.add(rule.name)
        if not rule.type:
            raise InvalidRuleSet(f"{family} rule {rule.name!r} has no type")
        if rule.kind is not None and rule.kind not in RULE_KINDS:
            raise InvalidRuleSet(f"{family} rule {rule.name!r} has kind {rule.kind!r}, not one of {sorted(RULE_KINDS)}")
        if rule.mode not in modes:
            raise InvalidRuleSet(f"{family} rule {rule.name!r} has mode {rule.mode!r}, not one of {sorted(modes)}")


def merge_metadata(older: Metadata | None, newer: Metadata | None) -> Metadata | None:
    """Both together; where both say something of the same path or property, the newer one wins."""
    if older is None or newer is None:
        return newer or older
    return Metadata(
        tags={**older.tags, **newer.tags},
        properties={**older.properties, **newer.properties},
        sensitive=sorted({*older.sensitive, *newer.sensitive}),
    )


def merge_rule_sets(older: RuleSet | None, newer: RuleSet | None) -> RuleSet | None:
    """Both together, the older rules first; a newer rule replaces the older one of its name."""
    if older is None or newer is None:
        return newer or older
    return RuleSet(
        migration_rules=_merge_rules(older.migration_rules, newer.migration_rules),
        domain_rules=_merge_rules(older.domain_rules, newer.domain_rules),
        encoding_rules=_merge_rules(older.encoding_rules, newer.encoding_rules),
        enable_at=newer.enable_at or older.enable_at,
    )


def _merge_rules(older: Sequence[Rule], newer: Sequence[Rule]) -> tuple[Rule, ...]:
    replaced = {rule.name for rule in newer}
    return (*(rule for rule in older if rule.name not in replaced), *newer)
