"""What the scripts of the three Python clients share: the plan, the test records, how results are written.

Every script is called with `BOOTSTRAP SECURE CA PREFIX NOW_MS STEP...`: the PLAINTEXT and the SASL_SSL address, the
PEM file of the authority, what every name of this run starts with, the timestamp of the first record, the steps.
"""

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RECORDS_PER_CODEC = 12
USER, PASSWORD = "alice", "alice-secret"
PARTITIONS = 3
PATIENCE_S = 40.0
STEP_SECONDS_MAX = 60.0
RETENTION_MS = "7200000"
T = TypeVar("T")


class NotOffered(Exception):
    """The client has no such function; the message says what is missing."""


@dataclass(frozen=True)
class TestRecord:
    key: bytes
    value: bytes
    headers: list[tuple[str, Any]]
    timestamp_ms: int


@dataclass(frozen=True)
class Plan:
    bootstrap: str
    secure: str
    ca: str
    prefix: str
    now_ms: int
    steps: list[str]

    def name(self, suffix: str) -> str:
        return f"{self.prefix}-{suffix}"

    def records(self, codec: str) -> Iterator[TestRecord]:
        first = self.now_ms + CODECS.index(codec) * RECORDS_PER_CODEC
        for number in range(RECORDS_PER_CODEC):
            yield TestRecord(
                f"k{number % 6}".encode(),
                f"{codec}-{number} {'x' * 60}".encode(),
                [("codec", codec.encode()), ("n", str(number).encode()), ("empty", b""), ("nothing", None)],
                first + number,
            )

    def shown(self, offset: int, key: Any, value: bytes, headers: Any, timestamp_ms: int) -> str:
        """A record as one line: `offset key=first-word/length +ms header:value …`."""
        words = [f"{name}:{'<null>' if content is None else content.decode()}" for name, content in headers or ()]
        text = value.decode()
        named = "<null>" if key is None else key.decode()
        return f"{offset} {named}={text.split(' ')[0]}/{len(text)} +{timestamp_ms - self.now_ms} {' '.join(words)}"


def until(ask: Callable[[], T], is_settled: Callable[[T], bool]) -> T:
    """Ask until the answer is settled: Kafka's broker learns of what its controller has done a little later."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_settled(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def rebalanced(owned: list[set[int]]) -> dict[str, Any]:
    """The result of a rebalance of two members."""
    return {
        "sizes": sorted(len(each) for each in owned),
        "are_disjoint": not set.intersection(*owned),
        "owned": sorted(set.union(*owned)),
    }


def is_balanced(owned: list[set[int]]) -> bool:
    return all(owned) and set.union(*owned) == set(range(PARTITIONS)) and sum(map(len, owned)) == PARTITIONS


async def take_steps(script: Any, version: str, error_name: Callable[[Exception], str | None]) -> None:
    """Call the script's method of each step's name, and print the document, which starts with the client's version.

    `error_name` gives the name of an error that the broker or the client raised, None for any other.
    """
    document: dict[str, Any] = {"version": version}
    for step in script.plan.steps:
        started = time.monotonic()
        try:
            result = getattr(script, step)()
            document[step] = await asyncio.wait_for(result, STEP_SECONDS_MAX) if inspect.isawaitable(result) else result
        except NotOffered as missing:
            document[step] = {"not_offered": str(missing)}
        except Exception as error:
            name = error_name(error)
            document[step] = {"error": name} if name else {"failed": f"{type(error).__name__}: {error}"}
            if not name:
                traceback.print_exc()
        print(step, round((time.monotonic() - started) * 1000), "ms", file=sys.stderr)
    print(json.dumps(document), flush=True)
    os._exit(0)  # Clients that were refused have threads and tasks that would go on.


def read_plan() -> Plan:
    bootstrap, secure, ca, prefix, now_ms, *steps = sys.argv[1:]
    return Plan(bootstrap, secure, ca, prefix, int(now_ms), steps)
