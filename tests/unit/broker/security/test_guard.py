"""Every API that is served has a guard; one that has none is for those only who may do anything."""

import pytest

import broker.handlers  # registers every API
import broker.security.guards  # noqa: F401  registers every guard
from broker.dispatch import served_apis
from broker.security.guard import has_guard


@pytest.mark.parametrize("api_key", served_apis, ids=lambda key: key.name)
def test_every_api_has_a_guard(api_key):
    assert has_guard(api_key)
