"""Schemas and bodies made to hurt, over HTTP: each is refused in the API's own terms, and the process stays small."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Platform, start_platform

DEPTH = 10_000
MEBIBYTE = 1024 * 1024
GROWTH_MAX_BYTES = 200 * MEBIBYTE
HUGE = "x" * 5_000_000

DEEP = {
    "AVRO": '{"type":"array","items":' * DEPTH + '"int"' + "}" * DEPTH,
    "JSON": '{"not":' * DEPTH + "{}" + "}" * DEPTH,
    "PROTOBUF": 'syntax = "proto3"; ' + "message M {" * DEPTH + "}" * DEPTH,
}
LARGE = {
    "AVRO": json.dumps({"type": "record", "name": "R", "doc": HUGE, "fields": []}),
    "JSON": json.dumps({"description": HUGE}),
    "PROTOBUF": f'syntax = "proto3"; // {HUGE}\nmessage M {{}}',
}
HOSTILE = {
    ("AVRO", "lists"): "[" * DEPTH,
    ("AVRO", "an endless number"): '{"type":"int","x":' + "9" * 900_000 + "}",
    ("AVRO", "comments"): "/* " * 300_000,
    ("JSON", "an enum of lists"): '{"enum":[' + "[" * DEPTH + "]" * DEPTH + "]}",
    ("JSON", "an address that is nowhere"): '{"$ref":"http://127.0.0.1:9/schema.json"}',
    ("JSON", "an endless number"): '{"maximum":' + "9" * 900_000 + "}",
    ("PROTOBUF", "an option"): 'syntax = "proto3"; option a = ' + "{ a: " * DEPTH + "1" + "}" * DEPTH + ";",
    ("PROTOBUF", "brackets"): 'syntax = "proto3"; option a = ' + "[" * DEPTH + "]" * DEPTH + ";",
    ("PROTOBUF", "base64"): "A" * 999_996,
}


@pytest.fixture(scope="module")
def platform_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One that has read a schema of each format, so that what the formats need is loaded."""
    running = start_platform(tmp_path_factory.mktemp("hostile") / "data")
    with httpx.Client(base_url=str(running.ready["schema_registry"]), timeout=60) as http:
        for schema_type, text in (("AVRO", '"int"'), ("JSON", "{}"), ("PROTOBUF", 'syntax = "proto3"; message M {}')):
            answer = http.post(f"/subjects/{schema_type}/versions", json={"schema": text, "schemaType": schema_type})
            assert answer.status_code == 200, answer.text
    yield running
    running.stop()


@pytest.fixture
def registry(platform_at_rest: Platform) -> Iterator[httpx.Client]:
    """Whatever a test sends, the process must not have grown by more than GROWTH_MAX_BYTES at its highest."""
    before = _high_water_bytes(platform_at_rest, anew=True)
    with httpx.Client(base_url=str(platform_at_rest.ready["schema_registry"]), timeout=60) as http:
        yield http
        assert http.get("/schemas/types").status_code == 200
    assert _high_water_bytes(platform_at_rest) - before < GROWTH_MAX_BYTES


def _high_water_bytes(platform: Platform, *, anew: bool = False) -> int:
    """The most memory the process ever had; anew: from now on."""
    process = Path("/proc") / str(platform.process.pid)
    if anew:
        (process / "clear_refs").write_text("5")
    line = next(one for one in (process / "status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def refused(registry: httpx.Client, schema_type: str, text: str) -> set[tuple[int, int]]:
    """HTTP status and error_code of every call that reads a schema."""
    body = {"schema": text, "schemaType": schema_type}
    answers = [
        registry.post(f"/subjects/{schema_type}/versions", json=body),
        registry.post(f"/subjects/{schema_type}", json=body),
        registry.post(f"/compatibility/subjects/{schema_type}/versions/latest", json=body),
    ]
    assert all(set(answer.json()) == {"error_code", "message"} for answer in answers)
    assert all(len(answer.content) < 10_000 for answer in answers)
    return {(answer.status_code, answer.json()["error_code"]) for answer in answers}


@pytest.mark.parametrize("schema_type", DEEP)
def test_ten_thousand_levels_are_refused(registry: httpx.Client, schema_type: str) -> None:
    assert refused(registry, schema_type, DEEP[schema_type]) == {(422, 42201)}


@pytest.mark.parametrize("schema_type", LARGE)
def test_five_megabytes_are_refused(registry: httpx.Client, schema_type: str) -> None:
    assert refused(registry, schema_type, LARGE[schema_type]) == {(422, 42209)}


@pytest.mark.parametrize(("schema_type", "kind"), HOSTILE)
def test_hostile_texts_are_refused(registry: httpx.Client, schema_type: str, kind: str) -> None:
    assert refused(registry, schema_type, HOSTILE[schema_type, kind]) <= {(422, 42201), (404, 40403)}


def test_catastrophic_patterns_are_kept_and_never_run_long(registry: httpx.Client) -> None:
    patterns = {"^(a+)+$": {}, "a?" * 100 + "a" * 100: {}, "(?:a|a)" * 60 + "b": {}}
    old = {"type": "object", "patternProperties": patterns, "additionalProperties": False, "properties": {}}
    new = {**old, "properties": {"a" * 100: {"type": "string", "pattern": "^(a+)+$"}}}
    for schema in (old, new):
        body = {"schema": json.dumps(schema), "schemaType": "JSON"}
        assert registry.post("/subjects/patterns/versions", json=body).status_code == 200


def test_circles_of_references_cannot_be_made(registry: httpx.Client) -> None:
    def imported(subject: str, other: str, schema_id: int) -> tuple[int, int]:
        body = {
            "schema": f'{{"type":"record","name":"{subject}","fields":[{{"name":"x","type":"{other}"}}]}}',
            "references": [{"name": other, "subject": other, "version": 1}],
            "id": schema_id,
            "version": 1,
        }
        answer = registry.post(f"/subjects/{subject}/versions", json=body)
        return answer.status_code, answer.json()["error_code"]

    for subject in ("Ring", "Other"):
        assert registry.put(f"/mode/{subject}", json={"mode": "IMPORT"}).status_code == 200
    assert imported("Ring", "Ring", 900) == imported("Ring", "Other", 900) == (422, 42201)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_beyond_the_limit_is_refused_while_it_comes(registry: httpx.Client, encoding: str) -> None:
    if encoding == "gzip":  # a gigabyte of blanks in two megabytes
        squeeze, blanks = zlib.compressobj(9, wbits=31), b" " * MEBIBYTE
        first, next_one = (squeeze.compress(blanks) + squeeze.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
        content = first + next_one * 1023
        assert len(content) < 2 * MEBIBYTE
    else:
        content = b" " * 10_000_001
    answer = registry.post(
        "/subjects/s/versions",
        content=content,
        headers={"Content-Type": "application/json", "Content-Encoding": encoding},
    )
    assert (answer.status_code, answer.json()["error_code"]) == (413, 413)


def test_bodies_that_are_no_schema_request(registry: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    for content in (b"[" * 1_000_000, b'{"schema":' * DEPTH, b'{"schema":7}', b'{"schema":"\\ud8', b"\xff" * 1000):
        answer = registry.post("/subjects/s/versions", content=content, headers=json_type)
        assert (answer.status_code, answer.json()["error_code"]) == (400, 400), content[:20]
    broken = gzip.compress(b'{"schema":"{}"}')[:-9]
    answer = registry.post("/subjects/s/versions", content=broken, headers={**json_type, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
