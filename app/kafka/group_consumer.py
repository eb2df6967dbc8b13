"""Members of consumer groups over aiokafka: its group membership and fetching, Kafka's errors, and a limit on waits.

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
from app.kafka.ports import (
    ClusterUnreachable,
    CommittedOffset,
    ConsumedRecord,
    GroupConsumer,
    OffsetReset,
    TopicPartition,
)
from broker.errors import (
    OffsetOutOfRange,
    RebalanceInProgress,
    SaslAuthenticationFailed,
    UnknownServerError,
    UnknownTopicOrPartition,
    by_code,
)

SESSION_TIMEOUT_MS = 45_000  # Java's default since 3.0
FETCHER_IDLE_MS = 2_000  # how often aiokafka's fetcher looks around when nothing wakes it
STOP_TIMEOUT_S = 5.0
POSITION_TIMEOUT_S = 0.01
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

    def __call__(self, group_id: str, *, offset_reset: OffsetReset, on_revoked: Revoked) -> GroupConsumer:
        return AiokafkaGroupConsumer(
            self._bootstrap_servers, self._settings, group_id, offset_reset=offset_reset, on_revoked=on_revoked
        )


class AiokafkaGroupConsumer:
    """One member of one group (see ports.GroupConsumer)."""

    def __init__(
        self,
        bootstrap_servers: list[str],
        settings: ConnectionSettings,
        group_id: str,
        *,
        offset_reset: OffsetReset,
        on_revoked: Revoked,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._settings = settings
        self._group_id = group_id
        self._offset_reset = offset_reset
        self._listener = _Rebalances(on_revoked, on_assigned=self._pause_if_idle)
        self._client: aiokafka.AIOKafkaConsumer | None = None
        self._is_paused = True

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
            await _close(client)

    def subscribe(self, topics: Sequence[str]) -> None:
        self._started.subscribe(list(topics), listener=self._listener)

    def subscribe_matching(self, is_wanted: Callable[[str], bool]) -> None:
        # What aiokafka's own subscribe() does with a pattern, but that it makes one of `re` of it.
        client = self._started
        client._subscription.subscribe_pattern(_Wanted(is_wanted), listener=self._listener)
        client._client.set_topics([])

    def unsubscribe(self) -> None:
        self._started.unsubscribe()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._started.assign([_theirs(partition) for partition in partitions])
        self._pause_if_idle()

    def subscription(self) -> tuple[str, ...]:
        return tuple(sorted(self._started.subscription())) if self._client is not None else ()

    def assignment(self) -> frozenset[TopicPartition]:
        if self._client is None:
            return frozenset()
        return frozenset(TopicPartition(one.topic, one.partition) for one in self._client.assignment())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._started.seek(_theirs(partition), offset)

    async def poll(self, *, wait_s: float, records_max: int) -> list[ConsumedRecord]:
        client = self._started
        self._is_paused = False
        client.resume(*client.paused())
        if self._lacks_topics(client):
            # Java's consumer asks for a topic that is not there until it is; aiokafka would look again in five minutes.
            client._client.force_metadata_update()
            wait_s = min(wait_s, MISSING_TOPIC_LOOK_S)
        try:
            # getmany's own limit does not hold while the group rebalances.
            async with asyncio.timeout(wait_s):
                batches = await client.getmany(timeout_ms=int(wait_s * 1000), max_records=records_max)
        except TimeoutError:
            return []
        except client_errors.ConsumerStoppedError:
            return []
        except client_errors.KafkaError as error:
            _raise_translated(error)
        return [record for records in batches.values() for record in records]

    def _lacks_topics(self, client: aiokafka.AIOKafkaConsumer) -> bool:
        """Whether a topic that it reads did not exist yet, as far as the broker knew that was asked last."""
        wanted = {*client.subscription(), *(one.topic for one in client.assignment())}
        return any(client.partitions_for_topic(topic) is None for topic in wanted)

    def pause(self) -> None:
        self._is_paused = True
        self._pause_if_idle()

    def _pause_if_idle(self) -> None:
        if self._is_paused and self._client is not None:
            self._client.pause(*self._client.assignment())

    async def has_read_to(self, end_offsets: Mapping[TopicPartition, int]) -> bool:
        client = self._started
        try:
            for partition in client.assignment():
                end_offset = end_offsets.get(TopicPartition(partition.topic, partition.partition), 0)
                async with asyncio.timeout(POSITION_TIMEOUT_S):  # at once, unless it is being looked up
                    if await client.position(partition) < end_offset:
                        return False
        except (TimeoutError, client_errors.KafkaError):  # not looked up yet, or a rebalance took it meanwhile
            return False
        return True

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
    def __init__(self, on_revoked: Revoked, *, on_assigned: Callable[[], None]) -> None:
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        await self._on_revoked([TopicPartition(one.topic, one.partition) for one in revoked])

    async def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        self._on_assigned()


async def _close(client: aiokafka.AIOKafkaConsumer) -> None:
    """Leave the group; a cluster that is away must not hold us up."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await client.stop()
    except (client_errors.KafkaError, *_AWAY) as error:
        log.warning("consumer closed without leaving its group error=%r", error)


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
