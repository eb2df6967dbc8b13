"""`plan.json`: all that the other Kafka has to be told beside the segments, for the program that tells it.

What the scripts say in the words of Kafka's tools, here as data, and what those tools have no words for: the notes
beside committed offsets and the progress of share groups. `app.moving.plan` reads it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from broker.export.content import Content, Wanted
from broker.log import PartitionLog
from broker.metadata.topic_configs import known_to_kafka

PLAN_FILE: Final = "plan.json"
VERSION: Final = 1


def plan_text(content: Content, wanted: Wanted) -> str:
    """The file's text."""
    plan: dict[str, Any] = {
        "version": VERSION,
        "wanted": {
            "topics": _sorted(wanted.topics),
            "exclude": _sorted(wanted.excluded or None),
            "groups": _sorted(wanted.groups),
        },
        "topics": [
            {"name": topic.name, "partition_count": topic.partition_count, "configs": known_to_kafka(topic.configs)}
            for topic in content.topics
        ],
        "partitions": [_partition(log) for log in content.logs],
        "open_transactions": [msgspec.to_builtins(one) for one in content.open_transactions()],
        "offsets": [msgspec.to_builtins(one) for one in content.offsets],
        "share_starts": [msgspec.to_builtins(one) for one in content.share_starts],
        "acls": [msgspec.to_builtins(acl) for acl in content.acls],
        "quotas": [{"entity": dict(entity), "values": dict(values)} for entity, values in content.quotas],
        "users": content.users,
    }
    return json.dumps(plan, indent=1) + "\n"


def has_moved_start(log: PartitionLog) -> bool:
    """Whether it begins inside a segment: its first records were deleted, and must not come back."""
    return log.log_start_offset > log.first_segment_offset and log.config.is_deleting


def _partition(log: PartitionLog) -> dict[str, Any]:
    return {
        "topic": log.topic,
        "partition": log.partition,
        "log_start_offset": log.log_start_offset,
        "log_end_offset": log.log_end_offset,
        "has_segments": any(segment.size for segment in log.segments),
        "has_moved_start": has_moved_start(log),
    }


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
