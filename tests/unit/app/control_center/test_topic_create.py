import pytest

from tests.unit.app.control_center.conftest import words_of

NEW = "/clusters/prod/topics/new"
FIELDS = {"name": "invoices", "partitions": "4", "replicas": "3", "retention": "12 h", "cleanup": "delete"}


async def test_a_topic_is_made_and_the_next_page_says_so(visitor, cluster):
    response = await visitor.post(NEW, FIELDS)
    assert response.headers["location"] == "/ui/clusters/prod/topics/invoices"
    assert "Topic invoices was created with 4 partitions." in await visitor.follow(response)
    topic = cluster.topics["invoices"]
    assert len(topic.partitions) == 4
    assert topic.configs == {"retention.ms": "43200000", "cleanup.policy": "delete"}
    assert "was created" not in words_of(await visitor.get("/clusters/prod/topics/invoices"))


async def test_htmx_is_told_where_to_go(visitor):
    response = await visitor.post(NEW, FIELDS, htmx=True)
    assert response.headers["hx-redirect"] == "/ui/clusters/prod/topics/invoices"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "A topic needs a name."),
        ("name", "order returns", "A space is not allowed."),
        ("name", "bestellung/ü", "The character '/' is not allowed."),
        ("name", "x" * 250, "The name has 250 characters, 249 are allowed."),
        ("name", "..", "A name cannot be one or two dots."),
        ("name", "orders", "A topic of this name exists already."),
        ("partitions", "0", "At least one of partitions."),
        ("partitions", "many", "Write a whole number of partitions."),
        ("partitions", "1000000", "At most 10 000 partitions."),
        ("replicas", "4", "Only 3 brokers are up."),
        ("retention", "a while", "Write a length of time, for example 7 days"),
        ("retention", "7 fortnights", "“fortnights” is not a unit of time."),
        ("cleanup", "burn", "Choose one of the three."),
        ("min_insync", "4", "With 3 replicas nobody could write with acks=all."),
        ("max_message", "1 elephant", "“elephant” is not a unit of size."),
        ("extra", "segment.ms", "Line 1 is not of the form name = value."),
        ("extra", "segment.ms=1\nsegment.ms=2", "segment.ms stands there twice."),
        ("extra", "retention.ms=1", "retention.ms is set by its own field above."),
    ],
)
async def test_a_wrong_field_is_answered_beside_it_with_the_input_kept(visitor, cluster, field, value, said):
    response = await visitor.post(NEW, {**FIELDS, field: value})
    assert response.status_code == 422
    assert said in words_of(response)
    assert f'id="{field}-error"' in response.text
    assert f'aria-describedby="{field}-error' in response.text
    assert f'value="{FIELDS["partitions" if field == "retention" else "retention"]}"' in response.text
    assert "invoices" not in cluster.topics


async def test_what_the_broker_refuses_stands_beside_the_field(visitor):
    response = await visitor.post(NEW, {**FIELDS, "extra": "no.such.config = 1"})
    assert response.status_code == 422
    assert 'id="extra-error"' in response.text
    assert "InvalidConfig, error 40" in words_of(response)


async def test_the_live_check_complains_only_about_what_was_typed(visitor):
    untouched = await visitor.get(f"{NEW}/check?name=&partitions=3&replicas=3&cleanup=delete", htmx=True)
    assert untouched.status_code == 200
    assert "error" not in untouched.text
    typed = await visitor.get(
        f"{NEW}/check?name=a+b&partitions=3&replicas=3&retention=2+days&cleanup=compact", htmx=True
    )
    assert "A space is not allowed." in words_of(typed)
    assert "retention.ms = 172800000" in words_of(typed)
    assert "cleanup.policy = compact" in words_of(typed)
    assert "hx-push-url" not in typed.headers


async def test_the_form_says_the_same_as_curl(visitor):
    page = words_of(await visitor.get(f"{NEW}/check?name=invoices&partitions=3&replicas=3&cleanup=delete", htmx=True))
    assert "curl -X POST http://caudal/v3/clusters/memory-cluster-0000000/topics" in page
    assert '"topic_name": "invoices", "partitions_count": 3' in page


async def test_a_clone_takes_the_settings_but_not_the_name(visitor, cluster, sampler):
    cluster.topics["orders"].configs |= {"segment.bytes": "1048576", "retention.bytes": "1073741824"}
    cluster.topics["orders"].configs["cleanup.policy"] = "delete,compact"
    await sampler.refresh()
    await sampler.refresh("configs")
    page = (await visitor.get(f"{NEW}?from=orders")).text
    assert 'name="name"  value=""' in page or 'id="name" name="name" value=""' in page
    assert 'value="1 day"' in page
    assert 'value="1 GiB"' in page
    assert '<option value="compact,delete" selected>' in page
    assert "segment.bytes = 1048576" in page
