"""What each broker config that has an effect here does, in one line; DescribeConfigs v3+ answers it when asked."""

from collections.abc import Mapping
from typing import Final

from broker.metadata import topic_configs

NO_EFFECT: Final = "Accepted because Apache Kafka knows it; it has no effect here."

_DOCUMENTATION: Final[Mapping[str, str]] = {
    "advertised.listeners": "The addresses that clients are told to dial, one per listener; else where they listen.",
    "auto.create.topics.enable": "Whether a client that names a missing topic gets it created.",
    "broker.id": "The older name of `node.id`.",
    "broker.rack": "A name for where this broker stands, shown to clients.",
    "caudal.flush.interval.ms": "With `caudal.flush.mode=interval`, how often appended records are forced to disk.",
    "caudal.flush.mode": "When appended records are forced to disk: every `interval`, `never`, or `always` before "
    "the answer to acks=all.",
    "caudal.log.format": "How the log's lines are written: `text`, or `json` with one object a line.",
    "caudal.log.level": "The least that is logged: DEBUG, INFO, WARN or ERROR.",
    "caudal.log.repeat.max": "How many lines of one kind clients can cause in 10 s; 0 is no limit.",
    "caudal.metrics.listener": "Where `GET /metrics` is answered for Prometheus, as `host:port`; empty for nowhere.",
    "caudal.metrics.partitions.enable": "Whether each partition, and each offset of a group, has series of its own.",
    "caudal.partitions.max": "How many partitions all topics together may have; creating more is refused.",
    "caudal.schemas.topic": "Where the Schema Registry keeps its schemas: read by topics that validate schema ids.",
    "connections.max.idle.ms": "How long a connection may be silent before it is closed.",
    "default.replication.factor": "The replication factor of topics that do not say theirs; one node can only do 1.",
    "delete.topic.enable": "Whether topics can be deleted.",
    "fetch.max.bytes": "The most that one Fetch answer carries, whatever the client asks for.",
    "group.consumer.assignment.interval.ms": "The least time between two target assignments of a consumer group.",
    "group.consumer.assignors": "The assignors that consumer groups may ask for; the first one is the default.",
    "group.consumer.heartbeat.interval.ms": "How often members of a consumer group are told to send heartbeats.",
    "group.consumer.max.size": "How many members a consumer group may have.",
    "group.consumer.migration.policy": "Which way groups may move between the classic and the consumer protocol.",
    "group.consumer.session.timeout.ms": "How long a member of a consumer group may be silent before it is removed.",
    "group.initial.rebalance.delay.ms": "How long a new group's first rebalance waits for more members.",
    "group.max.session.timeout.ms": "The longest session timeout a member of a classic group may ask for.",
    "group.max.size": "How many members a classic group may have.",
    "group.min.session.timeout.ms": "The shortest session timeout a member of a classic group may ask for.",
    "listeners": "The addresses the broker answers on, as `NAME://host:port`, separated by commas.",
    "log.dirs": "The folder that holds the partitions.",
    "log.flush.offset.checkpoint.interval.ms": "How often the recovery points are written.",
    "log.retention.check.interval.ms": "How often logs are searched for segments past their retention.",
    "max.connection.creation.rate": "How many new connections a second are answered at once; more of them wait.",
    "max.connections": "How many connections the broker takes; a new one beyond that is closed.",
    "max.connections.per.ip": "How many connections the broker takes from one address.",
    "max.connections.per.ip.overrides": "The same for single addresses, as `address:count`, separated by commas.",
    "max.incremental.fetch.session.cache.slots": "How many fetch sessions are remembered.",
    "node.id": "The number by which clients and tools know this broker.",
    "num.partitions": "The partition count of topics that do not say theirs.",
    "offset.metadata.max.bytes": "The longest note a client may commit with an offset.",
    "offsets.retention.check.interval.ms": "How often groups are searched for offsets past their retention.",
    "offsets.retention.minutes": "How long the offsets of a group without members are kept.",
    "offsets.topic.num.partitions": "The partition count of `__consumer_offsets` when it is created.",
    "offsets.topic.segment.bytes": "The segment size of `__consumer_offsets` when it is created.",
    "producer.id.expiration.ms": "How long a partition remembers an idempotent producer that writes nothing.",
    "queued.max.request.bytes": "The memory for requests that have not arrived whole; -1 is no limit.",
    "socket.listen.backlog.size": "How many connections may wait to be accepted.",
    "socket.request.max.bytes": "The largest request; a longer one closes the connection.",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "How often transactions are searched for timeouts.",
    "transaction.max.timeout.ms": "The longest timeout a transactional producer may ask for.",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "How often unused transactional ids are forgotten.",
    "transaction.state.log.num.partitions": "The partition count of `__transaction_state` when it is created.",
    "transaction.state.log.segment.bytes": "The segment size of `__transaction_state` when it is created.",
    "transactional.id.expiration.ms": "How long a transactional id that nobody uses is remembered.",
}

_IN_OTHER_UNITS: Final = {
    synonym.name: definition.name
    for definition in topic_configs.DEFINITIONS.values()
    for synonym in definition.broker_synonyms
    if synonym.unit_ms != 1
}


def documentation_of(name: str) -> str:
    """One line about a broker config."""
    topic_config = topic_configs.DEFINITION_BY_BROKER_CONFIG.get(name)
    if topic_config is not None:
        return f"The default of the topic config `{topic_config.name}`: {topic_config.documentation}"
    if name in _IN_OTHER_UNITS:
        return f"The default of the topic config `{_IN_OTHER_UNITS[name]}`, in the unit of its name."
    return _DOCUMENTATION.get(name, NO_EFFECT)
