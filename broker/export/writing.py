"""Write an export: `segments/<topic>-<partition>/*.log` as they are, and beside them the scripts that take them in.

It appears as a whole or not at all: it is written under another name and renamed at the end.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from broker.export import scripts
from broker.export.content import Content, ExportError, Wanted, opened
from broker.export.plan import PLAN_FILE, plan_text
from broker.log import PartitionLog

SEGMENTS: Final = "segments"


def export(data_dir: Path, target: Path, wanted: Wanted) -> str:
    """Export what is wanted; one line for the user. Raises ExportError, DataRootError, KafkaError, OSError."""
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"{target} is not empty: choose a new folder with --to")
    with opened(data_dir, wanted) as content:
        unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
        unfinished.mkdir(parents=True)
        try:
            size_bytes = sum(_copy(log, unfinished / SEGMENTS) for log in content.logs)
            for name, text in scripts.of(content).items():
                _write(unfinished / name, text, is_program=name.endswith(".sh"))
            _write(unfinished / PLAN_FILE, plan_text(content, wanted), is_program=False)
            _write_offsets(unfinished / "offsets.csv", content)
            _write_partitions(unfinished / "partitions.csv", content.logs)
            os.replace(unfinished, target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    groups = len({offset.group_id for offset in content.offsets})
    return (
        f"exported {len(content.topics)} topics ({len(content.logs)} partitions, {size_bytes} bytes), "
        f"{groups} groups, {len(content.acls)} ACLs to {target}; {target / 'README.txt'} says how to go on"
    )


def _copy(log: PartitionLog, segments: Path) -> int:
    """The log's segments that hold records; how many bytes."""
    size_bytes = 0
    active = log.segments[-1]
    for segment in log.segments:
        if not segment.size:
            continue
        folder = segments / f"{log.topic}-{log.partition}"
        folder.mkdir(parents=True, exist_ok=True)
        # A closed segment never changes again, so a second name of the same file will do; the active one goes on.
        if segment is active or not _link(segment.path, folder / Path(segment.path).name):
            shutil.copy2(segment.path, folder)
        size_bytes += segment.size
    return size_bytes


def _link(source: str, target: Path) -> bool:
    with contextlib.suppress(OSError):  # another file system, or one without links
        os.link(source, target)
        return True
    return False


def _write(path: Path, text: str, *, is_program: bool) -> None:
    path.write_text(text, "utf-8")
    if is_program:
        path.chmod(0o755)


def _write_offsets(path: Path, content: Content) -> None:
    """What `kafka-consumer-groups.sh --reset-offsets --from-file` reads, which for a single group has no group."""
    is_single = len({offset.group_id for offset in content.offsets}) == 1
    _write_csv(
        path,
        (
            ([] if is_single else [offset.group_id]) + [offset.topic, offset.partition, offset.offset]
            for offset in content.offsets
        ),
    )


def _write_partitions(path: Path, logs: Iterable[PartitionLog]) -> None:
    """What `kafka-get-offsets.sh` must say afterwards."""
    head: list[object] = ["topic", "partition", "log start offset", "log end offset", "bytes"]
    rows: list[list[object]] = [
        [log.topic, log.partition, log.log_start_offset, log.log_end_offset, log.size_bytes] for log in logs
    ]
    _write_csv(path, [head, *rows])


def _write_csv(path: Path, rows: Iterable[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
