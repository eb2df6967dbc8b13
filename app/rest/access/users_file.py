"""The users file: who may log in how, and what each may do. TOML; secrets stand in it only as hashes.

[users.shop]
password = "$argon2id$v=19$…"                    # caudal users password
keys = { K4TXGQZ7 = "sha256:…" }                 # caudal users key
certificate = "CN=shop,O=Example"                # the subject of a client certificate, RFC 2253
rules = [
  { operations = ["produce"], topics = ["orders", "orders-*"] },
  { operations = ["consume", "describe"], topics = ["prices"], groups = ["shop-*"] },
  { operations = ["describe"], methods = ["GET"], cluster = true },
]
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from app.rest.access.rules import METHODS, Operation, Principal, Rule

HASHED_KEY: Final = re.compile(r"sha256:[0-9a-f]{64}")


class UsersFileError(Exception):
    """The users file cannot be used; the message names the file and the place in it."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of one reading of the file, by what they prove themselves with."""

    passwords: Mapping[str, tuple[str, Principal]]
    """By user name: the encoded argon2id hash, and who that is."""
    keys: Mapping[str, tuple[str, Principal]]
    """By key id: `sha256:` and the hash of the secret in hex, and who that is."""
    certificates: Mapping[str, Principal]
    """By distinguished name."""


_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    operations: list[Operation]
    methods: list[str] = msgspec.field(default_factory=lambda: sorted(METHODS))
    topics: list[_Name] = msgspec.field(default_factory=list)
    groups: list[_Name] = msgspec.field(default_factory=list)
    cluster: bool = False


class _User(msgspec.Struct, forbid_unknown_fields=True):
    password: str = ""
    keys: dict[str, str] = msgspec.field(default_factory=dict)
    certificate: str = ""
    rules: list[_Rule] = msgspec.field(default_factory=list)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    users: dict[str, _User]


def read_users(path: Path) -> Users:
    """Raises UsersFileError."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return _users_of(msgspec.convert(content, _File))
    except OSError as error:
        raise UsersFileError(f"cannot read the users file {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UsersFileError(f"the users file {path} is not usable: {error}") from error


def _users_of(file: _File) -> Users:
    passwords: dict[str, tuple[str, Principal]] = {}
    keys: dict[str, tuple[str, Principal]] = {}
    certificates: dict[str, Principal] = {}
    for name, user in file.users.items():
        _check(name, user)
        principal = Principal(name, [_rule(name, rule) for rule in user.rules])
        if user.password:
            passwords[name] = (user.password, principal)
        for key, hashed in user.keys.items():
            if key in keys:
                raise ValueError(f"the key {key} belongs to two users")
            keys[key] = (hashed, principal)
        if user.certificate:
            if user.certificate in certificates:
                raise ValueError(f"the certificate {user.certificate} belongs to two users")
            certificates[user.certificate] = principal
    twice = passwords.keys() & keys.keys()
    if twice:
        raise ValueError(f"{min(twice)} is the name of a user and of a key")
    return Users(passwords, keys, certificates)


def _check(name: str, user: _User) -> None:
    if not name or ":" in name:
        raise ValueError(f"a user's name may not be empty or have a colon in it: {name!r}")
    if user.password and not user.password.startswith("$argon2id$"):
        raise ValueError(f"users.{name}.password is no hash; `caudal users password` makes one")
    for key, hashed in user.keys.items():
        if not HASHED_KEY.fullmatch(hashed):
            raise ValueError(f"users.{name}.keys.{key} is no hash; `caudal users key` makes one")


def _rule(name: str, rule: _Rule) -> Rule:
    methods = frozenset(method.upper() for method in rule.methods)
    if not methods <= METHODS:
        raise ValueError(f"users.{name}.rules: unknown methods {', '.join(sorted(methods - METHODS))}")
    if not (rule.topics or rule.groups or rule.cluster):
        raise ValueError(f"users.{name}.rules: a rule names topics, groups or cluster = true")
    topics, groups = (tuple(name.replace("[", "[[]") for name in names) for names in (rule.topics, rule.groups))
    return Rule(frozenset(rule.operations), methods, topics, groups, rule.cluster)


def hash_of_secret(secret: str) -> str:
    """How the file keeps the secret of a key. Keys are random, 256 bits: no slow hash is needed for them."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()
