"""The SCRAM users: who exists, with which mechanisms, in the small file `scram_users.json` of the data folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from broker.metadata.state_file import read_state, write_state
from broker.security.scram import (
    BY_SASL_NAME,
    ITERATIONS_DEFAULT,
    ITERATIONS_MAX,
    ITERATIONS_MIN,
    ScramCredential,
    ScramMechanism,
    credential_from_password,
)

SCRAM_USERS_FILE: Final = "scram_users.json"


class _SavedUser(msgspec.Struct):
    name: str
    mechanism: int
    credential: ScramCredential


class ScramUsers:
    """Credentials by user and mechanism. The file is replaced before a change counts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SCRAM_USERS_FILE
        self._credentials: dict[tuple[str, ScramMechanism], ScramCredential] = {}

    def open(self) -> None:
        """Read the file. Raises ValueError when it is damaged: nobody may log in by an old password unnoticed."""
        for user in read_state(self._path, list[_SavedUser]) or ():
            self._credentials[user.name, ScramMechanism(user.mechanism)] = user.credential

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._credentials))

    def find(self, user: str, mechanism: ScramMechanism) -> ScramCredential | None:
        """A user's credential for one mechanism."""
        return self._credentials.get((user, mechanism))

    def of_user(self, user: str) -> dict[ScramMechanism, ScramCredential]:
        """All of a user's credentials; empty when there is no such user."""
        found = ((mechanism, self.find(user, mechanism)) for mechanism in ScramMechanism)
        return {mechanism: credential for mechanism, credential in found if credential is not None}

    def change(
        self,
        *,
        set_: Iterable[tuple[str, ScramMechanism, ScramCredential]] = (),
        remove: Iterable[tuple[str, ScramMechanism]] = (),
    ) -> None:
        """Set and remove credentials, all or nothing. Raises OSError."""
        changed = dict(self._credentials)
        for key in remove:
            changed.pop(key, None)
        for name, mechanism, credential in set_:
            changed[name, mechanism] = credential
        if changed == self._credentials:
            return
        saved = [_SavedUser(name, mechanism, credential) for (name, mechanism), credential in changed.items()]
        write_state(self._path, saved)
        self._path.chmod(0o600)
        self._credentials = changed


def parse_added_user(text: str) -> tuple[str, ScramMechanism, ScramCredential]:
    """A user as Kafka's format tool takes it: `SCRAM-SHA-256=[name=alice,password=secret,iterations=8192]`.

    Raises ValueError, without the password. Takes milliseconds.
    """
    mechanism_name, _, rest = text.partition("=")
    mechanism = BY_SASL_NAME.get(mechanism_name)
    if mechanism is None or not rest.startswith("[") or not rest.endswith("]"):
        raise ValueError("expected SCRAM-SHA-256=[name=…,password=…] (or SCRAM-SHA-512)")
    fields = dict(item.strip().partition("=")[::2] for item in rest[1:-1].split(","))
    name, password = fields.get("name", ""), fields.get("password", "")
    iterations = int(fields.get("iterations", ITERATIONS_DEFAULT))
    if not name or not password:
        raise ValueError("a SCRAM user needs a name and a password")
    if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
        raise ValueError(f"iterations={iterations}: expected {ITERATIONS_MIN} to {ITERATIONS_MAX}")
    return name, mechanism, credential_from_password(mechanism, password, iterations=iterations)
