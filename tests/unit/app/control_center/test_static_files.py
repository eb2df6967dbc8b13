import gzip
import hashlib
import re

from tests.unit.app.control_center.conftest import ROOT

VENDOR = ROOT / "static" / "vendor"


def test_vendored_files_are_what_the_list_says_and_each_has_its_licence():
    listed = dict(
        re.findall(r"^(vendor/\S+).*\s([0-9a-f]{64})$", (ROOT / "static" / "VERSIONS").read_text(), re.MULTILINE)
    )
    present = {path.relative_to(ROOT / "static").as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert set(listed) == {name for name in present if not name.endswith("LICENSE")}
    for name, digest in listed.items():
        assert hashlib.sha256((ROOT / "static" / name).read_bytes()).hexdigest() == digest
        assert (ROOT / "static" / name).with_name("LICENSE").is_file()


async def asset(visitor, name, **headers):
    page = (await visitor.get("/clusters/prod")).text
    base = re.search(r'href="/ui(/static/[0-9a-f]+)/css/caudal.css"', page)[1]
    return await visitor.client.get(f"/ui{base}/{name}", headers=headers)


async def test_a_file_may_be_kept_for_ever_under_its_digest(visitor):
    response = await asset(visitor, "js/caudal.js")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"].startswith("text/javascript")
    assert "set-cookie" not in response.headers
    old = await visitor.client.get("/ui/static/000000000000/js/caudal.js")
    assert old.headers["cache-control"] == "no-cache"


async def test_text_is_compressed_and_fonts_are_not(visitor):
    plotly = await asset(visitor, "vendor/plotly/plotly-basic.min.js", **{"Accept-Encoding": "gzip"})
    assert plotly.headers["content-encoding"] == "gzip"
    assert plotly.content == (VENDOR / "plotly" / "plotly-basic.min.js").read_bytes()
    font = await asset(visitor, "vendor/inter/inter-latin-wght-normal.woff2", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in font.headers
    assert font.headers["content-type"] == "font/woff2"


async def test_only_files_of_the_folder_are_served(visitor):
    for name in ("nope.js", "../pyproject.toml", "..%2Fpyproject.toml", "%2e%2e/pyproject.toml"):
        assert (await asset(visitor, name)).status_code == 404


async def test_a_first_visit_weighs_little(visitor):
    """Issue 3: all resources of the topics page in 150 KB gzip, without fonts and plotly."""
    page = (await visitor.get("/clusters/prod/topics")).text
    names = re.findall(r'(?:href|src)="/ui/static/[0-9a-f]+/([^"#]+)', page)
    weighed = {name for name in names if not name.endswith(".woff2")}
    assert not any("plotly" in name for name in weighed)
    total = sum(len(gzip.compress((ROOT / "static" / name).read_bytes())) for name in weighed)
    assert total + len(gzip.compress(page.encode(), 4)) < 60_000
