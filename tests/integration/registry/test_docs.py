"""The curl commands of docs/schema-registry.md, run as they are written."""

import json
import re
import subprocess
from pathlib import Path

from tests.integration.registry.running_registry import RunningRegistry

PAGE = (Path(__file__).parents[3] / "docs" / "schema-registry.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_does_what_it_says(registry: RunningRegistry) -> None:
    printed = []
    for block in BLOCKS:
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
