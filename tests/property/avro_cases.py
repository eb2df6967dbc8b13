"""Avro schemas, ones a few steps away from them, and data that shows all of a schema: every branch and every symbol."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
from hypothesis.strategies import DrawFn

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "string", "bytes"]
SAMPLES: dict[str, list[Any]] = {
    "null": [None], "boolean": [True, False], "int": [-1, 7], "long": [2**33], "float": [0.5], "double": [1e300],
    "string": ["", "text"], "bytes": [b"", b"ascii"],
}  # fmt: skip
DEFAULTS = {
    "null": None, "boolean": True, "int": 1, "long": 2, "float": 0.5, "double": 1.5, "string": "s", "bytes": "b",
}  # fmt: skip
SYMBOLS = ["A", "B", "C"]
CHANGES = ["inside", "inside", "inside", "add", "remove", "rename", "alias", "default", "name", "order"]


@st.composite
def kinds(draw: DrawFn, name: str, depth: int = 2) -> Any:
    """A type; what is named in it has names that begin with this one, so that none comes twice."""
    choice = draw(
        st.sampled_from(["primitive"] * 3 + ["enum", "fixed"] + ["array", "map", "union", "record"] * (depth > 0))
    )
    match choice:
        case "primitive":
            return draw(st.sampled_from(PRIMITIVES))
        case "enum":
            symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
            default = {"default": symbols[0]} if draw(st.booleans()) else {}
            return {"type": "enum", "name": f"{name}E", "symbols": symbols, **default}
        case "fixed":
            return {"type": "fixed", "name": f"{name}F", "size": draw(st.integers(1, 3))}
        case "array":
            return {"type": "array", "items": draw(kinds(f"{name}I", depth - 1))}
        case "map":
            return {"type": "map", "values": draw(kinds(f"{name}V", depth - 1))}
        case "union":
            branches: list[Any] = draw(st.lists(st.sampled_from(PRIMITIVES), min_size=1, max_size=3, unique=True))
            other = draw(kinds(f"{name}U", 0))
            return [*branches, other] if isinstance(other, dict) else branches
        case _:
            return draw(records(name, depth - 1))


@st.composite
def records(draw: DrawFn, name: str = "R", depth: int = 2) -> Any:
    fields = [
        draw(fields_named(letter, name, depth))
        for letter in draw(st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=3))
    ]
    return {"type": "record", "name": name, "fields": fields}


@st.composite
def fields_named(draw: DrawFn, letter: str, record: str, depth: int) -> Any:
    kind = draw(kinds(f"{record}{letter}", depth))
    field: dict[str, Any] = {"name": letter, "type": kind}
    first = kind[0] if isinstance(kind, list) else kind
    if isinstance(first, str) and draw(st.booleans()):
        field["default"] = DEFAULTS[first]
    return field


@st.composite
def evolutions(draw: DrawFn) -> tuple[Any, Any]:
    """A record and one up to three steps away from it."""
    old = draw(records())
    new = copy.deepcopy(old)
    for _ in range(draw(st.integers(1, 3))):
        new = draw(stepped(new, "R"))
    return old, new


@st.composite
def stepped(draw: DrawFn, schema: Any, name: str) -> Any:
    """One thing changed, somewhere inside."""
    if isinstance(schema, list):
        return draw(stepped_union(schema, name))
    if isinstance(schema, str):
        return draw(st.sampled_from([*PRIMITIVES, ["null", schema] if schema != "null" else ["null", "int"]]))
    match schema["type"]:
        case "record":
            return draw(stepped_record(schema))
        case "enum":
            choice = draw(st.sampled_from(["symbols", "default", "name", "null"]))
            if choice == "symbols":
                symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
                return {"type": "enum", "name": schema["name"], "symbols": symbols}
            if choice == "default":
                return {**schema, "default": schema["symbols"][-1]}
            return {**schema, "name": schema["name"] + "2"} if choice == "name" else ["null", schema]
        case "fixed":
            changed = draw(st.sampled_from([{"size": 2}, {"name": schema["name"] + "2"}, {"namespace": "x"}]))
            return {**schema, **changed}
        case "array":
            return {**schema, "items": draw(stepped(schema["items"], f"{name}I"))}
        case _:
            return {**schema, "values": draw(stepped(schema["values"], f"{name}V"))}


@st.composite
def stepped_union(draw: DrawFn, schema: list[Any], name: str) -> Any:
    choice = draw(st.sampled_from(["add", "remove", "swap", "alone", "inside"]))
    simple = [branch for branch in schema if isinstance(branch, str)]
    if choice == "add":
        return [*schema, *draw(st.sampled_from([[one] for one in PRIMITIVES if one not in simple] or [[]]))]
    at = draw(st.integers(0, len(schema) - 1))
    if choice == "remove" and len(schema) > 1:
        return schema[:at] + schema[at + 1 :]
    if choice == "alone":
        return schema[at]
    if choice == "inside" and isinstance(schema[at], dict):
        inner = draw(stepped(schema[at], f"{name}U"))
        return [*schema[:at], inner, *schema[at + 1 :]] if isinstance(inner, dict) else schema
    return schema[::-1]


@st.composite
def stepped_record(draw: DrawFn, schema: dict[str, Any]) -> Any:
    fields, name = schema["fields"], schema["name"]
    choice = draw(st.sampled_from(CHANGES))
    free = [letter for letter in "efgh" if letter not in {field["name"] for field in fields}]
    if choice == "add" and free:
        fields = [*fields, draw(fields_named(free[0], name, 0))]
    elif choice == "name":
        changed = draw(
            st.sampled_from([{"name": f"{name}2"}, {"name": f"{name}2", "aliases": [name]}, {"namespace": "x"}])
        )
        return {**schema, **changed}
    elif choice == "order":
        fields = fields[::-1]
    elif fields:
        at = draw(st.integers(0, len(fields) - 1))
        field = fields[at]
        if choice == "remove":
            changed_fields: list[Any] = []
        elif choice == "rename" and free:
            changed_fields = [{**field, "name": free[0]}]
        elif choice == "alias" and free:
            changed_fields = [{**field, "name": free[0], "aliases": [field["name"]]}]
        elif choice == "default":
            changed_fields = [{key: value for key, value in field.items() if key != "default"}]
        else:
            inner = draw(stepped(field["type"], f"{name}{field['name']}"))
            changed_fields = [{key: value for key, value in {**field, "type": inner}.items() if key != "default"}]
        fields = [*fields[:at], *changed_fields, *fields[at + 1 :]]
    return {**schema, "fields": fields}


def samples(schema: Any, namespace: str = "") -> list[Any]:
    """Values in which every branch of a union, every symbol and every inner value is met. Branches are named."""
    if isinstance(schema, str):
        return SAMPLES[schema]
    if isinstance(schema, list):
        return [(branch_name(branch, namespace), value) for branch in schema for value in samples(branch, namespace)]
    match schema["type"]:
        case "record":
            inside = schema.get("namespace", namespace)
            columns = [samples(field["type"], inside) for field in schema["fields"]]
            rows = max(map(len, columns), default=1)
            return [
                {field["name"]: value for field, value in zip(schema["fields"], row, strict=True)}
                for row in itertools.islice(zip(*map(itertools.cycle, columns), strict=False), rows)
            ] or [{}]
        case "enum":
            return list(schema["symbols"])
        case "fixed":
            return [b"x" * schema["size"]]
        case "array":
            return [samples(schema["items"], namespace), []]
        case _:
            inner = samples(schema["values"], namespace)
            return [{str(number): value for number, value in enumerate(inner)}, {}]


def branch_name(branch: Any, namespace: str) -> str:
    """As fastavro takes it in front of a union's value."""
    if isinstance(branch, str) or "name" not in branch:
        return str(branch if isinstance(branch, str) else branch["type"])
    inside = branch.get("namespace", namespace)
    return f"{inside}.{branch['name']}" if inside else str(branch["name"])


def kept_fields(writer: Any, reader: Any) -> Iterator[tuple[str, str]]:
    """The names, in writer and reader, of a record's fields that are the same in both."""
    known = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        for name in (field["name"], *field.get("aliases", ())):
            if name in known:
                if known[name]["type"] == field["type"]:
                    yield name, field["name"]
                break
