"""The table of docs/clients.md: which client takes which step, from what the scripts answered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.conformance.clients import CLIENTS
from tests.conformance.runs import Run
from tests.conformance.steps import STEPS

PAGE: Final = Path(__file__).parents[2] / "docs" / "clients.md"
BEGIN: Final = "<!-- the tables below are written by: python -m tests.conformance -->\n"


def versions(runs: Mapping[str, Run]) -> str:
    """A table of the clients' versions in this run, as Markdown."""
    rows = [f"| {client.title} | {runs[client.name].version} |" for client in CLIENTS]
    return "\n".join(["| client | version |", "| --- | --- |", *rows, ""])


def steps_by_client(runs: Mapping[str, Run]) -> str:
    """A table for each section's steps by client, and one of why a client leaves a step out, as Markdown."""
    titles = [client.title for client in CLIENTS]
    lines: list[str] = []
    notes: dict[str, int] = {}
    for section in dict.fromkeys(step.section for step in STEPS):
        lines += [
            "",
            f"## {section}",
            "",
            f"| step | {' | '.join(titles)} | what |",
            "| --- |" + " :-: |" * len(titles) + " --- |",
        ]
        for step in STEPS:
            if step.section == section:
                cells = [_cell(runs[client.name].document[step.name], notes) for client in CLIENTS]
                lines.append(f"| {step.name} | {' | '.join(cells)} | {step.sentence} |")
    lines += ["", "## Not offered by the client", "", "| | |", "| --- | --- |"]
    lines += [f"| {number} | {reason} |" for reason, number in notes.items()]
    return "\n".join(lines) + "\n"


def _cell(answer: object, notes: dict[str, int]) -> str:
    if isinstance(answer, dict) and "not_offered" in answer:
        return f"– {notes.setdefault(str(answer['not_offered']), len(notes) + 1)}"
    return "✓"


def write(runs: Mapping[str, Run]) -> None:
    """Put the tables into the page, below its marker."""
    PAGE.write_text(PAGE.read_text().split(BEGIN)[0] + BEGIN + "\n" + versions(runs) + steps_by_client(runs))
