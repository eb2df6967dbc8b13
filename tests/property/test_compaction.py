"""Random keyed histories, compacted at random moments and crashed at any step, against a plain model."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.log import PartitionLog
from tests.unit.broker.log.compacting import Item, batches_of, compact_now, items_in, mark, put, roll
from tests.unit.broker.log.making import NOW_MS, DataRoot

DELETE_RETENTION_MS = 50
PRODUCERS = (1, 2)
TRANSACTIONAL = 9


@dataclass
class Model:
    """All records by offset, with those of aborted transactions left out."""

    records: dict[int, Item] = field(default_factory=dict)
    undecided: dict[int, Item] = field(default_factory=dict)
    next_sequence: dict[int, int] = field(default_factory=dict)

    def last_of_each_key(self, end_offset: int) -> dict[int, Item]:
        last = {key: offset for offset, (key, _) in sorted(self.records.items()) if offset < end_offset}
        return {offset: self.records[offset] for offset in last.values()}


@dataclass
class History:
    """A log, its model, and the steps that change both."""

    root: DataRoot
    model: Model = field(default_factory=Model)
    now_ms: int = NOW_MS

    @property
    def log(self) -> PartitionLog:
        return self.root.get()

    def put(self, items: list[Item], codec: int, producer_id: int | None) -> None:
        fields: dict[str, int] = {"codec": codec}
        if producer_id is not None:
            sequence = self.model.next_sequence.get(producer_id, 0)
            fields |= {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence}
            self.model.next_sequence[producer_id] = sequence + len(items)
        is_transactional = producer_id == TRANSACTIONAL
        if is_transactional:
            fields["transactional"] = True
        base_offset = put(self.log, *items, now_ms=self.now_ms, **fields).base_offset
        target = self.model.undecided if is_transactional else self.model.records
        target |= {base_offset + place: item for place, item in enumerate(items)}

    def end_transaction(self, commit: bool) -> None:
        if self.model.undecided:
            mark(self.log, commit=commit, producer_id=TRANSACTIONAL, now_ms=self.now_ms)
            if commit:
                self.model.records |= self.model.undecided
            self.model.undecided = {}

    def roll(self) -> None:
        if self.log.segments[-1].size:
            roll(self.log, self.now_ms)

    def compact(self, keys_max: int) -> None:
        compact_now(self.root, self.log, now_ms=self.now_ms, key_map_bytes_max=160 * keys_max)

    def check(self) -> None:
        """What must be there is there; what may be there is no more than was ever written."""
        log, model = self.log, self.model
        found = items_in(log)
        cleaned = self.root.logs.cleaned_offset("orders", 0)
        written = model.records | model.undecided
        visible = model.last_of_each_key(log.log_end_offset)
        for offset, item in visible.items():
            if item[1] is not None:
                assert found.get(offset) == item, f"the last record of {item[0]} is gone"
        for offset, item in found.items():
            if offset in written:
                assert item == written[offset]
            else:
                assert offset >= cleaned, "an aborted record survived"
        survivors = {offset for offset, (key, _) in found.items() if offset < cleaned}
        assert survivors <= model.last_of_each_key(cleaned).keys(), "a superseded record survived"
        for offset in range(cleaned, log.log_end_offset):
            assert (offset in found) >= (offset in written), "a record that may not be compacted yet is gone"
        for producer_id, next_sequence in model.next_sequence.items():
            last = [h.last_sequence for h, _ in batches_of(log) if h.producer_id == producer_id and not h.is_control]
            assert last[-1] + 1 == next_sequence, "the last batch of a producer is gone"


KEYS = st.sampled_from(["a", "b", "c", "d", "long" * 30])
ITEMS = st.lists(st.tuples(KEYS, st.sampled_from(["v", "w" * 50, None])), min_size=1, max_size=5)
STEPS = st.one_of(
    st.tuples(st.just("put"), ITEMS, st.integers(0, 4), st.sampled_from([None, *PRODUCERS, TRANSACTIONAL])),
    st.tuples(st.just("put"), ITEMS, st.integers(0, 4), st.none()),
    st.tuples(st.just("end_transaction"), st.booleans()),
    st.tuples(st.just("roll")),
    st.tuples(st.just("compact"), st.sampled_from([1, 3, 1000])),
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.tuples(st.just("restart"), st.booleans()),
)


@contextmanager
def history(segment_bytes: int) -> Iterator[History]:
    with tempfile.TemporaryDirectory() as folder:
        root = DataRoot(Path(folder, "data"))
        root.create(
            cleanup_policy="compact",
            segment_bytes=segment_bytes,
            index_interval_bytes=100,
            delete_retention_ms=DELETE_RETENTION_MS,
        )
        made = History(root)
        yield made
        made.root.logs.close()


def play(history: History, steps: list[tuple]) -> None:
    for name, *arguments in steps:
        if name == "wait":
            history.now_ms += arguments[0]
        elif name == "restart":
            history.root.restart(clean=arguments[0])
        else:
            step: Callable[..., None] = getattr(history, name)
            step(*arguments)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, max_size=40), segment_bytes=st.sampled_from([1000, 2000]))
def test_a_compacted_log_holds_the_last_record_of_each_key(steps, segment_bytes) -> None:
    with history(segment_bytes) as made:
        play(made, steps)
        made.check()
        made.end_transaction(commit=True)
        made.roll()
        made.compact(1000)
        made.check()
        made.root.restart(clean=False)
        made.check()
        assert not made.log.quarantines


@pytest.fixture(autouse=True, scope="module")
def quick_disk() -> Iterator[None]:
    """Nothing here loses power."""
    with mock.patch.object(os, "fsync"), mock.patch.object(os, "fdatasync"):
        yield


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crash_after(count: int) -> Iterator[None]:
    """Let so many renames and removals happen, then no more."""
    left = count

    def counted(real: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments, **keywords) -> None:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            real(*arguments, **keywords)

        return call

    with mock.patch.object(os, "rename", counted(os.rename)), mock.patch.object(os, "unlink", counted(os.unlink)):
        yield


def test_a_crash_between_any_two_renames_loses_nothing(tmp_path: Path) -> None:
    """Also a crash in the recovery from it."""
    source = tmp_path / "source"
    root = DataRoot(source)
    made = History(root)
    root.create(cleanup_policy="compact", segment_bytes=400, delete_retention_ms=0, index_interval_bytes=100)
    for number in range(40):
        made.put([(f"k{number % 5}", f"{number}"), ("last", None if number == 30 else "x")], number % 5, None)
        if number % 10 == 3:
            made.put([("t", str(number))], 0, TRANSACTIONAL)
            made.end_transaction(commit=number % 20 == 3)
    made.roll()
    made.compact(1000)
    made.put([("k0", "after")], 0, None)
    made.put([("more", "x" * 300)], 0, None)
    made.roll()
    root.crash()

    path, config = tmp_path / "data", root.logs._configs["orders"]

    def reopened() -> History:
        opened = History(DataRoot(path), made.model, made.now_ms)
        opened.root.logs.configure("orders", config)
        return opened

    def is_crashed_at(count: int) -> bool:
        """Cut the compaction of a fresh copy short after so many steps; False if it has no more."""
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, path)
        opened = reopened()
        assert opened.log, "recovered before the crash"
        try:
            with crash_after(count):
                opened.compact(1000)
        except Crash:
            return True
        finally:
            opened.root.crash()
        return False

    steps = 0
    while is_crashed_at(steps):
        for recovery_steps in range(0, 12, 1 + steps % 3):
            with crash_after(recovery_steps), suppress(Crash):
                opened = reopened()
                try:
                    assert opened.log
                finally:
                    opened.root.crash()
            opened = reopened()
            opened.check()
            assert not opened.log.quarantines
            leftovers = [name for name in os.listdir(opened.root.folder()) if "swap" in name or "cleaned" in name]
            assert leftovers == []
            opened.compact(1000)
            opened.check()
            opened.root.crash()
            assert is_crashed_at(steps)
        steps += 1
    assert steps > 30


@pytest.mark.parametrize("fields", [{"key_map_bytes_max": 160}, {}])
def test_compacting_twice_changes_nothing_more(tmp_path: Path, fields: dict[str, int]) -> None:
    made = History(DataRoot(tmp_path / "data"))
    made.root.create(cleanup_policy="compact", segment_bytes=500)
    for number in range(60):
        made.put([(f"k{number % 7}", str(number))], 0, None)
    made.roll()
    while compact_now(made.root, made.log, **fields):
        pass
    before = items_in(made.log)
    made.root.logs._cleaned.clear()
    made.compact(1000)
    assert items_in(made.log) == before
    made.root.logs.close()
