"""The blocks of a page that a reader would paste into a shell to call us with curl.

Who runs a page's examples takes them from here, all of them, so that one more on the page is one more that is run;
test_curl_lines.py sees to it that somebody does.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """Every page that is for readers."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])


def fences(page: Path) -> list[tuple[str, str]]:
    """Language and text of every block of code."""
    return _FENCE.findall(page.read_text())


def curl_blocks(page: str) -> list[str]:
    """The blocks with curl in them, in their order. page: its path from the root, `docs/rest-proxy.md`."""
    return [text for _, text in fences(ROOT / page) if re.search(r"\bcurl\b", text)]
