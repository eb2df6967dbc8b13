"""The table of limits in docs/broker.md names settings and constants that there are, with the defaults they have."""

import re
from pathlib import Path

from broker.config import DEFINITIONS, broker_config

ROOT = Path(__file__).parents[2]


def named() -> list[str]:
    table = (ROOT / "docs" / "broker.md").read_text().split("## Limits")[1].split("## ")[0]
    rows = [line.split(" | ")[1] for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    return re.findall(r"`([^`]+)`", " ".join(rows))


def test_every_setting_in_it_has_an_effect() -> None:
    settings = [name.replace("listener.name.NAME.", "") for name in named() if "." in name and " " not in name]
    assert len(settings) > 15
    effective = vars_of(broker_config({}))
    read_elsewhere = {
        "message.max.bytes",
        "max.message.bytes",
        "max.connections.per.ip.overrides",
        "max.connection.creation.rate",
    }
    assert {name for name in settings if name.replace(".", "_") not in effective} <= read_elsewhere
    assert all(name in DEFINITIONS for name in settings if name != "max.message.bytes")


def vars_of(config: object) -> set[str]:
    return set(getattr(type(config), "__slots__", ()))


def test_every_constant_in_it_is_in_the_code() -> None:
    constants = [name for name in named() if name.isupper()]
    assert len(constants) > 8
    code = "\n".join(path.read_text() for path in (ROOT / "broker").rglob("*.py"))
    assert [name for name in constants if not re.search(rf"^ *{name}: Final", code, re.MULTILINE)] == []
