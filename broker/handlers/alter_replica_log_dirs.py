"""AlterReplicaLogDirs (API key 34): there is one data folder, so partitions "move" only to where they are (KIP-113)."""

from pathlib import Path

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, LogDirNotFound, UnknownTopicOrPartition
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


@handles(ApiKey.ALTER_REPLICA_LOG_DIRS, versions=range(1, 3))
def alter_replica_log_dirs(request: AlterReplicaLogDirsRequest, context: RequestContext) -> AlterReplicaLogDirsResponse:
    """Check each partition by itself; a partition named for two folders gets the later answer. v2 flexible."""
    codes: dict[str, dict[int, int]] = {}
    for folder in request.dirs:
        is_ours = Path(folder.path) == context.logs.path
        for asked in folder.topics:
            topic = context.topics.get(asked.name)
            partition_count = 0 if topic is None else topic.partition_count
            for partition in asked.partitions:
                code = NONE if 0 <= partition < partition_count else UnknownTopicOrPartition.code
                if not is_ours:
                    code = LogDirNotFound.code
                codes.setdefault(asked.name, {})[partition] = code
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=topic_name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(partition_index=partition, error_code=code)
                    for partition, code in partitions.items()
                ],
            )
            for topic_name, partitions in codes.items()
        ]
    )
