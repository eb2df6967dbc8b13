"""The texts beside the exported segments: scripts for Apache Kafka's own tools, and what to do in which order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Final

import msgspec

from broker.export.content import Content
from broker.export.plan import has_moved_start
from broker.log import PartitionLog
from broker.metadata.topic_configs import known_to_kafka
from broker.metadata.topics import Topic
from broker.security.acl import Acl, Operation, PatternType, Permission, ResourceType
from broker.security.client_quotas import Entity

_HEAD: Final = """#!/usr/bin/env bash
# {what}
# Kafka's tools must be on the PATH. COMMAND_CONFIG may name a file with what a client needs to log in.
set -euo pipefail
server="${{1:?usage: $0 HOST:PORT of the Kafka to move to}}"
here="$(cd "$(dirname "$0")" && pwd)"
tool() {{ local name="$1"; shift; "$name" --bootstrap-server "$server" ${{COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"}} "$@"; }}

"""  # noqa: E501  a line of shell

_COPY: Final = """#!/usr/bin/env bash
# Copy the segments into the log folders of a stopped Kafka, where the topics were created before.
# On a cluster: on each broker, which takes the partitions that it has a folder of.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: $0 LOG_DIR... (log.dirs of the stopped broker)" >&2; exit 2; }
segments="$(cd "$(dirname "$0")" && pwd)/segments"
[ -d "$segments" ] || { echo "no partition has records: nothing to copy"; exit 0; }
refuse() { echo "copy-segments: $1" >&2; exit 1; }

for logs in "$@"; do
  [ -f "$logs/meta.properties" ] || refuse "$logs is no log folder of a Kafka: name what log.dirs says"
  [ -w "$logs" ] || refuse "$logs cannot be written: run this as the user that Kafka runs as"
  [ -f "$logs/.kafka_cleanshutdown" ] || refuse "the Kafka of $logs runs, or was killed: stop it cleanly first"
done

copied=0 missing=0
for pass in check copy; do
  for from in "$segments"/*/; do
    [ -d "$from" ] || continue
    partition="$(basename "$from")"
    to=""
    for logs in "$@"; do [ -d "$logs/$partition" ] && to="$logs/$partition"; done
    if [ -z "$to" ]; then
      if [ $pass = check ]; then missing=$((missing + 1)); echo "copy-segments: no folder of $partition here" >&2; fi
      continue
    fi
    if [ $pass = check ]; then
      [ -f "$to/partition.metadata" ] || refuse "$to has no partition.metadata: create the topics first"
      [ -O "$to" ] || refuse "$to belongs to another user: run this as the user that Kafka runs as"
      [ -z "$(find "$to" -name '*.log' -size +0)" ] || refuse "$to has records already: move to new topics"
      continue
    fi
    find "$to" -maxdepth 1 -type f ! -name partition.metadata -delete
    for log in "$from"*.log; do
      cp "$log" "$to/"
      touch -r "$log" "$to/$(basename "$log")"
    done
    copied=$((copied + 1))
  done
done
[ $copied -gt 0 ] || refuse "none of the partitions has a folder here: run create-topics.sh first"
# Without this mark Kafka reads the new segments when it starts, and makes their indexes and producers' states.
for logs in "$@"; do rm "$logs/.kafka_cleanshutdown"; done
echo "copied $copied partitions ($missing are not on this broker); start Kafka now"
"""

_README: Final = """Topics of a Caudal broker, for an Apache Kafka 3.5 or newer.

1  ./create-topics.sh HOST:PORT        topics with their partitions and configs (REPLICATION_FACTOR=1 unless set)
2  stop that Kafka cleanly
3  ./copy-segments.sh LOG_DIR...       as the user that Kafka runs as, on every broker; then start Kafka
4  ./finish.sh HOST:PORT               log start offsets, open transactions, committed offsets of the groups
5  ./acls.sh HOST:PORT, ./quotas.sh HOST:PORT

partitions.csv says which offsets `kafka-get-offsets.sh` must show then. Closed segments here may be second names of the
broker's own files (hard links): copy them, do not change them.

Not in here:
- passwords. SCRAM keeps none, and Kafka takes nothing else: set new ones for the users in users.txt with
  kafka-configs.sh --entity-type users
- settings of the broker as a whole, such as log.retention.hours; those that were changed while it ran are in
  broker-configs.properties. A topic that relied on them follows the new Kafka's
- __consumer_offsets, __transaction_state: the new Kafka has its own. Committed offsets are in offsets.csv, without the
  note that a client may have kept beside them; share groups' progress is not moved. `caudal export` with
  --bootstrap-servers moves both, and does the work of steps 1, 4 and 5
- confluent.key.schema.validation and its like: Apache Kafka does not know them and refuses such topics
- transactions that were open when the broker stopped: finish.sh aborts them, because nobody else could end them
"""


def of(content: Content) -> dict[str, str]:
    """File names and their texts."""
    return {
        "README.txt": _README,
        "create-topics.sh": _create_topics(content.topics),
        "copy-segments.sh": _COPY,
        "finish.sh": _finish(content),
        "log-starts.json": _log_starts(content.logs),
        "acls.sh": _HEAD.format(what="Add the ACLs.") + _acls(content.acls),
        "quotas.sh": _HEAD.format(what="Set the client quotas.") + _quotas(content.quotas),
        "users.txt": "".join(f"{user}\n" for user in content.users),
        "broker-configs.properties": "".join(
            f"{name}={value}\n" for name, value in sorted(content.broker_configs.items()) if "password" not in name
        ),
    }


def _create_topics(topics: Iterable[Topic]) -> str:
    lines = [_HEAD.format(what="Create the topics, empty: the first step.")]
    for topic in topics:
        words = ["tool", "kafka-topics.sh", "--create", "--topic", topic.name, "--partitions", topic.partition_count]
        known = known_to_kafka(topic.configs)
        configs = [f"--config {quote(f'{name}={value}')}" for name, value in sorted(known.items())]
        command = " ".join(quote(str(word)) for word in words)
        lines.append(" ".join([command, '--replication-factor "${REPLICATION_FACTOR:-1}"', *configs]) + "\n")
    return "".join(lines)


def _finish(content: Content) -> str:
    text = _HEAD.format(what="What only a running Kafka can be told: the last step.")
    if _moved_starts(content.logs):
        text += 'tool kafka-delete-records.sh --offset-json-file "$here/log-starts.json"\n'
    for transaction in content.open_transactions():
        text += (
            f"tool kafka-transactions.sh abort --topic {quote(transaction.topic)} --partition {transaction.partition} "
            f"--start-offset {transaction.first_offset}\n"
        )
    groups = sorted({offset.group_id for offset in content.offsets})
    if groups:
        names = " ".join(f"--group {quote(group)}" for group in groups)
        text += f'tool kafka-consumer-groups.sh --reset-offsets --execute --from-file "$here/offsets.csv" {names}\n'
    return text


def _moved_starts(logs: Iterable[PartitionLog]) -> list[PartitionLog]:
    return [log for log in logs if has_moved_start(log)]


def _log_starts(logs: Iterable[PartitionLog]) -> str:
    partitions = [
        {"topic": log.topic, "partition": log.partition, "offset": log.log_start_offset} for log in _moved_starts(logs)
    ]
    return json.dumps({"partitions": partitions, "version": 1}, indent=1) + "\n"


_RESOURCE_FLAGS: Final = {
    ResourceType.TOPIC: "--topic",
    ResourceType.GROUP: "--group",
    ResourceType.TRANSACTIONAL_ID: "--transactional-id",
    ResourceType.DELEGATION_TOKEN: "--delegation-token",
    ResourceType.USER: "--user-principal",
}


def _acls(acls: Iterable[Acl]) -> str:
    """One command for all operations that a principal may do to a resource."""
    operations: dict[Acl, list[str]] = defaultdict(list)
    for acl in acls:
        operations[msgspec.structs.replace(acl, operation=Operation.ALL)].append(
            Operation(acl.operation).name.title().replace("_", "")
        )
    return "".join(_add_acl(acl, names) for acl, names in operations.items())


def _add_acl(acl: Acl, operations: Iterable[str]) -> str:
    kind = "allow" if acl.permission == Permission.ALLOW else "deny"
    words = ["tool", "kafka-acls.sh", "--add", f"--{kind}-principal", acl.principal, f"--{kind}-host", acl.host]
    for operation in operations:
        words += ["--operation", operation]
    flag = _RESOURCE_FLAGS.get(ResourceType(acl.resource_type))
    words += ["--cluster"] if flag is None else [flag, acl.resource_name]
    words += ["--resource-pattern-type", PatternType(acl.pattern_type).name.lower()]
    return " ".join(map(quote, words)) + "\n"


_ENTITY_TYPES: Final = {"user": "users", "client-id": "clients", "ip": "ips"}


def _quotas(quotas: Iterable[tuple[Entity, Mapping[str, float]]]) -> str:
    lines: list[str] = []
    for entity, values in quotas:
        configs = ",".join(f"{name}={value}" for name, value in values.items())
        words = ["tool", "kafka-configs.sh", "--alter", "--add-config", configs]
        for kind, name in entity:
            words += ["--entity-type", _ENTITY_TYPES[kind]]
            words += ["--entity-default"] if name is None else ["--entity-name", name]
        lines.append(" ".join(map(quote, words)) + "\n")
    return "".join(lines)
