"""The levels: which older schemas count, and in which direction."""

import json

import pytest

from app.registry.compatibility import check
from app.registry.formats import parse


def schema(*fields):
    items = [{"name": name, "type": "int", **({"default": 0} if has_default else {})} for name, has_default in fields]
    return parse("AVRO", json.dumps({"type": "record", "name": "R", "fields": items}))


NONE, REQUIRED, OPTIONAL = schema(), schema(("a", False)), schema(("a", True))
CASES = [  # level, new, previous (oldest first), accepted
    ("NONE", REQUIRED, [NONE], True),
    ("BACKWARD", REQUIRED, [], True),
    ("BACKWARD", REQUIRED, [NONE], False),
    ("BACKWARD", REQUIRED, [NONE, OPTIONAL], True),
    ("BACKWARD_TRANSITIVE", REQUIRED, [NONE, OPTIONAL], False),
    ("BACKWARD_TRANSITIVE", OPTIONAL, [NONE, REQUIRED], True),
    ("FORWARD", REQUIRED, [NONE], True),
    ("FORWARD", NONE, [REQUIRED], False),
    ("FORWARD", NONE, [REQUIRED, OPTIONAL], True),
    ("FORWARD_TRANSITIVE", NONE, [REQUIRED, OPTIONAL], False),
    ("FORWARD_TRANSITIVE", OPTIONAL, [NONE, REQUIRED], True),
    ("FULL", REQUIRED, [NONE], False),
    ("FULL", NONE, [REQUIRED], False),
    ("FULL", OPTIONAL, [NONE], True),
    ("FULL", NONE, [REQUIRED, OPTIONAL], True),
    ("FULL_TRANSITIVE", NONE, [REQUIRED, OPTIONAL], False),
    ("FULL_TRANSITIVE", OPTIONAL, [NONE, REQUIRED], True),
]


@pytest.mark.parametrize(("level", "new", "previous", "accepted"), CASES)
def test_level(level, new, previous, accepted):
    assert (check(level, new, previous) == []) is accepted


def test_an_unknown_level_is_an_error():
    with pytest.raises(ValueError, match="SIDEWAYS"):
        check("SIDEWAYS", NONE, [])
