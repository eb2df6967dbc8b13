"""What endpoints may ask for: a cluster, the consumer instances, the settings, the time."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from app.cluster.tail import TopicTails
from app.kafka.ports import ClusterAdmin, ClusterMetadata, ClusterUnreachable, Producer
from app.rest.consumers import ConsumerInstances
from app.rest.errors import NotFound
from app.rest.idempotency import KeyedAnswers
from app.rest.partitioner import StickyPartitions
from app.rest.reads.commits import Commits
from app.rest.settings import RestSettings
from app.schemas.ports import SchemaAccess
from broker.errors import KafkaError

ID_WAIT_S = 5.0
"""How long a request for an id that nobody knows yet waits for the clusters that have not said theirs."""
AWAY = (ClusterUnreachable, KafkaError)

log = logging.getLogger(__name__)


class Clock(Protocol):
    """Time as everybody here sees it; tests turn it by hand."""

    def now_ms(self) -> int: ...
    def monotonic_ms(self) -> int: ...


@dataclass(slots=True)
class RestContext:
    """One cluster and what is beside it. A request begins with the default one's; a v3 path may choose another's.

    schemas is None where no Schema Registry is. name: what the settings call the cluster, for the log. others: the
    further clusters, known to the default one; consumer instances are the default's alone, as v2 names no cluster.
    """

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
    name: str = ""
    others: tuple["RestContext", ...] = ()
    known_id: str | None = None
    """The cluster's id, once it has said it."""
    is_away: bool = False
    """Whether it did not answer when it was asked last."""
    _asking: asyncio.Task[ClusterMetadata] | None = None

    @property
    def all_clusters(self) -> tuple["RestContext", ...]:
        return (self, *self.others)

    async def at_cluster(self, cluster_id: str) -> "RestContext":
        """The context of a cluster. One whose id is known is found without asking anybody.

        Raises NotFound; and when it could be a cluster that has not said its id yet, why that one does not answer.
        """
        found = self._known(cluster_id)
        if found is not None:
            return found
        # A cluster that is new to us, or another one that has taken a known one's place.
        looks = [asyncio.create_task(one.look(ID_WAIT_S)) for one in self.all_clusters]
        try:
            for look in asyncio.as_completed(looks):
                try:
                    await look
                except AWAY:
                    continue
                found = self._known(cluster_id)
                if found is not None:
                    return found
        finally:
            for task in looks:
                task.cancel()
        for one, look in zip(self.all_clusters, looks, strict=True):
            if one.known_id is None or not self.others:
                look.result()
        raise NotFound

    def _known(self, cluster_id: str) -> "RestContext | None":
        return next((one for one in self.all_clusters if one.known_id == cluster_id), None)

    async def look(self, wait_s: float | None) -> ClusterMetadata:
        """The cluster as it is now. Whoever asks meanwhile shares the question; it goes on when they wait no longer.

        wait_s None: as long as the connection's own limits allow. Raises ClusterUnreachable, or the KafkaError of a
        refusal.
        """
        if self._asking is None:
            self._asking = asyncio.create_task(self.admin.metadata(), name=f"look-at-cluster-{self.name}")
            self._asking.add_done_callback(self._looked)
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=wait_s)
        if not done:
            raise ClusterUnreachable(f"no broker of the cluster answered within {wait_s:g} s")
        return asking.result()

    def _looked(self, asking: asyncio.Task[ClusterMetadata]) -> None:
        self._asking = None
        if asking.cancelled():
            return
        error = asking.exception()
        if error is None:
            self.known_id = asking.result().cluster_id
        if self.name and (error is not None) != self.is_away:
            if error is None:
                log.info("cluster is back name=%s cluster_id=%s", self.name, self.known_id)
            else:
                log.warning("cluster does not answer name=%s error=%s", self.name, error)
        self.is_away = error is not None

    def stop_looking(self) -> None:
        for one in self.all_clusters:
            if one._asking is not None:
                one._asking.cancel()
