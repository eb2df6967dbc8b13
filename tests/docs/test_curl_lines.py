"""Every curl command of every page is run by a test, as it is written."""

import ast
import json
import re
import subprocess
from pathlib import Path

import httpx

from tests.conftest import Platform
from tests.docs.curl_blocks import ROOT, curl_blocks, fences, pages
from tests.integration.broker.test_metrics import MeteredBroker

RUN_BY = {
    "README.md": "tests/docs/test_readme.py",
    "docs/control-center.md": "tests/docs/test_curl_lines.py",
    "docs/metrics.md": "tests/docs/test_curl_lines.py",
    "docs/rest-access.md": "tests/integration/test_rest_access.py",
    "docs/rest-operation.md": "tests/docs/test_curl_lines.py",
    "docs/rest-proxy.md": "tests/integration/rest/test_docs.py",
    "docs/rest-reads.md": "tests/integration/rest/test_reads.py",
    "docs/schema-registry.md": "tests/integration/registry/test_docs.py",
    "docs/schema-validation.md": "tests/integration/test_schema_validation.py",
}


def test_every_page_with_curl_is_run_by_a_test() -> None:
    """And a test that runs a page asks for all of its blocks, never for one by its number."""
    with_curl = {str(page.relative_to(ROOT)) for page in pages() if curl_blocks(str(page.relative_to(ROOT)))}
    assert with_curl == set(RUN_BY)
    for page, module in RUN_BY.items():
        asked = [
            ast.unparse(node)
            for node in ast.walk(ast.parse((ROOT / module).read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "curl_blocks"
        ]
        assert f"curl_blocks({page!r})" in asked, f"{module} does not run {page}"


def test_a_curl_command_stands_in_a_block_of_shell() -> None:
    """In no other block, and none is left in the text that a shell would take differently."""
    for page in pages():
        for language, text in fences(page):
            if re.search(r"\bcurl\b", text):
                assert language == "sh", f"{page.name}: {text[:100]}"
        outside = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert not re.search(r"^\s*curl ", outside, re.MULTILINE), page.name


def run(block: str) -> str:
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", block], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_pages_of_the_control_center_answer_json_and_csv(platform: Platform) -> None:
    (block,) = curl_blocks("docs/control-center.md")
    printed = run(block.replace("http://127.0.0.1:8080", platform.http))
    overview, end = json.JSONDecoder().raw_decode(printed)
    assert {"state", "score", "findings"} <= overview.keys()
    assert printed[end:].startswith("group")


def test_requests_are_counted_for_the_operator(platform: Platform) -> None:
    (block,) = curl_blocks("docs/rest-operation.md")
    assert httpx.get(f"{platform.rest}/topics").status_code == 200
    assert 'endpoint="api.v2.topics.list"' in run(block.replace("http://127.0.0.1:8080", platform.http))


def test_the_broker_tells_its_metrics(tmp_path: Path) -> None:
    (block,) = curl_blocks("docs/metrics.md")
    broker = MeteredBroker(tmp_path)
    try:
        host, port = broker.address
        assert "\nkafka_server_" in run(block.replace("http://127.0.0.1:9404", f"http://{host}:{port}"))
    finally:
        broker.stop()
