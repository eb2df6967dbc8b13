"""Write `broker/protocol/messages/` from the field facts that the `kio` package carries.

`python -m broker.protocol.generate` rewrites the modules, with `--check` it only says whether that would change one.
kio (a development dependency, never imported by a running broker) has a dataclass for each version of each message of
Apache Kafka 4.3.1; here all versions of a message become one class, and each field remembers its versions.
"""

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from kio.index import load_entity_schema
from kio.schema.index import api_key_map, schema_name_map
from kio.serial._introspect import EntityField, EntityTupleField, classify_field, is_optional
from kio.static.constants import EntityType

MESSAGES: Final = Path(__file__).parent / "messages"
PROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"

BETWEEN_BROKERS: Final = frozenset({52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82})
"""APIs that only brokers and controllers of one cluster speak to each other: a single node has no use for them."""

INSIDE_RECORDS: Final = ("consumer_protocol_assignment", "consumer_protocol_subscription", "end_txn_marker")
"""Not requests: what consumers put into JoinGroup and SyncGroup bytes, and the value of a transaction marker."""

WIRE_TYPES: Final = {"error_code": "int16", "timedelta_i32": "int32", "timedelta_i64": "int64", "datetime_i64": "int64"}
"""kio's richer types, and what travels instead. Those of time lost their unit in kio's names: it is put back."""

NULL_BY_DEFAULT: Final = frozenset(
    {
        "ConsumerGroupHeartbeatRequest.topic_partitions",
        "ListPartitionReassignmentsRequest.topics",
        "StreamsGroupHeartbeatRequest.active_tasks",
        "StreamsGroupHeartbeatRequest.client_tags",
        "StreamsGroupHeartbeatRequest.standby_tasks",
        "StreamsGroupHeartbeatRequest.task_end_offsets",
        "StreamsGroupHeartbeatRequest.task_offsets",
        "StreamsGroupHeartbeatRequest.warmup_tasks",
        "StreamsGroupHeartbeatResponse.active_tasks",
        "StreamsGroupHeartbeatResponse.partitions_by_user_endpoint",
        "StreamsGroupHeartbeatResponse.standby_tasks",
        "StreamsGroupHeartbeatResponse.warmup_tasks",
        "Topology.subtopologies",
    }
)
"""Arrays that Kafka's specifications leave null (in heartbeats: "as before"); kio does not carry that fact."""

PYTHON_TYPES: Final = {
    "bool": "bool",
    "bytes": "bytes",
    "float64": "float",
    "records": "bytes | memoryview",
    "string": "str",
    "uuid": "bytes",
}
IMPLICIT_DEFAULTS: Final = {
    "bool": "False",
    "bytes": 'b""',
    "float64": "0.0",
    "records": "None",
    "string": '""',
    "uuid": "NULL_UUID",
}


@dataclasses.dataclass
class FieldFacts:
    """One field in all the versions that have it."""

    name: str
    type: str  # as in primitives.Schema
    default: str  # Python source
    tag: int | None
    versions: set[int] = dataclasses.field(default_factory=set)
    nullable: set[int] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class StructFacts:
    """One struct in all versions of its message."""

    name: str
    place: str  # where it is used: the message's name, or `FetchRequest.topics`
    fields: dict[str, FieldFacts] = dataclasses.field(default_factory=dict)

    def shape(self) -> list[tuple[object, ...]]:
        return [dataclasses.astuple(field) for field in self.fields.values()]

    def parts(self) -> set[str]:
        """The types its fields are made of."""
        return {field.type.removeprefix("[]") for field in self.fields.values()}


@dataclasses.dataclass
class MessageFacts:
    """A request, a response or a piece of data with all its nested structs."""

    name: str
    api_key: int
    versions: list[int]
    flexible_versions: list[int]
    structs: dict[str, StructFacts]


