"""JSON Schemas, ones a step away from them, and documents at the edges of what they say."""

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft7Validator

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, "", "a", "ab", "abc"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
SMALL = st.integers(0, 3)
OF_ANY_KIND: list[Any] = [None, True, 0, -1, 0.5, "", "a", "abcd", [], [1, 1], {}, {"z": 1}, {"a": 1, "b": 1, "c": 1}]
LEAF_SAMPLES: list[Any] = [{"type": "null"}, {"type": "string"}, {"type": "number", "minimum": 1}]
INSTANCES_MAX = 120
LENGTHS = 7  # and numbers: more than any bound that is drawn here
NUMBERS = [number / 2 for number in range(13)]


def typed(kind: str, **keywords: Any) -> Any:
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=keywords)


LEAVES = (
    typed("string", minLength=SMALL, maxLength=SMALL)
    | typed("number", minimum=SMALL, maximum=SMALL, exclusiveMinimum=SMALL, multipleOf=st.integers(1, 4))
    | typed("integer", maximum=SMALL)
    | st.sampled_from([{"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}, {}, True, False])
    | st.builds(lambda values: {"enum": values}, st.lists(st.sampled_from(["a", 1, None]), min_size=1, unique=True))
)


def objects(inner: Any) -> Any:
    properties = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    return st.builds(
        lambda properties, others, required: {
            "type": "object",
            "properties": properties,
            **({"additionalProperties": others} if others is not None else {}),
            "required": sorted(required & properties.keys()),
        },
        properties,
        st.none() | st.just(False) | inner,
        st.sets(st.sampled_from("abc")),
    )


def arrays(inner: Any) -> Any:
    lists = typed("array", items=inner, minItems=SMALL, maxItems=SMALL, uniqueItems=st.booleans())
    return lists | typed("array", items=st.lists(inner, min_size=1, max_size=2), additionalItems=st.booleans() | inner)


def combined(inner: Any) -> Any:
    names = st.sampled_from(["anyOf", "allOf"])
    sums = st.builds(lambda name, subs: {name: subs}, names, st.lists(inner, min_size=1, max_size=3))
    return sums | st.builds(lambda one: {"not": one}, inner)


SCHEMAS = st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner) | combined(inner), max_leaves=6)


@st.composite
def evolutions(draw: st.DrawFn) -> tuple[Any, Any]:
    """An old schema and one a step away from it."""
    old = draw(SCHEMAS)
    return old, draw(st.sampled_from(list(neighbours(old))) | SCHEMAS)


@st.composite
def bounded(draw: st.DrawFn, kind: str, lower: str, upper: str) -> Any:
    """A type with bounds that something fits between."""
    least = draw(st.none() | st.integers(1, 3))
    most = draw(st.none() | st.integers((least or 1) + 1, 5))
    bounds = {lower: least, upper: most}
    return {"type": kind, **{key: value for key, value in bounds.items() if value is not None}}


EXACT_LEAVES = (
    bounded("string", "minLength", "maxLength")
    | bounded("number", "minimum", "maximum")
    | bounded("integer", "minimum", "maximum")
    | st.sampled_from([{"type": "null"}, {"type": "boolean"}])
)
EXACT_ENUMS = st.builds(
    lambda values: {"enum": values}, st.lists(st.sampled_from(["a", "b", 1, None, 2.5]), min_size=1, unique=True)
)


@st.composite
def exact_evolutions(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas of one kind of which it can be told exactly whether one takes all that the other does."""
    kind = draw(st.sampled_from(["leaf", "enum", "object", "array"]))
    if kind in ("leaf", "enum"):
        both = EXACT_LEAVES if kind == "leaf" else EXACT_ENUMS
        return draw(both), draw(both)
    if kind == "array":
        old, new = ({**draw(bounded("array", "minItems", "maxItems")), "items": draw(EXACT_LEAVES)} for _ in "12")
        return old, draw(st.sampled_from([new, {**new, "items": old["items"]}]))
    old = draw(closed_objects({}))
    return old, draw(closed_objects(old["properties"]))


@st.composite
def closed_objects(draw: st.DrawFn, known: dict[str, Any]) -> Any:
    """An object that lets in what it names; most of what is known stays as it is."""
    names = draw(st.lists(st.sampled_from("abc"), unique=True))
    properties = {name: known[name] if name in known and draw(st.booleans()) else draw(EXACT_LEAVES) for name in names}
    required = [name for name in names if draw(st.booleans())]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def neighbours(schema: Any) -> Iterator[Any]:
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
            for name in {"a", "b", "c"} - schema[key].keys():
                for one in (*LEAF_SAMPLES, {}):
                    yield {**schema, key: {**schema[key], name: one}}
                yield {**schema, key: {**schema[key], name: {"type": "null"}}, "required": [name]}
        if key == "additionalProperties" and schema[key] is not False:
            yield {**schema, key: False}
        if key in ("anyOf", "allOf"):
            for one in LEAF_SAMPLES:
                yield {key: [*schema[key], one]}


def instances(schema: Any) -> list[Any]:
    """Documents at the edges of what a schema says, valid ones and such as just are not."""
    if isinstance(schema, bool) or not schema.get("type", schema.keys() & {"enum", "anyOf", "allOf", "not"}):
        return OF_ANY_KIND
    if "enum" in schema:
        return [*schema["enum"], *OF_ANY_KIND]
    subs = [*schema.get("anyOf", []), *schema.get("allOf", []), *([schema["not"]] if "not" in schema else [])]
    if subs:
        return [*itertools.chain.from_iterable(instances(sub) for sub in subs), *OF_ANY_KIND]
    match schema["type"]:
        case "string":
            return ["a" * length for length in range(LENGTHS)]
        case "number" | "integer":
            step = schema.get("multipleOf", 1)
            return [*NUMBERS, step, 2 * step, 12 * step, -step]
        case "array":
            return list(itertools.islice(_arrays(schema), INSTANCES_MAX))
        case "object":
            return list(itertools.islice(_objects(schema), INSTANCES_MAX))
        case _:
            return [None, True, False, "", "abc"]


def _arrays(schema: dict[str, Any]) -> Iterator[Any]:
    items = schema.get("items", True)
    if isinstance(items, list):
        first = [_valid(item) for item in items]
        yield from ([one] for one in instances(items[0]))
        yield from ([*first[:1], one] for one in instances(items[1] if len(items) > 1 else True))
        yield from ([*first, one] for one in [*instances(schema.get("additionalItems", True)), *OF_ANY_KIND])
        yield from (first[:length] for length in range(len(first) + 1))
        return
    values = instances(items)
    valid = [one for one in values if Draft7Validator(items).is_valid(one)] or [None]
    for length in range(LENGTHS):
        yield list(itertools.islice(itertools.cycle(valid), length))
    for length in range(schema.get("minItems", 0) or 1, schema.get("maxItems", LENGTHS) + 1):
        yield [valid[0]] * length
        yield from ([*itertools.islice(itertools.cycle(valid), length - 1), one] for one in values)


def _objects(schema: dict[str, Any]) -> Iterator[Any]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    full = {name: _valid(inner) for name, inner in properties.items()}
    least = {name: full.get(name) for name in schema.get("required", [])}
    yield from ({}, full, least)
    for name in {"a", "b", "c", "z", *properties}:
        values = instances(properties[name]) if name in properties else [*instances(others), *OF_ANY_KIND]
        for one in values:
            yield {**least, name: one}
        yield {key: value for key, value in full.items() if key != name}


def _valid(schema: Any) -> Any:
    """A document that satisfies a schema, as far as one is at hand."""
    validator = Draft7Validator(schema)
    return next((one for one in instances(schema) if validator.is_valid(one)), None)


def counter_example(old: Any, new: Any) -> list[Any]:
    """Documents that old takes and new does not."""
    before, after = Draft7Validator(old), Draft7Validator(new)
    candidates = [*instances(old), *instances(new), *OF_ANY_KIND]
    return [one for one in candidates if before.is_valid(one) and not after.is_valid(one)]
