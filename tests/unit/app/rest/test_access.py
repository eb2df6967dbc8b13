"""Users, rules and what paths need, without a server."""

import asyncio
import base64
import threading
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.rest import app as rest_app
from app.rest.access import credentials as credentials_module
from app.rest.access.credentials import Credentials, TooManyLogins
from app.rest.access.gate import Gate
from app.rest.access.needs import need_of
from app.rest.access.rules import Kind, Operation, Principal, Rule
from app.rest.access.throttle import Throttle
from app.rest.access.users_file import Users, UsersFileError, hash_of_secret, read_users
from app.rest.access.users_watch import UsersFile

USERS = f"""
[users.shop]
keys = {{ SHOPKEY = "{hash_of_secret("secret")}" }}
certificate = "CN=shop"
rules = [
  {{ operations = ["produce"], topics = ["orders", "orders-*"] }},
  {{ operations = ["consume", "describe"], methods = ["GET"], topics = ["prices"], groups = ["shop-?"] }},
]
[users.root]
rules = [{{ operations = ["describe", "manage"], topics = ["*"], groups = ["*"], cluster = true }}]
"""


class Clock:
    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.toml"
    path.write_text(USERS)
    return path


def shop(users: Users) -> Principal:
    return users.certificates["CN=shop"]


@pytest.mark.parametrize(
    ("operation", "method", "kind", "name", "allowed"),
    [
        (Operation.PRODUCE, "POST", Kind.TOPIC, "orders", True),
        (Operation.PRODUCE, "POST", Kind.TOPIC, "orders-eu", True),
        (Operation.PRODUCE, "POST", Kind.TOPIC, "ORDERS", False),
        (Operation.PRODUCE, "POST", Kind.TOPIC, "my-orders", False),
        (Operation.PRODUCE, "POST", Kind.GROUP, "orders", False),
        (Operation.CONSUME, "GET", Kind.TOPIC, "prices", True),
        (Operation.CONSUME, "HEAD", Kind.TOPIC, "prices", True),
        (Operation.CONSUME, "POST", Kind.TOPIC, "prices", False),
        (Operation.DESCRIBE, "GET", Kind.GROUP, "shop-1", True),
        (Operation.DESCRIBE, "GET", Kind.GROUP, "shop-12", False),
        (Operation.MANAGE, "DELETE", Kind.TOPIC, "orders", False),
        (Operation.DESCRIBE, "GET", Kind.CLUSTER, "", False),
    ],
)
def test_what_no_rule_allows_is_denied(
    file: Path, operation: Operation, method: str, kind: Kind, name: str, allowed: bool
) -> None:
    assert shop(read_users(file)).may(operation, method, kind, name) is allowed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[users.a", "not usable"),
        ("users = 3", "users"),
        ("[users.a]\npassword = 'open sesame'", "users.a.password is no hash"),
        ("[users.a]\nkeys = { K = 'plain' }", "users.a.keys.K is no hash"),
        ("[users.a]\nrules = [{ operations = ['fly'], topics = ['*'] }]", "fly"),
        ("[users.a]\nrules = [{ operations = ['produce'], methods = ['LOOK'], topics = ['*'] }]", "LOOK"),
        ("[users.a]\nrules = [{ operations = ['produce'] }]", "names topics, groups or cluster"),
        ("[users.a]\nrole = 'admin'", "role"),
        ("[users.'a:b']", "colon"),
        ("[users.a]\ncertificate = 'CN=x'\n[users.b]\ncertificate = 'CN=x'", "belongs to two users"),
    ],
)
def test_a_users_file_that_cannot_be_used_says_where(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "users.toml"
    path.write_text(content)
    with pytest.raises(UsersFileError, match=words):
        read_users(path)


def test_a_missing_or_undecodable_users_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    with pytest.raises(UsersFileError, match=r"users\.toml"):
        read_users(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsersFileError, match=r"users\.toml"):
        read_users(path)


def test_a_changed_file_counts_and_a_broken_one_does_not(file: Path) -> None:
    clock = Clock()
    users = UsersFile(file, clock)
    assert shop(users.current()).may(Operation.PRODUCE, "POST", Kind.TOPIC, "orders")
    file.write_text(USERS.replace('"orders"', '"elsewhere-only"'))
    clock.ms += 2_000
    assert not shop(users.current()).may(Operation.PRODUCE, "POST", Kind.TOPIC, "orders")
    file.write_text("[users.shop")
    clock.ms += 2_000
    assert shop(users.current()).may(Operation.PRODUCE, "POST", Kind.TOPIC, "elsewhere-only")
    file.unlink()
    clock.ms += 2_000
    assert shop(users.current()).may(Operation.PRODUCE, "POST", Kind.TOPIC, "elsewhere-only")


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/", None),
        ("GET", "/topics", None),
        ("GET", "/topics/a%2Fb", (Operation.DESCRIBE, Kind.TOPIC, "a/b")),
        ("POST", "/topics/a", (Operation.PRODUCE, Kind.TOPIC, "a")),
        ("POST", "/topics/a/partitions/0", (Operation.PRODUCE, Kind.TOPIC, "a")),
        ("GET", "/brokers", (Operation.DESCRIBE, Kind.CLUSTER, "")),
        ("POST", "/consumers/g", (Operation.CONSUME, Kind.GROUP, "g")),
        ("GET", "/consumers/g/instances/i/records", (Operation.CONSUME, Kind.GROUP, "g")),
        ("POST", "/v3/clusters/c/topics/a/records", (Operation.PRODUCE, Kind.TOPIC, "a")),
        ("POST", "/v3/clusters/c/topics/a/records:batch", (Operation.PRODUCE, Kind.TOPIC, "a")),
        ("POST", "/v3/clusters/c/topics/a/configs:alter", (Operation.MANAGE, Kind.TOPIC, "a")),
        ("GET", "/v3/clusters/c/topics/-/configs", None),
        ("GET", "/v3/clusters/c/topics/%2D/configs", (Operation.DESCRIBE, Kind.TOPIC, "-")),
        ("GET", "/v3/clusters/c/topics/%2D/partitions/-/reassignment", (Operation.DESCRIBE, Kind.TOPIC, "-")),
        ("POST", "/v3/clusters/c/topics/%2D/configs:alter", (Operation.MANAGE, Kind.TOPIC, "-")),
        ("GET", "/%74opics/a", (Operation.DESCRIBE, Kind.CLUSTER, "")),
        ("POST", "/v3/clusters/c/topics/a/records%3Abatch", (Operation.MANAGE, Kind.TOPIC, "a")),
        ("DELETE", "/v3/clusters/c/topics/a", (Operation.MANAGE, Kind.TOPIC, "a")),
        ("GET", "/v3/clusters/c/consumer-groups/g/lags", (Operation.DESCRIBE, Kind.GROUP, "g")),
        ("POST", "/v3/clusters/c/acls", (Operation.MANAGE, Kind.CLUSTER, "")),
        ("GET", "//topics//a", (Operation.DESCRIBE, Kind.TOPIC, "a")),
        ("GET", "/nobody/thought/of", (Operation.DESCRIBE, Kind.CLUSTER, "")),
        ("PUT", "/topics", (Operation.MANAGE, Kind.CLUSTER, "")),
    ],
)
def test_each_path_needs_something(method: str, path: str, needed: tuple[Operation, Kind, str] | None) -> None:
    assert need_of(method, path) == needed


