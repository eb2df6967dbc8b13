"""Members of consumer groups: aiokafka's membership, our own fetching, Kafka's errors, and a limit on waits.

aiokafka's partitions are always paused. It tells which are assigned and where the group stands in them; from there on
the positions are ours. Its own fetching makes each record an object of eleven fields, which is most of what such a
record costs on its way to an answer.

Offsets are committed only when the owner says so: the owner knows which of the fetched records reached its reader.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

import aiokafka
from aiokafka import errors as client_errors
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from app.kafka.connection import ClusterConnections, ConnectionSettings
from app.kafka.partition_fetch import FetchesUnderWay, Found, PartitionFetcher, UnreadRecords
from app.kafka.ports import (
    ClusterUnreachable,
    CommittedOffset,
    ConsumedRecords,
    GroupConsumer,
    OffsetReset,
    TopicPartition,
)
from broker.errors import (
    CorruptMessage,
    KafkaError,
    OffsetOutOfRange,
    RebalanceInProgress,
    SaslAuthenticationFailed,
    UnknownServerError,
    UnknownTopicOrPartition,
    by_code,
)

SESSION_TIMEOUT_MS = 45_000  # Java's default since 3.0
FETCHER_IDLE_MS = 2_000  # how often aiokafka's fetcher looks around when nothing wakes it
RETRY_WAIT_S = 0.1
STOP_TIMEOUT_S = 5.0
MISSING_TOPIC_LOOK_S = 0.5
POSITION_TIMEOUT_S = 0.01  # for a partition whose position is not known yet, while others can be read
MISSING_TOPIC_LOOK_S = 0.5

log = logging.getLogger(__name__)

Revoked = Callable[[Collection[TopicPartition]], Awaitable[None]]

_AWAY = (
    client_errors.KafkaConnectionError,
    client_errors.KafkaTimeoutError,
    client_errors.KafkaUnavailableError,
    client_errors.NoBrokersAvailable,
    client_errors.NodeNotReadyError,
    client_errors.MetadataEmptyBrokerList,
    client_errors.StaleMetadata,
    TimeoutError,
    OSError,
)


def security_options(settings: ConnectionSettings) -> dict[str, Any]:
    """TLS and login as aiokafka's clients take them."""
    options = {"security_protocol": settings.security_protocol, "ssl_context": settings.tls}
    if settings.login is None:
        return options
    return {
        **options,
        "sasl_mechanism": settings.login.mechanism,
        "sasl_plain_username": settings.login.username,
        "sasl_plain_password": settings.login.password,
    }


class AiokafkaConsumers:
    """Makes AiokafkaGroupConsumers of one cluster (ports.ConsumerFactory)."""

    def __init__(self, bootstrap_servers: Sequence[str], settings: ConnectionSettings | None = None) -> None:
        self._bootstrap_servers = list(bootstrap_servers)
        self._settings = settings or ConnectionSettings()
        self._fetcher = PartitionFetcher(self._bootstrap_servers, self._settings)

    def __call__(self, group_id: str, *, offset_reset: OffsetReset, on_revoked: Revoked) -> GroupConsumer:
        return AiokafkaGroupConsumer(
            self._bootstrap_servers,
            self._settings,
            self._fetcher,
            group_id,
            offset_reset=offset_reset,
            on_revoked=on_revoked,
        )


