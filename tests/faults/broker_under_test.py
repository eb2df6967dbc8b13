"""A broker process with its log kept, its memory watched and, if wanted, little to live on."""

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from caudal.testing import Broker, BrokerFailedError
from tests.conftest import free_ports

MIB = 1 << 20
_UNFORESEEN = re.compile(r"Traceback|handler failed|never awaited|never retrieved|Task was destroyed|unhandled", re.I)


class BrokerUnderTest(Broker):
    """Like `Broker`, and more to look at. `open_files_max` is the process's limit of file descriptors."""

    def __init__(
        self,
        *,
        log_file: Path,
        data_folder: Path,
        settings: Mapping[str, str] | None = None,
        open_files_max: int | None = None,
        program: tuple[str, ...] = ("-m", "broker"),
    ) -> None:
        (port,) = free_ports(1)
        super().__init__(settings=settings, data_folder=data_folder, port=port, log_file=log_file)
        self.start_seconds = 0.0
        """How long the last start took until clients could connect."""
        self.start_cpu_seconds = 0.0
        """Processor time of that."""
        self._open_files_max = open_files_max
        self._program = program

    def start(self) -> Broker:
        begun = time.monotonic()
        super().start()
        self.start_seconds = time.monotonic() - begun
        self.start_cpu_seconds = self.cpu_seconds()
        return self

    def start_and_die(self, after_seconds: float) -> None:
        """Start, and be killed so soon that the start may not have ended."""
        timer = threading.Timer(after_seconds, lambda: os.kill(self.pid, signal.SIGKILL))
        timer.start()
        with contextlib.suppress(BrokerFailedError):
            self.start()
        timer.join()
        self.kill()

    def log_lines(self, *words: str) -> list[str]:
        """The lines of the broker's log that have all these words."""
        assert self.log_file is not None
        text = self.log_file.read_text("utf-8", errors="replace")
        return [line for line in text.splitlines() if all(word in line for word in words)]

    def unforeseen_lines(self) -> list[str]:
        """Log lines that no fault may cause: exceptions that nobody handled."""
        return [line for line in self.log_lines() if _UNFORESEEN.search(line)]

    def rss_mib(self) -> float:
        """Memory the process occupies now."""
        return float(psutil.Process(self.pid).memory_info().rss) / MIB

    def peak_rss_mib(self) -> float:
        """The most memory it occupied since the start or the last `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]

    def forget_peak(self) -> None:
        """Begin to watch `peak_rss_mib` anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def open_files(self) -> int:
        """Files and connections that it holds."""
        return psutil.Process(self.pid).num_fds()

    def sockets(self) -> int:
        """Connections that it holds, and a few sockets of its own; unlike files, none comes and goes by itself."""
        held = Path(f"/proc/{self.pid}/fd")
        count = 0
        for descriptor in os.listdir(held):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += os.readlink(held / descriptor).startswith("socket:")
        return count

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def _command(self) -> list[str]:
        command = super()._command()
        command = [sys.executable, *self._program, *command[3:]]
        if self._open_files_max is not None:
            limited = f'ulimit -n {self._open_files_max} && exec "$@"'
            command = ["bash", "-c", limited, "bash", *command]
        return command
