"""Damaged ranges of a log in words. Apache Kafka cuts such a log and loses the rest; our broker leaves it readable
around them, so somebody must be told.
"""

from collections.abc import Sequence

from app.cluster import words
from app.cluster.snapshot import DamagedRange, Finding, FindingObject, Severity

CHECK = "damaged_range"
OBJECTS_MAX = 100


def damage_finding(damaged: Sequence[DamagedRange], *, since_ms: int) -> Finding:
    """What the cluster's health says about them; there must be at least one."""
    first = damaged[0]
    partitions = list(dict.fromkeys(f"{one.topic}-{one.partition}" for one in damaged))
    topics = {one.topic for one in damaged}
    if len(damaged) == 1:
        headline = f"{capital(offsets_of(first))} of {first.topic}, partition {first.partition}, cannot be read."
        where = capital(bytes_of(first))
    else:
        headline = f"{words.count(len(damaged))} ranges of {words.listing(partitions)} cannot be read."
        where = f"First {offsets_of(first)} of {first.topic}, partition {first.partition}: {bytes_of(first)}"
    return Finding(
        check=CHECK,
        severity=Severity.CRITICAL,
        penalty=20,
        headline=headline,
        detail=f"Damaged on disk: consumers get CORRUPT_MESSAGE there, and all around is served. {where}.",
        remedy=remedy_of(damaged),
        since_ms=since_ms,
        objects=tuple(FindingObject("partition", name) for name in partitions[:OBJECTS_MAX]),
        link=f"topics/{words.in_path(first.topic)}/partitions",
        link_words=f"ranges of {first.topic}" if len(topics) > 1 else words.plural(len(partitions), "partition"),
    )


def remedy_of(damaged: Sequence[DamagedRange]) -> str:
    """What to do, with the offset to go on at where there is only one."""
    behind = f"at offset {words.count(damaged[0].end_offset)}" if len(damaged) == 1 else "behind each range"
    return (
        f"Check the disk, let groups that stand there go on {behind}, and produce the lost records again if their "
        "source still has them."
    )


def offsets_of(damage: DamagedRange) -> str:
    """'offset 7', 'offsets 7 to 9'."""
    last_offset = damage.end_offset - 1
    if damage.start_offset == last_offset:
        return f"offset {words.count(last_offset)}"
    return f"offsets {words.count(damage.start_offset)} to {words.count(last_offset)}"


def bytes_of(damage: DamagedRange) -> str:
    """Where an operator finds what is left of them; plain digits, to be typed into a tool."""
    return f"bytes {damage.start_position} to {damage.end_position - 1} of {damage.path}"


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
