"""What the pages need from the rest of the application, as small types: nothing here does anything."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.cluster.snapshot import ClusterSnapshot, Series
from app.cluster.snapshot_facts import SnapshotFacts
from app.kafka.ports import ClusterAdmin, Producer
from app.schemas.ports import SchemaAccess

if TYPE_CHECKING:
    from app.control_center.schemas.desk import SchemaDesk  # with the registry behind it: read when it is started


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall clock, milliseconds since the epoch."""
        ...


class HistoryReader(Protocol):
    """Stored points of the sampler; names as in app.metrics.history."""

    def series(self, name: str, *, from_ms: int, to_ms: int, points_max: int = 720) -> Series: ...
    def sparkline(
        self, name: str, *, now_ms: int, span_ms: int = 3_600_000, points: int = 40
    ) -> tuple[float | None, ...]: ...


class SnapshotSource(Protocol):
    """The sampler as pages see it: what was last seen, what was seen before, and a way to look again now."""

    @property
    def snapshot(self) -> ClusterSnapshot: ...
    @property
    def history(self) -> HistoryReader: ...
    def refresh(self) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """One cluster: its name in URLs and titles, and the ways to it. name '' is shown as the cluster's id.

    schemas is None where no Schema Registry runs: then there are no pages of it.
    """

    name: str
    sampler: SnapshotSource
    admin: ClusterAdmin
    producer: Producer
    facts: SnapshotFacts = field(default_factory=SnapshotFacts)
    schemas: "SchemaDesk | None" = None
    payloads: SchemaAccess | None = None
    """Schemas to read records by; None where no Schema Registry is."""

    @property
    def title(self) -> str:
        """What people call it: the configured name, 'local' for the embedded broker, else the cluster's own id."""
        snapshot = self.sampler.snapshot
        return self.name or ("local" if snapshot.is_embedded else snapshot.cluster_id) or "cluster"


@dataclass(frozen=True, slots=True)
class ControlCenterSettings:
    """insecure: others can reach this without authentication, which every page then says.

    rest_url: where the REST Proxy answers, for "copy as curl"; '' is the page's own origin.
    """

    version: str
    templates: Path
    static: Path
    insecure: bool = False
    rest_url: str = ""
    form_bytes_max: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ControlCenter:
    """Everything a page request can reach beside the request itself."""

    settings: ControlCenterSettings
    clusters: Sequence[ClusterAccess]
    clock: Clock

    def find(self, name: str) -> ClusterAccess | None:
        """The cluster with this title, or with this cluster id (links made before it had a name keep working)."""
        for cluster in self.clusters:
            if name in (cluster.title, cluster.sampler.snapshot.cluster_id):
                return cluster
        return None
