"""One line about each broker: what it leads and holds, how even that is, how full its disks are."""

from dataclasses import dataclass

from app.cluster.partitions import PartitionFacts
from app.cluster.snapshot import ClusterSnapshot
from app.kafka.ports import BrokerNode, LogDirInfo


@dataclass(frozen=True, slots=True)
class LogDirUse:
    """How full one log directory is: used_share counts everything on that disk, not only this broker's logs."""

    broker_id: int
    path: str
    used_share: float
    usable_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class BrokerSummary:
    """None means not known. last_seen_ms is set for a broker that is away; skews are percent
    above or below the mean of the live brokers."""

    node: BrokerNode
    is_up: bool
    last_seen_ms: int | None
    role: str
    leader_count: int
    replica_count: int | None
    leader_skew: float | None
    replica_skew: float | None
    size_bytes: int | None
    fullest: LogDirUse | None
    failed_dir_count: int


def summarise_brokers(snapshot: ClusterSnapshot, facts: PartitionFacts) -> tuple[BrokerSummary, ...]:
    """Every broker that is up, and those seen in the last 24 h that are not."""
    up = {broker.broker_id: broker for broker in snapshot.brokers}
    known = {broker_id: node for broker_id, (node, _) in snapshot.known_brokers.items()} | up
    return tuple(_summarise(snapshot, known[broker_id], broker_id in up, facts) for broker_id in sorted(known))


def _summarise(snapshot: ClusterSnapshot, node: BrokerNode, is_up: bool, facts: PartitionFacts) -> BrokerSummary:
    dirs = [one for one in snapshot.log_dirs if one.broker_id == node.broker_id]
    uses = [use for one in dirs if (use := _use(one)) is not None]
    return BrokerSummary(
        node=node,
        is_up=is_up,
        last_seen_ms=None if is_up else snapshot.known_brokers[node.broker_id][1],
        role=_role(snapshot, node.broker_id),
        leader_count=facts.leader_counts.get(node.broker_id, 0),
        replica_count=facts.replica_counts.get(node.broker_id) if is_up else None,
        leader_skew=facts.leader_skew.get(node.broker_id),
        replica_skew=facts.replica_skew.get(node.broker_id),
        size_bytes=sum(one.size_bytes for each in dirs for one in each.replicas if not one.is_future) if dirs else None,
        fullest=max(uses, key=lambda use: use.used_share, default=None),
        failed_dir_count=sum(one.error_code != 0 for one in dirs),
    )


def _role(snapshot: ClusterSnapshot, broker_id: int) -> str:
    """'controller', 'voter', 'observer', or '' when the quorum is not known."""
    quorum = snapshot.quorum
    if quorum is None:
        return "controller" if broker_id == snapshot.controller_id else ""
    if broker_id == quorum.leader_id:
        return "controller"
    if any(voter.node_id == broker_id for voter in quorum.voters):
        return "voter"
    return "observer" if any(one.node_id == broker_id for one in quorum.observers) else ""


def _use(log_dir: LogDirInfo) -> LogDirUse | None:
    if log_dir.total_bytes <= 0 or log_dir.usable_bytes < 0:
        return None
    return LogDirUse(
        log_dir.broker_id,
        log_dir.path,
        1 - log_dir.usable_bytes / log_dir.total_bytes,
        log_dir.usable_bytes,
        log_dir.total_bytes,
    )


def fullest_log_dir(snapshot: ClusterSnapshot) -> LogDirUse | None:
    """The log directory that fills first: the maximum over all, never a mean."""
    uses = [use for one in snapshot.log_dirs if (use := _use(one)) is not None]
    return max(uses, key=lambda use: use.used_share, default=None)
