"""Produce to topics that validate schema ids, with the records of `_schemas` as our registry writes them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registry.identity import schema_guid
from app.registry.records import (
    ConfigJson,
    SchemaValue,
    clear_subject_record,
    config_record,
    delete_subject_record,
    schema_record,
    schema_tombstone,
    to_references,
)
from broker.dispatch import BadRequest
from broker.metadata.topic_configs import VALIDATION_CONFIGS
from broker.protocol.compression import Codec
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch, read_header
from broker.schemas import ReadAhead

BY_NAME = 12  # the newest version of Produce that names topics
NOW_MS = 1_700_000_000_000
STRATEGY = "io.confluent.kafka.serializers.subject."
AVRO = '{"type":"record","name":"Order","namespace":"shop","fields":[]}'
REJECTED = "is rejected by the record interceptor io.confluent.kafka.schemaregistry.validator.RecordSchemaValidator: "


def prefix(schema_id):
    return b"\0" + schema_id.to_bytes(4, "big")


class Writer:
    """The broker, asked to append."""

    def __init__(self, broker):
        self.broker = broker

    def topic(self, name="orders", **configs):
        configs = {f"confluent.{key.replace('_', '.')}": value for key, value in configs.items()}
        self.broker.topics.create(name, partition_count=1, configs=configs or {VALIDATION_CONFIGS[2]: "true"})

    def produce(self, *values, topic="orders", acks=-1, **batch):
        """The answer for a batch of records, given as values or as Records."""
        records = [one if isinstance(one, Record) else Record(0, NOW_MS, b"k", one) for one in values]
        data = PartitionProduceData(index=0, records=memoryview(bytearray(build_batch(records, **batch))))
        request = ProduceRequest(acks=acks, topic_data=[TopicProduceData(name=topic, partition_data=[data])])
        answer = self.broker.ask(request, BY_NAME)
        return answer and answer.responses[0].partition_responses[0]

    def reasons(self, *values, **batch):
        """Why records were refused, by their places; {} when the batch was appended."""
        answer = self.produce(*values, **batch)
        assert answer.error_code in (0, 87)
        assert bool(answer.record_errors) == (answer.error_code == 87)
        assert all(REJECTED in one.batch_index_error_message for one in answer.record_errors)
        return {one.batch_index: one.batch_index_error_message.split(REJECTED)[1] for one in answer.record_errors}

    def end_offset(self, topic="orders"):
        return self.broker.topics.partition(topic, 0).log_end_offset


class Registry:
    """What a Schema Registry appends to `_schemas`."""

    def __init__(self, broker):
        self.broker = broker

    def append(self, *records, **batch):
        if "_schemas" not in self.broker.topics:
            self.broker.topics.create("_schemas", partition_count=1, configs={"cleanup.policy": "compact"})
        data = build_batch([Record(0, NOW_MS, key, value) for key, value in records], **batch)
        self.broker.topics.partition("_schemas", 0).append(bytearray(data), read_header(data), now_ms=NOW_MS)

    def register(self, subject, schema_id, *, version=1, text=AVRO, **fields):
        value = SchemaValue(subject, version, schema_id, schema=text, **fields)
        self.append(schema_record(value))
        return value


@pytest.fixture
def writer(handler_broker):
    return Writer(handler_broker)


@pytest.fixture
def registry(handler_broker):
    return Registry(handler_broker)


def test_a_registered_id_passes_and_everything_else_is_refused_with_its_reason(writer, registry):
    registry.register("orders-value", 7)
    registry.register("payments-value", 8)
    writer.topic()
    assert writer.reasons(prefix(7) + b"data") == {}
    assert writer.reasons(prefix(8)) == {
        0: "value: schema id 8 is not registered under subject 'orders-value', but under 'payments-value'"
    }
    assert writer.reasons(prefix(9)) == {0: "value: schema id 9 is not registered"}
    begins = "value: there is no schema id (byte 0, then an id of 4 bytes): it"
    assert writer.reasons(b"hello world") == {0: f"{begins} begins with 68 65 6c 6c 6f"}
    assert writer.reasons(b"\0\0\0\0") == {0: f"{begins} begins with 00 00 00 00"}
    assert writer.reasons(b"") == {0: f"{begins} is empty"}
    assert writer.end_offset() == 1


def test_the_answer_is_that_of_confluent_server(writer, registry):
    registry.register("orders-value", 7)
    writer.topic()
    answer = writer.produce(prefix(7), b"one", prefix(7), b"three!", b"4", b"5", b"6")
    assert (answer.error_code, answer.base_offset, answer.log_start_offset) == (87, -1, 0)
    assert [one.batch_index for one in answer.record_errors] == [1, 3, 4, 5, 6]
    head = f"Log record DefaultRecord(offset=3, timestamp={NOW_MS}, key=1 bytes, value=6 bytes) "
    assert answer.record_errors[1].batch_index_error_message.startswith(head + REJECTED)
    assert answer.error_message.startswith(
        "One or more records have been rejected due to 5 record errors in total, and only showing the first three "
        f"errors at most: [RecordError(batchIndex=1, message='Log record DefaultRecord(offset=1, timestamp={NOW_MS}, "
    )
    assert re.findall(r"batchIndex=(\d)", answer.error_message) == ["1", "3", "4"]
    assert writer.end_offset() == 0


def test_null_values_and_null_keys_pass(writer, registry):
    registry.register("orders-value", 7)
    registry.register("orders-key", 6)
    writer.topic(key_schema_validation="true", value_schema_validation="true")
    null = Record(0, NOW_MS, None, None)
    assert writer.reasons(null, null._replace(value=prefix(7)), null._replace(key=prefix(6))) == {}
    assert writer.reasons(null._replace(key=prefix(7)), null._replace(key=b"k")) == {
        0: "key: schema id 7 is not registered under subject 'orders-key', but under 'orders-value'",
        1: "key: there is no schema id (byte 0, then an id of 4 bytes): it begins with 6b",
    }


def test_keys_alone_can_be_validated(writer, registry):
    registry.register("orders-key", 6)
    writer.topic(key_schema_validation="true")
    assert writer.reasons(Record(0, NOW_MS, prefix(6), b"anything")) == {}
    assert writer.reasons(Record(0, NOW_MS, b"k", b"anything")).keys() == {0}


def test_without_a_registry_in_this_cluster_everything_is_refused_and_told_why(writer):
    writer.topic()
    answer = writer.produce(prefix(7), Record(0, NOW_MS, b"k", None))
    assert answer.error_code == 87
    assert "no topic '_schemas'" in answer.error_message
    assert "Schema Registry" in answer.error_message


def test_what_is_registered_counts_from_the_next_record_on(writer, registry):
    registry.register("x", 1)
    writer.topic()
    for schema_id in range(2, 6):
        assert writer.reasons(prefix(schema_id)).keys() == {0}
        registry.register("orders-value", schema_id, version=schema_id)
        assert writer.reasons(prefix(schema_id)) == {}


def test_deleted_versions_are_refused(writer, registry):
    first = registry.register("orders-value", 1)
    second = registry.register("orders-value", 2, version=2)
    writer.topic()
    assert writer.reasons(prefix(1), prefix(2)) == {}
    registry.register("orders-value", 1, deleted=True)
    assert writer.reasons(prefix(1), prefix(2)) == {0: "value: schema id 1 was deleted from subject 'orders-value'"}
    registry.append(schema_tombstone("orders-value", first.version))
    assert writer.reasons(prefix(1)) == {0: "value: schema id 1 is not registered"}
    registry.append(delete_subject_record("orders-value", second.version))
    assert writer.reasons(prefix(2)) == {0: "value: schema id 2 was deleted from subject 'orders-value'"}
    registry.append(clear_subject_record("orders-value"))
    assert writer.reasons(prefix(2)) == {0: "value: schema id 2 is not registered"}
    registry.register("orders-value", 2, version=3)
    assert writer.reasons(prefix(2)) == {}


def test_a_topic_of_schemas_that_is_made_anew_is_read_anew(writer, registry):
    registry.register("orders-value", 1)
    writer.topic()
    assert writer.reasons(prefix(1)) == {}
    writer.broker.topics.delete("_schemas")
    assert "no topic '_schemas'" in writer.produce(prefix(1)).error_message
    registry.register("orders-value", 2)
    assert writer.reasons(prefix(1), prefix(2)) == {0: "value: schema id 1 is not registered"}


def test_schemas_whose_records_are_deleted_are_no_longer_known(writer, registry):
    registry.register("orders-value", 1)
    registry.register("orders-value", 2, version=2)
    writer.topic()
    assert writer.reasons(prefix(1), prefix(2)) == {}
    writer.broker.topics.partition("_schemas", 0).delete_records(1)
    assert writer.reasons(prefix(1), prefix(2)).keys() == {0}


def test_an_alias_stands_for_its_subject_even_in_another_context(writer, registry):
    registry.register(":.eu:invoices", 5)
    writer.topic()
    assert writer.reasons(prefix(5)).keys() == {0}
    registry.append(config_record("orders-value", ConfigJson(alias=":.eu:invoices")))
    assert writer.reasons(prefix(5)) == {}
    registry.append(config_record("orders-value", None))
    assert writer.reasons(prefix(5)).keys() == {0}


def test_subjects_of_other_contexts_do_not_count(writer, registry):
    registry.register(":.eu:orders-value", 5)
    registry.register(":.:orders-value", 6)
    writer.topic()
    assert writer.reasons(prefix(5), prefix(6)) == {0: "value: schema id 5 is not registered"}


def test_bad_records_of_the_registrys_topic_are_passed_over(writer, registry):
    registry.append((b"no json", b"{}"), (b'{"keytype":"SCHEMA","subject":"s","version":1}', b"[]"), (b"", None))
    registry.append((b'{"keytype":"NOOP","magic":0}', None), (b'{"keytype":"FUTURE","subject":"s"}', b"{}"))
    registry.register("orders-value", 7)
    writer.topic()
    assert writer.reasons(prefix(7)) == {}


@pytest.mark.parametrize("codec", list(Codec))
def test_compressed_batches_are_looked_into(writer, registry, codec):
    registry.register("orders-value", 7)
    writer.topic()
    assert writer.reasons(prefix(7), prefix(7), codec=codec) == {}
    assert writer.reasons(prefix(7), b"bad", prefix(7), codec=codec).keys() == {1}
    assert writer.end_offset() == 2


def test_a_refused_batch_takes_no_sequence_number(writer, registry):
    registry.register("orders-value", 7)
    writer.topic()
    producer = {"producer_id": 5, "producer_epoch": 0}
    assert writer.produce(prefix(7), base_sequence=0, **producer).base_offset == 0
    assert writer.reasons(b"bad", b"bad", base_sequence=1, **producer).keys() == {0, 1}
    assert writer.produce(prefix(7), base_sequence=1, **producer).base_offset == 1
    assert writer.produce(prefix(7), base_sequence=1, **producer).base_offset == 1  # a repetition
    assert writer.end_offset() == 2


def test_with_acks_0_the_connection_is_closed(writer, registry):
    registry.register("orders-value", 7)
    writer.topic()
    assert writer.produce(prefix(7), acks=0) is None
    with pytest.raises(BadRequest, match="rejected by the record interceptor"):
        writer.produce(b"bad", acks=0)


def test_no_more_records_are_named_than_a_client_can_use(writer, registry):
    registry.register("orders-value", 7)
    writer.topic()
    answer = writer.produce(*[b"bad"] * 1_500)
    assert len(answer.record_errors) == 1_000
    assert "1000 or more record errors" in answer.error_message


def test_validation_can_be_turned_on_and_off(writer, registry):
    registry.register("orders-value", 7)
    writer.topic("plain", value_schema_validation="false")
    assert writer.produce(b"anything", topic="plain").error_code == 0
    writer.broker.topics.set_configs("plain", {VALIDATION_CONFIGS[2]: "TRUE"})
    assert writer.produce(b"anything", topic="plain").error_code == 87
    writer.broker.topics.set_configs("plain", {})
    assert writer.produce(b"anything", topic="plain").error_code == 0


def test_a_topic_that_does_not_validate_never_reads_the_schemas(writer, registry):
    registry.register("orders-value", 7)
    writer.topic("plain", value_subject_name_strategy=f"{STRATEGY}RecordNameStrategy")
    assert writer.produce(b"anything", topic="plain").error_code == 0
    assert writer.broker.context.schemas.version == 0


def test_schemas_are_read_ahead_only_while_a_topic_validates(writer, registry):
    for schema_id in range(1, 4):
        registry.register("orders-value", schema_id, version=schema_id)
    topics, schemas = writer.broker.topics, writer.broker.context.schemas
    ahead = ReadAhead(schemas, topics)
    topics.create("plain", partition_count=1)
    assert (list(ahead.steps()), len(schemas.versions)) == ([], 0)
    writer.topic()
    assert len(list(ahead.steps())) == 1
    assert len(schemas.versions) == 3
    registry.register("orders-value", 4, version=4)
    topics.delete("orders")
    assert (list(ahead.steps()), len(schemas.versions)) == ([], 3)
    writer.topic()
    topics.delete("_schemas")
    assert (list(ahead.steps()), len(schemas.versions)) == ([], 0)


# --- by guid ----------------------------------------------------------------------------------------------------------


def guid_of(value):
    return schema_guid(value.schema, to_references(value.references)).bytes


def with_header(value, data, name="__value_schema_id"):
    return Record(0, NOW_MS, b"k", value, ((name, data),))


def test_a_guid_in_a_header_counts_before_the_value(writer, registry):
    good, other = registry.register("orders-value", 7), registry.register("else", 8, text='"string"')
    writer.topic()
    assert writer.reasons(with_header(b"plain", b"\1" + guid_of(good)), with_header(b"", prefix(7))) == {}
    assert writer.reasons(Record(0, NOW_MS, b"k", b"\1" + guid_of(good))) == {}
    refused = writer.reasons(
        with_header(prefix(7), b"\1" + guid_of(other)),
        with_header(prefix(7), b"\1" + bytes(16)),
        with_header(prefix(7), None),
        with_header(prefix(7), b"\1" + guid_of(good), name="__key_schema_id"),
        with_header(b"plain", b"\1" + guid_of(good), name="__key_schema_id"),
    )
    assert refused.keys() == {0, 1, 2, 4}
    assert "is not registered under subject 'orders-value', but under 'else'" in refused[0]
    assert refused[1] == (
        "header __value_schema_id: schema guid 00000000-0000-0000-0000-000000000000 is not registered"
    )
    assert refused[2] == "header __value_schema_id: there is no schema id (byte 0, then an id of 4 bytes): it is empty"


# --- by the record's name ---------------------------------------------------------------------------------------------

PROTO = """
syntax = "proto3"; // message Not {
package shop.v1;
message Order { map<string, int32> counts = 1; message Line { message Tax {} } enum E { A = 0; } message Note {} }
message Refund { string message = 1; }
"""


def test_record_names_are_subjects(writer, registry):
    for subject, schema_id, text, kind in (
        ("shop.Order", 1, AVRO, None),
        ("Plain", 2, '{"type":"enum","name":"Plain","symbols":["A"]}', None),
        ("Title", 3, '{"title":"Title"}', "JSON"),
        ("string", 4, '"string"', None),
        ("none", 5, "{}", "JSON"),
        ("orders-value", 6, '{"type":"record","name":"x.Other","namespace":"y","fields":[]}', None),
    ):
        registry.register(subject, schema_id, text=text, schema_type=kind)
    writer.topic(value_schema_validation="true", value_subject_name_strategy=f"{STRATEGY}RecordNameStrategy")
    refused = writer.reasons(*[prefix(schema_id) for schema_id in range(1, 8)])
    assert refused == {
        4: "value: schema id 5 names no record: its JSON Schema has no title",
        5: "value: schema id 6 is not registered under subject 'x.Other', but under 'orders-value'",
        6: "value: schema id 7 is not registered",
    }


def test_topic_and_record_name_together_are_a_subject(writer, registry):
    registry.register("orders-shop.Order", 1)
    registry.register("shop.Order", 2, text=AVRO.replace("[]", '[{"name":"a","type":"int"}]'))
    writer.topic(value_schema_validation="true", value_subject_name_strategy=f"{STRATEGY}TopicRecordNameStrategy")
    assert writer.reasons(prefix(1), prefix(2)) == {
        1: "value: schema id 2 is not registered under subject 'orders-shop.Order', but under 'shop.Order'"
    }


@pytest.mark.parametrize(
    ("subject", "indexes"),
    [
        ("shop.v1.Order", b"\0"),
        ("shop.v1.Order", b"\2\0"),
        ("shop.v1.Refund", b"\2\2"),
        ("shop.v1.Order.Line", b"\4\0\0"),  # as Java counts
        ("shop.v1.Order.Line", b"\4\0\2"),  # as a descriptor counts, in which a map's entry is a message
        ("shop.v1.Order.Line.Tax", b"\6\0\2\0"),
        ("shop.v1.Order.Note", b"\4\0\2"),
    ],
)
def test_protobufs_indexes_say_which_message(writer, registry, subject, indexes):
    registry.register(subject, 1, text=PROTO, schema_type="PROTOBUF")
    writer.topic(value_schema_validation="true", value_subject_name_strategy=f"{STRATEGY}RecordNameStrategy")
    assert writer.reasons(prefix(1) + indexes + b"data") == {}
    assert writer.reasons(prefix(1) + b"\2\4") == {0: "value: schema id 1 names no record: it has no message at [2]"}
    assert "no message indexes follow it" in writer.reasons(prefix(1))[0]


# --- any bytes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def any_writer(tmp_path_factory):
    from tests.unit.broker.handlers.conftest import HandlerBroker

    broker = HandlerBroker(tmp_path_factory.mktemp("broker"), {})
    Registry(broker).register("orders-value", 7)
    Registry(broker).register("orders-key", 0xFFFFFFFF)
    writer = Writer(broker)
    writer.topic(key_schema_validation="true", value_schema_validation="true")
    yield writer
    broker.logs.close()


some_bytes = (
    st.none()
    | st.binary(max_size=8)
    | st.sampled_from([7, 8, 0xFFFFFFFF])
    .map(prefix)
    .flatmap(lambda start: st.binary(max_size=3).map(lambda rest: start + rest))
)


@settings(deadline=None)
@given(records=st.lists(st.tuples(some_bytes, some_bytes), min_size=1, max_size=6), codec=st.sampled_from(list(Codec)))
def test_just_the_records_that_carry_their_ids_pass(any_writer, records, codec):
    wrong = {
        index
        for index, (key, value) in enumerate(records)
        if (key is not None and not key.startswith(prefix(0xFFFFFFFF)))
        or (value is not None and not value.startswith(prefix(7)))
    }
    end_offset = any_writer.end_offset()
    assert any_writer.reasons(*[Record(0, NOW_MS, key, value) for key, value in records], codec=codec).keys() == wrong
    assert any_writer.end_offset() == end_offset + (0 if wrong else len(records))
