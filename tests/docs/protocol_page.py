"""Writes docs/protocol.md from the handlers and from the tests that prove them: `python -m tests.docs.protocol_page`.

A newly served API needs a line in PROOFS; the page is then written again.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import broker.handlers  # noqa: F401  (registers the handlers)
from broker.dispatch import served_apis
from broker.handlers.api_versions import FEATURES
from broker.protocol.api_keys import ApiKey

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "protocol.md"
COMMAND: Final = "python -m tests.docs.protocol_page"

_UNIT, _WIRE = "unit/broker/handlers", "integration/broker/test_wire.py"
_ADMIN, _LOGIN = "integration/broker/test_admin.py", "integration/broker/test_login.py"
_TRANSACTIONS, _TOOLS = "integration/broker/test_transactions.py", "conformance/test_admin_sequences.py"
_SINGLE, _CLIENTS = f"{_UNIT}/test_answers_of_a_single_node.py", "integration/broker/test_clients_librdkafka.py"
_ACLS, _SEQUENCE = "integration/broker/test_acls.py", "a_sequence_prints_the_same"
_SHARES = "integration/broker/test_share_groups.py"
_SHARE_TOOLS = "interop/test_java_share_groups.py::test_a_java_share_consumer_reads_and_its_group_is_administered"
_LOOK = "conformance/test_wrong_input.py::test_the_answer_is_that_of_apache_kafka"

PROOFS: Final[dict[ApiKey, str]] = {
    ApiKey.PRODUCE: f"{_WIRE}::test_produce_validation",
    ApiKey.FETCH: f"{_WIRE}::test_fetch_by_topic_id",
    ApiKey.LIST_OFFSETS: f"{_CLIENTS}::test_offsets_for_times_and_watermarks",
    ApiKey.METADATA: f"{_WIRE}::test_metadata_of_one_topic",
    ApiKey.OFFSET_COMMIT: f"{_UNIT}/test_offset_commit.py::test_topics_are_named_by_id_from_version_10",
    ApiKey.OFFSET_FETCH: f"{_UNIT}/test_offset_fetch.py::test_many_groups_are_answered_in_order",
    ApiKey.FIND_COORDINATOR: f"{_UNIT}/test_find_coordinator.py::test_each_of_many_keys_is_answered_with_this_broker",
    ApiKey.JOIN_GROUP: f"{_UNIT}/test_join_group.py::test_newer_clients_are_given_a_member_id_first",
    ApiKey.HEARTBEAT: f"{_UNIT}/test_leave_group.py::test_heartbeat_is_answered_in_every_version",
    ApiKey.LEAVE_GROUP: f"{_UNIT}/test_leave_group.py::test_each_of_many_members_is_answered_in_newer_versions",
    ApiKey.SYNC_GROUP: f"{_UNIT}/test_join_group.py::test_leader_gets_its_assignment_back",
    ApiKey.DESCRIBE_GROUPS: f"{_UNIT}/test_describe_groups.py::test_unknown_group_is_an_error_from_version_6",
    ApiKey.LIST_GROUPS: f"{_UNIT}/test_describe_groups.py::test_groups_are_listed_by_state",
    ApiKey.SASL_HANDSHAKE: f"{_LOGIN}::test_an_unknown_mechanism_answers_those_that_are_served",
    ApiKey.API_VERSIONS: f"{_TOOLS}::test_served_versions_are_the_same",
    ApiKey.CREATE_TOPICS: f"{_UNIT}/test_create_topics.py::test_a_topic_is_there_when_it_is_answered",
    ApiKey.DELETE_TOPICS: f"{_UNIT}/test_delete_topics.py::test_a_topic_is_deleted_by_id_once",
    ApiKey.DELETE_RECORDS: f"{_UNIT}/test_delete_records.py::test_the_log_begins_at_the_asked_offset",
    ApiKey.INIT_PRODUCER_ID: f"{_TRANSACTIONS}::test_init_producer_id",
    ApiKey.OFFSET_FOR_LEADER_EPOCH: _LOOK,
    ApiKey.ADD_PARTITIONS_TO_TXN: f"{_TRANSACTIONS}::test_add_partitions",
    ApiKey.ADD_OFFSETS_TO_TXN: f"{_TRANSACTIONS}::test_offsets_in_a_transaction",
    ApiKey.END_TXN: f"{_TRANSACTIONS}::test_v2_each_transaction_has_its_epoch",
    ApiKey.WRITE_TXN_MARKERS: f"{_TRANSACTIONS}::test_markers_by_hand_end_a_transaction_that_hangs",
    ApiKey.TXN_OFFSET_COMMIT: f"{_TRANSACTIONS}::test_offsets_in_a_transaction",
    ApiKey.DESCRIBE_ACLS: f"{_ACLS}::test_librdkafka_manages_acls_and_obeys_them",
    ApiKey.CREATE_ACLS: f"{_ACLS}::test_librdkafka_manages_acls_and_obeys_them",
    ApiKey.DELETE_ACLS: f"{_ACLS}::test_librdkafka_manages_acls_and_obeys_them",
    ApiKey.DESCRIBE_CONFIGS: f"{_UNIT}/test_describe_configs.py::test_a_topics_own_value_is_its_first_synonym",
    ApiKey.ALTER_CONFIGS: f"{_UNIT}/test_alter_configs.py::test_what_is_not_given_is_deleted",
    ApiKey.ALTER_REPLICA_LOG_DIRS: f"{_UNIT}/test_describe_log_dirs.py::test_partitions_move_nowhere",
    ApiKey.DESCRIBE_LOG_DIRS: f"{_TOOLS}::test_log_folders_hold_the_same_partitions",
    ApiKey.SASL_AUTHENTICATE: f"{_LOGIN}::test_librdkafka_logs_in",
    ApiKey.CREATE_PARTITIONS: f"{_UNIT}/test_create_partitions.py::"
    "test_a_topic_grows_and_its_new_logs_obey_its_configs",
    ApiKey.CREATE_DELEGATION_TOKEN: _LOOK,
    ApiKey.RENEW_DELEGATION_TOKEN: _LOOK,
    ApiKey.EXPIRE_DELEGATION_TOKEN: _LOOK,
    ApiKey.DESCRIBE_DELEGATION_TOKEN: _LOOK,
    ApiKey.DELETE_GROUPS: f"{_UNIT}/test_describe_groups.py::test_only_groups_without_members_are_deleted",
    ApiKey.ELECT_LEADERS: f"{_SINGLE}::test_no_leader_is_ever_elected",
    ApiKey.INCREMENTAL_ALTER_CONFIGS: f"{_UNIT}/test_incremental_alter_configs.py::"
    "test_a_set_config_holds_for_the_open_log",
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: f"{_TOOLS}::test_{_SEQUENCE}",
    ApiKey.LIST_PARTITION_REASSIGNMENTS: f"{_SINGLE}::test_no_partition_is_being_moved",
    ApiKey.OFFSET_DELETE: f"{_UNIT}/test_offset_delete.py::test_topics_being_read_and_unknown_partitions_are_refused",
    ApiKey.DESCRIBE_CLIENT_QUOTAS: "integration/broker/test_quotas.py::test_quotas_are_set_shown_and_removed",
    ApiKey.ALTER_CLIENT_QUOTAS: "integration/broker/test_quotas.py::test_quotas_are_set_shown_and_removed",
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: f"{_LOGIN}::test_scram_users_come_and_go",
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: f"{_LOGIN}::test_scram_users_come_and_go",
    ApiKey.DESCRIBE_QUORUM: f"{_TOOLS}::test_the_quorum_has_one_leader",
    ApiKey.UPDATE_FEATURES: f"{_SINGLE}::test_features_stay_as_they_are",
    ApiKey.DESCRIBE_CLUSTER: f"{_WIRE}::test_describe_cluster",
    ApiKey.DESCRIBE_PRODUCERS: f"{_TOOLS}::test_{_SEQUENCE}",
    ApiKey.UNREGISTER_BROKER: f"{_TOOLS}::test_{_SEQUENCE}",
    ApiKey.DESCRIBE_TRANSACTIONS: f"{_TOOLS}::test_transactions_are_listed",
    ApiKey.LIST_TRANSACTIONS: f"{_TOOLS}::test_transactions_are_listed",
    ApiKey.CONSUMER_GROUP_HEARTBEAT: "integration/broker/test_consumer_protocol.py::"
    "test_two_members_share_and_one_takes_over",
    ApiKey.CONSUMER_GROUP_DESCRIBE: "integration/broker/test_consumer_protocol.py::test_an_expression_finds_new_topics",
    ApiKey.LIST_CONFIG_RESOURCES: f"{_SINGLE}::test_topics_and_this_broker_have_configs",
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: f"{_WIRE}::test_describe_topic_partitions_in_pages",
    ApiKey.ADD_RAFT_VOTER: _LOOK,
    ApiKey.REMOVE_RAFT_VOTER: _LOOK,
    ApiKey.SHARE_GROUP_HEARTBEAT: f"{_SHARES}::test_two_members_get_different_records",
    ApiKey.SHARE_GROUP_DESCRIBE: _SHARE_TOOLS,
    ApiKey.SHARE_FETCH: f"{_SHARES}::test_a_fetch_that_waits_is_woken_by_a_record_and_by_a_release",
    ApiKey.SHARE_ACKNOWLEDGE: f"{_SHARES}::test_records_are_lent_acknowledged_and_never_come_again",
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: _SHARE_TOOLS,
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: _SHARE_TOOLS,
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: _SHARE_TOOLS,
}
"""The test that shows the API at work, below `tests/`; what it refuses is in conformance/test_wrong_input.py."""


def page() -> str:
    """The text of docs/protocol.md."""
    return "\n".join([*_head(), *_rows(), "", *_foot()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Kafka APIs served"
    yield ""
    yield f"Written by `{COMMAND}` from the handlers: change them or that file, not this one."
    yield ""
    yield (
        "What the ApiVersions answer names. A client picks the highest version that both know. An unknown key or "
        "version closes the connection, as in Apache Kafka; ApiVersions alone answers an unknown version, with error "
        "35 and its own range. The last column is the test (below `tests/`) that shows the API at work; what each "
        "refuses, and with which code, `tests/conformance/test_wrong_input.py` compares with a genuine Apache Kafka."
    )
    yield ""
    yield "| key | API | versions | shown by |"
    yield "| --- | --- | --- | --- |"


def _rows() -> Iterator[str]:
    for key, api in sorted(served_apis.items()):
        proof = f"`{PROOFS[key]}`" if key in PROOFS else ""
        yield f"| {key.value} | {key.name} | {api.advertised[0]}-{api.advertised[-1]} | {proof} |"


def _foot() -> Iterator[str]:
    yield (
        "Produce 0 to 2 are named but refused, as in Apache Kafka: without them librdkafka takes compression for "
        "unsupported."
    )
    yield ""
    yield "| feature | levels |"
    yield "| --- | --- |"
    for name, levels in sorted(FEATURES.items()):
        yield f"| `{name}` | {levels[0]}-{levels[-1]} |"
    yield ""
    yield "The highest level is the one in force; a feature that is not in the table is not announced."


if __name__ == "__main__":
    PAGE.write_text(page())
    missing = [key.name for key in served_apis if key not in PROOFS]
    sys.exit(f"name a test in PROOFS for {', '.join(missing)}" if missing else 0)
