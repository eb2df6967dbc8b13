"""Run every client's script against both brokers, several at a time, and keep what they print."""

import json
import os
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.conformance.clients import Client
from tests.conformance.steps import STEPS
from tests.conformance.targets import Target

SCRIPT_SECONDS_MAX: Final = 240
# A script mostly waits: for a group to settle, for a client's pause before it asks again.
SCRIPTS_AT_A_TIME: Final = 6

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What one client's script answered against one broker; `complaint` is why there is no document."""

    document: Document
    complaint: str
    seconds: float

    @property
    def version(self) -> str:
        return str(self.document.get("version", ""))


def run_all(
    clients: Iterable[Client], targets: Iterable[Target], folder: Path, *, attempt: int = 1
) -> dict[tuple[str, str], Run]:
    """The run of each (client's name, target's name). Each attempt has topics and groups of its own."""
    commands = {client.name: client.command() for client in clients}
    pairs = [(name, target) for name in commands for target in targets]
    with ThreadPoolExecutor(SCRIPTS_AT_A_TIME) as pool:
        runs = pool.map(lambda pair: _run(_prefix(pair[0], attempt), commands[pair[0]], pair[1], folder), pairs)
        return {(name, target.name): run for (name, target), run in zip(pairs, runs, strict=True)}


def _prefix(name: str, attempt: int) -> str:
    """What the names of everything that a script makes begin with."""
    return name if attempt == 1 else f"{name}.{attempt}"


def _run(name: str, command: list[str], target: Target, folder: Path) -> Run:
    started = time.time()
    steps = [step.name for step in STEPS]
    errors = folder / f"{name}-{target.name}.err"
    arguments = [target.bootstrap, target.secure, target.ca, name, str(int(started * 1000)), *steps]
    with errors.open("w") as log:
        try:
            done = subprocess.run(
                [*command, *arguments], stdout=subprocess.PIPE, stderr=log, timeout=SCRIPT_SECONDS_MAX, text=True,
                env=dict(os.environ),
            )  # fmt: skip
            document, complaint = _document(done), ""
        except (subprocess.TimeoutExpired, ValueError) as error:
            document, complaint = {}, f"{name} against {target.name}: {error}\n{errors.read_text()[-4000:]}"
    return Run(document, complaint, time.time() - started)


def _document(done: "subprocess.CompletedProcess[str]") -> Document:
    """The last line: some clients print their own complaints before it."""
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise ValueError(f"exited {done.returncode} and printed {done.stdout[-2000:]!r}")
    document: Document = json.loads(lines[-1])
    return document
