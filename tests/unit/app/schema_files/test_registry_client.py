"""The HTTP side of an export: addresses, logins, connections that went away, servers of other kinds."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.schema_files.registry_client import RefusedRequest, RegistryClient
from app.schema_files.snapshot import TransferError


class Server(ThreadingHTTPServer):
    """Answers what it was told to, and remembers what it was asked."""

    answers: dict[str, Any]
    asked: list[tuple[str, str, str]]
    hangs_up = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.hangs_up:
            self.server.hangs_up -= 1
            self.close_connection = True
            return
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        path = self.path.partition("?")[0]
        status, body = self.server.answers.get(path, (404, {"error_code": 40408, "message": "none"}))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("user", [None, "ada:s:cret"])
def test_the_login_is_in_the_address_or_beside_it(server: Server, user: str | None) -> None:
    server.answers["/base/mode"] = (200, {"mode": "READWRITE"})
    url = server.url.replace("//", "//ada:s%3Acret@") if user is None else server.url
    client = RegistryClient(f"{url}/base/", user=user)
    assert client.call("GET", "/mode") == {"mode": "READWRITE"}
    login = base64.b64encode(b"ada:s:cret").decode()
    assert server.asked == [("GET", "/base/mode", f"Basic {login}")]
    with pytest.raises(RefusedRequest) as told:
        client.call("GET", "/nothing")
    assert "cret" not in str(told.value) + client.url
    client.close()


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:port", "http://host:99999999", ""])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(TransferError, match="must look like"):
        RegistryClient(url)


def test_a_connection_that_went_away_is_made_again_but_nothing_is_deleted_twice(server: Server) -> None:
    server.answers["/mode"] = (200, {"mode": "READWRITE"})
    client = RegistryClient(server.url)
    client.call("GET", "/mode")
    server.hangs_up = 1
    assert client.call("GET", "/mode") == {"mode": "READWRITE"}
    server.hangs_up = 1
    with pytest.raises(TransferError, match="cannot reach"):
        client.call("DELETE", "/mode")
    server.hangs_up = 1
    with pytest.raises(TransferError, match="cannot reach"):
        client.call("GET", "/mode")  # the first on a new connection
    client.close()


def test_a_server_that_is_no_registry(server: Server) -> None:
    server.answers["/schemas"] = (200, b"<html>")
    client = RegistryClient(server.url)
    with pytest.raises(TransferError, match="what no Schema Registry does"):
        client.read()
    client.close()


def test_a_registry_without_pages_contexts_and_modes_of_subjects_is_read(server: Server) -> None:
    one = {"subject": "s", "version": 1, "id": 7, "schema": '"int"'}
    server.answers["/schemas"] = (200, [one])
    server.answers["/config"] = (200, {"compatibilityLevel": "FULL"})
    server.answers["/mode"] = (200, {"mode": "READWRITE"})
    client = RegistryClient(server.url)
    found = client.read()
    assert [(one.subject, one.id, one.schema_type, one.is_deleted) for one in found.versions.values()] == [
        ("s", 7, "AVRO", False)
    ]
    assert list(found.settings) == [""]
    client.close()


def test_while_a_writer_is_elected_the_call_waits(server: Server) -> None:
    server.answers["/mode"] = (500, {"error_code": 50004, "message": "Leader not known."})
    client = RegistryClient(server.url)
    elected = threading.Timer(0.3, server.answers.update, ({"/mode": (200, {"mode": "IMPORT"})},))
    elected.start()
    assert client.call("PUT", "/mode", {"mode": "IMPORT"}) == {"mode": "IMPORT"}
    elected.join()
    assert len(server.asked) > 1
    client.close()
