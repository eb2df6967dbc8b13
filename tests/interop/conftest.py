"""A broker for each module of interop tests, and the franz-go program built once."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caudal.testing import Broker

FranzGo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture(scope="session")
def franz_go(go_program: str, tmp_path_factory: pytest.TempPathFactory) -> FranzGo:
    source = Path(__file__).parent / "franz_go"
    binary = tmp_path_factory.mktemp("franz-go") / "franz_go"
    built = subprocess.run([go_program, "build", "-o", str(binary), "."], cwd=source, capture_output=True, text=True)
    if built.returncode:
        pytest.fail(f"the franz-go program does not build:\n{built.stderr}")

    def start(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([str(binary), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start
