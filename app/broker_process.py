"""The embedded broker as a supervised child: started, watched, restarted after a crash, stopped with its parent.

Its own process, because page rendering and JSON work hold the interpreter lock (docs/decisions/0001).
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.embedded_listener import OF_HOST_AND_PORT, OwnListener
from app.errors import StartError

log = logging.getLogger("caudal.runtime")

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 12.0
CRASH_WINDOW_S = 60.0
CRASHES_MAX = 3
RESTART_DELAYS_S = (0.0, 0.5, 2.0)


@dataclass(frozen=True, slots=True)
class BrokerReady:
    """What the broker says in its ready line; kafka is host:port of the listener that is ours."""

    kafka: str
    pid: int


class BrokerProcess:
    """`python -m broker` as a child in its own session, so that Ctrl-C reaches only the parent.

    A child whose parent was killed goes on serving its clients; the next start replaces it, see `left_broker`. Three
    crashes within a minute call on_fatal: a broker that cannot stay up must not hide behind restarts.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        host: str,
        port: int,
        configs: Mapping[str, str],
        is_exposed: bool,
        on_fatal: Callable[[str], Awaitable[None]],
        on_launched: Callable[[int], None],
        own_listener: OwnListener = OF_HOST_AND_PORT,
    ) -> None:
        """host and port count unless own_listener names the listeners."""
        self._data_dir = data_dir
        self._host = host
        self._port = port
        self._configs = configs
        self._is_exposed = is_exposed
        self._on_fatal = on_fatal
        self._on_launched = on_launched
        self._own_listener = own_listener
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._crash_times: list[float] = []
        self.ready: BrokerReady | None = None
        self.restart_count = 0

    async def launch(self) -> None:
        """Start the child without waiting for it: the parent has imports of its own to do meanwhile.

        `on_launched` is told its process id at once.
        """
        command = [sys.executable, "-m", "broker", "--data-dir", str(self._data_dir), "--outlive-stdin"]
        if not self._own_listener.listeners:
            command += ["--listener", f"{self._host}:{self._port}"]
        if self._is_exposed:
            command.append("--insecure")
        for name, value in self._configs.items():
            command += ["--set", f"{name}={value}"]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._on_launched(self._process.pid)

    async def wait_ready(self) -> BrokerReady:
        """The broker's ready line. Raises StartError with the broker's own reason when it could not start."""
        self.ready = await self._read_ready()
        self._port = int(self.ready.kafka.rpartition(":")[2])
        self._watch = asyncio.create_task(self._restart_on_crash(), name="broker-watch")
        return self.ready

    async def stop(self) -> None:
        """Ask the child to stop, wait for its clean stop, and end it when it takes too long."""
        self._is_stopping = True
        if self._watch is not None:
            self._watch.cancel()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            log.warning("broker did not stop in time, killed pid=%d timeout_s=%.0f", process.pid, STOP_TIMEOUT_S)
            process.kill()
            await process.wait()

    def terminate(self) -> None:
        """Ask the child to stop, and do not wait."""
        self._is_stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    async def _read_ready(self) -> BrokerReady:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            raise StartError(f"the broker did not start within {READY_TIMEOUT_S:.0f} s; see its log above.") from None
        try:
            answer = json.loads(line)
        except ValueError:
            code = await process.wait()
            raise StartError(
                f"the broker ended with exit code {code} before it was ready; see its log above."
            ) from None
        if "error" in answer:
            await process.wait()
            raise StartError(
                f"the embedded broker cannot start: {answer['error']}. "
                "Its port is --kafka-port, its configs are --set broker.NAME=VALUE."
            )
        addresses = answer["kafka"].split(",")
        return BrokerReady(kafka=addresses[self._own_listener.number], pid=process.pid)

    async def _restart_on_crash(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            code = await self._process.wait()
            if self._is_stopping:
                return
            now = loop.time()
            self._crash_times = [at for at in self._crash_times if now - at < CRASH_WINDOW_S] + [now]
            crashes = len(self._crash_times)
            log.error("broker ended by itself exit_code=%d crashes_in_a_minute=%d", code, crashes)
            if crashes > CRASHES_MAX:
                await self._on_fatal(f"the broker ended {crashes} times within a minute (last exit code {code})")
                return
            await asyncio.sleep(RESTART_DELAYS_S[crashes - 1])
            try:
                await self.launch()
                self.ready = await self._read_ready()
            except StartError as error:
                log.error("broker did not come back reason=%s", error)
                continue
            self.restart_count += 1
            log.warning("broker restarted pid=%d kafka=%s", self.ready.pid, self.ready.kafka)
