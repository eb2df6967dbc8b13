"""The five-minute tour, in a browser, on the real thing: make a topic, fill it, read it, watch the lag, delete it."""

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.browser

RECORDS = 40


def produce_by_rest(platform, topic):
    cluster_id = httpx.get(f"{platform.rest}/v3/clusters").json()["data"][0]["cluster_id"]
    for number in range(RECORDS):
        body = {"key": {"type": "STRING", "data": f"k-{number}"}, "value": {"type": "JSON", "data": {"number": number}}}
        answer = httpx.post(f"{platform.rest}/v3/clusters/{cluster_id}/topics/{topic}/records", json=body)
        assert answer.status_code == 200, answer.text


def commit(platform, topic, offset):
    """What a consumer does that has read so far on the topic's only partition."""
    consumer = Consumer(
        {"bootstrap.servers": platform.kafka, "group.id": f"{topic}-readers", "enable.auto.commit": False}
    )
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


@pytest.mark.parametrize(("name", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_the_tour(platform, open_page, name, viewport):
    topic = f"tour-{name}"
    with open_page(viewport=viewport) as page:
        page.goto(f"{platform.cluster_url}/topics")
        page.click("a:has-text('Create topic') >> nth=0")
        page.fill("#name", topic)
        page.fill("#partitions", "1")
        page.click("button:has-text('Create topic')")
        expect(page.locator(".toast")).to_contain_text(f"Topic {topic} was created with 1 partition.")

        produce_by_rest(platform, topic)
        page.click("nav.tabs >> text=Messages")
        expect(page.locator("tr[data-row]")).to_have_count(RECORDS)
        page.click("tr[data-row] >> nth=0 >> summary")
        expect(page.locator("pre.code:visible").last).to_contain_text(f'"number": {RECORDS - 1}')

        commit(platform, topic, 10)
        page.goto(f"{platform.cluster_url}/groups")
        page.locator(f"a:has-text('{topic}-readers')").click(timeout=15_000)  # the list follows by itself
        lag = page.locator(".tile", has_text="Lag").first.locator("strong")
        expect(lag).to_have_text("30")
        commit(platform, topic, RECORDS)
        expect(lag).to_have_text("0", timeout=15_000)

        page.goto(f"{platform.cluster_url}/topics/{topic}/config?edit=retention.ms")
        page.fill("#value", "3600000")
        page.click("button:has-text('Save')")
        expect(page.locator(".toast")).to_contain_text("is 3600000 now")
        expect(page.locator("tr", has_text="retention.ms").first).to_contain_text("1 hour")

        page.click("nav.tabs >> text=Settings")
        page.fill("#delete-confirm", topic)
        page.click("button:has-text('Delete topic')")
        expect(page.locator(".toast")).to_contain_text(f"Topic {topic} was deleted.")
        expect(page.locator("main a", has_text=topic)).to_have_count(0)