def read_message(kio_name: str, kind: EntityType, api_key: int) -> MessageFacts:
    """Merge kio's classes of all versions of one message."""
    versions = sorted(version for version, kinds in schema_name_map[kio_name].items() if kind in kinds)
    schemas: list[Any] = [load_entity_schema(kio_name, version, kind) for version in versions]  # type: ignore[arg-type]
    structs: dict[str, StructFacts] = {}
    # Newest first: the newest version has the field order that older fields are slotted into.
    for version, schema in reversed(list(zip(versions, schemas, strict=True))):
        _read_struct(schema, schema.__name__, version, structs)
    flexible = [version for version, schema in zip(versions, schemas, strict=True) if schema.__flexible__]
    return MessageFacts(schemas[0].__name__, api_key, versions, flexible, structs)


def _read_struct(schema: Any, place: str, version: int, structs: dict[str, StructFacts]) -> None:
    facts = structs.get(schema.__name__) or StructFacts(schema.__name__, place)
    previous: str | None = None
    for kio_field in dataclasses.fields(schema):
        shape = classify_field(kio_field)
        if isinstance(shape, EntityField | EntityTupleField):
            _read_struct(shape.type_, f"{schema.__name__}.{_field_name(kio_field)}", version, structs)
        fresh = _read_field(schema.__name__, kio_field)
        known = facts.fields.get(fresh.name)
        if known is None:
            facts.fields = _inserted_after(previous, fresh, facts.fields)
            known = fresh
        elif (known.type, known.default, known.tag) != (fresh.type, fresh.default, fresh.tag):
            raise SystemExit(f"{schema.__name__}.{fresh.name} differs between versions: {known} and {fresh}")
        known.versions.add(version)
        # Tagged fields are never null on the wire: what is null is left out. kio says so by their optional type.
        if known.type != "uuid" and is_optional(kio_field) and kio_field.metadata.get("kafka_type") != "datetime_i64":
            known.nullable.add(version)
        previous = fresh.name
    structs.setdefault(schema.__name__, facts)


def _inserted_after(previous: str | None, new: FieldFacts, fields: dict[str, FieldFacts]) -> dict[str, FieldFacts]:
    names = list(fields)
    at = 0 if previous is None else names.index(previous) + 1
    items = list(fields.items())
    return dict([*items[:at], (new.name, new), *items[at:]])


def _field_name(kio_field: Any) -> str:
    name: str = kio_field.name.rstrip("_")  # kio writes type_ and id_ to spare the builtins
    timed = kio_field.metadata.get("kafka_type", "").startswith(("timedelta", "datetime"))
    return f"{name}_ms" if timed else name


def _read_field(owner: str, kio_field: Any) -> FieldFacts:
    shape = classify_field(kio_field)
    kind = kio_field.metadata.get("kafka_type", "")
    if isinstance(shape, EntityField | EntityTupleField):
        wire_type = shape.type_.__name__
    else:
        wire_type = WIRE_TYPES.get(kind, kind)
    if shape.is_array:
        wire_type = f"[]{wire_type}"
    tag = kio_field.metadata.get("tag")
    name = _field_name(kio_field)
    return FieldFacts(name, wire_type, _default(f"{owner}.{name}", kio_field, wire_type, tag), tag)


