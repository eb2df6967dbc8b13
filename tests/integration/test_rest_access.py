"""The REST Proxy facing strangers: HTTPS, logins, rules, limits, CORS; the other surfaces stay behind."""

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from app.cli.users import command as users_command
from app.rest.access.users_file import hash_of_secret, read_users
from tests.conftest import Platform, start_platform, wait_until
from tests.docs.curl_blocks import curl_blocks
from tests.integration.broker.certificates import Authority

JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}
V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
ROOT, SHOP = ("root", "correct horse battery"), ("SHOPKEY", "secret")
RATE_PER_S = 50


def users() -> str:
    # A cheap hash: the tests log in with it, they do not guard anything.
    password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(ROOT[1])
    return f"""
[users.root]
password = "{password}"
rules = [
  {{ operations = ["produce", "consume", "describe", "manage"], topics = ["*"], groups = ["*"], cluster = true }},
]
[users.shop]
keys = {{ SHOPKEY = "{hash_of_secret("secret")}" }}
rules = [
  {{ operations = ["produce", "describe"], topics = ["orders", "orders-*"] }},
  {{ operations = ["consume"], topics = ["prices*"], groups = ["shop-*"] }},
  {{ operations = ["describe", "manage"], topics = ["shop-*"] }},
]
[users.machine]
certificate = "CN=machine,O=Example"
rules = [{{ operations = ["describe"], topics = ["orders"] }}]
"""


@dataclass
class Facing:
    """A platform whose REST port is HTTPS with users."""

    platform: Platform
    authority: Authority
    folder: Path

    def client(self, auth: tuple[str, str] | None = None, *, certificate: Path | None = None) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if certificate is not None:
            context.load_cert_chain(certificate)
        return httpx.Client(base_url=self.platform.rest, auth=auth, verify=context, timeout=30)


@contextlib.contextmanager
def facing_others(folder: Path, **settings: object) -> Iterator[Facing]:
    """The platform, with five topics; settings: more of those under [rest]."""
    authority = Authority(folder)
    (folder / "rest.pem").write_text(authority.issue("first", "/CN=first").read_text())
    (folder / "users.toml").write_text(users())
    settings |= {
        "users_file": folder / "users.toml",
        "ssl_keystore_location": folder / "rest.pem",
        "ssl_truststore_location": authority.certificate,
        "ssl_client_authentication": "REQUESTED",
    }
    arguments = [word for name, value in settings.items() for word in ("--set", f"rest.{name}={value}")]
    arguments += ["--set", "http.head_timeout_s=2"]
    platform = start_platform(folder / "data", *arguments)
    running = Facing(platform, authority, folder)
    with running.client(ROOT) as http:
        cluster = http.get("/v3/clusters").json()["data"][0]["cluster_id"]
        for topic in ("orders", "orders-eu", "prices", "prices-eu", "payroll"):
            assert http.post(f"/v3/clusters/{cluster}/topics", json={"topic_name": topic}).status_code == 201
    try:
        yield running
    finally:
        platform.stop()


@pytest.fixture(scope="module")
def facing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facing]:
    settings = {
        "rate_limit_requests_per_s": RATE_PER_S,
        "access_control_allow_origin": "https://shop.example",
        "access_control_expose_headers": "Retry-After",
    }
    with facing_others(tmp_path_factory.mktemp("facing"), **settings) as running:
        yield running


@pytest.fixture
def shop(facing: Facing) -> Iterator[httpx.Client]:
    with facing.client(SHOP) as http:
        yield http


@pytest.fixture
def cluster(shop: httpx.Client) -> str:
    """Path of the cluster's v3 resources."""
    return f"/v3/clusters/{shop.get('/v3/clusters').json()['data'][0]['cluster_id']}"


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    body = answer.json()
    assert set(body) == {"error_code", "message"}
    return answer.status_code, body["error_code"], body["message"]


def test_nobody_comes_in_without_saying_who(facing: Facing) -> None:
    with facing.client() as http:
        for path in ("/", "/topics", "/v3/clusters", "/nothing"):
            answer = http.get(path)
            assert refusal(answer) == (401, 401, "Unauthorized")
            assert answer.headers.get_list("www-authenticate") == ['Basic realm="caudal", charset="UTF-8"', "Bearer"]
    with facing.client(("root", "wrong")) as http:
        assert http.get("/topics").status_code == 401
    with facing.client(("nobody", "wrong")) as http:
        assert http.get("/topics").status_code == 401
    assert ROOT[1] not in facing.platform.log()


def test_password_key_bearer_and_certificate(facing: Facing) -> None:
    with facing.client(ROOT) as http:
        assert "payroll" in http.get("/topics").json()
    with facing.client(SHOP) as http:
        assert http.get("/topics").json() == ["orders", "orders-eu"]
    with facing.client() as http:
        assert http.get("/topics", headers={"Authorization": "Bearer SHOPKEY:secret"}).json() == ["orders", "orders-eu"]
    machine = facing.authority.issue("machine", "/O=Example/CN=machine")
    with facing.client(certificate=machine) as http:
        assert http.get("/topics").json() == ["orders"]
    stranger = facing.authority.issue("stranger", "/CN=stranger")
    with facing.client(certificate=stranger) as http:
        assert http.get("/topics").status_code == 401


