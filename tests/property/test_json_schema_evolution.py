"""Documents that were valid stay valid under a JSON Schema that may follow, as a JSON Schema validator judges them."""

import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from app.registry.compatibility import check
from app.registry.formats import parse
from tests.property.json_cases import DOCUMENTS, SCHEMAS, counter_example, evolutions, exact_evolutions


def is_accepted(level: str, new: Any, *older: Any) -> bool:
    return check(level, parse("JSON", json.dumps(new)), [parse("JSON", json.dumps(one)) for one in older]) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(pair=evolutions(), documents=st.lists(DOCUMENTS, min_size=5, max_size=12))
def test_an_accepted_evolution_keeps_documents_valid(pair: tuple[Any, Any], documents: list[Any]) -> None:
    old, new = pair
    assume(is_accepted("BACKWARD", new, old))
    before, after = Draft7Validator(old), Draft7Validator(new)
    assert [one for one in documents if before.is_valid(one) and not after.is_valid(one)] == []
    assert counter_example(old, new) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pair=exact_evolutions())
def test_what_is_refused_is_refused_for_a_document(pair: tuple[Any, Any]) -> None:
    """Where a schema says no more than bounds, types and closed objects, the rules are exact, in every direction."""
    old, new = pair
    broken_backward, broken_forward = counter_example(old, new), counter_example(new, old)
    assert is_accepted("BACKWARD", new, old) == (broken_backward == []), broken_backward[:1]
    assert is_accepted("FORWARD", new, old) == (broken_forward == []), broken_forward[:1]
    assert is_accepted("FULL", new, old) == (broken_backward == broken_forward == [])


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS)
def test_a_schema_may_follow_itself_and_its_canonical_text_is_its_own(schema: Any) -> None:
    parsed = parse("JSON", json.dumps(schema))
    assert parse("JSON", parsed.canonical).canonical == parsed.canonical
    assert check("FULL", parsed, [parsed.normalized()]) == []


def test_a_level_that_looks_at_all_versions_takes_the_documents_of_any_of_them() -> None:
    def lengths(most: int) -> dict[str, Any]:
        return {"type": "string", "maxLength": most}

    assert is_accepted("BACKWARD", lengths(3), lengths(4), lengths(2))
    assert not is_accepted("BACKWARD_TRANSITIVE", lengths(3), lengths(4), lengths(2))
    assert "aaaa" in counter_example(lengths(4), lengths(3))
    assert not is_accepted("FORWARD_TRANSITIVE", lengths(3), lengths(2), lengths(4))
    assert is_accepted("FORWARD", lengths(3), lengths(2), lengths(4))
    assert "aaa" in counter_example(lengths(3), lengths(2))
