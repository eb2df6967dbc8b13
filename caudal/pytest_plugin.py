"""The pytest fixture `caudal_broker`: a fresh broker for one test. Loaded by pytest itself once caudal is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from caudal.testing import Broker


@pytest.fixture
def caudal_broker() -> Iterator[Broker]:
    """A running broker in a folder of its own; `caudal_broker.bootstrap_servers` is what clients need."""
    from caudal.testing import Broker  # Only tests that ask for a broker pay for the import.

    with Broker() as broker:
        yield broker
