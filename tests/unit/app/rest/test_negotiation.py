import pytest

from app.rest.negotiation import RECORDS_OFFERS, V2, V2_EMBEDDED, V2_OFFERS, V3_OFFERS, parse_content_type


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (b"", V2),
        (b"*/*", V2),
        (b"application/*", V2),
        (b"application/json", "application/json"),
        (b"application/vnd.kafka.v2+json, application/json", V2),
        (b"application/vnd.kafka.avro.v2+json", V2_EMBEDDED["avro"]),
        (b"application/vnd.kafka.v2+json;q=0.1, application/json;q=0.5", "application/json"),
        (b"APPLICATION/JSON", "application/json"),
        (b"text/html, */*;q=0.1", V2),
        (b"text/html", None),
        (b"application/json;q=0", None),
        (b"application/json;q=x", None),
    ],
)
def test_metadata_answers_in_the_best_accepted_type(accept: bytes, chosen: str | None) -> None:
    assert V2_OFFERS.choose(accept) == chosen


@pytest.mark.parametrize("accept", [b"", b"*/*", b"application/*"])
def test_records_are_binary_unless_asked_otherwise(accept: bytes) -> None:
    assert RECORDS_OFFERS.choose(accept) == V2_EMBEDDED["binary"]


@pytest.mark.parametrize("name", list(V2_EMBEDDED))
def test_records_come_in_the_named_format(name: str) -> None:
    assert RECORDS_OFFERS.choose(V2_EMBEDDED[name].encode()) == V2_EMBEDDED[name]


def test_v3_answers_only_json() -> None:
    assert V3_OFFERS.choose(b"application/vnd.kafka.v2+json") is None
    assert V3_OFFERS.choose(b"*/*") == "application/json"


def test_content_type_is_read_without_its_parameters() -> None:
    parsed = parse_content_type(b'Application/JSON ; charset="UTF-8"; x=1')
    assert (parsed.name, parsed.charset) == ("application/json", "utf-8")