def test_plain_http_is_no_way_around(facing: Facing) -> None:
    """The main port, on loopback, serves the proxy too: the same users, the same rules."""
    assert httpx.get(f"{facing.platform.http}/topics").status_code == 401
    assert httpx.get(f"{facing.platform.http}/topics", auth=SHOP).json() == ["orders", "orders-eu"]
    with pytest.raises(httpx.TransportError):
        httpx.get(facing.platform.rest.replace("https:", "http:") + "/topics")


def test_the_other_surfaces_are_not_behind_this_port(facing: Facing) -> None:
    with facing.client(ROOT) as http:
        for path in ("/ui/", "/subjects", "/health/ready", "/metrics"):
            assert http.get(path).status_code == 404, path


def test_produce_only_where_a_rule_says_so(shop: httpx.Client, cluster: str) -> None:
    record = {"records": [{"value": 1}]}
    assert shop.post("/topics/orders", json=record, headers=JSON).status_code == 200
    receipt = shop.post(f"{cluster}/topics/orders-eu/records", json={"value": {"type": "JSON", "data": 1}})
    assert receipt.status_code == 200
    assert refusal(shop.post("/topics/payroll", json=record, headers=JSON)) == (
        403,
        403,
        "The user shop may not produce to topic payroll",
    )
    assert shop.post("/topics/pay%72oll", json=record, headers=JSON).status_code == 403
    assert shop.post(f"{cluster}/topics/payroll/records", json={}).status_code == 403
    assert shop.post(f"{cluster}/topics/payroll/records:batch", json={}).status_code == 403


def test_administration_only_where_a_rule_says_so(shop: httpx.Client, cluster: str) -> None:
    assert shop.delete(f"{cluster}/topics/orders").status_code == 403
    assert shop.post(f"{cluster}/topics/orders/configs:alter", json={"data": []}).status_code == 403
    assert shop.get(f"{cluster}/brokers").status_code == 403
    assert shop.get("/brokers").status_code == 403
    assert shop.post(f"{cluster}/topics", json={"topic_name": "mine"}).status_code == 403
    assert shop.post(f"{cluster}/topics", json={"topic_name": "shop-1"}).status_code == 201
    assert shop.delete(f"{cluster}/topics/shop-1").status_code == 204
    told = [topic["topic_name"] for topic in shop.get(f"{cluster}/topics").json()["data"]]
    assert told == ["orders", "orders-eu"]


def test_consume_only_what_a_rule_names_wherever_the_request_names_it(facing: Facing, shop: httpx.Client) -> None:
    with facing.client(ROOT) as root:
        for topic in ("prices", "prices-eu", "payroll"):
            assert root.post(f"/topics/{topic}", json={"records": [{"value": topic}]}, headers=JSON).status_code == 200
    assert shop.post("/consumers/other", headers=V2).status_code == 403
    wanted = {"format": "json", "auto.offset.reset": "earliest", "name": "one"}
    assert shop.post("/consumers/shop-1", json=wanted, headers=V2).status_code == 200
    instance = "/consumers/shop-1/instances/one"
    for path, body in (
        ("subscription", {"topics": ["prices", "payroll"]}),
        ("assignments", {"partitions": [{"topic": "payroll", "partition": 0}]}),
        ("offsets", {"offsets": [{"topic": "payroll", "partition": 0, "offset": 0}]}),
    ):
        assert refusal(shop.post(f"{instance}/{path}", json=body, headers=V2))[:2] == (403, 403), path
    # A pattern of everything is everything that may be read.
    assert shop.post(f"{instance}/subscription", json={"topic_pattern": ".*"}, headers=V2).status_code == 204
    found: set[str] = set()

    def has_all() -> bool:
        answer = shop.get(f"{instance}/records", headers={"Accept": "application/vnd.kafka.json.v2+json"})
        found.update(record["topic"] for record in answer.json())
        return found >= {"prices", "prices-eu"}

    wait_until(has_all, what="records of both topics")
    assert found == {"prices", "prices-eu"}
    with facing.client(ROOT) as root:  # an instance is its maker's, whatever else the other may do
        assert refusal(root.get(f"{instance}/subscription"))[1] == 40403
        assert refusal(root.delete(instance, headers=V2))[1] == 40403
    assert shop.delete(instance, headers=V2).status_code == 204


def test_a_changed_users_file_counts_at_once(facing: Facing) -> None:
    path = facing.folder / "users.toml"
    before = path.read_text()
    path.write_text(before.replace("SHOPKEY", "OTHERKEY"))
    try:
        with facing.client(SHOP) as http:
            wait_until(lambda: http.get("/topics").status_code == 401, what="the old key is refused")
        with facing.client(("OTHERKEY", "secret")) as http:
            assert http.get("/topics").status_code == 200
    finally:
        path.write_text(before)
    with facing.client(SHOP) as http:
        wait_until(lambda: http.get("/topics").status_code == 200, what="the key is back")


