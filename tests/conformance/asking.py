"""One broker under comparison, asked raw requests; and its answers in a form that two brokers have in common.

A request is written as keyword arguments, nested messages as dicts: `at.ask(ApiKey.METADATA, 12, topics=[{"name":
"x"}])`. An answer comes back as plain data without what no two brokers share: the words of messages (only whether there
is one), ids that are drawn, ports, the time. Fields that have their default are left out.
"""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import request_type
from broker.protocol.primitives import NULL_UUID, Fields, Message
from broker.protocol.record_batch import iter_batches, read_header
from tests.integration.broker.wire_client import WireClient, batch

CLOSED = "closed"
SILENT = "silent"
RETRIED_CODES = frozenset({14, 15, 16})
"""A coordinator that is not ready yet: a broker just started answers these for a moment."""

NEW_TOPIC_SECONDS = 15.0
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHORT_UUID = re.compile(r"[A-Za-z0-9_-]{22}")
_TIMES = range(1_600_000_000_000, 10_000_000_000_000)


class Side:
    """A broker, and what the cases of one run know of it."""

    def __init__(self, address: str, connect: Callable[[str], WireClient] = WireClient) -> None:
        self.address = address
        self.topic_ids: dict[str, bytes] = {}
        self._connect = connect
        self._wire: WireClient | None = None
        self._port = int(address.rpartition(":")[2])
        self._cluster_id: str | None = None

    def close(self) -> None:
        if self._wire is not None:
            self._wire.socket.close()
            self._wire = None

    @contextmanager
    def connection(self) -> Iterator[WireClient]:
        """A connection of its own, for a case that needs two or breaks one."""
        with self._connect(self.address) as wire:
            yield wire

    @property
    def wire(self) -> WireClient:
        """The connection that cases share; made anew after one of them has broken it."""
        if self._wire is None:
            self._wire = self._connect(self.address)
        return self._wire

    def ask(self, api_key: ApiKey, version: int, **fields: object) -> Any:
        """The answer in common form, or CLOSED when the broker closed the connection instead."""
        answer = self.raw(api_key, version, **fields)
        return answer if isinstance(answer, str) else self.common(answer)

    def raw(self, api_key: ApiKey, version: int, **fields: object) -> Any:
        """The answer as it was decoded, or CLOSED or SILENT."""
        message = built(request_type(api_key), fields)
        deadline = time.monotonic() + 10
        while True:
            answer = self._answer(lambda: self.wire.ask(message, version))
            if not _codes_of(answer) & RETRIED_CODES or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def _answer(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.close()
            return CLOSED
        except TimeoutError:
            self.close()
            return SILENT

    def send_body(self, api_key: int, version: int, body: bytes, **how: Any) -> str:
        """Send a request with exactly this body; the answer's bytes behind the correlation id in hex, or CLOSED."""

        def send() -> str:
            self.wire.send_body(api_key, version, body, **how)
            return self.wire.read_frame()[4:].hex()

        answer: str = self._answer(send)
        return answer

    def topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Make a topic and wait until it can be used. Underscores in names of configs stand for dots."""
        given = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        asked = {"name": name, "num_partitions": partitions, "replication_factor": 1, "configs": given}
        made = self.raw(ApiKey.CREATE_TOPICS, 7, topics=[asked], timeout_ms=10_000)
        assert made.topics[0].error_code == 0, made
        self.await_topic(name, partitions)
        return name

    def await_topic(self, name: str, partitions: int) -> None:
        """Wait until the broker names the topic and leads its partitions."""
        deadline = time.monotonic() + NEW_TOPIC_SECONDS
        while time.monotonic() < deadline:
            asked = self.raw(ApiKey.METADATA, 12, topics=[{"name": name}], allow_auto_topic_creation=False)
            found = asked.topics[0]
            if len(found.partitions) == partitions and self._leads(name, partitions):
                self.topic_ids[name] = found.topic_id
                return
            time.sleep(0.005)
        raise AssertionError(f"topic {name} is not there after {NEW_TOPIC_SECONDS} s")

    def _leads(self, name: str, partitions: int) -> bool:
        asked = [{"partition_index": each, "timestamp": -1} for each in range(partitions)]
        answer = self.raw(ApiKey.LIST_OFFSETS, 7, replica_id=-1, topics=[{"name": name, "partitions": asked}])
        return not any(each.error_code for each in answer.topics[0].partitions)

    def produce(self, topic: str, *values: bytes, partition: int = 0, **how: Any) -> None:
        """Append a batch of now."""
        records = bytes(batch(*values, **{"timestamp_ms": int(time.time() * 1000), **how}))
        data = [{"index": partition, "records": records}]
        answer = self.raw(
            ApiKey.PRODUCE, 9, acks=-1, timeout_ms=5000, topic_data=[{"name": topic, "partition_data": data}]
        )
        assert answer.responses[0].partition_responses[0].error_code == 0, answer

    def warm_up(self) -> None:
        """Wait until the coordinators of transactions and of groups are there, and their topics."""
        if (
            self.raw(ApiKey.METADATA, 12, topics=[{"name": "wi-warm"}], allow_auto_topic_creation=False)
            .topics[0]
            .error_code
        ):
            self.topic("wi-warm")
        for key_type in (0, 1):
            self.raw(ApiKey.FIND_COORDINATOR, 4, key_type=key_type, coordinator_keys=["wi-warm"])
        for number in range(8):
            made = self.raw(
                ApiKey.INIT_PRODUCER_ID, 4, transactional_id=f"wi-warm-{number}", transaction_timeout_ms=1000
            )
            assert made.error_code == 0, made
            committed = [{"name": "wi-warm", "partitions": [{"partition_index": 0, "committed_offset": 0}]}]
            done = self.raw(ApiKey.OFFSET_COMMIT, 8, group_id=f"wi-warm-{number}", topics=committed)
            assert done.topics[0].partitions[0].error_code == 0, done

    def common(self, answer: Any) -> Any:
        """The answer without what differs from broker to broker."""
        return self._common("", answer)

    def _common(self, name: str, value: Any) -> Any:
        if isinstance(value, Fields):
            fresh = type(value)()
            shown = {
                each: self._common(each, getattr(value, each))
                for each in type(value).__struct_fields__
                if each != "throttle_time_ms" and _says_something(each, getattr(value, each), getattr(fresh, each))
            }
            if "error_code" in type(value).__struct_fields__:
                shown.setdefault("error_code", 0)
            return shown
        if isinstance(value, list):
            return sorted((self._common(name, each) for each in value if not is_confluents(each)), key=_sort_key)
        if name in ("records", "message_set"):
            return _batches(value)
        if isinstance(value, bytes | memoryview):
            return self._id(bytes(value)) if len(value) == len(NULL_UUID) else bytes(value).hex()
        if name.endswith("message"):
            return bool(value)
        if isinstance(value, str):
            return self._text(name, value)
        if isinstance(value, int) and not isinstance(value, bool):
            return "<port>" if name == "port" and value == self._port else "<time>" if value in _TIMES else value
        return value

    def _id(self, value: bytes) -> str:
        names = {topic_id: name for name, topic_id in self.topic_ids.items()}
        return f"<id of {names[value]}>" if value in names else "<id>"

    def _text(self, name: str, value: str) -> str:
        if name == "cluster_id":
            return "<cluster>"
        return "<drawn>" if _SHORT_UUID.fullmatch(value) and "id" in name else _UUID.sub("<drawn>", value)


def is_confluents(value: Any) -> bool:
    """Whether it is one of Confluent Server's topic configs, which ours has (docs/differences.md) and Kafka has not."""
    return str(getattr(value, "name", "")).startswith("confluent.")


def _says_something(name: str, value: Any, default: Any) -> bool:
    return bool(value) if name.endswith("message") else value != default


def _sort_key(value: Any) -> str:
    """Orders answers whose order says nothing, by what both brokers have: not by whether there is a message."""
    if isinstance(value, dict):
        value = {key: each for key, each in value.items() if not key.endswith("message")}
    return json.dumps(value, default=str, sort_keys=True)


def built(kind: type[Message], fields: dict[str, Any]) -> Message:
    """A message of plain data. Raises TypeError for a field that it does not have."""
    message: Message = _filled(kind, fields)
    return message


def _filled(kind: type[Fields], fields: dict[str, Any]) -> Any:
    types = {str(row[0]): str(row[1]).removeprefix("[]") for row in kind.SCHEMA}

    def value_of(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [value_of(name, each) for each in value]
        if isinstance(value, dict):
            return _filled(_struct(kind, types[name]), value)
        return value

    return kind(**{name: value_of(name, value) for name, value in fields.items()})


def _struct(kind: type[Fields], name: str) -> type[Fields]:
    module = __import__(kind.__module__, fromlist=[name])
    found: type[Fields] = getattr(module, name)
    return found


def _codes_of(answer: Any) -> set[int]:
    """The error codes at the top of an answer, and one level below."""
    if not isinstance(answer, Fields):
        return set()
    found = {getattr(answer, "error_code", 0)}
    for name in type(answer).__struct_fields__:
        value = getattr(answer, name)
        if isinstance(value, list):
            found |= {getattr(each, "error_code", 0) for each in value}
            inner = itertools.chain.from_iterable(getattr(each, "partitions", None) or () for each in value)
            found |= {getattr(each, "error_code", 0) for each in inner}
    return found


def _batches(records: bytes | memoryview | None) -> Any:
    if records is None:
        return None
    headers = [read_header(each) for each in iter_batches(memoryview(records))]
    return [[each.base_offset, each.last_offset, each.attributes] for each in headers]


def without_added_words(real: Any, ours: Any) -> Any:
    """Our answer without the messages that stand where Apache Kafka has none (see docs/differences.md)."""
    if isinstance(real, dict) and isinstance(ours, dict):
        return {
            key: without_added_words(real.get(key), value)
            for key, value in ours.items()
            if not (key.endswith("message") and value is True and not real.get(key))
        }
    if isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        return [without_added_words(*pair) for pair in zip(real, ours, strict=True)]
    return ours
