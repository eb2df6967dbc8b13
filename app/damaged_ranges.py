"""Where the embedded broker's log is damaged: read from what it has noted beside the segments.

The Kafka protocol has no question for it, since Kafka cuts a damaged log off. The broker keeps a file of the ranges in
each partition that has some (docs/faults.md); most have none, so a look costs one failed open per partition. An
attached cluster's files are not ours to read: there nobody looks.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from app.cluster.snapshot import DamagedRange
from app.kafka.ports import TopicPartition

RANGES_FILE: Final = "quarantine-checkpoint"
"""The line `0`, a line with the number of ranges, then one a line: the segment's base offset, the first and the end
offset, the first and the end position in its file."""


class DamagedRanges:
    """Reads them from one broker's folder, which must be the one of the cluster that is watched."""

    def __init__(self, broker_folder: Path) -> None:
        self._folder = broker_folder

    async def __call__(self, partitions: Iterable[TopicPartition]) -> tuple[DamagedRange, ...]:
        """The ranges of these partitions, in their order. In a thread: disks may take their time."""
        return await asyncio.to_thread(self._read, tuple(partitions))

    def _read(self, partitions: tuple[TopicPartition, ...]) -> tuple[DamagedRange, ...]:
        return tuple(one for partition in partitions for one in self._read_one(partition))

    def _read_one(self, partition: TopicPartition) -> Iterator[DamagedRange]:
        folder = f"{self._folder}/{partition.topic}-{partition.partition}"
        try:
            with open(f"{folder}/{RANGES_FILE}", encoding="utf-8") as file:
                found_at_ms = int(os.fstat(file.fileno()).st_mtime * 1000)
                ranges = [_range_of(line) for line in file.read().splitlines()[2:]]
        except (OSError, ValueError):  # a file that is no such file is reported, and written anew, by the broker
            return
        for base_offset, start_offset, end_offset, start_position, end_position in ranges:
            path = f"{folder}/{base_offset:020d}.log"
            if os.path.exists(path):  # else retention has taken the segment, damage and all
                yield DamagedRange(
                    topic=partition.topic,
                    partition=partition.partition,
                    start_offset=start_offset,
                    end_offset=end_offset,
                    path=path,
                    start_position=start_position,
                    end_position=end_position,
                    found_at_ms=found_at_ms,
                )


def _range_of(line: str) -> tuple[int, int, int, int, int]:
    base_offset, start_offset, end_offset, start_position, end_position = map(int, line.split(" "))
    return base_offset, start_offset, end_offset, start_position, end_position
