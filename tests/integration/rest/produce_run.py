"""Records that several clients send by v2, request by request, for as long as a test wants; each answer is kept."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx

from tests.integration.in_background import InBackground
from tests.integration.rest.running_proxy import JSON

RECORDS_PER_REQUEST = 5
PAUSE_S = 0.05  # so that the brokers have the processor, too
REQUEST_TIMEOUT_S = 30.0


class ProduceRun(InBackground):
    """Clients that send the numbers 0, 1, 2, … to a topic until the block ends, every other client with keys.

    acknowledged: number → the partition and offset of its answer. told: how often which HTTP status came, with the
    `error_code`s of it or of its entries. slowest_s: the longest that an answer took.
    """

    def __init__(self, new_client: Callable[[], httpx.Client], topic: str, *, clients: int) -> None:
        super().__init__(clients)
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.told: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._new_client = new_client
        self._topic = topic
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def run(self, worker: int) -> None:
        with self._new_client() as http:
            while not self._stop.wait(PAUSE_S):
                self._send(http, is_keyed=bool(worker % 2))

    def _send(self, http: httpx.Client, *, is_keyed: bool) -> None:
        numbers = [next(self._numbers) for _ in range(RECORDS_PER_REQUEST)]
        records = [{"key": f"k{one}", "value": one} if is_keyed else {"value": one} for one in numbers]
        begun = time.monotonic()
        answer = http.post(f"/topics/{self._topic}", json={"records": records}, headers=JSON, timeout=REQUEST_TIMEOUT_S)
        body = answer.json()
        with self._lock:
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            if answer.status_code != 200:
                assert list(body) == ["error_code", "message"], body
                self.told[f"{answer.status_code}/{body['error_code']}"] += 1
                return
            assert list(body) == ["offsets", "key_schema_id", "value_schema_id"], body
            for number, entry in zip(numbers, body["offsets"], strict=True):
                assert (entry["offset"] is None) == (entry["error_code"] is not None) == (entry["error"] is not None)
                self.told[f"200/{entry['error_code'] or 'written'}"] += 1
                if entry["error_code"] is None:
                    self.acknowledged[number] = (entry["partition"], entry["offset"])
