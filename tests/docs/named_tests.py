"""Tests that a page names: their text, wherever they stand."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
FOLDERS = ("integration", "faults")


def source_of(name: str) -> str:
    """The text of the only test of this name, with its decorators and the tables of its module that these name."""
    found = []
    for path in (path for folder in FOLDERS for path in (TESTS / folder).rglob("test_*.py")):
        source = path.read_text()
        if f"def {name}(" in source:
            found.append(_test_in(source, name))
    assert len(found) == 1, f"{len(found)} tests are called {name}"
    return found[0]


def _test_in(source: str, name: str) -> str:
    module = ast.parse(source)
    (test,) = (
        node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    )
    parts = [ast.get_source_segment(source, node) or "" for node in (*test.decorator_list, test)]
    words = set(re.findall(r"\w+", "".join(parts)))
    tables = [
        ast.get_source_segment(source, node) or ""
        for node in module.body
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id in words for one in node.targets)
    ]
    return "\n".join([*parts, *tables])