FREE = {
    ("GET", "/"),
    ("GET", "/docs/"),
    ("GET", "/openapi.json"),
    ("GET", "/topics"),
    ("GET", "/v3/clusters"),
    ("GET", "/v3/clusters/{cluster_id}"),
    ("GET", "/v3/clusters/{cluster_id}/topics"),
    ("GET", "/v3/clusters/{cluster_id}/topics/-/configs"),
    ("POST", "/v3/clusters/{cluster_id}/topics/-/configs:alter"),
    ("GET", "/v3/clusters/{cluster_id}/topics/-/partitions/-/reassignment"),
    ("POST", "/v3/clusters/{cluster_id}/topics"),
    ("GET", "/v3/clusters/{cluster_id}/consumer-groups"),
    ("GET", "/v3/clusters/{cluster_id}/share-groups"),
}


def test_no_route_but_those_named_here_is_open_to_every_user() -> None:
    """A new route that is free of need by accident fails here."""
    modules = [module for module in vars(rest_app).values() if hasattr(module, "routes")]
    routes = [(method, template) for module in modules for method, template, _ in module.routes.found]
    assert len(routes) > 50
    free = {(method, template) for method, template in routes if need_of(method, template) is None}
    assert free - {("POST", "/")} <= FREE


@pytest.mark.parametrize(
    "authorization",
    [
        b"Basic",
        b"Basic !!!",
        b"Basic /w==",
        b"Bearer",
        b"Bearer SHOPKEY",
        b"Bearer SHOPKEY:wrong",
        b"Digest x",
        b"\xff",
    ],
)
async def test_nobody_comes_in_by_nonsense(file: Path, authorization: bytes) -> None:
    users = read_users(file)
    credentials = Credentials(lambda: users, Clock())
    assert await credentials.principal(authorization, "CN=shop") is None


async def test_a_key_a_certificate_and_nothing(file: Path) -> None:
    users = read_users(file)
    credentials = Credentials(lambda: users, Clock())
    for authorization, certificate in ((b"Bearer SHOPKEY:secret", ""), (b"", "CN=shop")):
        found = await credentials.principal(authorization, certificate)
        assert found is not None
        assert found.name == "shop"
    assert await credentials.principal(b"", "") is None
    assert await credentials.principal(b"", "CN=stranger") is None


