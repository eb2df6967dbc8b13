"""Level, mode and deletion by form, for a subject, a context and the registry."""

import pytest

from app.registry.records import ConfigUpdate
from app.registry.refusals import SubjectNotFound
from app.registry.registry import NewSchema
from app.registry.schema import Reference
from tests.unit.app.control_center.conftest import words_of
from tests.unit.app.control_center.schemas.conftest import avro

SUBJECT = "/clusters/prod/schemas/orders-value"
REGISTRY = "/clusters/prod/schemas/settings"


async def test_a_level_is_set_and_taken_away(visitor, orders, desk):
    page = await visitor.follow(await visitor.post(f"{SUBJECT}/settings/level", {"level": "FULL", "before": ""}))
    assert "New versions of orders-value must be FULL from now on." in page
    assert "FULL, set here" in page
    await visitor.post(f"{SUBJECT}/settings/level", {"level": "", "before": "FULL"})
    assert "orders-value" not in desk.view.configs


async def test_taking_a_level_away_keeps_what_else_was_set(visitor, orders, desk):
    await orders.scopes.update_config("orders-value", ConfigUpdate(compatibility="FULL", normalize=True))
    assert "normalize true" in words_of(await visitor.get(f"{SUBJECT}/settings"))
    await visitor.post(f"{SUBJECT}/settings/level", {"level": "", "before": "FULL"})
    config = desk.view.configs["orders-value"]
    assert (config.compatibility_level, config.normalize) == (None, True)


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        (f"{SUBJECT}/settings/level", {"level": "SOME", "before": ""}, "Choose one of the levels."),
        (f"{SUBJECT}/settings/level", {"level": "NONE", "before": "FULL"}, "It was changed meanwhile: it is inherited"),
        (f"{SUBJECT}/settings/mode", {"mode": "SOME", "before": ""}, "Choose one of the modes."),
        (f"{SUBJECT}/settings/mode", {"mode": "READONLY", "before": "IMPORT"}, "It was changed meanwhile"),
        (f"{SUBJECT}/settings/mode", {"mode": "IMPORT", "before": ""}, "found existing subjects (error 42205)"),
        (f"{SUBJECT}/settings/mode", {"mode": "FORWARD", "before": ""}, "Invalid mode"),
        (f"{REGISTRY}/level", {"level": "SOME", "before": ""}, "Choose one of the levels."),
        (f"{REGISTRY}/mode", {"mode": "READONLY", "before": "IMPORT"}, "It was changed meanwhile"),
    ],
)
async def test_wrong_settings_are_refused_beside_their_field(visitor, orders, desk, path, fields, words):
    answer = await visitor.post(path, fields)
    assert answer.status_code == 422
    assert words in words_of(answer)
    assert not desk.view.configs
    assert not desk.view.modes


async def test_a_read_only_registry_freezes_every_form_but_its_mode(visitor, orders):
    page = await visitor.follow(await visitor.post(f"{REGISTRY}/mode", {"mode": "READONLY_OVERRIDE", "before": ""}))
    assert "The mode of the registry is READONLY_OVERRIDE now." in page
    shown = await visitor.get(f"{SUBJECT}/settings")
    assert shown.text.count("<fieldset data-changes disabled data-closed>") == 3
    refused = await visitor.post(f"{SUBJECT}/settings/level", {"level": "NONE", "before": ""})
    assert "(error 42205)" in words_of(refused)
    back = await visitor.follow(await visitor.post(f"{REGISTRY}/mode", {"mode": "", "before": "READONLY_OVERRIDE"}))
    assert "The mode of the registry is READWRITE now." in back


async def test_a_context_has_settings_of_its_own(visitor, orders, desk):
    await orders.registry.register(":.dev:orders-value", NewSchema(avro(id="long")))
    page = await visitor.follow(await visitor.post(f"{REGISTRY}/level?context=.dev", {"level": "NONE", "before": ""}))
    assert "Settings of the context .dev" in page
    assert desk.level(":.dev:orders-value").value == "NONE"
    assert desk.level("orders-value").value == "BACKWARD"
    assert (await visitor.get(f"{REGISTRY}?context=.nope")).status_code == 404


async def test_a_version_goes_softly_first(visitor, orders):
    wrong = await visitor.post(f"{SUBJECT}/delete-version", {"version": "1", "confirm": "orders"})
    assert "This is not the name of the subject." in words_of(wrong)
    fields = {"version": "1", "confirm": "orders-value"}
    page = await visitor.follow(await visitor.post(f"{SUBJECT}/delete-version", fields))
    assert "Version 1 of orders-value was soft-deleted: its id still answers." in page
    assert "Version 1, soft-deleted: delete it for good" in page
    again = await visitor.post(f"{SUBJECT}/delete-version", fields)
    assert "It was deleted meanwhile." in words_of(again)
    page = await visitor.follow(await visitor.post(f"{SUBJECT}/delete-version", {**fields, "version": "1!"}))
    assert "Version 1 of orders-value was deleted for good." in page
    assert "Choose a version." in words_of(await visitor.post(f"{SUBJECT}/delete-version", fields))


async def test_a_subject_goes_softly_first(visitor, orders):
    page = await visitor.follow(await visitor.post(f"{SUBJECT}/delete", {"confirm": "orders-value"}))
    assert "Subject orders-value was soft-deleted" in page
    stale = await visitor.post(f"{SUBJECT}/delete", {"confirm": "orders-value"})
    assert "The subject was changed meanwhile." in words_of(stale)
    page = await visitor.follow(
        await visitor.post(f"{SUBJECT}/delete", {"confirm": "orders-value", "permanent": "yes"})
    )
    assert "Subject orders-value was deleted for good." in page
    with pytest.raises(SubjectNotFound):
        orders.registry.versions("orders-value", deleted=True)


async def test_what_is_referred_to_stays_and_says_by_whom(visitor, orders):
    reference = Reference("Order", "orders-value", 2)
    await orders.registry.register("carts-value", NewSchema(avro("Cart", order="Order"), references=(reference,)))
    shown = await visitor.get(f"{SUBJECT}/settings")
    assert "Other schemas refer to it" in words_of(shown)
    answer = await visitor.post(f"{SUBJECT}/delete", {"confirm": "orders-value"})
    assert answer.status_code == 422
    assert "(error 42206)" in words_of(answer)
    assert "carts-value version 1" in words_of(answer)
    version = await visitor.post(f"{SUBJECT}/delete-version", {"version": "2", "confirm": "orders-value"})
    assert "(error 42206)" in words_of(version)
