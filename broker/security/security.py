"""Security: the users, ACLs and quotas of one data folder, opened together; every handler is given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import broker.security.guards  # noqa: F401  registers every guard
from broker.config import BrokerConfig
from broker.dispatch import Handler, ServedApi
from broker.security.authorizer import Authorizer
from broker.security.client_quotas import ClientQuotas, Entity
from broker.security.guard import guarded
from broker.security.scram_users import ScramUsers
from broker.security.throttle import throttled


class Security:
    """What decides who may do what."""

    def __init__(self, folder: Path, config: BrokerConfig) -> None:
        self.users = ScramUsers(folder)
        window_s = (int(config.value("quota.window.num") or 11) - 1) * int(
            config.value("quota.window.size.seconds") or 1
        )
        self.quotas = ClientQuotas(folder, window_s=max(window_s, 1))
        self.inner: Callable[[ServedApi], ServedApi] = lambda api: api
        """What stands directly before a handler, behind quotas and guards."""
        self.on_handlers_change: Callable[[], None] = lambda: None
        """Called when `handler` would answer otherwise than before."""
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
        self.quotas.open()
        if self.authorizer is not None:
            self.authorizer.open()

    def change_quotas(self, changes: Mapping[Entity, Mapping[str, float | None]]) -> None:
        """Set and remove client quotas. Raises OSError."""
        had_any = self.quotas.limits_clients
        self.quotas.change(changes)
        if self.quotas.limits_clients != had_any:
            self.on_handlers_change()

    def handler(self, api: ServedApi) -> Handler:
        """What answers an API here: its handler, behind quotas and a guard where there are any."""
        api = self.inner(api)
        answer = throttled(api, self.quotas) if self.quotas.limits_clients else api.handler
        return answer if self.authorizer is None else guarded(api.api_key, answer)

    def allows_shortcut(self, api: ServedApi) -> bool:
        """Whether nothing but a guard stands before the API's handler."""
        return not self.quotas.limits_clients and self.inner(api) is api
