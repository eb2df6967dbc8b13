"""Random histories of a Schema Registry against a model, with restarts that read the same `_schemas` again.

Registrations with references and in contexts, imports, soft and hard deletes, levels and modes: every answer is the
model's. After a restart, and after the topic was compacted, the view is what it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.registry.compatibility import check
from app.registry.errors import SchemaError
from app.registry.formats import parse
from app.registry.records import ConfigUpdate
from app.registry.refusals import RegistryError
from app.registry.registry import NewSchema
from app.registry.schema import ParsedSchema, Reference, ResolvedReference
from app.registry.service import RegistryService, create_service
from app.registry.view import Version, View
from tests.property.registry_model import REFERRED as MONEY
from tests.property.registry_model import Content, Refused, RegistryModel
from tests.unit.app.registry.service.conftest import WaitingCluster, record


def avro(name: str, **fields: object) -> Content:
    refers_to = ("money", 1) if MONEY in fields.values() else None
    return Content("AVRO", json.dumps(record(name, **fields), separators=(",", ":")), refers_to)


MONEY_UNITS = avro(MONEY, units="long")
ORDER, ORDER_WITH_NOTE = avro("Order", total=MONEY), avro("Order", total=MONEY, note=("string", ""))
CONTENTS = [
    avro("R", a="int"),
    avro("R", a="int", b=("int", 0)),
    avro("R", a="long"),
    avro("R", a="string"),
    Content("JSON", '{"type":"object"}'),
    MONEY_UNITS,
    avro(MONEY, units="long", currency=("string", "EUR")),
    ORDER,
    ORDER_WITH_NOTE,
]
SUBJECTS = st.sampled_from(["s", "money", ":.x:s", ":.x:money"])
SCOPES = st.sampled_from([None, "s", "money", ":.x:", ":.x:s"])
LEVELS = st.sampled_from(["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FULL", "FULL_TRANSITIVE"])
MODES = st.sampled_from(["READWRITE", "READWRITE", "READWRITE", "READONLY", "IMPORT"])
NUMBERS = st.integers(1, 4)


def references_of(content: Content) -> tuple[Reference, ...]:
    return (Reference(MONEY, *content.refers_to),) if content.refers_to else ()


class RegistryHistory(RuleBasedStateMachine):
    """One registry on a cluster in memory, without HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.cluster = WaitingCluster()
        self.model = RegistryModel(self.follows)
        self.service = self.started()

    def teardown(self) -> None:
        self.loop.run_until_complete(self.service.stop())
        self.loop.close()

    def started(self) -> RegistryService:
        service = create_service(admin=self.cluster, producer=self.cluster)
        self.loop.run_until_complete(service.start())
        self.loop.run_until_complete(service.store.ready())
        return service

    def follows(self, level: str, subject: str, new: Content, older: Sequence[Content]) -> bool:
        """Compatibility itself is proven elsewhere."""
        return check(level, self.parsed(subject, new), [self.parsed(subject, one) for one in older]) == []

    def parsed(self, subject: str, content: Content) -> ParsedSchema:
        resolved = []
        if content.refers_to:
            referred = self.model.referred(subject, content)
            assert referred is not None
            resolved = [ResolvedReference(*references_of(content), referred.text)]
        return parse(content.schema_type, content.text, resolved)

    def both(self, ours: Callable[[], Awaitable[Any]], theirs: Callable[[], Any]) -> tuple[Any, Any] | None:
        """What the registry and the model answer; None when both refuse, for the same reason."""
        expected, refusal = None, None
        try:
            expected = theirs()
        except Refused as error:
            refusal = error.error
        answer, refused = None, None
        try:
            answer = self.loop.run_until_complete(ours())
        except (RegistryError, SchemaError) as error:
            refused = error
        assert type(refused) is (refusal or type(None)), f"{refused!r}, not {refusal}"
        return None if refused else (answer, expected)

    # --- rules -----------------------------------------------------------------------------------------------------

    @rule(subject=SUBJECTS, content=st.sampled_from(CONTENTS))
    def register_as_well(self, subject: str, content: Content) -> None:
        self.register(subject, content)

    @rule(context=st.sampled_from(["", ":.x:"]), order=st.sampled_from([ORDER, ORDER_WITH_NOTE]))
    def register_with_what_it_refers_to(self, context: str, order: Content) -> None:
        self.register(f"{context}money", MONEY_UNITS)
        self.register(f"{context}s", order)

    @rule(subject=SUBJECTS, content=st.sampled_from(CONTENTS))
    def register(self, subject: str, content: Content) -> None:
        new = NewSchema(content.text, content.schema_type, references_of(content))
        self.registered(
            subject, content, self.both(
                lambda: self.service.registry.register(subject, new), lambda: self.model.register(subject, content)
            ),
        )  # fmt: skip

    @rule(subject=SUBJECTS, content=st.sampled_from(CONTENTS), schema_id=st.integers(1, 12), number=NUMBERS)
    def import_version(self, subject: str, content: Content, schema_id: int, number: int) -> None:
        """As an operator does it: into the mode, import, and back."""
        before = self.model.modes.get(subject)
        self.change_mode(subject, "IMPORT", force=True)
        new = NewSchema(content.text, content.schema_type, references_of(content), version=number, id=schema_id)
        self.registered(
            subject, content, self.both(
                lambda: self.service.registry.register(subject, new),
                lambda: self.model.import_version(subject, content, schema_id, number),
            ),
        )  # fmt: skip
        self.change_mode(subject, before, force=False)

    def registered(self, subject: str, content: Content, answers: tuple[Version, Any] | None) -> None:
        if answers is not None:
            version, (number, ids) = answers
            assert (version.subject, version.version, version.content.text) == (subject, number, content.text)
            assert version.id in ids
            self.model.write(subject, number, content, version.id)

    @rule(subject=SUBJECTS, content=st.sampled_from(CONTENTS), deleted=st.booleans())
    def look_up(self, subject: str, content: Content, deleted: bool) -> None:
        if self.model.is_whole(subject, content):
            new = NewSchema(content.text, content.schema_type, references_of(content))
            found = self.loop.run_until_complete(self.service.registry.lookup(subject, new, deleted=deleted))
            assert (found.version if found else None) in self.model.look_up(subject, content, deleted=deleted)

    @precondition(lambda self: self.model.subjects)
    @rule(data=st.data(), permanent=st.booleans())
    def delete_version(self, data: st.DataObject, permanent: bool) -> None:
        known = [(subject, number) for subject, number, _ in self.model.entries()]
        subject, number = data.draw(st.sampled_from([*known, ("s", 9), (":.x:money", 9)]))
        answers = self.both(
            lambda: self.service.deletion.delete_version(subject, number, permanent=permanent),
            lambda: self.model.delete_version(subject, number, permanent=permanent),
        )
        assert answers is None or answers[0] == answers[1]

    @precondition(lambda self: self.model.live("money") or self.model.live(":.x:money"))
    @rule(subject=st.sampled_from(["money", ":.x:money"]), number=st.integers(1, 2), whole=st.booleans())
    def delete_what_others_may_refer_to(self, subject: str, number: int, whole: bool) -> None:
        if whole:
            ours, theirs = self.service.deletion.delete_subject, self.model.delete_subject
            self.both(lambda: ours(subject, permanent=False), lambda: theirs(subject, permanent=False))
        else:
            self.both(
                lambda: self.service.deletion.delete_version(subject, number, permanent=False),
                lambda: self.model.delete_version(subject, number, permanent=False),
            )

    @precondition(lambda self: self.model.subjects)
    @rule(data=st.data(), permanent=st.booleans())
    def delete_subject(self, data: st.DataObject, permanent: bool) -> None:
        subject = data.draw(st.sampled_from([*self.model.subjects, "unknown"]))
        answers = self.both(
            lambda: self.service.deletion.delete_subject(subject, permanent=permanent),
            lambda: self.model.delete_subject(subject, permanent=permanent),
        )
        assert answers is None or answers[0] == answers[1]

    @precondition(lambda self: self.model.subjects)
    @rule(data=st.data())
    def delete_for_good(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from([*self.model.subjects]))
        for permanent in (False, True):
            self.both(
                lambda permanent=permanent: self.service.deletion.delete_subject(subject, permanent=permanent),  # type: ignore[misc]
                lambda permanent=permanent: self.model.delete_subject(subject, permanent=permanent),  # type: ignore[misc]
            )

    @rule()
    def delete_context(self) -> None:
        self.both(lambda: self.service.deletion.delete_context(".x"), lambda: self.model.delete_context(".x"))

    @rule(scope=SCOPES, level=st.none() | LEVELS)
    def change_level(self, scope: str | None, level: str | None) -> None:
        """None takes it away."""
        if level is None:
            answers = self.both(
                lambda: self.service.scopes.delete_config(scope), lambda: self.model.delete_level(scope)
            )
            assert answers is None or answers[0].compatibility_level == answers[1]
        else:
            update = ConfigUpdate(compatibility=level)
            self.both(
                lambda: self.service.scopes.update_config(scope, update), lambda: self.model.set_level(scope, level)
            )

    @rule(scope=SCOPES, mode=st.none() | MODES, force=st.booleans())
    def change_mode(self, scope: str | None, mode: str | None, force: bool) -> None:
        """None takes it away."""
        if mode is None:
            answers = self.both(lambda: self.service.scopes.delete_mode(scope), lambda: self.model.delete_mode(scope))
        else:
            answers = self.both(
                lambda: self.service.scopes.set_mode(scope, mode, force=force),
                lambda: self.model.set_mode(scope, mode, force=force),
            )
        assert answers is None or answers[0] == answers[1]

    @rule()
    def restart(self) -> None:
        before = self.snapshot(self.service.store.view)
        self.loop.run_until_complete(self.service.stop())
        self.service = self.started()
        assert self.snapshot(self.service.store.view) == before
        self.model.restart(is_compacted=False)

    @rule(with_tombstones=st.booleans())
    def compact_and_restart(self, with_tombstones: bool) -> None:
        """Kafka keeps the last record of each key, and its tombstones for a while."""
        self.loop.run_until_complete(self.service.stop())
        topic = self.cluster.topics.get("_schemas")
        if topic is not None:
            kept = {record.key: record for record in topic.partitions[0].records}
            last = [one for one in topic.partitions[0].records if kept[one.key] is one]
            last = [one for one in last if with_tombstones or one.value is not None]
            for offset, one in enumerate(last):
                one.offset = offset
            topic.partitions[0].records[:] = last
            topic.partitions[0].high_watermark = len(last)
        self.service = self.started()
        self.model.restart(is_compacted=True)

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def the_view_is_the_models(self) -> None:
        view = self.service.store.view
        found = {(one.subject, one.version): (one.content.text, one.id, one.is_deleted) for one in view.all_versions()}
        assert found == {
            (subject, number): (one.content.text, one.id, one.is_deleted)
            for subject, number, one in self.model.entries()
        }
        assert {scope: one.compatibility_level for scope, one in view.configs.items()} == self.model.levels
        assert view.modes == self.model.modes
        in_use = {subject[1:].partition(":")[0] for subject in self.model.subjects if subject.startswith(":")}
        assert set(view.context_names()) == {".", *self.model.contexts, *in_use}

    @invariant()
    def every_id_answers_with_its_schema(self) -> None:
        for subject, number, one in self.model.entries():
            found = self.service.registry.content_by_id(one.id, subject)
            assert found is not None
            assert found[1].text == one.content.text
            uses = self.service.registry.uses_of_id(one.id, subject, deleted=True) or []
            assert (subject, number) in {(use.subject, use.version) for use in uses}

    def snapshot(self, view: View) -> Any:
        """All that a view holds."""
        return (
            {
                name: (one.is_recorded, one.id_max, one.ids, {id_: each.guid for id_, each in one.by_id.items()})
                for name, one in view.contexts.items()
            },
            sorted(
                (one.subject, one.version, one.id, one.content.guid, one.is_deleted, one.timestamp_ms)
                for one in view.all_versions()
            ),
            {key: sorted(used) for key, used in view._referrers.items()},
            {scope: msgspec.to_builtins(one) for scope, one in view.configs.items()},
            view.modes,
        )


RegistryHistory.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_history = RegistryHistory.TestCase
