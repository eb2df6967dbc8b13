"""What a page does beyond being a page: it lives, pauses, draws, finds."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def test_a_page_follows_the_cluster_without_reloading(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod")
        page.evaluate("window.isSamePage = true")
        place.cluster.kill_broker(2)
        expect(page.locator("h1")).to_have_text("prod needs attention", timeout=9_000)
        expect(page.locator(".findings")).to_contain_text("Broker 2 has been away")
        place.cluster.start_broker(2)
        expect(page.locator("h1")).to_have_text("prod is healthy", timeout=9_000)
        assert page.evaluate("window.isSamePage")


def test_what_the_reader_unfolded_stays_unfolded(place, open_page):
    place.cluster.kill_broker(2)
    place.refresh()
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod")
        page.click("text=How the score is counted")
        place.cluster.produce("orders", 0, *[b"x"] * 17)
        with page.expect_response(lambda response: "?v=" in response.url and response.status == 200, timeout=9_000):
            pass
        page.wait_for_timeout(300)
        expect(page.locator("#score")).to_have_attribute("open", "")


def test_the_pause_switch_stops_updates(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics")
        page.click("[data-pause]")
        polls = []
        page.on("request", lambda request: polls.append(request.url))
        page.wait_for_timeout(6_000)
        assert polls == []
        page.click("[data-pause]")
        page.wait_for_timeout(500)
        assert len(polls) == 1


def test_focus_and_what_is_typed_survive_an_update(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics")
        page.locator("td.name a").nth(1).focus()
        page.fill("input[name=q]", "")
        page.locator("td.name a").nth(1).focus()
        place.cluster.produce("orders", 0, *[b"x"] * 17)
        expect(page.locator("tr", has_text="orders")).to_contain_text("317", timeout=9_000)
        assert page.evaluate("document.activeElement.textContent") == "orders"


def test_searching_sorting_and_going_back(place, open_page):
    for number in range(60):
        place.cluster.add_topic(f"service-{number:02}", partitions=1 + number % 3)
    place.refresh()
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics")
        page.keyboard.press("/")
        page.keyboard.type("service-1", delay=20)
        expect(page.locator("tbody tr")).to_have_count(10)
        expect(page.locator("#topic-words")).to_contain_text("10 of 63 match service-1")
        page.click("th a:has-text('Partitions')")
        expect(page.locator("th[aria-sort=descending]")).to_contain_text("Partitions")
        assert page.url.endswith("?q=service-1&sort=partitions&dir=desc")
        page.fill("input[name=q]", "service")
        expect(page.locator("tbody tr")).to_have_count(50)
        page.click("text=Next")
        expect(page.locator("tbody tr")).to_have_count(10)
        page.go_back()
        expect(page.locator("tbody tr")).to_have_count(50)
        expect(page.locator("input[name=q]").first).to_have_value("service")


def test_charts_are_drawn_by_plotly_in_the_colours_of_the_theme(place, open_page):
    with open_page(color_scheme="light") as page:
        page.goto(f"{place.url}/clusters/prod/groups/analytics")
        lines = page.locator("#lag-plot .js-line")
        expect(lines.first).to_be_attached(timeout=5_000)
        light = lines.first.evaluate("line => getComputedStyle(line).stroke")
        page.click(".rail-foot:visible [data-theme-choice=dark]")
        page.wait_for_timeout(300)
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert lines.first.evaluate("line => getComputedStyle(line).stroke") != light
        page.reload()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_palette_finds_by_keyboard_alone(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod")
        page.keyboard.press("Control+k")
        page.keyboard.type("analyt", delay=20)
        expect(page.locator("#found a").first).to_contain_text("analytics")
        page.keyboard.press("Enter")
        page.wait_for_url("**/groups/analytics")
        page.keyboard.press("g")
        page.keyboard.press("t")
        page.wait_for_url("**/topics")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/topics/orders")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        page.locator("[data-keys-switch]").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("g")
        page.wait_for_timeout(300)
        assert page.url.endswith("/topics/orders")


def test_a_form_is_checked_while_one_types_and_keeps_its_input(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics/new")
        page.fill("#name", "order returns")
        expect(page.locator("#name-error")).to_contain_text("A space is not allowed.")
        page.fill("#retention", "12 h")
        expect(page.locator("#retention-hint")).to_have_text("retention.ms = 43200000")
        page.click("button:has-text('Create topic')")
        expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#retention")).to_have_value("12 h")
        page.fill("#name", "returns")
        page.click("button:has-text('Create topic')")
        expect(page.locator(".toast")).to_contain_text("Topic returns was created with 3 partitions.")
    assert place.cluster.topics["returns"].configs["retention.ms"] == "43200000"


def test_a_destructive_button_sleeps_until_the_name_is_typed(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics/orders/settings")
        button = page.locator("button:has-text('Delete topic')")
        expect(button).to_be_disabled()
        page.fill("#delete-confirm", "order")
        expect(button).to_be_disabled()
        page.fill("#delete-confirm", "orders")
        button.click()
        page.wait_for_url("**/topics")
        expect(page.locator(".toast")).to_contain_text("Topic orders was deleted.")
    assert "orders" not in place.cluster.topics


def test_nothing_is_called_failed_while_the_next_page_is_on_its_way(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics/orders/settings")
        page.fill("#delete-confirm", "orders")
        page.evaluate("""() => new MutationObserver(([change]) => {
            sessionStorage.said = change.target.textContent.trim();
        }).observe(document.querySelector("#toasts"), { childList: true })""")
        page.click("button:has-text('Delete topic')")
        expect(page.locator(".toast")).to_contain_text("Topic orders was deleted")
        assert page.evaluate("sessionStorage.said ?? null") is None


def test_a_form_that_no_server_takes_says_so(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics/orders/settings")
        page.fill("#delete-confirm", "orders")
        page.route("**/delete", lambda route: route.fulfill(status=503))
        page.click("button:has-text('Delete topic')")
        expect(page.locator(".toast.bad")).to_contain_text("The request failed (503).")


def test_a_cluster_that_goes_away_is_said_and_its_forms_are_disabled(place, open_page):
    with open_page() as page:
        page.goto(f"{place.url}/clusters/prod/topics/orders/partitions")
        expect(page.locator("#count")).to_be_enabled()
        place.cluster.away = True
        expect(page.locator("#notices")).to_contain_text("Cluster unreachable since", timeout=9_000)
        expect(page.locator("#count")).to_be_disabled()
        place.cluster.away = False
        expect(page.locator("#count")).to_be_enabled(timeout=9_000)


def test_times_are_those_of_the_reader(place, open_page):
    with open_page(timezone_id="Asia/Tokyo") as page:
        page.goto(f"{place.url}/clusters/prod")
        page.wait_for_timeout(800)
        there = page.evaluate("new Date().toTimeString().slice(0, 5)")
        assert page.locator("#as-of").text_content()[:2] == there[:2]


def test_many_open_pages_do_not_starve_the_next(place, open_page):
    """HTTP/1.1 gives a browser six connections to one origin; nothing here may hold one."""
    with open_page() as page:
        for _ in range(7):
            page.context.new_page().goto(f"{place.url}/clusters/prod")
        page.goto(f"{place.url}/clusters/prod/topics", timeout=5_000)
        expect(page.locator("h1")).to_have_text("Topics")


def test_the_menu_of_a_phone_leads_everywhere(place, open_page):
    with open_page(viewport=PHONE) as page:
        page.goto(f"{place.url}/clusters/prod")
        page.click("summary:has-text('Menu')")
        page.click(".menu a:has-text('Consumer groups')")
        expect(page).to_have_url(re.compile(r"/groups$"))
        expect(page.locator("h1")).to_have_text("Consumer groups")
