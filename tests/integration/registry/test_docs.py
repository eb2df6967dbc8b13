"""The commands of docs/schema-registry.md, run as they are written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.curl_blocks import curl_blocks
from tests.integration.registry.running_registry import RunningRegistry

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "schema-registry.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_does_what_it_says(registry: RunningRegistry) -> None:
    printed = []
    for block in curl_blocks("docs/schema-registry.md"):
        script = block.replace("http://localhost:8081", registry.url)
        done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        decoder, left, values = json.JSONDecoder(), done.stdout.strip(), []
        while left:
            value, end = decoder.raw_decode(left)
            values.append(value)
            left = left[end:].strip()
        printed.append(values)
    registered, found, judged, level, deleted = printed
    assert registered[0]["id"] == 1
    assert [one["guid"] for one in found] == [registered[0]["guid"]] * 2
    assert judged[0]["is_compatible"] is False
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in judged[0]["messages"][0]
    assert level[1] == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert deleted == [[1], [1]]


def test_the_registry_goes_through_files_as_the_page_says(registry: RunningRegistry, tmp_path: Path) -> None:
    registry.register("orders-value", {"type": "record", "name": "Order", "fields": []})
    printed = []
    for block in (block for block in BLOCKS if block.startswith("caudal ")):
        script = block.replace("http://localhost:8081", registry.url).replace("caudal ", f"{sys.executable} -m app ")
        done = subprocess.run(
            ["bash", "-eu", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout.splitlines()
    assert printed == [
        "1 versions of 1 subjects are in schemas; 4 files changed",
        "0 versions to register, 0 deleted, 0 settings changed; 1 versions were there",
        "0 versions registered, 0 deleted, 0 settings changed; 1 versions were there",
    ]
