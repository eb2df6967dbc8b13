"""What the broker makes of `_schemas`, held against what the registry itself makes of the same records."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registry import records
from app.registry.contexts import normalize
from app.registry.view import BadRecord as ViewBadRecord
from app.registry.view import View
from broker.schemas.registry_records import decode_schema, schema_guid
from broker.schemas.schema_versions import BadRecord, SchemaVersions

SUBJECTS = ("a", ":.:a", ":.x:a", "b")
IDS = (1, 2)

words = st.sampled_from(["", "a", "ü", "b\0"])
names = st.dictionaries(st.sampled_from("abc"), words, max_size=2)
rule_lists = st.none() | st.lists(
    st.builds(
        records.RuleJson,
        name=words,
        doc=st.none() | words,
        kind=st.none() | st.just("CONDITION"),
        tags=st.none() | st.lists(st.sampled_from("xy"), max_size=3),
        params=st.none() | names,
        expr=st.none() | words,
        on_failure=st.none() | st.just("DLQ"),
        disabled=st.booleans(),
    ),
    max_size=2,
)
rich_values = st.builds(
    records.SchemaValue,
    subject=st.just("s"),
    version=st.just(1),
    id=st.just(1),
    references=st.none() | st.lists(st.builds(records.ReferenceJson, words, words, st.integers(-1, 300)), max_size=2),
    metadata=st.none()
    | st.builds(
        records.MetadataJson,
        tags=st.none() | st.dictionaries(st.sampled_from("ab"), st.lists(st.sampled_from("xy"), max_size=3)),
        properties=st.none() | names,
        sensitive=st.none() | st.lists(st.sampled_from("pq"), max_size=3),
    ),
    rule_set=st.none()
    | st.builds(
        records.RuleSetJson,
        migration_rules=rule_lists,
        domain_rules=rule_lists,
        encoding_rules=rule_lists,
        enable_at=st.none() | st.just("2026"),
    ),
    schema=words,
)

subjects, ids, versions = st.sampled_from(SUBJECTS), st.sampled_from(IDS), st.integers(1, 2)
texts = st.sampled_from(["{}", '{"a":1}'])
values = st.builds(records.SchemaValue, subjects, versions, ids, schema=texts, deleted=st.sampled_from([False, True]))
configs = st.sampled_from([None, records.ConfigJson(), *(records.ConfigJson(alias=subject) for subject in SUBJECTS)])
history = st.lists(
    st.one_of(
        values.map(records.schema_record),
        values.map(records.schema_record),
        st.builds(records.schema_tombstone, subjects, versions),
        st.builds(records.delete_subject_record, subjects, versions),
        st.builds(records.clear_subject_record, st.sampled_from([None, ":.x:", ":.__GLOBAL:", *SUBJECTS])),
        st.builds(records.config_record, subjects, configs),
        st.sampled_from([records.mode_record("a", "IMPORT"), (records.NOOP_KEY, None), (b"{", b"{}")]),
    ),
    min_size=4,
    max_size=16,
)


def live_in(view, subject):
    """Ids and guids that may stand in records of a subject, as the registry sees it."""
    config = view.configs.get(subject)
    found = view.live(normalize(config.alias) if config is not None and config.alias else subject)
    return {one.id for one in found}, {one.content.guid for one in found}


@settings(max_examples=200, deadline=None)
@given(history=history)
def test_the_broker_knows_what_the_registry_knows(history):
    view, known = View(), SchemaVersions()
    guids = set()
    for offset, (key, value) in enumerate(history):
        for apply, bad in ((view.apply, ViewBadRecord), (known.apply, BadRecord)):
            try:
                apply(key, value, offset)
            except bad:
                assert key == b"{"
        guids |= view.contents.keys()
        for subject in map(normalize, SUBJECTS):
            allowed = {
                schema_id
                for schema_id in (*IDS, *guids)
                if (found := known.find_under(subject, schema_id)) is not None and not found.is_deleted
            }
            live_ids, live_guids = live_in(view, subject)
            assert allowed == live_ids | live_guids
    for schema_id in IDS:
        registered = [one for one in view.all_versions(["."]) if one.id == schema_id]
        found = known.find(schema_id)
        assert (found is not None) == bool(registered)
        assert found is None or found.guid in {one.content.guid for one in registered}


@settings(deadline=None)
@given(value=rich_values)
def test_a_guid_is_the_registrys(value):
    _, encoded = records.schema_record(value)
    view = View()
    view.apply(*records.schema_record(value), 0)
    (content,) = view.contents
    assert schema_guid(decode_schema(encoded)) == content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"", b"{}"),
        (b"[]", b"{}"),
        (b"{}", b"{}"),
        (b'{"keytype":"SCHEMA","subject":"s","version":"1"}', b"{}"),
        (b'{"keytype":"SCHEMA","subject":"s","version":1}', b'{"id":"7"}'),
        (b'{"keytype":"SCHEMA","subject":"s","version":1}', b"\xff"),
        (b'{"keytype":"SCHEMA","subject":"s","version":1}', b'{"id":7,"metadata":' + b"[" * 100_000),
        (
            b'{"keytype":"SCHEMA","subject":"s","version":1}',
            b'{"id":7,"references":[{"name":"n","subject":"s","version":4294967296}]}',
        ),
        (b'{"keytype":"CONFIG","subject":"s"}', b'{"alias":5}'),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s"}', b"7"),
    ],
)
def test_a_record_that_says_nothing_changes_nothing(key, value):
    known = SchemaVersions()
    known.apply(*records.schema_record(records.SchemaValue("s", 1, 3, schema="{}")), 0)
    with pytest.raises(BadRecord):
        known.apply(key, value, 1)
    assert len(known) == 1
    assert known.find_under("s", 3) is not None