class AiokafkaGroupConsumer:
    """One member of one group (see ports.GroupConsumer)."""

    def __init__(
        self,
        bootstrap_servers: list[str],
        settings: ConnectionSettings,
        fetcher: PartitionFetcher,
        group_id: str,
        *,
        offset_reset: OffsetReset,
        on_revoked: Revoked,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._settings = settings
        self._group_id = group_id
        self._offset_reset = offset_reset
        self._fetcher = fetcher
        self._listener = _Rebalances(self._begin_assignment, on_revoked, on_assigned=self._pause)
        self._client: aiokafka.AIOKafkaConsumer | None = None
        self._is_assigned = asyncio.Event()
        self._assignments_count = 0
        self._positions: dict[TopicPartition, int] = {}
        """The next offset to hand out, of assigned partitions; the one that was longest without records is first."""
        self._unread: dict[TopicPartition, UnreadRecords] = {}
        self._fetches = FetchesUnderWay(fetcher)

    async def start(self) -> None:
        if self._client is not None:
            return
        client = self._new_client()
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await client.start()
        except BaseException as error:
            await _close(client)
            if isinstance(error, client_errors.KafkaConnectionError):
                await self._raise_refusal()  # aiokafka says of every failure only that it could not connect
            if isinstance(error, Exception):
                _raise_translated(error)
            raise
        self._client = client
        self._fetcher.join()

    async def _raise_refusal(self) -> None:
        """Raises the KafkaError with which the cluster refuses our login, ClusterUnreachable when nobody answers."""
        connections = ClusterConnections(self._bootstrap_servers, self._settings)
        try:
            await connections.to_any()
        finally:
            await connections.close()

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._begin_assignment()
            await _close(client)
            await self._fetcher.leave()

    def subscribe(self, topics: Sequence[str]) -> None:
        self._begin_assignment()
        self._started.subscribe(list(topics), listener=self._listener)

    def subscribe_matching(self, is_wanted: Callable[[str], bool]) -> None:
        # What aiokafka's own subscribe() does with a pattern, but that it makes one of `re` of it.
        self._begin_assignment()
        client = self._started
        client._subscription.subscribe_pattern(_Wanted(is_wanted), listener=self._listener)
        client._client.set_topics([])

    def unsubscribe(self) -> None:
        self._begin_assignment()
        self._started.unsubscribe()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._begin_assignment()
        self._started.assign([_theirs(partition) for partition in partitions])
        self._pause()

    def subscription(self) -> tuple[str, ...]:
        return tuple(sorted(self._started.subscription())) if self._client is not None else ()

    def assignment(self) -> frozenset[TopicPartition]:
        if self._client is None:
            return frozenset()
        return frozenset(TopicPartition(one.topic, one.partition) for one in self._client.assignment())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._started.seek(_theirs(partition), offset)
        self._positions[partition] = offset
        self._unread.pop(partition, None)

    async def poll(self, *, wait_s: float, records_max: int) -> list[ConsumedRecords]:
        client = self._started
        if self._lacks_topics(client):
            # Java's consumer asks for a topic that is not there until it is; aiokafka would look again in five minutes.
            client._client.force_metadata_update()
            wait_s = min(wait_s, MISSING_TOPIC_LOOK_S)
        try:
            async with asyncio.timeout(wait_s):
                return await self._poll(asyncio.get_running_loop().time() + wait_s, records_max)
        except (TimeoutError, client_errors.ConsumerStoppedError):
            return []
        except client_errors.KafkaError as error:
            _raise_translated(error)

    def release(self) -> None:
        self._unread.clear()
        self._fetches.forget()

    def _lacks_topics(self, client: aiokafka.AIOKafkaConsumer) -> bool:
        """Whether a topic that it reads did not exist yet, as far as the broker knew that was asked last."""
        wanted = {*client.subscription(), *(one.topic for one in client.assignment())}
        return any(client.partitions_for_topic(topic) is None for topic in wanted)

    async def _poll(self, until_s: float, records_max: int) -> list[ConsumedRecords]:
        loop, client = asyncio.get_running_loop(), self._started
        while self._client is not None:
            # It has no records for us, but waits while the group rebalances, raises the group's errors, and counts as
            # the sign of life without which a member leaves its group (max.poll.interval.ms).
            await client.getmany(timeout_ms=0)
            taken = self._take(records_max)
            if taken:
                return taken
            await self._find_positions(until_s - loop.time())
            if self._positions:
                await self._fetch(wait_ms=max(0, int((until_s - loop.time()) * 1000)))
        return []  # stopped meanwhile

    def _take(self, records_max: int) -> list[ConsumedRecords]:
        """The next records of what was fetched."""
        taken: list[ConsumedRecords] = []
        for partition, unread in list(self._unread.items()):
            try:
                records = unread.take(records_max)
            except CorruptMessage:
                del self._unread[partition]  # to be fetched again
                if taken:
                    break
                raise
            self._positions[partition] = unread.next_offset
            if unread.is_empty:
                del self._unread[partition]
            if records:
                taken.append(ConsumedRecords(partition.topic, partition.partition, records))
                records_max -= len(records)
                if not records_max:
                    break
        return taken

    async def _fetch(self, *, wait_ms: int) -> None:
        """Have something unread, if there is anything; what passes is waited for."""
        try:
            found = await self._fetches.found(self._positions, wait_ms=wait_ms)
            moved = [one.partition.topic for one in found if await self._accept(one)]
            self._fetcher.look_up_again(moved)
        except (KafkaError, ClusterUnreachable) as error:
            if isinstance(error, KafkaError) and not _passes(error):
                raise
        else:
            if not moved or self._unread:
                return
        await asyncio.sleep(RETRY_WAIT_S)

    async def _accept(self, found: Found) -> bool:
        """Keep the batches of one partition; True when it has to be asked again, perhaps elsewhere.

        Raises the KafkaError that no waiting mends.
        """
        partition = found.partition
        if self._positions.get(partition) != found.offset:
            return False  # revoked meanwhile
        if found.error_code == OffsetOutOfRange.code:
            await self._reset(partition, found.offset)
        elif found.error_code:
            error = by_code(found.error_code)(f"{partition.topic}-{partition.partition}")
            if not _passes(error):
                raise error
            return True
        else:
            self._unread[partition] = UnreadRecords(found.batches, found.offset)
            self._positions[partition] = self._positions.pop(partition)  # after those that had to wait
        return False

    async def _reset(self, partition: TopicPartition, offset: int) -> None:
        if self._offset_reset is OffsetReset.NONE:
            raise OffsetOutOfRange(f"offset {offset} of {partition.topic}-{partition.partition}")
        log.info("offset is out of range topic=%s partition=%d offset=%d", partition.topic, partition.partition, offset)
        del self._positions[partition]
        client = self._started
        to_reset = client.seek_to_beginning if self._offset_reset is OffsetReset.EARLIEST else client.seek_to_end
        await to_reset(_theirs(partition))

    # --- where it stands -------------------------------------------------------------------------------------------

    async def _find_positions(self, wait_s: float) -> None:
        """Ask for the positions that are not known; wait for the first of all, or for any assignment."""
        client = self._started
        assigned = client.assignment()
        if assigned and len(assigned) == len(self._positions):
            return
        missing = [one for one in assigned if TopicPartition(one.topic, one.partition) not in self._positions]
        finding = [asyncio.create_task(self._find_position(one, self._assignments_count)) for one in missing]
        if not assigned:
            self._is_assigned.clear()
            finding.append(asyncio.create_task(self._await_assignment()))
        # This raises what is wrong with the group meanwhile; a position would be waited for in vain.
        finding.append(asyncio.create_task(client.getmany(timeout_ms=max(0, int(wait_s * 1000)))))
        try:
            if self._positions:
                done, _ = await asyncio.wait(finding, timeout=POSITION_TIMEOUT_S)
            else:
                done, _ = await asyncio.wait(finding, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in finding:
                task.cancel()
            await asyncio.gather(*finding, return_exceptions=True)
        for task in done:
            task.result()

    async def _find_position(self, theirs: aiokafka.TopicPartition, assignments_count: int) -> None:
        try:
            offset = await self._started.position(theirs)
        except client_errors.IllegalStateError:
            return  # revoked meanwhile
        if self._assignments_count == assignments_count:
            self._positions.setdefault(TopicPartition(theirs.topic, theirs.partition), offset)

    async def _await_assignment(self) -> None:
        await self._is_assigned.wait()

    def _begin_assignment(self) -> None:
        """What was fetched is no longer ours, and where we stood the group knows."""
        self._assignments_count += 1
        self._positions.clear()
        self.release()

    def _pause(self) -> None:
        if self._client is not None:
            self._client.pause(*self._client.assignment())
        self._is_assigned.set()

    async def has_read_to(self, end_offsets: Mapping[TopicPartition, int]) -> bool:
        return all(
            partition in self._positions and self._positions[partition] >= end_offsets.get(partition, 0)
            for partition in self.assignment()
        )

    async def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        if not offsets:
            return
        self._require_known(offsets, or_unheard_of=True)
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._started.commit({_theirs(one): (at.offset, at.metadata) for one, at in offsets.items()})
        except (client_errors.KafkaError, *_AWAY) as error:
            if isinstance(error, TimeoutError):  # aiokafka asks again and again for what the cluster does not know
                self._require_known(offsets, or_unheard_of=False)
            _raise_translated(error)

    def _require_known(self, partitions: Collection[TopicPartition], *, or_unheard_of: bool) -> None:
        """Raises UnknownTopicOrPartition for one that is not in the cluster, as far as the client knows.

        or_unheard_of: let those pass whose topic it has heard nothing of.
        """
        for one in partitions:
            known = self._started.partitions_for_topic(one.topic)
            if not (or_unheard_of if known is None else one.partition in known):
                raise UnknownTopicOrPartition(f"{one.topic}-{one.partition}")

    @property
    def _started(self) -> aiokafka.AIOKafkaConsumer:
        if self._client is None:
            raise ClusterUnreachable("the consumer has no connection to the cluster yet")
        return self._client

    def _new_client(self) -> aiokafka.AIOKafkaConsumer:
        return aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=self._settings.client_id,
            group_id=self._group_id,
            enable_auto_commit=False,
            auto_offset_reset=self._offset_reset,
            consumer_timeout_ms=FETCHER_IDLE_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            request_timeout_ms=int(self._settings.request_timeout_s * 1000),
            # Java's default first, so that a group may have members of both.
            partition_assignment_strategy=(RangePartitionAssignor, RoundRobinPartitionAssignor),
            **security_options(self._settings),
        )


class _Wanted:
    """Has of a compiled expression what aiokafka asks one for."""

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        self.match = is_wanted


class _Rebalances(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, forget: Callable[[], None], on_revoked: Revoked, *, on_assigned: Callable[[], None]) -> None:
        self._forget = forget
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        self._forget()
        await self._on_revoked([TopicPartition(one.topic, one.partition) for one in revoked])

    async def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        self._forget()
        self._on_assigned()


async def _close(client: aiokafka.AIOKafkaConsumer) -> None:
    """Leave the group; a cluster that is away must not hold us up."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await client.stop()
    except (client_errors.KafkaError, *_AWAY) as error:
        log.warning("consumer closed without leaving its group error=%r", error)


def _passes(error: KafkaError) -> bool:
    """Whether waiting may help: a topic may be made, or made again, while somebody consumes it."""
    return error.retriable or isinstance(error, UnknownTopicOrPartition)


def _theirs(partition: TopicPartition) -> aiokafka.TopicPartition:
    return aiokafka.TopicPartition(partition.topic, partition.partition)


def _raise_translated(error: Exception) -> NoReturn:
    if isinstance(error, client_errors.BrokerResponseError):
        raise by_code(error.errno)(str(error)) from error
    if isinstance(error, _AWAY):
        raise ClusterUnreachable(f"no broker of the cluster answered: {error}") from error
    if isinstance(error, client_errors.CommitFailedError | client_errors.IllegalStateError):
        raise RebalanceInProgress("the group has rebalanced; the partitions may belong to another member") from error
    if isinstance(error, client_errors.AuthenticationFailedError):
        raise SaslAuthenticationFailed(str(error)) from error
    if isinstance(error, client_errors.NoOffsetForPartitionError):
        raise OffsetOutOfRange("no offset is committed for the partition, and auto.offset.reset is none") from error
    raise UnknownServerError(str(error)) from error
