"""A real broker for tests: `with Broker() as broker: … broker.bootstrap_servers`.

It runs in a process of its own, in a temporary folder, on a free port, and is ready in well under a second. With pytest
the fixture `caudal_broker` is there without any import.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from broker.errors import by_code
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
REQUEST_SECONDS: Final = 15.0
CREATE_TOPICS_VERSION: Final = 7


class BrokerFailedError(RuntimeError):
    """The broker did not start; the message is its own."""


class Broker:
    """A broker process for tests.

    `settings` are Kafka's broker configs (`{"num.partitions": "3"}`). Without `data_folder` it keeps its records in a
    temporary folder that goes away with it. The port stays the same over `restart`. Its log is appended to `log_file`,
    or else goes where the test's own stderr goes.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        data_folder: Path | str | None = None,
        port: int = 0,
        log_file: Path | str | None = None,
    ) -> None:
        self.settings = dict(settings or {})
        self.port = port
        self.log_file = None if log_file is None else Path(log_file)
        self.cluster_id = ""
        self._is_temporary = data_folder is None
        self._given_folder = None if data_folder is None else Path(data_folder)
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._correlation_ids = itertools.count(1)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """What a Kafka client is given: `127.0.0.1:<port>`."""
        return f"127.0.0.1:{self.port}"

    @property
    def data_folder(self) -> Path:
        """Where the broker keeps its records; there once it was started."""
        if self._folder is None:
            raise RuntimeError("the broker was not started")
        return self._folder

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        return self._running().pid

    def start(self) -> Broker:
        """Start the process and wait until clients can connect. Raises BrokerFailedError in the broker's own words."""
        if self._folder is None:
            self._folder = self._given_folder or Path(tempfile.mkdtemp(prefix="caudal-broker-"))
        with open(self.log_file, "ab") if self.log_file else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C in the test run reaches the test, which then stops the broker.
                env={**os.environ, "PYTHONPATH": _python_path()},
            )
        ready = self._read_ready_line(self._process)
        if "error" in ready:
            self._forget_process(signal.SIGKILL)
            raise BrokerFailedError(str(ready["error"]))
        self.port = int(str(ready["kafka"]).rpartition(":")[2])
        self.cluster_id = str(ready["cluster_id"])
        return self

    def stop(self) -> None:
        """Stop cleanly, as SIGTERM does; the data stays until `close`."""
        self._forget_process(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process at once, as a crash would; the data stays until `close`."""
        self._forget_process(signal.SIGKILL)

    def restart(self) -> Broker:
        """Stop cleanly if it runs, then start again on the same data and port."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Stop, and remove the temporary folder."""
        self.stop()
        if self._is_temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def create_topic(self, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        """Create a topic. Raises the KafkaError that the broker answers, such as TopicAlreadyExists."""
        topic = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
        )
        request = CreateTopicsRequest(topics=[topic], timeout_ms=int(REQUEST_SECONDS * 1000))
        correlation_id = next(self._correlation_ids)
        frame = request_frame(ApiKey.CREATE_TOPICS, CREATE_TOPICS_VERSION, correlation_id, "caudal.testing", request)
        with socket.create_connection(("127.0.0.1", self.port), timeout=REQUEST_SECONDS) as connection:
            connection.sendall(frame)
            answer = _read_frame(connection)
        _, response = decode_response(ApiKey.CREATE_TOPICS, CREATE_TOPICS_VERSION, answer)
        assert isinstance(response, CreateTopicsResponse)
        result = response.topics[0]
        if result.error_code:
            raise by_code(result.error_code)(result.error_message)

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "broker", "--data-dir", str(self.data_folder)]
        command += ["--listener", f"127.0.0.1:{self.port}", "--exit-with-stdin"]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        return command

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the broker does not run")
        return self._process

    def _forget_process(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _read_ready_line(self, process: subprocess.Popen[str]) -> dict[str, object]:
        assert process.stdout is not None
        deadline = time.monotonic() + READY_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not selector.select(max(0.0, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    return {"error": f"the broker was not ready within {READY_SECONDS:.0f} s"}
        line = process.stdout.readline()
        if not line:
            return {"error": f"the broker ended with code {process.wait()} before it was ready; see its stderr"}
        answer: dict[str, object] = json.loads(line)
        return answer


def _read_frame(connection: socket.socket) -> bytes:
    size = int.from_bytes(_read_exactly(connection, 4), "big")
    return _read_exactly(connection, size)


def _read_exactly(connection: socket.socket, byte_count: int) -> bytes:
    data = b""
    while len(data) < byte_count:
        more = connection.recv(byte_count - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def _python_path() -> str:
    """The folder this package was imported from first, so that the same code is started from any working directory."""
    here = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
