"""From the command to the first answer, and what the platform weighs when nobody uses it."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.brokers import machine
from benchmarks.raw_client import metadata_frame
from benchmarks.table import median, table

RUNS = 5
IDLE_S = 20


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="benchmark-start-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def broker_seconds() -> float:
    """From `python -m broker` to the answer of the first Metadata request."""
    port = free_port()
    with folder() as data:
        started = time.perf_counter()
        command = [sys.executable, "-m", "broker", "--data-dir", str(data), "--listener", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(metadata_frame("nothing"))
                    assert connection.recv(4)
                break
            except OSError:
                time.sleep(0.002)
        seconds = time.perf_counter() - started
        process.terminate()
        process.wait()
    return seconds


@contextmanager
def platform() -> Iterator[tuple[dict[str, object], float]]:
    """A running `caudal start`: its ready line, and the seconds until it came."""
    with folder() as data:
        command = [sys.executable, "-m", "app", "start", "--data-dir", str(data), "--port", "0", "--kafka-port", "0"]
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--ready-json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        seconds = time.perf_counter() - started
        try:
            yield ready, seconds
        finally:
            process.terminate()
            process.wait()


def platform_seconds() -> float:
    with platform() as (_, seconds):
        return seconds


def help_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "app", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def idle_mib() -> dict[str, float]:
    """Resident memory by role, after some seconds without a request."""
    with platform() as (ready, _):
        time.sleep(IDLE_S)
        pids = ready["pids"]
        assert isinstance(pids, dict)
        return {role: psutil.Process(pid).memory_info().rss / 2**20 for role, pid in pids.items()}


def main() -> None:
    idle = idle_mib()
    rows: list[list[object]] = [
        ["python -m broker, to the first answered Metadata, s", median([broker_seconds() for _ in range(RUNS)]), 0.6],
        ["caudal start, to every surface ready, s", median([platform_seconds() for _ in range(RUNS)]), 3.0],
        ["caudal --help, s", median([help_seconds() for _ in range(RUNS)]), 0.25],
        [f"idle memory of {' and '.join(idle)} together, MiB (resident)", sum(idle.values()), 220],
    ]
    print(machine() + f"; medians of {RUNS} runs\n")
    print(table("Start and idle memory", ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main()
