"""The README's five minutes, run as they are written, and its word about itself."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conftest import Platform, wait_until
from tests.docs.curl_blocks import curl_blocks

README = (Path(__file__).parents[2] / "README.md").read_text()


def run(block: str, platform: Platform) -> str:
    script = block.replace("http://localhost:8082", platform.rest).replace("http://localhost:8080", platform.http)
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def output(platform: Platform) -> list[str]:
    """What each block printed, all run in order on one platform."""
    printed = []
    for number, block in enumerate(curl_blocks("README.md")):
        if number == 2:  # a person needs longer than a sampler to get to the page
            wait_until(lambda: "greetings" in httpx.get(f"{platform.http}/ui/clusters/local/topics?format=json").text)
        printed.append(run(block, platform))
    return printed


def test_there_is_a_tour(output: list[str]) -> None:
    assert len(output) == 4


def test_curl_produces(output: list[str]) -> None:
    offsets = json.loads(output[0])["offsets"]
    assert [entry["error_code"] for entry in offsets] == [None, None]


def test_curl_consumes_what_was_produced(output: list[str]) -> None:
    records = next(json.loads(line) for line in re.findall(r"\[\{.*?\}\]", output[1]))
    assert {record["key"]: record["value"]["text"] for record in records} == {"en": "hello", "pt": "olá"}


def test_page_shows_it(output: list[str], platform: Platform) -> None:
    assert "olá" in json.dumps(json.loads(output[2]), ensure_ascii=False)
    page = httpx.get(f"{platform.http}/ui/clusters/local/topics/greetings/messages").text
    assert "hello" in page
    groups = wait_until(
        lambda: "readers" in (text := httpx.get(f"{platform.http}/ui/clusters/local/groups").text) and text
    )
    assert "readers" in str(groups)


def test_v3_creates_a_topic(output: list[str]) -> None:
    assert '"topic_name":"orders-archive"' in output[3]
    assert output[3].count('"kind":"KafkaPartition"') == 3


def test_files_that_the_readme_names_are_there() -> None:
    root = Path(__file__).parents[2]
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (root / target).exists(), target


def test_pages_link_to_pages_that_exist() -> None:
    docs = Path(__file__).parents[2] / "docs"
    for page in docs.rglob("*.md"):
        for target in re.findall(r"\]\(((?!http|#)[^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
