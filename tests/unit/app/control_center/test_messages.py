import re

import pytest

from app.control_center.messages import BadQuery, parse_partitions, parse_time_ms
from app.control_center.produce_form import refusal_by_field
from app.control_center.words import Zone
from broker.errors import InvalidRecord
from tests.unit.app.control_center.conftest import words_of

PAGE = "/clusters/prod/topics/orders/messages"


def offsets_in(response):
    return [int(text) for text in re.findall(r'title="From this record on">(\d+)</a>', response.text)]


async def test_the_newest_records_come_first_with_what_the_look_did(visitor, cluster, clock):
    clock.advance(1_000)
    cluster.produce("orders", 1, b'{"latest": 9007199254740993}')
    page = await visitor.get(PAGE)
    assert offsets_in(page)[0] == 100
    assert len(offsets_in(page)) == 50
    assert '"latest": 9007199254740993' in words_of(page)
    assert "in 3 of 3 partitions, 50 records shown, stopped by: limit." in words_of(page)
    assert "At most 64 MiB and 10 s are spent on one look." in words_of(page)


async def test_older_records_are_one_link_away(visitor):
    seen = set()
    path = f"{PAGE}?limit=200"
    while path:
        page = await visitor.get(path)
        rows = re.findall(r'id="(r\d+-\d+)"', page.text)
        assert not seen.intersection(rows)
        seen.update(rows)
        more = re.search(r'rel="next" href="/ui([^"]+)"', page.text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == 300


async def test_from_an_offset_in_one_partition(visitor):
    page = await visitor.get(f"{PAGE}?from=offset&offset=97&p=2")
    assert offsets_in(page) == [97, 98, 99]
    assert (await visitor.get(f"{PAGE}?from=oldest&p=0&limit=25")).text.count("data-row") == 25


async def test_from_a_time(visitor, cluster, clock):
    clock.advance(60_000)
    cluster.produce("orders", 0, b"late")
    page = await visitor.get(f"{PAGE}?from=time&at={clock.now_ms()}")
    assert offsets_in(page) == [100]


async def test_a_tombstone_and_an_empty_value_look_different(visitor):
    page = words_of(await visitor.get("/clusters/prod/topics/customers/messages"))
    assert "null: tombstone" in page
    assert "a value of no bytes" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("p=9", "The topic has partitions 0 to 2."),
        ("p=x", "Write partitions as numbers"),
        ("from=offset&offset=soon", "Write the offset as a whole number."),
        ("from=time&at=tomorrow", "Write a time"),
        ("older=garbage", "Start again from the newest."),
    ],
)
async def test_a_query_that_cannot_be_read_is_said_on_the_page(visitor, query, said):
    response = await visitor.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    assert said in words_of(response)


async def test_records_as_json_keep_every_digit(visitor):
    records = (await visitor.get(f"{PAGE}?format=json&limit=25")).json()["records"]
    assert len(records) == 25
    assert '"amount":9007199254740993' in records[0]["value"]
    assert records[0]["headers"] == [{"name": "source", "value": "shop"}]


async def test_an_empty_topic_offers_to_produce(visitor, cluster, sampler):
    cluster.add_topic("quiet")
    await sampler.refresh()
    assert "There is no record here." in words_of(await visitor.get("/clusters/prod/topics/quiet/messages"))


async def test_a_record_is_produced_to_the_partition_of_its_key(visitor, cluster):
    fields = {"key": "c-1", "key_kind": "text", "value": '{"a": 1}', "value_kind": "json", "headers": "a: b\nc:\nd"}
    response = await visitor.post(PAGE, fields)
    assert "The record was written to partition 2 at offset 100." in await visitor.follow(response)
    record = cluster.topics["orders"].partitions[2].records[-1]
    assert (record.key, record.value) == (b"c-1", b'{"a": 1}')
    assert record.headers == (("a", b"b"), ("c", b""), ("d", None))


async def test_a_tombstone_to_a_chosen_partition(visitor, cluster):
    fields = {"key": "c-1", "value": "", "value_kind": "null", "partition": "0"}
    assert (await visitor.post(PAGE, fields)).status_code == 303
    assert cluster.topics["orders"].partitions[0].records[-1].value is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "{", "value_kind": "json"}, "This is not JSON"),
        ({"value": "%", "value_kind": "base64"}, "This is not base64."),
        ({"value": "x", "value_kind": "null"}, "A tombstone has no value."),
        ({"value": "x", "key": "k", "key_kind": "none"}, "There is a key here"),
        ({"value": "x", "partition": "9"}, "The topic has partitions 0 to 2."),
        ({"value": "x", "headers": ": v"}, "Write each header as name: value"),
        ({"value": "x" * 1_100_000}, "MessageTooLarge, error 10"),
    ],
)
async def test_a_record_that_cannot_be_written_keeps_what_was_typed(visitor, cluster, fields, said):
    response = await visitor.post(PAGE, fields)
    assert response.status_code == 422
    assert said in words_of(response)
    assert sum(len(log.records) for log in cluster.topics["orders"].partitions) == 300


def test_partitions_are_read_as_ranges():
    assert parse_partitions("", 9) is None
    assert parse_partitions("0, 3-5,4", 9) == [0, 3, 4, 5]
    for text in ("5-3", "1-", "-1", "a"):
        with pytest.raises(BadQuery):
            parse_partitions(text, 9)


def test_times_are_read_in_the_readers_zone():
    assert parse_time_ms("1970-01-01T02:00", Zone(120)) == 0
    assert parse_time_ms("1970-01-01T00:00:01Z", Zone(120)) == 1_000
    assert parse_time_ms("1700000000000", Zone(120)) == 1_700_000_000_000


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("value: schema id 9 is not registered", "value"),
        ("key: schema id 9 is not registered", "key"),
        ("header __value_schema_id: schema id 9 is not registered", "headers"),
    ],
)
def test_what_a_topic_has_against_a_schema_id_is_said_beside_its_field(said, field):
    validator = "io.confluent.kafka.schemaregistry.validator.RecordSchemaValidator"
    side = "key" if field == "key" else "value"
    error = InvalidRecord(f"Log record … is rejected by the record interceptor {validator}: {said}")
    assert refusal_by_field(error) == {
        field: f"The topic takes only a {side} with a registered schema id (confluent.{side}.schema.validation): "
        "schema id 9 is not registered."
    }


def test_any_other_refusal_belongs_to_no_field():
    compacted = InvalidRecord("Compacted topic cannot accept message without key in topic partition orders-0")
    for error in (compacted, InvalidRecord(), ValueError("x: y")):
        assert refusal_by_field(error) == {}
