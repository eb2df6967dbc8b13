"""DescribeLogDirs (API key 35): the data folder, how full its disk is, and how large each partition is (KIP-113)."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from broker.dispatch import RequestContext, handles
from broker.log import LogDirectory
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

PARTITIONS_PER_SLICE = 100
"""After how many partitions other connections get their turn."""


@handles(ApiKey.DESCRIBE_LOG_DIRS, versions=range(1, 6))
async def describe_log_dirs(request: DescribeLogDirsRequest, context: RequestContext) -> DescribeLogDirsResponse:
    """The one folder with the asked partitions; those that do not exist are left out, as in Kafka.

    v2 flexible · v3 top-level error · v4 bytes of the disk (KIP-827) · v5 cordoned folders (KIP-1066).
    """
    topics: dict[str, list[DescribeLogDirsPartition]] = defaultdict(list)
    for count, (topic, partition) in enumerate(_asked(request, context)):
        if count % PARTITIONS_PER_SLICE == PARTITIONS_PER_SLICE - 1:
            await asyncio.sleep(0)
        size_bytes = partition_bytes(context.logs, topic, partition)
        topics[topic].append(DescribeLogDirsPartition(partition_index=partition, partition_size=size_bytes))
    total_bytes, usable_bytes = context.logs.usage()
    folder = DescribeLogDirsResult(
        log_dir=str(context.logs.path),
        topics=[DescribeLogDirsTopic(name=name, partitions=partitions) for name, partitions in topics.items()],
        total_bytes=total_bytes,
        usable_bytes=usable_bytes,
    )
    return DescribeLogDirsResponse(results=[folder])


def _asked(request: DescribeLogDirsRequest, context: RequestContext) -> Iterable[tuple[str, int]]:
    if request.topics is None:
        return [(topic.name, partition) for topic in context.topics for partition in range(topic.partition_count)]
    counts = {topic.name: topic.partition_count for topic in context.topics}
    return [
        (asked.topic, partition)
        for asked in request.topics
        for partition in asked.partitions
        if 0 <= partition < counts.get(asked.topic, 0)
    ]


def partition_bytes(logs: LogDirectory, topic: str, partition: int) -> int:
    """The size of a partition's records; one that nobody has used since the start is measured without opening it."""
    if logs.is_open(topic, partition):
        log = logs.get(topic, partition)
        return log.size_bytes if log is not None else 0
    try:
        with os.scandir(Path(logs.path, f"{topic}-{partition}")) as files:
            return sum(file.stat().st_size for file in files if file.name.endswith(".log"))
    except FileNotFoundError:
        return 0  # deleted meanwhile
