"""The rules of axe-core (tests/browser/vendor, MPL-2.0) for WCAG 2.2 AA: every page, both themes, desktop and phone."""

from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = (
    "/",
    "/clusters/prod",
    "/clusters/prod?table=rate",
    "/clusters/prod/topics",
    "/clusters/prod/topics?q=nothing",
    "/clusters/prod/topics/new",
    "/clusters/prod/topics/orders",
    "/clusters/prod/topics/orders/messages?limit=25",
    "/clusters/prod/topics/orders/partitions",
    "/clusters/prod/topics/orders/config?edit=retention.ms",
    "/clusters/prod/topics/orders/settings",
    "/clusters/prod/groups",
    "/clusters/prod/groups/analytics",
    "/clusters/prod/brokers",
    "/clusters/prod/brokers/1",
    "/clusters/prod/brokers/1?tab=config",
    "/clusters/prod/find?q=o",
    "/nope",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize(
    ("viewport", "theme", "rules"),
    [(DESKTOP, "light", RULES), (PHONE, "light", RULES), (DESKTOP, "dark", ["color-contrast"])],
    ids=["desktop", "phone", "dark"],
)
def test_no_page_breaks_a_rule(place, open_page, viewport, theme, rules):
    place.cluster.kill_broker(2)
    place.refresh()
    found = []
    with open_page(viewport=viewport, color_scheme=theme, bypass_csp=True) as page:
        for path in PAGES:
            page.goto(place.url + path)
            page.add_script_tag(path=str(AXE))
            result = page.evaluate("rules => axe.run({runOnly: rules})", rules)
            found += [(path, one["id"], one["nodes"][0]["html"][:120]) for one in result["violations"]]
    assert found == []


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_no_page_is_wider_than_its_window(place, open_page, width):
    """400 % zoom of a 1280 px window is 320 px: one column, tables scroll in their own box."""
    place.cluster.add_topic("x" * 249)
    place.refresh()
    too_wide = []
    with open_page(viewport={"width": width, "height": 800}) as page:
        for path in (*PAGES, f"/clusters/prod/topics/{'x' * 249}"):
            page.goto(place.url + path)
            needed = page.evaluate("document.documentElement.scrollWidth")
            if needed > width:
                too_wide.append((path, needed))
    assert too_wide == []