def test_a_renewed_certificate_counts_without_a_restart(facing: Facing) -> None:
    def served_to() -> str:
        host, port = facing.platform.rest.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(facing.authority.certificate))
        with socket.create_connection((host, int(port))) as plain:
            certificate = context.wrap_socket(plain, server_hostname=host).getpeercert()
        assert certificate is not None
        return dict(part for relative in certificate["subject"] for part in relative)["commonName"]

    assert served_to() == "first"
    path = facing.folder / "rest.pem"
    renewed = facing.authority.issue("second", "/CN=second").read_text()
    path.with_suffix(".new").write_text(renewed)
    path.with_suffix(".new").rename(path)
    assert served_to() == "second"
    path.write_text("broken")
    assert served_to() == "second"
    path.write_text(renewed)


def test_cors_for_the_named_origin_only(facing: Facing) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    with facing.client() as http:
        allowed = http.options("/topics/orders", headers={**ask, "Origin": "https://shop.example"})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        other = http.options("/topics/orders", headers={**ask, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        refused = http.get("/topics", headers={"Origin": "https://shop.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"


def test_too_many_requests_are_told_when_to_come_again(facing: Facing) -> None:
    with facing.client(certificate=facing.authority.issue("hasty", "/O=Example/CN=machine")) as http:
        answer = http.get("/topics")
        for _ in range(100 * RATE_PER_S):
            if answer.status_code == 429:
                break
            answer = http.get("/topics")
    assert refusal(answer)[:2] == (429, 429)
    assert int(answer.headers["retry-after"]) >= 1
    with facing.client(SHOP) as http:  # others do not pay for it
        assert http.get("/topics").status_code == 200


def exchange(facing: Facing, *pieces: bytes, close: bool = False) -> bytes:
    """What the server says to raw bytes over TLS, until it closes."""
    host, port = facing.platform.rest.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(facing.authority.certificate))
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        tls = context.wrap_socket(plain, server_hostname=host)
        for piece in pieces:
            tls.sendall(piece)
        answer = b""
        while piece := tls.recv(65_536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((b"GET / HTTP/1.1\r\nhost: x\r\nx-", b"slow: "), b"408"),
        ((b"\x00\x01\x02 nonsense\r\n\r\n",), b"400"),
        ((b"GET / HTTP/1.1\r\nhost: x\r\n", b"x: " + b"y" * 70_000), b"431"),
    ],
)
def test_a_request_that_never_ends_or_is_none_is_answered_and_closed(
    facing: Facing, pieces: tuple[bytes, ...], status: bytes
) -> None:
    answer = exchange(facing, *pieces)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status
    assert body.startswith(b'{"error_code": ' + status)


def test_who_connects_and_says_nothing_is_left(facing: Facing) -> None:
    assert exchange(facing) == b""


def test_the_page_about_this_says_what_works(facing: Facing) -> None:
    """Its curl lines, and its users file as far as hashes stand in it."""
    page = (Path(__file__).parents[2] / "docs" / "rest-access.md").read_text()
    (file,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert hash_of_secret("secret") in file
    path = facing.folder / "page.toml"
    path.write_text(file)
    read_users(path)
    (script,) = curl_blocks("docs/rest-access.md")
    before = (facing.folder / "users.toml").read_text()
    (facing.folder / "users.toml").write_text(before.replace("SHOPKEY", "K4TXGQZ7"))
    try:
        with facing.client(("K4TXGQZ7", "secret")) as http:
            wait_until(lambda: http.get("/topics").status_code == 200, what="the page's key is known")
        script = script.replace("https://localhost:8082", facing.platform.rest)
        done = subprocess.run(
            ["bash", "-eu", "-c", script], cwd=facing.folder, capture_output=True, text=True, timeout=60
        )
    finally:
        (facing.folder / "users.toml").write_text(before)
    assert done.returncode == 0, done.stderr
    assert '"error_code":null' in done.stdout
    assert done.stdout.endswith('["orders","orders-eu"]')


def test_the_commands_make_what_the_file_needs(tmp_path: Path) -> None:
    made = CliRunner().invoke(users_command, ["key"]).output
    line = made.split("line:")[1].strip()
    secret = made.split("secret:")[1].split()[0]
    hashed = CliRunner().invoke(users_command, ["password", "--password", "correct horse battery"]).output.strip()
    path = tmp_path / "users.toml"
    path.write_text(f'[users.a]\n{line}\npassword = "{hashed}"\n')
    read = read_users(path)
    ((key, (stored, principal)),) = read.keys.items()
    assert stored == hash_of_secret(secret)
    assert principal.name == "a"
    assert key in made
    assert PasswordHasher().verify(read.passwords["a"][0], "correct horse battery")
    short = CliRunner().invoke(users_command, ["password", "--password", "short"])
    assert short.exit_code == 1
    assert "12 to 128 characters" in short.output
