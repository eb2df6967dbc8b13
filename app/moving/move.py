"""The steps by which a plan becomes true on another Kafka, and which may be said as often as one likes.

What is there already stays as it is: nothing of the target is changed or set back, and where it differs from the plan
that is said. Topics are looked at before anything is made. What depends on records (log starts, open transactions,
offsets of groups) waits, partition by partition, until the segments are there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from app.cluster.words import plural
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.ports import (
    EARLIEST,
    LATEST,
    CommittedOffset,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
    TopicPartition,
)
from app.moving.plan import Plan, PlannedPartition, PlannedQuota, PlannedTopic
from app.moving.target import Target
from broker.errors import KafkaError, SecurityDisabled, UnsupportedVersion

TOPICS_PER_QUESTION = 50


class MoveRefused(Exception):
    """Why nothing, or nothing more, was done; one sentence with the remedy."""


@dataclass(slots=True)
class Moved:
    """What was done now, what is still to do, and what cannot be done as things are."""

    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_moved: list[str] = field(default_factory=list)

    def count(self, number: int, one: str, what: str) -> None:
        if number:
            self.done.append(f"{plural(number, one)} {what}".replace("\u202f", ""))


class Move:
    """One run of all steps. `run` raises MoveRefused, or ClusterUnreachable."""

    def __init__(
        self, plan: Plan, admin: KafkaClusterAdmin, target: Target, *, replication_factor: int | None = None
    ) -> None:
        """replication_factor: of topics that are made; None leaves it to the target."""
        self._plan = plan
        self._admin = admin
        self._target = target
        self._replication_factor = replication_factor
        self._moved = Moved()

    async def run(self) -> Moved:
        missing = await self._check_topics()
        for topic in missing:
            await self._create(topic, validate_only=False)
        self._moved.count(len(missing), "topic", "created")
        await self._move_acls()
        await self._move_quotas()
        arrived = await self._arrived()
        await self._settle_records(arrived)
        await self._move_offsets(arrived)
        await self._move_shares(arrived)
        if self._plan.users:
            self._moved.notes.append(
                f"passwords cannot be moved: give new ones to {plural(len(self._plan.users), 'SCRAM user')} (users.txt)"
            )
        return self._moved

    # --- topics ----------------------------------------------------------------------------------------------------

    async def _check_topics(self) -> list[PlannedTopic]:
        """Those that are to be made. Raises MoveRefused when one is there and is another, or may not be made."""
        there = (await self._admin.metadata()).topics
        existing = [topic for topic in self._plan.topics if topic.name in there]
        configs = await self._set_configs([topic.name for topic in existing])
        differences = [
            f"topic {topic.name} {difference}"
            for topic in existing
            for difference in _differences(topic, len(there[topic.name].partitions), configs[topic.name])
        ]
        if differences:
            raise MoveRefused(
                f"nothing was changed, because {_joined(differences)}. Make them alike, or leave them out (--exclude)"
            )
        missing = [topic for topic in self._plan.topics if topic.name not in there]
        for topic in missing:
            await self._create(topic, validate_only=True)
        return missing

    async def _set_configs(self, topics: list[str]) -> dict[str, dict[str, str | None]]:
        """What was set on the topics themselves."""
        found: dict[str, dict[str, str | None]] = {}
        for at in range(0, len(topics), TOPICS_PER_QUESTION):
            resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics[at : at + TOPICS_PER_QUESTION]]
            for resource, entries in (await self._admin.describe_configs(resources)).items():
                found[resource.name] = {
                    one.name: one.value for one in entries if one.source is ConfigSource.DYNAMIC_TOPIC_CONFIG
                }
        return found

    async def _create(self, topic: PlannedTopic, *, validate_only: bool) -> None:
        wanted = NewTopic(topic.name, topic.partition_count, self._replication_factor, topic.configs)
        try:
            await self._admin.create_topic(wanted, validate_only=validate_only)
        except KafkaError as error:
            raise MoveRefused(f"the target does not let topic {topic.name} be created: {said(error)}") from error

    # --- ACLs and quotas -------------------------------------------------------------------------------------------

    async def _move_acls(self) -> None:
        if not self._plan.acls:
            return
        try:
            there = await self._target.acls()
            missing = [acl for acl in self._plan.acls if acl not in there]
            if missing:
                await self._target.create_acls(missing)
        except SecurityDisabled:
            self._give_up(plural(len(self._plan.acls), "ACL"), "the target has no authorizer (authorizer.class.name)")
        except KafkaError as error:
            self._give_up(plural(len(self._plan.acls), "ACL"), said(error))
        else:
            self._moved.count(len(missing), "ACL", "added")

    async def _move_quotas(self) -> None:
        if not self._plan.quotas:
            return
        try:
            there = await self._target.quotas()
            missing = list(_missing_quotas(self._plan.quotas, there))
            if missing:
                await self._target.set_quotas(missing)
        except KafkaError as error:
            self._give_up(plural(len(self._plan.quotas), "client quota"), said(error))
            return
        self._moved.count(len(missing), "client quota", "set")
        for quota in self._plan.quotas:
            for key, value in there.get(frozenset(quota.entity.items()), {}).items():
                if quota.values.get(key, value) != value:
                    who = ", ".join(f"{kind} {name or '(default)'}" for kind, name in quota.entity.items())
                    self._moved.notes.append(f"{key} of {who} stays at {value:g}; it was {quota.values[key]:g}")

    # --- what needs the records ------------------------------------------------------------------------------------

    async def _arrived(self) -> dict[TopicPartition, int]:
        """The log ends of the partitions whose records are all there, or that have none."""
        partitions = {TopicPartition(one.topic, one.partition): one for one in self._plan.partitions}
        ends = await self._admin.list_offsets(dict.fromkeys(partitions, LATEST))
        arrived: dict[TopicPartition, int] = {}
        for partition, planned in partitions.items():
            found = ends[partition]
            if found.error_code:
                self._give_up(f"offsets of {partition.topic}-{partition.partition}", f"error {found.error_code}")
            elif not planned.has_segments or found.offset >= planned.log_end_offset:
                arrived[partition] = found.offset
        waiting = len(partitions) - len(arrived)
        if waiting:
            self._moved.notes.append(
                f"{plural(waiting, 'partition')} {'waits' if waiting == 1 else 'wait'} for the records: stop that "
                "Kafka, run copy-segments.sh on each broker, start it, and say this again"
            )
        return arrived

    async def _settle_records(self, arrived: Mapping[TopicPartition, int]) -> None:
        """What came back with the segments goes again: deleted records, and transactions that nobody ends."""
        starts = await self._starts_to_move(
            [one for one in self._plan.partitions if TopicPartition(one.topic, one.partition) in arrived]
        )
        aborted = 0
        try:
            if starts:
                await self._admin.delete_records(starts)
            for transaction in self._plan.open_transactions:
                if TopicPartition(transaction.topic, transaction.partition) in arrived:
                    aborted += await self._target.abort(transaction)
        except KafkaError as error:
            raise MoveRefused(
                f"the target does not let deleted records and open transactions go: {said(error)}"
            ) from error
        self._moved.count(len(starts), "log start", "moved")
        self._moved.count(aborted, "open transaction", "aborted")

    async def _starts_to_move(self, partitions: Iterable[PlannedPartition]) -> dict[TopicPartition, int]:
        wanted = {
            TopicPartition(one.topic, one.partition): one.log_start_offset for one in partitions if one.has_moved_start
        }
        there = await self._admin.list_offsets(dict.fromkeys(wanted, EARLIEST))
        return {partition: offset for partition, offset in wanted.items() if there[partition].offset < offset}

    async def _move_offsets(self, arrived: Mapping[TopicPartition, int]) -> None:
        wanted: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        for one in self._plan.offsets:
            partition = TopicPartition(one.topic, one.partition)
            if partition in arrived:
                committed = CommittedOffset(min(one.offset, arrived[partition]), metadata=one.metadata)
                wanted.setdefault(one.group_id, {})[partition] = committed
        moved = 0
        for group_id, offsets in wanted.items():
            try:
                there = (await self._admin.group_offsets([group_id]))[group_id]
                missing = {one: committed for one, committed in offsets.items() if one not in there}
                if missing:
                    await self._admin.commit_offsets(group_id, missing)
            except KafkaError as error:
                self._give_up(f"offsets of group {group_id}", f"{said(error)}; stop its members there first")
                continue
            moved += bool(missing)
            self._note_kept(
                group_id, {one: there[one].offset - offsets[one].offset for one in offsets.keys() & there.keys()}
            )
        self._moved.count(moved, "group", "given its offsets" if moved == 1 else "given their offsets")

    async def _move_shares(self, arrived: Mapping[TopicPartition, int]) -> None:
        wanted: dict[str, dict[TopicPartition, int]] = {}
        for one in self._plan.share_starts:
            partition = TopicPartition(one.topic, one.partition)
            if partition in arrived:
                wanted.setdefault(one.group_id, {})[partition] = min(one.start_offset, arrived[partition])
        moved = 0
        for group_id, starts in wanted.items():
            try:
                there = await self._target.share_starts(group_id)
                missing = {one: offset for one, offset in starts.items() if one not in there}
                if missing:
                    await self._target.set_share_starts(group_id, missing)
            except UnsupportedVersion:
                self._give_up(
                    f"progress of share group {group_id}", "the target has no share groups (Kafka 4.1 and newer)"
                )
                continue
            except KafkaError as error:
                self._give_up(f"progress of share group {group_id}", f"{said(error)}; stop its members there first")
                continue
            moved += bool(missing)
            self._note_kept(group_id, {one: there[one] - starts[one] for one in starts.keys() & there.keys()})
        self._moved.count(moved, "share group", "given its progress" if moved == 1 else "given their progress")

    def _note_kept(self, group_id: str, differences: Mapping[TopicPartition, int]) -> None:
        kept = sum(difference != 0 for difference in differences.values())
        if kept:
            self._moved.notes.append(
                f"group {group_id} stays where it is on {plural(kept, 'partition')}: it went on there"
            )

    def _give_up(self, what: str, why: str) -> None:
        self._moved.not_moved.append(f"{what}: {why}")


def said(error: KafkaError) -> str:
    """The broker's words with the name that its documentation has for them."""
    return f"{str(error).strip().rstrip('.')} ({error.name})"


def _differences(topic: PlannedTopic, partition_count: int, configs: Mapping[str, str | None]) -> Iterator[str]:
    if partition_count != topic.partition_count:
        yield f"has {partition_count} partitions there, {topic.partition_count} here"
    for name in sorted(topic.configs.keys() | configs.keys()):
        here, there = topic.configs.get(name), configs.get(name)
        if here != there:
            yield f"has {name} {'unset' if there is None else there} there, {'unset' if here is None else here} here"


def _missing_quotas(
    quotas: Iterable[PlannedQuota], there: Mapping[frozenset[tuple[str, str | None]], Mapping[str, float]]
) -> Iterator[PlannedQuota]:
    for quota in quotas:
        known = there.get(frozenset(quota.entity.items()), {})
        values = {key: value for key, value in quota.values.items() if key not in known}
        if values:
            yield PlannedQuota(quota.entity, values)


def _joined(differences: list[str], shown_max: int = 5) -> str:
    more = len(differences) - shown_max
    return "; ".join(differences[:shown_max]) + (f"; and {more} more" if more > 0 else "")
