"""The curl commands of docs/rest-proxy.md, run as they are written."""

import json
import re
import subprocess

import pytest

from tests.docs.curl_blocks import curl_blocks
from tests.integration.rest.running_proxy import RunningProxy


@pytest.fixture(scope="module")
def printed(proxy: RunningProxy) -> list[str]:
    """What each block printed, all run in order."""
    outputs = []
    for block in curl_blocks("docs/rest-proxy.md"):
        script = block.replace("http://localhost:8082", proxy.url)
        done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    return outputs


def test_records_are_produced(printed: list[str]) -> None:
    assert [entry["error_code"] for entry in json.loads(printed[0])["offsets"]] == [None] * 3


def test_records_are_read_back(printed: list[str]) -> None:
    (records,) = re.findall(r"\[\{.*\}\]", printed[1])
    assert {record["key"]: record["value"] for record in json.loads(records)} == {
        "ada": {"page": "/"},
        "bob": {"page": "/buy"},
        None: "no key",
    }


def test_the_stream_has_receipts_and_the_group_a_lag(printed: list[str]) -> None:
    *receipts, summary = (json.loads(line) for line in printed[2].splitlines() if line.strip())
    assert [receipt["error_code"] for receipt in receipts] == [200, 200]
    assert (summary["total_lag"], summary["max_lag_topic_name"]) == (2, "visits")


def test_avro_is_written_by_both_versions_and_read(printed: list[str]) -> None:
    (records,) = re.findall(r"\[\{\"topic.*\}\]", printed[3])
    assert [record["value"] for record in json.loads(records)] == [
        {"name": "ada", "from": {"string": "London"}},
        {"name": "bob", "from": None},
    ]
    assert '"subject":"visitors-value","schema_id":1,"schema_version":1' in printed[3]


def test_a_repeated_request_is_answered_as_the_first(printed: list[str]) -> None:
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(printed[4])
    again, _ = decoder.raw_decode(printed[4], end)
    assert first == again
    assert first["offsets"][0]["offset"] == 0


def test_the_document_names_its_operations(printed: list[str]) -> None:
    assert {"POST /topics/{topic}", "GET /v3/clusters", "GET /openapi.json"} <= set(printed[-1].splitlines())