def _default(name: str, kio_field: Any, wire_type: str, tag: int | None) -> str:
    """The default of the field `Struct.field` as Python source.

    A tagged struct that is absent is None, not a struct of defaults as in Java: most answers then need not build one.
    """
    default = None if kio_field.default is dataclasses.MISSING else kio_field.default
    if kio_field.default is None and kio_field.metadata.get("kafka_type") == "datetime_i64":
        return "-1"  # kio reads the timestamp -1 as None
    if kio_field.default is None and wire_type != "uuid":
        return "None"
    if wire_type.startswith("[]"):
        return "None" if name in NULL_BY_DEFAULT else "[]"
    if dataclasses.is_dataclass(default) or wire_type[0].isupper():
        return "None" if tag is not None or is_optional(kio_field) else f"field(default_factory={wire_type})"
    if default is None:
        return IMPLICIT_DEFAULTS.get(wire_type, "0")
    if isinstance(default, timedelta):
        return str(default // timedelta(milliseconds=1))
    if isinstance(default, bool):
        return str(default)
    if isinstance(default, int):
        return str(int(default))
    if isinstance(default, str):
        return f'"{default}"'
    return repr(default)


def module_source(title: str, messages: list[MessageFacts]) -> str:
    """The text of one module, before formatting."""
    _rename_clashes(messages)
    classes: list[str] = []
    seen: set[str] = set()
    for message in messages:
        for struct in _innermost_first(message):
            if struct.name not in seen:
                classes.append(_class_source(struct, message))
                seen.add(struct.name)
    body = "\n\n".join(classes)
    imports = [name for name in ("NULL_UUID", "Fields", "Message", "Schema") if f"{name}" in body]
    lines = [
        f'"""{title}',
        "",
        "Generated by `python -m broker.protocol.generate`: change that, not this.",
        '"""',
        "from typing import ClassVar",
        "from msgspec import field" if "field(default_factory" in body else "",
        f"from broker.protocol.primitives import {', '.join(imports)}",
        body,
    ]
    return "\n".join(lines)


def _rename_clashes(messages: list[MessageFacts]) -> None:
    """Request and response may both have, say, an EntryData. Unless they are alike, they get a prefix each."""
    if len(messages) != 2:
        return
    request, response = messages
    shared = request.structs.keys() & response.structs.keys()
    clashes = {name for name in shared if request.structs[name].shape() != response.structs[name].shape()}
    while more := {name for name in shared - clashes if request.structs[name].parts() & clashes}:
        clashes |= more
    for message, prefix in ((request, "Request"), (response, "Response")):
        for struct in message.structs.values():
            if struct.name in clashes:
                struct.name = prefix + struct.name
            for facts in struct.fields.values():
                bare = facts.type.removeprefix("[]")
                if bare in clashes:
                    facts.type = facts.type.replace(bare, prefix + bare)
                    facts.default = facts.default.replace(bare, prefix + bare)


def _innermost_first(message: MessageFacts) -> list[StructFacts]:
    """The structs of a message, each after those its fields are made of."""
    by_name = {struct.name: struct for struct in message.structs.values()}
    ordered: dict[str, StructFacts] = {}

    def visit(struct: StructFacts) -> None:
        for field in struct.fields.values():
            nested = by_name.get(field.type.removeprefix("[]"))
            if nested is not None and nested.name not in ordered:
                visit(nested)
        ordered[struct.name] = struct

    visit(by_name[message.name])
    return list(ordered.values())


def _class_source(struct: StructFacts, message: MessageFacts) -> str:
    is_message = struct.name == message.name
    place = _message_summary(message) if is_message else f"`{struct.place}`."
    lines = [f"class {struct.name}({'Message' if is_message else 'Fields'}):", f'    """{place}"""', ""]
    lines += [f"    {field.name}: {_annotation(field)} = {field.default}" for field in struct.fields.values()]
    if is_message:
        lines += [
            "",
            f"    API_KEY: ClassVar[int] = {message.api_key}",
            f"    VERSIONS: ClassVar[range] = {_range_source(message.versions)}",
            f"    FLEXIBLE_VERSIONS: ClassVar[range] = {_range_source(message.flexible_versions)}",
        ]
    rows = "".join(f"        {_schema_row(field, message.versions[-1])},\n" for field in struct.fields.values())
    if rows:
        lines += ["", f"    SCHEMA: ClassVar[Schema] = (\n{rows}    )"]
    return "\n".join(lines) + "\n"


def _message_summary(message: MessageFacts) -> str:
    flexible = f"flexible from {message.flexible_versions[0]}" if message.flexible_versions else "never flexible"
    first, last = message.versions[0], message.versions[-1]
    versions = f"version {first}" if first == last else f"versions {first}-{last}"
    return f"{message.name}, {versions}, {flexible}."


def _annotation(facts: FieldFacts) -> str:
    bare = facts.type.removeprefix("[]")
    python = PYTHON_TYPES.get(bare, bare if bare[0].isupper() else "int")
    if facts.type.startswith("[]"):
        python = f"list[{python}]"
    return f"{python} | None" if facts.nullable or facts.default == "None" else python


def _range_source(versions: list[int]) -> str:
    if not versions:
        return "range(0)"
    return f"range({versions[0]}, {versions[-1] + 1})" if versions[0] else f"range({versions[-1] + 1})"


def _schema_row(facts: FieldFacts, last: int) -> str:
    row: tuple[object, ...] = (
        facts.name,
        facts.type,
        _versions_text(facts.versions, last),
        _versions_text(facts.nullable, last),
        facts.tag,
    )
    while row[-1] in ("", None):
        row = row[:-1]
    return "(" + ", ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in row) + ")"


