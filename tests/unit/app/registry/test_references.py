import json

import pytest

from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.formats import parse
from app.registry.records import ReferenceJson, SchemaValue, schema_record
from app.registry.references import REFERENCES_MAX, resolve_references
from app.registry.schema import Reference
from app.registry.view import View


def ref(name, version=1):
    return Reference(name, name, version)


def record(name, *types):
    fields = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(types)]
    return json.dumps({"type": "record", "name": name, "fields": fields})


def registry(**schemas):
    """A view of subjects, each with one version: subject -> (text, the subjects it refers to)."""
    view = View()
    for number, (subject, (text, referred)) in enumerate(schemas.items(), start=1):
        add(view, subject, number, text, *(ref(one) for one in referred))
    return view


def add(view, subject, schema_id, text, *references, version=1, deleted=False):
    shown = [ReferenceJson(one.name, one.subject, one.version) for one in references]
    key, value = schema_record(SchemaValue(subject, version, schema_id, references=shown, schema=text, deleted=deleted))
    view.apply(key, value, 0)


def test_dependencies_come_first_and_once():
    view = registry(
        A=(record("A", "B", "C"), "BC"), B=(record("B", "D"), "D"), C=(record("C", "D"), "D"), D=(record("D"), "")
    )
    resolved = resolve_references(view, "s", [ref("A"), ref("C")])
    assert [one.reference.name for one in resolved] == ["D", "B", "C", "A"]
    assert [one.reference.name for one in resolved if one.is_direct] == ["C", "A"]
    parsed = parse("AVRO", record("R", "A", "C"), resolved)
    assert [one.name for one in parsed.references] == ["A", "C"]


def test_a_circle_is_refused():
    with pytest.raises(InvalidSchema, match="'A' refers to itself"):
        resolve_references(registry(A=("", "B"), B=("", "A")), "s", [ref("A")])


def test_a_name_stands_for_the_version_that_is_met_first():
    view = registry(A=('"int"', ""))
    add(view, "A", 7, '"long"', version=2)
    add(view, "B", 8, '"string"', ref("A", 1))
    resolved = resolve_references(view, "s", [ref("B"), ref("A", 2)])
    assert [(one.reference.name, one.text) for one in resolved] == [("A", '"int"'), ("B", '"string"')]


def test_a_later_version_may_refer_to_an_earlier_one_by_the_same_name():
    view = registry(A=('"int"', ""))
    add(view, "A", 7, '"long"', ref("A", 1), version=2)
    assert [one.text for one in resolve_references(view, "s", [ref("A", 2)])] == ['"long"']


def test_unqualified_subjects_stand_in_the_context_of_the_one_that_refers():
    view = View()
    add(view, "B", 1, '"int"')
    add(view, ":.c:B", 1, '"long"')
    add(view, ":.c:A", 2, '"string"', ref("B"))
    assert [one.text for one in resolve_references(view, ":.c:s", [ref("A")])] == ['"long"', '"string"']
    add(view, ":.d:only", 1, '"bytes"')
    assert [one.text for one in resolve_references(view, "s", [ref("only")])] == ['"bytes"']
    with pytest.raises(InvalidSchema, match='subject "only" and version 1'):
        resolve_references(view, ":.c:s", [ref("only")])


def test_the_latest_and_the_deleted_count():
    view = registry(A=('"int"', ""))
    add(view, "A", 7, '"long"', version=2)
    assert resolve_references(view, "s", [ref("A", -1)])[0].text == '"long"'
    add(view, "A", 7, '"long"', version=2, deleted=True)
    assert resolve_references(view, "s", [ref("A", -1)])[0].text == '"int"'
    assert resolve_references(view, "s", [ref("A", 2)])[0].text == '"long"'


def test_a_chain_of_many_is_refused():
    view = View()
    for number in range(REFERENCES_MAX + 2):
        add(view, str(number), number + 1, "", ref(str(number + 1)))
    with pytest.raises(SchemaTooLarge):
        resolve_references(view, "s", [ref("0")])


def test_much_text_is_refused():
    view = registry(**{f"r{number}": (" " * 900_000 + str(number), "") for number in range(10)})
    with pytest.raises(SchemaTooLarge):
        resolve_references(view, "s", [ref(f"r{number}") for number in range(10)])
