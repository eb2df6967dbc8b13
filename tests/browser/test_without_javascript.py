"""Every list, every form and every confirm works with JavaScript off."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def page(place, open_page):
    with open_page(java_script_enabled=False) as page:
        yield page


def test_a_topic_from_its_making_to_its_end(place, page):
    page.goto(f"{place.url}/clusters/prod/topics")
    page.click("text=Create topic")
    page.fill("#name", "order returns")
    page.click("button:has-text('Create topic')")
    expect(page.locator("#name-error")).to_contain_text("A space is not allowed.")
    page.fill("#name", "returns")
    page.click("button:has-text('Create topic')")
    expect(page.locator(".toast")).to_contain_text("Topic returns was created")
    page.click("text=Messages")
    page.fill("#key", "k")
    page.fill("#value", '{"a": 1}')
    page.click("#produce button")
    expect(page.locator(".toast")).to_contain_text("The record was written to partition")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.click("text=Config")
    page.click("[aria-label='Edit retention.ms']")
    page.fill("#value", "3600000")
    page.click("text=Save")
    expect(page.locator(".toast")).to_contain_text("retention.ms of returns is 3600000 now.")
    page.click("nav >> text=Partitions")
    page.fill("#count", "4")
    page.click("button:has-text('Add partitions')")
    expect(page.locator("tr[data-row]")).to_have_count(4)
    page.click("text=Settings")
    page.fill("#delete-confirm", "return")
    page.click("button:has-text('Delete topic')")
    expect(page.locator("#delete-confirm-error")).to_contain_text("This is not the name")
    page.fill("#delete-confirm", "returns")
    page.click("button:has-text('Delete topic')")
    expect(page.locator(".toast")).to_contain_text("Topic returns was deleted.")
    assert "returns" not in place.cluster.topics


def test_searching_sorting_and_a_chart_as_table(place, page):
    page.goto(f"{place.url}/clusters/prod/topics")
    page.fill("input[name=q]", "ord")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.click("th a:has-text('Size')")
    assert "q=ord" in page.url
    assert "sort=size" in page.url
    page.goto(f"{place.url}/clusters/prod/groups/analytics")
    expect(page.locator("#lag svg.chart")).to_be_visible()
    page.click("#lag a:has-text('as table')")
    expect(page.locator("#lag table")).to_be_visible()
    page.goto(f"{place.url}/clusters/prod")
    page.click(".rail-foot:visible button[value=dark]")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.url == f"{place.url}/clusters/prod"


def test_what_needs_javascript_is_not_offered(place, page):
    page.goto(f"{place.url}/clusters/prod/topics/orders")
    expect(page.locator("[data-pause]")).to_be_hidden()
    expect(page.locator("[data-copy]").first).to_be_hidden()
