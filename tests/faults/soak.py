"""`make soak`: the fault tests in full, part by part, for hours; what was interrupted goes on where it stopped.

    python -m tests.faults.soak                              every part, seeds 1 to 20
    python -m tests.faults.soak kill-load guided-fuzz        these parts
    python -m tests.faults.soak power-loss --seeds 3,7-9     with these seeds
    python -m tests.faults.soak --list                       the parts, and what was run of each
    python -m tests.faults.soak --short                      no longer than in `make test`: do all parts run here?

Each part runs with each seed in a pytest of its own. What it printed is kept in `.soak/COMMIT/PART-SEED.passed` (or
`.failed`, which is run again the next time), so a run is there for the commit that it was made with. At the end the
figures of all are printed; the exit code is 1 if any has failed, 130 after Ctrl-C.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
FIGURES: Final = "figures of the fault tests"
NO_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A file of tests; without `is_seeded` chance plays no part in it, and it is run once."""

    file: str
    is_seeded: bool = True


PARTS: Final = {
    "kill-load": Part("tests/faults/test_kill_under_load.py"),
    "kill-transactions": Part("tests/faults/test_kill_under_transactions.py"),
    "transaction-crash": Part("tests/faults/test_transaction_crash.py", is_seeded=False),
    "power-loss": Part("tests/faults/test_power_loss.py"),
    "damaged-state": Part("tests/faults/test_damaged_state.py"),
    "damage-on-pages": Part("tests/faults/test_damage_on_the_pages.py", is_seeded=False),
    "read-check": Part("tests/unit/broker/log/test_read_check.py", is_seeded=False),
    "disk-full": Part("tests/faults/test_disk_full.py", is_seeded=False),
    "rest-disk-full": Part("tests/faults/test_rest_on_a_full_disk.py", is_seeded=False),
    "failing-disk": Part("tests/faults/test_failing_disk.py", is_seeded=False),
    "few-descriptors": Part("tests/faults/test_few_file_descriptors.py", is_seeded=False),
    "idle-clients": Part("tests/faults/test_idle_clients.py", is_seeded=False),
    "malformed-frames": Part("tests/faults/test_malformed_frames.py"),
    "guided-fuzz": Part("tests/faults/test_guided_fuzz.py"),
    "slow-readers": Part("tests/faults/test_slow_readers.py", is_seeded=False),
    "clock-jumps": Part("tests/faults/test_clock_jumps.py", is_seeded=False),
    "many-partitions": Part("tests/faults/test_many_partitions.py", is_seeded=False),
    "group-storm": Part("tests/faults/test_group_storm.py"),
    "held-stream": Part("tests/faults/test_held_stream.py", is_seeded=False),
    "checkers": Part("tests/faults/test_checker.py", is_seeded=False),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One part with one seed, and where its result is kept."""

    name: str
    seed: int
    folder: Path

    @property
    def title(self) -> str:
        return self.name if self.seed == NO_SEED else f"{self.name} seed {self.seed}"

    def result(self, kind: str) -> Path:
        return self.folder / f"{self.name}-{self.seed}.{kind}"

    @property
    def has_passed(self) -> bool:
        return self.result("passed").exists()

    def take(self, *, is_short: bool) -> bool:
        """Run it, keep what it printed, and say whether it passed."""
        surroundings = {**os.environ, "CAUDAL_SEEDS": str(self.seed or 1), "CAUDAL_SOAK": "0" if is_short else "1"}
        options = ["-q", "-p", "no:cacheprovider", "--timeout", "0"]  # hours are meant
        command = [sys.executable, "-m", "pytest", *options, PARTS[self.name].file]
        partial = self.result("partial")
        with partial.open("w") as output:
            done = subprocess.run(command, cwd=ROOT, env=surroundings, stdout=output, stderr=subprocess.STDOUT)
        self.result("failed").unlink(missing_ok=True)
        partial.rename(self.result("failed" if done.returncode else "passed"))
        return done.returncode == 0

    def figures(self) -> list[str]:
        """What the run measured, a line each."""
        _, _, behind = self.result("passed").read_text().partition(f" {FIGURES} ")
        lines = behind.splitlines()[1:]
        return [line for line in lines if ": " in line and "=" in line and not line.startswith(("=", "SKIPPED"))]


def runs_of(names: list[str], seeds: list[int], folder: Path) -> Iterator[Run]:
    """Seed by seed, so that an hour of it has seen every part."""
    for seed in [NO_SEED, *seeds]:
        for name in names:
            if PARTS[name].is_seeded != (seed == NO_SEED):
                yield Run(name, seed, folder)


def seeds_of(text: str) -> list[int]:
    """`1,4-6` as [1, 4, 5, 6]. Raises ValueError."""
    found: list[int] = []
    for each in text.replace(",", " ").split():
        first, _, last = each.partition("-")
        found += range(int(first), int(last or first) + 1)
    if not found or min(found) < 1:
        raise ValueError(text)
    return found


def commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True
    )
    return found.stdout.strip() or "unversioned"


def take_all(runs: list[Run], *, is_short: bool) -> int:
    """Run those that have not passed yet, then print the figures of all; the exit code."""
    failed: list[Run] = []
    for number, run in enumerate(runs, 1):
        where = f"[{number}/{len(runs)}] {run.title}"
        if run.has_passed:
            print(f"{where}: passed before", flush=True)
            continue
        print(f"{where} …", end=" ", flush=True)
        begun = time.monotonic()
        if run.take(is_short=is_short):
            print(f"passed in {time.monotonic() - begun:.0f} s", flush=True)
        else:
            failed.append(run)
            print(f"FAILED, see {run.result('failed')}", flush=True)
    print("\nFigures")
    for run in runs:
        if run.has_passed:
            for line in run.figures():
                print(f"  {line}")
    print(f"\n{len(runs) - len(failed)} passed, {len(failed)} failed")
    for run in failed:
        print(f"  {run.title}: {run.result('failed')}")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description="The fault tests in full.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of(os.environ.get("CAUDAL_SEEDS") or "1-20"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".soak", help="where results are kept")
    parser.add_argument("--short", action="store_true", help="no longer than in make test")
    parser.add_argument("--fresh", action="store_true", help="run again what has passed already")
    parser.add_argument("--list", action="store_true", help="name the parts and what was run of them")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    folder = asked.folder / (commit() + ("-short" if asked.short else ""))
    runs = list(runs_of(asked.parts or list(PARTS), asked.seeds, folder))
    if asked.list:
        for run in runs:
            print(f"{run.title}: {'passed' if run.has_passed else 'not yet'}")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    if "dirty" in folder.name and not asked.fresh:
        print("files differ from the commit: what passed before may have been other code; see --fresh", file=sys.stderr)
    for run in runs if asked.fresh else ():
        run.result("passed").unlink(missing_ok=True)
    try:
        return take_all(runs, is_short=asked.short)
    except KeyboardInterrupt:
        print(f"\ninterrupted; the same command goes on from here (results in {folder})", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
