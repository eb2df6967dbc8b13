import pytest

from app.cluster.topic_rules import topic_name_trouble


@pytest.mark.parametrize("name", ["a", "orders", "Orders_2.v1-x", "x" * 249, "...", "__internal"])
def test_kafkas_names_are_fine(name):
    assert topic_name_trouble(name, ()) == ""


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 250, "a b", "a/b", "ü", "a\n"])
def test_other_names_are_not(name):
    assert topic_name_trouble(name, ())


def test_a_name_that_collides_in_metrics_is_refused_as_kafka_does():
    assert (
        topic_name_trouble("a.b", ["a_b"])
        == "The name differs from a_b only in dots and underscores, which Kafka does not allow."
    )
    assert topic_name_trouble("a.b", ["a.b"]) == "A topic of this name exists already."
