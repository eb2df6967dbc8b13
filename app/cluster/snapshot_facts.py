"""What pages compute from a snapshot, computed once for all of them."""

from app.cluster.partitions import PartitionFacts, examine_partitions
from app.cluster.snapshot import ClusterSnapshot
from app.cluster.topic_summaries import TopicSummary, summarise_topics


class SnapshotFacts:
    """Remembers the facts of the newest snapshot; those about partitions as long as no topic or broker changed."""

    def __init__(self) -> None:
        self._snapshot: ClusterSnapshot | None = None
        self._topics: tuple[TopicSummary, ...] = ()
        self._visible_topic_count = 0
        self._partitions: PartitionFacts | None = None
        self._partitions_of: tuple[object, ...] = ()

    def topics(self, snapshot: ClusterSnapshot) -> tuple[TopicSummary, ...]:
        """All topics by name."""
        if snapshot is not self._snapshot:
            self._topics = summarise_topics(snapshot)
            self._visible_topic_count = sum(not topic.is_internal for topic in self._topics)
            self._snapshot = snapshot
        return self._topics

    def visible_topic_count(self, snapshot: ClusterSnapshot) -> int:
        """Topics that are not internal."""
        self.topics(snapshot)
        return self._visible_topic_count

    def partitions(self, snapshot: ClusterSnapshot) -> PartitionFacts:
        origin = (snapshot.topics, snapshot.brokers, snapshot.topic_configs)
        is_same = len(self._partitions_of) == len(origin) and all(
            one is other for one, other in zip(origin, self._partitions_of, strict=True)
        )
        if self._partitions is None or not is_same:
            self._partitions = examine_partitions(snapshot)
            self._partitions_of = origin
        return self._partitions
