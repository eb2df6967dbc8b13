"""The reference pages say what the code does: settings, served APIs, differences from Apache Kafka."""

import re
from collections.abc import Iterator
from pathlib import Path

from app.settings import ClusterSettings, Section, Settings
from broker.dispatch import served_apis
from tests.docs import protocol_page

ROOT = Path(__file__).parents[2]


def setting_rows() -> Iterator[str]:
    """The rows of the table in docs/configuration.md, from the settings themselves."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for key, inner in section.model_fields.items():
                yield _row(f"{name}.{key}", inner.default, inner.description)
        elif name == "clusters":
            for key, inner in ClusterSettings.model_fields.items():
                yield _row(f"{name}.NAME.{key}", inner.default, inner.description)
        elif name != "broker":
            yield _row(name, field.default, field.description)


def _row(name: str, default: object, description: str | None) -> str:
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"| `{name}` | {f'`{shown}`' if shown else ''} | {description} |"


def test_configuration_page_has_every_setting() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    missing = [row for row in setting_rows() if row not in page]
    assert not missing, "\n".join(["put these rows into docs/configuration.md:", *missing])


def test_configuration_page_has_no_setting_of_the_past() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    table = page.split("## Settings")[1].split("## ")[0]
    assert set(re.findall(r"^\| `.*$", table, re.MULTILINE)) == set(setting_rows())


def test_differences_page_has_every_difference_that_the_code_names() -> None:
    page = _plain((ROOT / "docs" / "differences.md").read_text())
    missing = [sentence for sentence in differences() if _plain(sentence) not in page]
    assert not missing, "\n".join(["put these lines into docs/differences.md:", *missing])


def differences() -> Iterator[str]:
    """Every `Differs from Kafka: …` sentence of the code, from comments and docstrings, joined over its lines."""
    for source in sorted([*(ROOT / "broker").rglob("*.py"), *(ROOT / "app").rglob("*.py")]):
        lines = [line.strip().removeprefix("#").strip() for line in source.read_text().splitlines()]
        for number, line in enumerate(lines):
            if "Differs from Kafka: " in line:
                text = " ".join([line.split("Differs from Kafka: ")[1], *lines[number + 1 : number + 4]])
                yield text.split(". ")[0].split(" Differs from Kafka")[0].split(' """')[0].rstrip(".") + "."


def _plain(text: str) -> str:
    return " ".join(text.split())


def test_protocol_page_is_what_its_generator_writes() -> None:
    assert protocol_page.PAGE.read_text() == protocol_page.page(), f"run: {protocol_page.COMMAND}"


def test_each_served_api_is_shown_by_a_test_that_exists() -> None:
    unproven = [key.name for key in served_apis if key not in protocol_page.PROOFS]
    assert not unproven, f"name a test in tests/docs/protocol_page.py for {', '.join(unproven)}"
    for key, proof in protocol_page.PROOFS.items():
        path, _, name = proof.partition("::")
        source = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{key.name}: there is no {proof}"


def test_alembic_folder_is_no_package() -> None:
    """An __init__.py in it would hide the library of that name."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
