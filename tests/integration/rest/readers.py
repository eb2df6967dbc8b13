"""Every way to read a topic through the proxy, each in a thread of its own that goes on whatever it is told."""

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable

import httpx

from tests.integration.in_background import InBackground
from tests.integration.rest.running_proxy import READ_JSON, V2

PAUSE_S = 0.3  # so that the brokers have the processor, too


class Reader(InBackground):
    """Reads until the block ends. read: the values so far; told: the statuses, with the `error_code` of each error."""

    def __init__(self, new_client: Callable[[], httpx.Client], topic: str, group: str = "") -> None:
        super().__init__()
        self.read: set[int] = set()
        self.told: Counter[str] = Counter()
        self.topic = topic
        self.group = group
        self._new_client = new_client

    @property
    def name(self) -> str:
        return type(self).__name__

    def run(self, worker: int) -> None:
        with self._new_client() as http:
            self.begin(http)
            while not self._stop.wait(PAUSE_S):
                self.turn(http)

    def begin(self, http: httpx.Client) -> None:
        """What is done once."""

    @abstractmethod
    def turn(self, http: httpx.Client) -> None:
        """What is done again and again."""

    def ask(self, http: httpx.Client, method: str, url: str, **arguments: object) -> httpx.Response | None:
        """The answer of a request that succeeded; of others the code is noted, which must be JSON."""
        answer = http.request(method, url, timeout=60, **arguments)  # type: ignore[arg-type]
        if answer.is_success:
            self.told[str(answer.status_code)] += 1
            return answer
        body = answer.json()
        assert list(body) == ["error_code", "message"], body
        self.told[f"{answer.status_code}/{body['error_code']}"] += 1
        return None


class InstanceReader(Reader):
    """A v2 consumer instance, by which the group commits every five seconds."""

    def begin(self, http: httpx.Client) -> None:
        config = {"format": "json", "auto.offset.reset": "earliest"}
        made = http.post(f"/consumers/{self.group}", json=config, headers=V2)
        assert made.status_code == 200, made.text
        self.base_uri = made.json()["base_uri"]
        subscribed = http.post(f"{self.base_uri}/subscription", json={"topics": [self.topic]}, headers=V2)
        assert subscribed.status_code == 204, subscribed.text

    def turn(self, http: httpx.Client) -> None:
        answer = self.ask(http, "GET", f"{self.base_uri}/records?timeout=1000", headers=READ_JSON)
        if answer is not None:
            self.read.update(record["value"] for record in answer.json())


class GroupReader(Reader):
    """Reads as a group without an instance, and then commits what it read."""

    def turn(self, http: httpx.Client) -> None:
        path = f"/caudal/v1/groups/{self.group}/topics/{self.topic}"
        answer = self.ask(http, "GET", f"{path}/records?format=json&limit=2000&wait_ms=500")
        if answer is None:
            return
        body = answer.json()
        moved = {"committed": body["committed"], "next": body["next"]}
        self.read.update(record["value"] for record in body["records"])
        self.ask(http, "POST", f"{path}/offsets", json=moved)  # where it fails, nobody knows whether the group moved


class CursorReader(Reader):
    """Reads without any group, from cursor to cursor."""

    def begin(self, http: httpx.Client) -> None:
        self._from = "offset=0"

    def turn(self, http: httpx.Client) -> None:
        url = f"/caudal/v1/topics/{self.topic}/records?format=json&limit=2000&{self._from}"
        answer = self.ask(http, "GET", url)
        if answer is not None:
            self.read.update(record["value"] for record in answer.json()["records"])
            self._from = f"cursor={answer.json()['next']}"


class TailReader(Reader):
    """One live tail that is never opened again."""

    def turn(self, http: httpx.Client) -> None:
        url = f"/caudal/v1/topics/{self.topic}/records?format=json&offset=0"
        with http.stream("GET", url, headers={"Accept": "text/event-stream"}, timeout=60) as tail:
            assert tail.status_code == 200, tail.read()
            self.told["tail opened"] += 1
            for line in tail.iter_lines():
                if self._stop.is_set():
                    return
                if line.startswith("event:"):
                    self.told[line] += 1
                if line.startswith("data:"):
                    self.read.add(json.loads(line.removeprefix("data:"))["value"])
