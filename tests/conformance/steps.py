"""The steps that every client takes, in this order, and what each asks of the broker.

A client prints one JSON document with a key for each step. The value is what the client saw, in words that do not
depend on chance, ports or time, or one of

- `{"error": NAME}`: the client raised an error; NAME is Kafka's own (`TOPIC_ALREADY_EXISTS`) or, where the client has
  one of its own for it, that;
- `{"not_offered": REASON}`: this client has no such function;
- `{"failed": TEXT}`: the script itself went wrong. No document may hold one.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """`is_refused`: the right answer is an error."""

    name: str
    section: str
    sentence: str
    is_refused: bool = False


def _section(name: str, *rows: tuple[str, str]) -> list[Step]:
    return [Step(step.lstrip("!"), name, sentence, step.startswith("!")) for step, sentence in rows]


STEPS: Final = [
    *_section(
        "Topics and configs",
        ("describe_cluster", "the nodes, the controller, a cluster id"),
        ("create_topic", "3 partitions, `retention.ms`"),
        ("!create_topic_again", "refused"),
        ("!create_topic_bad_name", "a space in the name: refused"),
        ("!create_topic_bad_config", "`retention.ms=soon`: refused"),
        ("!create_topic_too_many_replicas", "3 replicas on one node: refused"),
        ("describe_topic", "leader, replicas and ISR of each partition"),
        ("!describe_unknown_topic", "refused"),
        ("list_topics", "the new topics are among them"),
        ("alter_config", "`retention.ms`"),
        ("describe_config", "every topic config with its value and, where the client shows it, its source"),
        ("!alter_config_unknown_name", "refused"),
        ("!alter_config_bad_value", "refused"),
        ("create_partitions", "1 partition becomes 3"),
        ("!create_partitions_fewer", "refused"),
    ),
    *_section(
        "Produce",
        ("produce_none", "12 keyed records with headers and timestamps, idempotent, acks=all, not compressed"),
        ("produce_gzip", "the same with gzip"),
        ("produce_snappy", "the same with Snappy"),
        ("produce_lz4", "the same with LZ4"),
        ("produce_zstd", "the same with Zstandard"),
        ("!produce_too_large", "larger than the topic's `max.message.bytes`: refused"),
        ("!produce_to_unknown_topic", "no topics are created by asking: refused"),
        ("!produce_too_old", "older than `message.timestamp.before.max.ms`: refused"),
        ("!produce_without_key_to_compacted", "refused"),
        ("list_offsets", "first and end offset of each partition"),
        ("offsets_for_times", "the offset for a timestamp"),
    ),
    *_section(
        "Consumer groups",
        ("consume_all", "every record from the beginning: order, key, value, headers, timestamp"),
        ("commit", "offsets with metadata, read back"),
        ("rebalance", "a second member joins: both own partitions, none owns another's, all are owned"),
        ("describe_group", "state, protocol, members and who owns what, while two members are there"),
        ("!delete_group_with_members", "refused"),
        ("resume", "both leave; a new member starts from the committed offsets"),
        ("describe_empty_group", "state after the last member left"),
        ("list_groups", "the group is listed"),
        ("lag", "end offset less committed offset"),
        ("!seek_out_of_range", "a position behind the end, with no offset reset: refused"),
    ),
    *_section(
        "Transactions",
        ("transaction_commit", "two records, committed"),
        ("transaction_abort", "two records, aborted"),
        ("transaction_offsets", "offsets sent to a transaction count when it commits, not when it aborts"),
        ("read_committed", "only the committed records"),
        ("read_uncommitted", "all records"),
        ("!transaction_fenced", "an older producer with the same transactional id: refused"),
    ),
    *_section(
        "Consumer protocol (KIP-848)",
        ("consumer_protocol", "every record, with `group.protocol=consumer`"),
        ("consumer_protocol_rebalance", "a second member joins"),
        ("consumer_protocol_group", "the group as it is described"),
    ),
    *_section(
        "Security",
        ("scram_sha_256", "log in over TLS, list the topics"),
        ("scram_sha_512", "log in over TLS, write and read a record"),
        ("!wrong_password", "refused, with the client's authentication error"),
        ("!mechanism_not_enabled", "PLAIN where only SCRAM is enabled: refused"),
    ),
    *_section(
        "Deletion",
        ("delete_records", "up to an offset; the first offset is that one then"),
        ("!delete_records_beyond_end", "refused"),
        ("delete_group", "and it is gone"),
        ("!delete_unknown_group", "refused"),
        ("delete_topic", "and it is gone"),
        ("!delete_unknown_topic", "refused"),
    ),
]
