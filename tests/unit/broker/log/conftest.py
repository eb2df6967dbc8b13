from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.broker.log.making import DataRoot


@pytest.fixture
def root(tmp_path: Path) -> Iterator[DataRoot]:
    """An empty data folder, opened."""
    root = DataRoot(tmp_path / "data")
    yield root
    root.logs.close()
