"""The guid of a schema: the same content has the same one in every registry (Confluent Platform 8.0).

MD5 over the text; of each reference its name, subject and version (int32, big-endian); then, if present, a byte 1 and
the metadata, a byte 1 and the rules. Texts go in as UTF-8 with nothing between them; sets and maps in sorted order.
"""

import hashlib
from collections.abc import Iterator, Sequence
from uuid import UUID

from app.registry.contracts import Metadata, Rule, RuleSet
from app.registry.schema import Reference


def schema_guid(
    text: str,
    references: Sequence[Reference] = (),
    metadata: Metadata | None = None,
    rule_set: RuleSet | None = None,
) -> UUID:
    """The guid of a registered schema; text is what is stored, as it is (the canonical one when we stored it)."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False)
    for reference in references:
        digest.update(
            reference.name.encode() + reference.subject.encode() + reference.version.to_bytes(4, "big", signed=True)
        )
    if metadata is not None:
        digest.update(b"\x01")
        for part in _metadata_texts(metadata):
            digest.update(part.encode())
    if rule_set is not None:
        digest.update(b"\x01")
        for rule in (*rule_set.migration_rules, *rule_set.domain_rules, *rule_set.encoding_rules):
            for part in _rule_texts(rule):
                digest.update(part.encode())
        digest.update((rule_set.enable_at or "").encode())
    return UUID(bytes=digest.digest())


def _metadata_texts(metadata: Metadata) -> Iterator[str]:
    for path in sorted(metadata.tags):
        yield path
        yield from sorted(set(metadata.tags[path]))
    for key in sorted(metadata.properties):
        yield key
        yield metadata.properties[key]
    yield from sorted(set(metadata.sensitive))


def _rule_texts(rule: Rule) -> Iterator[str]:
    for text in (rule.name, rule.doc, rule.kind, rule.mode, rule.type):
        yield text or ""
    yield from sorted(set(rule.tags))
    for key in sorted(rule.params):
        yield key
        yield rule.params[key]
    for text in (rule.expr, rule.on_success, rule.on_failure):
        yield text or ""
    if rule.disabled:
        yield "\x01"
