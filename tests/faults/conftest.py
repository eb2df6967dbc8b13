"""Faults on purpose: what the broker promises when machines, disks, networks and clients misbehave.

Each test prints the figures it measured in a table at the end of the run, with the seed that repeats it:
`CAUDAL_SEEDS=7 pytest tests/faults/test_kill_under_load.py`. The runs here are short; `make soak` does all of it in
full, with twenty seeds.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.broker_under_test import BrokerUnderTest

IS_SOAK = os.environ.get("CAUDAL_SOAK") == "1"
SOAK_SEEDS = range(1, 21)

_figures: list[str] = []


def _seeds() -> list[int]:
    named = os.environ.get("CAUDAL_SEEDS", "")
    if named:
        return [int(seed) for seed in named.replace(",", " ").split()]
    return list(SOAK_SEEDS) if IS_SOAK else [1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", _seeds(), scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _figures:
        terminalreporter.section("figures of the fault tests")
        for line in _figures:
            terminalreporter.write_line(line)


@pytest.fixture
def is_soak() -> bool:
    """Whether to run in full."""
    return IS_SOAK


@pytest.fixture
def chance(seed: int) -> random.Random:
    """Where this run's randomness comes from."""
    return random.Random(seed)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Say what was measured: `figures(killed=3, lost=0)`."""
    name = request.node.name

    def note(**values: object) -> None:
        _figures.append(f"{name}: " + "  ".join(f"{key}={_text(value)}" for key, value in values.items()))

    return note


@pytest.fixture
def within(figures: Callable[..., None]) -> Callable[..., None]:
    """Hold measured times against their bounds: `within(start_s=(0.4, 1.0))`.

    Only `make soak` fails when one is missed: on a machine that does other things at the same time, as the one of
    `make test` may, a bound on time says as much of the others as of the broker.
    """

    def check(**claims: tuple[float, float]) -> None:
        missed = {name: f"{_text(value)} > {_text(bound)}" for name, (value, bound) in claims.items() if value > bound}
        if missed:
            figures(**{f"missed_{name}": text.replace(" ", "") for name, text in missed.items()})
        assert not (missed and IS_SOAK), missed

    return check


@pytest.fixture
def new_broker(tmp_path: Path) -> Iterator[Callable[..., BrokerUnderTest]]:
    """Start a broker of the test's own: `new_broker(settings={…}, open_files_max=256)`."""
    with ExitStack() as running:

        def start(**options: object) -> BrokerUnderTest:
            options.setdefault("data_folder", tmp_path / "data")
            broker = BrokerUnderTest(log_file=tmp_path / "broker.log", **options)  # type: ignore[arg-type]
            return running.enter_context(broker)  # type: ignore[return-value]

        yield start


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
