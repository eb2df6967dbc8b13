"""Security: the users of one data folder, opened together; the broker hands it to every handler."""

from __future__ import annotations

from pathlib import Path

from broker.config import BrokerConfig
from broker.security.scram_users import ScramUsers


class Security:
    """What decides who may do what."""

    def __init__(self, folder: Path, config: BrokerConfig) -> None:
        self.users = ScramUsers(folder)

    def open(self) -> None:
        """Read the state files. Raises ValueError when one is damaged."""
        self.users.open()