def _versions_text(versions: Iterable[int], last: int) -> str:
    ordered = sorted(versions)
    if not ordered:
        return ""
    if ordered != list(range(ordered[0], ordered[-1] + 1)):
        raise SystemExit(f"versions with a gap cannot be told as one range: {ordered}")
    if ordered[-1] == last:
        return f"{ordered[0]}+"
    return f"{ordered[0]}-{ordered[-1]}" if len(ordered) > 1 else str(ordered[0])


def modules() -> Iterator[tuple[str, str]]:
    """File name and source of every module of `messages/`, before formatting."""
    index, flexible = [], []
    for api_key, kio_name in api_key_map.items():
        if api_key in BETWEEN_BROKERS:
            continue
        request = read_message(kio_name, EntityType.request, api_key)
        response = read_message(kio_name, EntityType.response, api_key)
        title = f"{request.name.removesuffix('Request')} (API key {api_key})."
        index.append(f'    {api_key}: ("{kio_name}", "{request.name}", "{response.name}"),')
        if request.flexible_versions and request.flexible_versions[0] != response.flexible_versions[0]:
            raise SystemExit(f"{kio_name}: request and response turn flexible in different versions")
        first = request.flexible_versions[0] if request.flexible_versions else "NEVER"
        flexible.append(f"    {api_key}: {first},")
        yield f"{kio_name}.py", module_source(title, [request, response])
    for kio_name in INSIDE_RECORDS:
        data = read_message(kio_name, EntityType.data, -1)
        yield f"{kio_name}.py", module_source(f"{data.name}: bytes inside requests and records.", [data])
    yield "__init__.py", INDEX.replace("@API_ROWS@", "\n".join(index)).replace("@FLEXIBLE_ROWS@", "\n".join(flexible))


INDEX: Final = '''"""One module per API, each with one class per message for all its versions.

Generated by `python -m broker.protocol.generate`: change that, not this. The modules of internal topics
(`consumer_offsets`, `share_group_records`, `share_state_records`, `transaction_state`) are kept by hand.
"""

from typing import Final

API_MESSAGES: Final[dict[int, tuple[str, str, str]]] = {
@API_ROWS@
}
"""API key: module, request class, response class."""

NEVER: Final = 1 << 15

FLEXIBLE_FROM: Final[dict[int, int]] = {
@FLEXIBLE_ROWS@
}
"""API key: the first version with compact lengths and tagged fields (KIP-482), in request and response alike."""
'''


def formatted(sources: Iterable[tuple[str, str]]) -> dict[str, str]:
    """File name and text of each module as `ruff` with this project's settings leaves it."""
    with TemporaryDirectory() as scratch:
        for name, source in sources:
            (Path(scratch) / name).write_text(source)
        ruff = [sys.executable, "-m", "ruff"]
        common = ["--quiet", "--no-cache", "--config", str(PROJECT), scratch]
        subprocess.run([*ruff, "check", "--select=I", "--fix", *common], check=True)
        subprocess.run([*ruff, "format", *common], check=True)
        return {path.name: path.read_text() for path in sorted(Path(scratch).iterdir())}


def main(arguments: list[str] | None = None) -> int:
    """Write the modules, or with --check answer 1 when one of them is not what would be written."""
    parser = argparse.ArgumentParser(prog="python -m broker.protocol.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a module is out of date")
    check: bool = parser.parse_args(arguments).check
    stale = []
    for name, text in formatted(modules()).items():
        path = MESSAGES / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    print(f"{'out of date' if check else 'rewritten'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