async def test_what_was_proved_is_forgotten_with_the_users_it_was_proved_to(file: Path) -> None:
    now = [read_users(file)]
    credentials = Credentials(lambda: now[0], Clock())
    assert await credentials.principal(b"Bearer SHOPKEY:secret", "") is not None
    file.write_text(USERS.replace(hash_of_secret("secret"), hash_of_secret("another")))
    now[0] = read_users(file)
    assert await credentials.principal(b"Bearer SHOPKEY:secret", "") is None


class Passwords:
    """Two users with a password each; counts what is hashed, and can be held up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checked: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        principals = {name: Principal(name, []) for name in ("ada", "bob")}
        users = Users({name: (name, one) for name, one in principals.items()}, {}, {})
        self.credentials = Credentials(lambda: users, Clock())
        monkeypatch.setattr(Credentials, "_verify", self._verify)

    def _verify(self, encoded: str, secret: str) -> bool:
        self.may_go_on.wait(30)
        self.checked.append(secret)
        return secret == f"of-{encoded}"

    async def ask(self, name: str, secret: str, address: str = "") -> str | None:
        said = b"Basic " + base64.b64encode(f"{name}:{secret}".encode())
        found = await self.credentials.principal(said, "", address=address)
        return found and found.name


async def test_a_password_that_many_bring_at_once_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(monkeypatch)
    found = await asyncio.gather(*(passwords.ask("ada", "of-ada") for _ in range(200)))
    assert (found, passwords.checked) == (["ada"] * 200, ["of-ada"])
    assert await passwords.ask("ada", "of-ada") == "ada"
    assert await passwords.ask("ada", "of:ada") is None
    assert passwords.checked == ["of-ada", "of:ada"]


async def test_who_guesses_makes_nobody_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials_module, "REMEMBERED_MAX", 3)
    passwords = Passwords(monkeypatch)
    assert await passwords.ask("ada", "of-ada") == "ada"
    for number in range(10):
        assert await passwords.ask("ada", f"guess-{number}") is None
    assert await passwords.ask("ada", "of-ada") == "ada"
    assert passwords.checked.count("of-ada") == 1


async def test_one_address_does_not_take_all_places_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(monkeypatch)
    passwords.may_go_on.clear()
    guesses = [asyncio.create_task(passwords.ask("ada", f"guess-{number}", "6.6.6.6")) for number in range(40)]
    users = asyncio.create_task(passwords.ask("bob", "of-bob", "7.7.7.7"))
    while sum(task.done() for task in guesses) < 40 - credentials_module.WAITING_PER_ADDRESS_MAX:
        await asyncio.sleep(0)
    passwords.may_go_on.set()
    refused = [one for one in await asyncio.gather(*guesses, return_exceptions=True) if one is not None]
    assert [type(one) for one in refused] == [TooManyLogins] * 24
    assert await users == "bob"
    assert await passwords.ask("ada", "guess-0", "6.6.6.6") is None  # there is room again


async def test_refused_logins_count_against_their_address_and_not_its_users(file: Path) -> None:
    users = read_users(file)

    async def rest(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    gate = Gate(rest, credentials=Credentials(lambda: users, Clock()), throttle=Throttle(3, Clock()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gate), base_url="http://x") as http:
        wrong = {"Authorization": "Bearer SHOPKEY:guess"}
        assert [(await http.get("/", headers=wrong)).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        right = {"Authorization": "Bearer SHOPKEY:secret"}
        assert [(await http.get("/", headers=right)).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_bracket_in_a_rule_is_a_bracket(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    path.write_text("[users.a]\ncertificate = 'a'\nrules = [{ operations = ['consume'], groups = ['g[ab]*'] }]")
    who = read_users(path).certificates["a"]
    assert who.may(Operation.CONSUME, "GET", Kind.GROUP, "g[ab]-1")
    assert not who.may(Operation.CONSUME, "GET", Kind.GROUP, "ga-1")


def test_a_client_gets_its_rate_and_a_second_of_it_at_once() -> None:
    clock = Clock()
    throttle = Throttle(10, clock)
    assert [throttle.take("a") for _ in range(10)] == [0] * 10
    assert throttle.take("a") == 1
    assert throttle.take("b") == 0
    clock.ms += 100
    assert throttle.take("a") == 0
    assert throttle.take("a") == 1
    slow = Throttle(0.1, clock)
    assert slow.take("a") == 0
    assert slow.take("a") == 10


def test_a_rule_of_everything_allows_everything() -> None:
    everything = Rule(frozenset(Operation), topics=("*",), groups=("*",), cluster=True)
    root = Principal("root", [everything])
    assert all(root.may(operation, "DELETE", kind, "x") for operation in Operation for kind in Kind)
    assert not any(Principal("nobody", []).may(operation, "GET", kind, "x") for operation in Operation for kind in Kind)
