"""What endpoints may ask for: the cluster, the consumer instances, the settings, the time."""

from dataclasses import dataclass, field
from typing import Protocol

from app.cluster.tail import TopicTails
from app.kafka.ports import ClusterAdmin, Producer
from app.rest.consumers import ConsumerInstances
from app.rest.errors import NotFound
from app.rest.idempotency import KeyedAnswers
from app.rest.partitioner import StickyPartitions
from app.rest.reads.commits import Commits
from app.rest.settings import RestSettings
from app.schemas.ports import SchemaAccess


class Clock(Protocol):
    """Time as everybody here sees it; tests turn it by hand."""

    def now_ms(self) -> int: ...
    def monotonic_ms(self) -> int: ...


@dataclass(slots=True)
class RestContext:
    """schemas is None where no Schema Registry is."""

    admin: ClusterAdmin
    producer: Producer
    consumers: ConsumerInstances
    settings: RestSettings
    clock: Clock
    tails: TopicTails
    keyed_answers: KeyedAnswers
    schemas: SchemaAccess | None = None
    sticky_partitions: StickyPartitions = field(default_factory=StickyPartitions)
    commits: Commits = field(default_factory=Commits)
    produce_streams: int = 0
    """Streams of records that are open now."""
    _cluster_id: str | None = None

    async def cluster_id(self) -> str:
        """The id of the cluster, asked once."""
        if self._cluster_id is None:
            self._cluster_id = (await self.admin.metadata()).cluster_id
        return self._cluster_id

    async def check_cluster(self, cluster_id: str) -> None:
        """Raises NotFound unless it is this cluster's id."""
        if cluster_id != await self.cluster_id():
            self._cluster_id = None  # another cluster may have taken its place
            if cluster_id != await self.cluster_id():
                raise NotFound
