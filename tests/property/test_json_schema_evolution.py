"""Documents that were valid stay valid under a JSON Schema that may follow, as a JSON Schema validator judges them."""

import json

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from app.registry.compatibility import check
from app.registry.formats import parse

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, "", "a", "ab", "abc"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
SMALL = st.integers(0, 3)


def typed(kind, **keywords):
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=keywords)


def schemas(inner):
    properties = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    objects = st.builds(
        lambda properties, closed, required: {
            "type": "object",
            "properties": properties,
            **({"additionalProperties": closed} if closed is not None else {}),
            "required": sorted(required & properties.keys()),
        },
        properties,
        st.none() | st.just(False) | inner,
        st.sets(st.sampled_from("abc")),
    )
    arrays = typed("array", items=inner, minItems=SMALL, maxItems=SMALL, uniqueItems=st.booleans())
    sums = st.builds(
        lambda name, subs: {name: subs}, st.sampled_from(["anyOf", "allOf"]), st.lists(inner, min_size=1, max_size=3)
    )
    return objects | arrays | sums | st.builds(lambda one: {"not": one}, inner)


LEAVES = (
    typed("string", minLength=SMALL, maxLength=SMALL)
    | typed("number", minimum=SMALL, maximum=SMALL, exclusiveMinimum=SMALL, multipleOf=st.integers(1, 4))
    | typed("integer", maximum=SMALL)
    | st.sampled_from([{"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}, {}, True, False])
    | st.builds(lambda values: {"enum": values}, st.lists(st.sampled_from(["a", 1, None]), min_size=1, unique=True))
)
SCHEMAS = st.recursive(LEAVES, schemas, max_leaves=6)


@st.composite
def evolutions(draw):
    """An old schema and one a step away from it."""
    old = draw(SCHEMAS)
    return old, draw(st.sampled_from(list(neighbours(old))) | SCHEMAS)


def neighbours(schema):
    """The schema with one thing changed, and widened as a whole."""
    yield schema
    yield {"anyOf": [{"type": "boolean"}, schema]}
    if not isinstance(schema, dict):
        return
    for key in schema:
        yield {name: value for name, value in schema.items() if name != key}
        if isinstance(schema[key], int) and not isinstance(schema[key], bool):
            yield {**schema, key: schema[key] + 1}
            yield {**schema, key: max(1, schema[key] - 1)}
        if key == "properties":
            for name, inner in schema[key].items():
                for other in neighbours(inner):
                    yield {**schema, key: {**schema[key], name: other}}
        if key in ("anyOf", "allOf"):
            for one in LEAF_SAMPLES:
                yield {key: [*schema[key], one]}


LEAF_SAMPLES = [{"type": "null"}, {"type": "string"}, {"type": "number", "minimum": 1}]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(pair=evolutions(), documents=st.lists(DOCUMENTS, min_size=5, max_size=12))
def test_an_accepted_evolution_keeps_documents_valid(pair, documents):
    old, new = pair
    assume(check("BACKWARD", parse("JSON", json.dumps(new)), [parse("JSON", json.dumps(old))]) == [])
    before, after = Draft7Validator(old), Draft7Validator(new)
    broken = [document for document in documents if before.is_valid(document) and not after.is_valid(document)]
    assert broken == []


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS)
def test_a_schema_may_follow_itself_and_its_canonical_text_is_its_own(schema):
    parsed = parse("JSON", json.dumps(schema))
    assert parse("JSON", parsed.canonical).canonical == parsed.canonical
    assert check("FULL", parsed, [parsed.normalized()]) == []
