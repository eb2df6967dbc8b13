"""A registry as files: what is written comes back, byte for byte the same a second time."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.schema_files.folder import read_folder, write_folder
from app.schema_files.snapshot import SchemaVersion, ScopeSettings, Snapshot, TransferError

RECORD = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'
PROTO = 'syntax = "proto3";\n\nmessage M {\n  string a = 1;\n}\n'


def snapshot(*versions: SchemaVersion, **scopes: ScopeSettings) -> Snapshot:
    return Snapshot({one.key: one for one in versions}, dict(scopes))


def version(subject: str = "s", number: int = 1, schema_id: int = 1, text: str = RECORD, **more: Any) -> SchemaVersion:
    return SchemaVersion(subject, number, schema_id, more.pop("schema_type", "AVRO"), text, **more)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_a_text_people_can_read_and_a_small_file_beside_it(tmp_path: Path) -> None:
    reference = {"name": "Money", "subject": "money", "version": 1}
    one = version("orders-value", 2, 7, references=[reference], metadata={"properties": {"owner": "ada"}})
    changed = write_folder(tmp_path / "new", snapshot(one))
    assert changed == 3
    assert files(tmp_path / "new") == {
        "caudal-schemas.json": b'{\n  "format": 1\n}\n',
        "contexts/_default/orders-value/v2.avsc": json.dumps(json.loads(RECORD), indent=2).encode() + b"\n",
        "contexts/_default/orders-value/v2.meta.json": json.dumps(
            {"id": 7, "references": [reference], "metadata": {"properties": {"owner": "ada"}}}, indent=2
        ).encode()
        + b"\n",
    }


AWKWARD = snapshot(
    version("orders", text='"int"'),
    version("Orders", 2, 2, '"long"', is_deleted=True),
    version("a/b c%2F:é", 1, 3, "{}", schema_type="JSON"),
    version(".hidden", 1, 4, '{"maximum":1.50}', schema_type="JSON"),
    version("..", 1, 5, '{"a":1,"a":2}', schema_type="JSON"),
    version("_default", 1, 6, PROTO, schema_type="PROTOBUF"),
    version("_default", 12, 7, PROTO.rstrip(), schema_type="PROTOBUF"),
    version(":.eu:orders", 1, 1, "<x/>", schema_type="XML"),
    version(":._default:orders", 1, 1, '{"description":"\ud800 \\r\\n"}', schema_type="JSON"),
    version(":.a/b:s", 1, 1, "{ not json", schema_type="AVRO"),
    version("windows", 1, 8, PROTO.replace("\n", "\r\n"), schema_type="PROTOBUF"),
    **{
        "": ScopeSettings({"compatibilityLevel": "FULL"}, "READWRITE"),
        ":.__GLOBAL:": ScopeSettings(None, "READONLY"),
        ":.eu:": ScopeSettings({"normalize": True}, None),
        "Orders": ScopeSettings({"alias": "orders"}, "IMPORT"),
    },
)


def test_awkward_names_and_texts_come_back(tmp_path: Path) -> None:
    write_folder(tmp_path, AWKWARD)
    again = read_folder(tmp_path)
    assert again == AWKWARD
    names = [name.casefold() for name in files(tmp_path)]
    assert len(set(names)) == len(names)
    assert not any(part.startswith(".") for name in names for part in name.split("/"))


def test_a_second_export_writes_nothing_and_what_is_gone_goes(tmp_path: Path) -> None:
    write_folder(tmp_path, AWKWARD)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert write_folder(tmp_path, AWKWARD) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "contexts" / "_default" / "NOTES.md").write_text("ours")
    (tmp_path / ".git").mkdir()
    assert write_folder(tmp_path, snapshot(version("orders", text='"int"'))) > 0
    assert set(files(tmp_path)) == {
        "caudal-schemas.json",
        "contexts/_default/NOTES.md",
        "contexts/_default/orders/v1.avsc",
        "contexts/_default/orders/v1.meta.json",
    }
    assert not (tmp_path / "contexts" / "eu").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("pass")
    with pytest.raises(TransferError, match="holds something else"):
        write_folder(tmp_path, AWKWARD)
    assert set(files(tmp_path)) == {"main.py"}
    with pytest.raises(TransferError, match="is no folder"):
        write_folder(tmp_path / "main.py", AWKWARD)
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "README.md").write_text("schemas")
    assert write_folder(tmp_path / "repo", snapshot(version())) == 3


def test_everything_that_is_wrong_with_a_folder_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"has no caudal-schemas\.json"):
        read_folder(tmp_path)
    write_folder(tmp_path, snapshot(*(version(f"s{number}", 1, number + 1) for number in range(9))))
    place = tmp_path / "contexts" / "_default"
    (place / "s0" / "v1.avsc").unlink()
    (place / "s1" / "v1.meta.json").unlink()
    (place / "s2" / "v1.avsc").write_text("{")
    (place / "s3" / "v1.meta.json").write_text("[]")
    (place / "s4" / "v1.meta.json").write_text('{"id": "7"}')
    (place / "s5" / "v1.meta.json").write_text('{"id": 7, "references": [{"name": "x"}]}')
    (place / "s6" / "settings.json").write_text('{"mode": "IMPORT", "level": "FULL"}')
    (place / "s7" / "v1.proto").write_text(PROTO)
    (place / "s8" / "v1.avsc").write_bytes(b"\xff")
    with pytest.raises(TransferError) as told:
        read_folder(tmp_path)
    lines = str(told.value).splitlines()
    assert [number for number in range(9) for line in lines if f"/s{number}/" in line] == list(range(9))
    (tmp_path / "caudal-schemas.json").write_text('{"format": 2}')
    with pytest.raises(TransferError, match="later Caudal"):
        read_folder(tmp_path)


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
).map(json.dumps)
names = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
subjects = names.filter(lambda name: not name.startswith(":."))
contexts = names.filter(lambda name: ":" not in name)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(subjects, st.builds(lambda context, name: f":.{context}:{name}", contexts, subjects)),
            st.integers(1, 2**31 - 1),
            st.sampled_from(["AVRO", "JSON", "PROTOBUF"]),
            st.one_of(json_texts, st.text()),
        ),
        max_size=5,
    )
)
def test_any_registry_comes_back(drawn: list[tuple[str, int, str, str]]) -> None:
    whole = snapshot(*(version(subject, number, 1, text, schema_type=kind) for subject, number, kind, text in drawn))
    with tempfile.TemporaryDirectory() as name:
        write_folder(Path(name), whole)
        assert read_folder(Path(name)) == whole
        assert write_folder(Path(name), whole) == 0
