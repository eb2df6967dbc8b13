"""Every example runs and prints what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Platform

EXAMPLES = Path(__file__).parents[2] / "examples"
PRINTED = {"produce_and_consume.py": "order 9", "exactly_once.py": "WORD 4", "rest.sh": '"value":{"n":2}'}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")} == PRINTED.keys()


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example_runs(platform: Platform, name: str) -> None:
    command = [sys.executable] if name.endswith(".py") else ["bash"]
    done = subprocess.run(
        [*command, str(EXAMPLES / name)],
        env={**os.environ, "KAFKA": platform.kafka, "REST": platform.rest},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert PRINTED[name] in done.stdout.replace(" ", "") or PRINTED[name] in done.stdout
