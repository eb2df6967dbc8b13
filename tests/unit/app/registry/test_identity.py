"""The guid of a schema, held against Confluent's own values."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from app.registry.contracts import Metadata, Rule, RuleSet
from app.registry.identity import schema_guid
from app.registry.schema import Reference

GOLDEN = json.loads(Path(__file__).parents[3].joinpath("golden/registry_guid.json").read_text())
CASES = [(kind, parts, guid) for kind, guids in GOLDEN["guids"].items() for parts, guid in guids.items()]


@pytest.mark.parametrize(("kind", "parts", "guid"), CASES)
def test_guid_is_the_one_confluent_gives(kind, parts, guid):
    references = [Reference(*row) for row in GOLDEN["references"]]
    rules = {family: [Rule(**rule) for rule in rules] for family, rules in GOLDEN["rules"].items()}
    assert schema_guid(
        GOLDEN["schemas"][kind],
        references if parts[0] == "1" else (),
        Metadata(**GOLDEN["metadata"]) if parts[1] == "1" else None,
        RuleSet(**rules) if parts[2] == "1" else None,
    ) == UUID(guid)


def test_an_empty_contract_is_not_the_same_as_none():
    assert schema_guid("{}", (), Metadata()) != schema_guid("{}")
