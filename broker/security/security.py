"""Security: the users, ACLs and quotas of one data folder, opened together; every handler is given it."""

from __future__ import annotations

from pathlib import Path

import broker.security.guards  # noqa: F401  registers every guard
from broker.config import BrokerConfig
from broker.dispatch import Handler, ServedApi
from broker.security.authorizer import Authorizer
from broker.security.guard import guarded
from broker.security.scram_users import ScramUsers


class Security:
    """What decides who may do what."""

    def __init__(self, folder: Path, config: BrokerConfig) -> None:
        self.users = ScramUsers(folder)
        self.authorizer: Authorizer | None = None
        """None without `authorizer.class.name`: then everybody may do everything."""
        if config.authorizer_class_name:
            self.authorizer = Authorizer(
                folder,
                super_users=[name.strip() for name in config.super_users.split(";") if name.strip()],
                allow_if_no_acl=config.allow_everyone_if_no_acl_found,
            )

    def open(self) -> None:
        """Read the state files. Raises ValueError when one is damaged."""
        self.users.open()
        if self.authorizer is not None:
            self.authorizer.open()

    def handler(self, api: ServedApi) -> Handler:
        """What answers an API here: its handler, behind a guard where there is an authorizer."""
        return api.handler if self.authorizer is None else guarded(api)
