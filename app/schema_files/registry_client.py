"""A registry's HTTP API, Confluent's or ours, for one caller at a time."""

import base64
import http.client
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from app.registry.contexts import DEFAULT_CONTEXT, GLOBAL_SUBJECT, qualify
from app.schema_files.snapshot import GLOBAL, Json, Key, SchemaVersion, ScopeSettings, Snapshot, TransferError, bare

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
TIMEOUT_S = 30.0
PAGE = 1_000
NO_LEADER = (50003, 50004)  # a writer is being elected
LEADER_WAIT_S = 20.0
SUBJECT_NOT_FOUND = 40401


class RefusedRequest(TransferError):
    """The registry answered with an error."""

    def __init__(self, method: str, path: str, status: int, code: int, message: str) -> None:
        super().__init__(f"{method} {path}: {status}, error {code}: {message}")
        self.status = status
        self.code = code


class RegistryClient:
    """Calls over one connection. Every method may raise TransferError."""

    def __init__(self, url: str, *, user: str | None = None) -> None:
        """url may hold `user:password@`; user is that too. Raises TransferError for what is no http(s) address."""
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            parts, port = parts._replace(netloc=""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TransferError("the registry's address must look like http://host:8081")
        self.url = f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        self._path = parts.path.rstrip("/")
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connect(parts.hostname, port, timeout=TIMEOUT_S)
        self._headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        if user is None and parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        if user is not None:
            self._headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Json | None = None, **query: str) -> Any:
        """The answer's JSON. While the registry elects a writer, tries again. Raises RefusedRequest, TransferError."""
        target = self._path + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode("utf-8", "surrogatepass")
        give_up = time.monotonic() + LEADER_WAIT_S
        while True:
            status, answered = self._exchange(method, target, content)
            try:
                answer = json.loads(answered) if answered else None
            except ValueError:
                raise TransferError(f"{self.url} answers what no Schema Registry does (HTTP {status})") from None
            if status < 300:
                return answer
            told = answer if isinstance(answer, dict) else {}
            code = int(told.get("error_code") or status)
            if code in NO_LEADER and time.monotonic() < give_up:
                time.sleep(0.2)
                continue
            raise RefusedRequest(method, unquote(path), status, code, str(told.get("message", "")))

    def _exchange(self, method: str, target: str, content: bytes | None) -> tuple[int, bytes]:
        for is_last in (False, True):
            is_fresh = self._connection.sock is None
            try:
                self._connection.request(method, target, content, self._headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError) as error:
                self._connection.close()
                # A connection that was open for long may be gone; nothing that is sent here hurts twice but a DELETE.
                if is_fresh or is_last or method == "DELETE" or isinstance(error, TimeoutError):
                    raise TransferError(f"cannot reach the Schema Registry at {self.url}: {error}") from error
        raise AssertionError("unreachable")

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, also: Iterable[str] = ()) -> Snapshot:
        """Everything. No API lists subjects that have settings and no version: aliases are found, and those in also."""
        found = Snapshot()
        live: set[Key] = set()
        aliases: set[str] = set()
        for one in self._schemas(aliases="true"):
            live.add((one["subject"], one["version"]))
            aliases.update(one.get("aliases") or ())
        for one in self._schemas(deleted="true"):
            version = _version(one, is_deleted=(one["subject"], one["version"]) not in live)
            found.versions[version.key] = version
        contexts = self._optional("/contexts") or [DEFAULT_CONTEXT]
        scopes = {subject for subject, _ in found.versions} | aliases | {GLOBAL_SUBJECT, *also} - {GLOBAL}
        scopes |= {qualify(name, "") for name in contexts if name != DEFAULT_CONTEXT}
        whole = ScopeSettings(self.call("GET", "/config"), self.call("GET", "/mode")["mode"])
        found.settings[GLOBAL] = whole
        for scope in sorted(scopes):
            config = self._optional(f"/config/{quote(scope, safe='')}")
            mode = (self._optional(f"/mode/{quote(scope, safe='')}") or {}).get("mode")
            if whole.mode == "READONLY_OVERRIDE":
                mode = None  # what it overrides is not told
            if bare(config) is not None or mode is not None:
                found.settings[scope] = ScopeSettings(config, mode)
        return found

    def _schemas(self, **query: str) -> Iterator[Json]:
        """All pages of /schemas; servers that know no pages give everything each time."""
        offset, before = 0, None
        while True:
            page = self.call("GET", "/schemas", None, offset=str(offset), limit=str(PAGE), **query)
            if not page or page == before:
                return
            yield from page
            offset, before = offset + len(page), page

    def _optional(self, path: str) -> Any:
        """None for 404."""
        try:
            return self.call("GET", path)
        except RefusedRequest as error:
            if error.status == 404:
                return None
            raise

    # --- writing ---------------------------------------------------------------------------------------------------

    def register(self, one: SchemaVersion) -> None:
        """With its id and version; its subject is in IMPORT mode."""
        body: Json = {"schema": one.text, "schemaType": one.schema_type, "id": one.id, "version": one.version}
        if one.references:
            body["references"] = list(one.references)
        if one.metadata is not None:
            body["metadata"] = one.metadata
        if one.rule_set is not None:
            body["ruleSet"] = one.rule_set
        self.call("POST", f"/subjects/{quote(one.subject, safe='')}/versions", body)

    def delete(self, one: SchemaVersion) -> None:
        """Softly."""
        self.call("DELETE", f"/subjects/{quote(one.subject, safe='')}/versions/{one.version}")

    def set_config(self, scope: str, config: Json) -> None:
        """Null takes away what is set."""
        body = dict(config)
        if "compatibilityLevel" in body:
            body["compatibility"] = body.pop("compatibilityLevel")
        self.call("PUT", _scoped("/config", scope), body)

    def set_mode(self, scope: str, mode: str | None) -> None:
        """None: the scope has none of its own."""
        if mode is not None:
            self.call("PUT", _scoped("/mode", scope), {"mode": mode}, force="true")
            return
        try:
            self.call("DELETE", _scoped("/mode", scope))
        except RefusedRequest as error:
            if error.code != SUBJECT_NOT_FOUND:  # it has none already
                raise


def _scoped(path: str, scope: str) -> str:
    return path if scope == GLOBAL else f"{path}/{quote(scope, safe='')}"


def _version(one: Json, *, is_deleted: bool) -> SchemaVersion:
    return SchemaVersion(
        subject=one["subject"],
        version=one["version"],
        id=one["id"],
        schema_type=one.get("schemaType") or "AVRO",
        text=one["schema"],
        references=one.get("references") or (),
        metadata=one.get("metadata"),
        rule_set=one.get("ruleSet"),
        is_deleted=is_deleted,
    )
