"""How states look: the tone, the icon's word and the chip for statuses of groups, replicas and brokers."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.cluster.snapshot import GroupLag, LagStatus
from app.cluster.topic_summaries import LATE_STATUSES, TopicSummary
from app.control_center import words

STATUS_TONES = {
    LagStatus.OK: "good",
    LagStatus.WARN: "warn",
    LagStatus.ERR: "bad",
    LagStatus.STOP: "bad",
    LagStatus.STALL: "bad",
    LagStatus.REWIND: "bad",
    LagStatus.UNKNOWN: "",
}


@dataclass(frozen=True, slots=True)
class Chip:
    words: str
    tone: str = ""
    title: str = ""


def groups_chip(groups: Sequence[GroupLag]) -> Chip:
    """How the readers of a topic are doing, in three words."""
    if not groups:
        return Chip("no group")
    late = [group for group in groups if group.status in LATE_STATUSES]
    names = words.listed([group.group.group_id or "(no name)" for group in late or groups])
    if late:
        is_bad = any(STATUS_TONES[group.status] == "bad" for group in late)
        return Chip(f"{len(late)} of {len(groups)} late", "bad" if is_bad else "warn", names)
    unknown = sum(group.status is LagStatus.UNKNOWN for group in groups)
    if unknown == len(groups):
        return Chip(words.plural(len(groups), "group"), "", names)
    return Chip(f"{len(groups) - unknown} keeping up", "good", names)


def replicas_chip(topic: TopicSummary) -> Chip:
    if topic.offline_count:
        return Chip(f"{topic.offline_count} of {topic.partition_count} offline", "bad")
    if topic.under_replicated_count:
        return Chip(f"{topic.under_replicated_count} of {topic.partition_count} short", "warn")
    return Chip("in sync", "good") if topic.replication_factor > 1 else Chip("one copy")
