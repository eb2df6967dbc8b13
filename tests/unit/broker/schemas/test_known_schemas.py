"""Following `_schemas` in a log that rolls, is compacted, damaged and taken away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.records import SchemaValue, schema_key, schema_record
from broker.log import PartitionLog
from broker.schemas import KnownSchemas, NoSchemas
from broker.schemas.record_names import NoName
from tests.unit.broker.log.compacting import compact_now, mark, put, roll
from tests.unit.broker.log.making import DataRoot

SUBJECT = "orders-value"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[DataRoot]:
    root = DataRoot(tmp_path / "data")
    yield root
    root.logs.close()


@pytest.fixture
def log(root: DataRoot) -> PartitionLog:
    return root.create("_schemas", cleanup_policy="compact", segment_bytes=1 << 20)


@pytest.fixture
def known(root: DataRoot, log: PartitionLog) -> KnownSchemas:
    return KnownSchemas("_schemas", lambda: root.logs.get("_schemas", 0))


def register(log: PartitionLog, *ids: int, text: str = '"string"', **fields: object) -> None:
    """One batch that registers each id as the version of that number."""
    written = [schema_record(SchemaValue(SUBJECT, one, one, schema=text)) for one in ids]
    put(log, *((key.decode(), (value or b"").decode()) for key, value in written), **fields)


def ids_in(known: KnownSchemas) -> set[int]:
    known.catch_up()
    return {one for one in range(1, 100) if known.versions.find_under(SUBJECT, one) is not None}


def test_every_batch_is_read_once(log: PartitionLog, known: KnownSchemas) -> None:
    assert ids_in(known) == set()
    register(log, 1, 2)
    assert ids_in(known) == {1, 2}
    version = known.version
    assert ids_in(known) == {1, 2}
    assert known.version == version
    register(log, 3)
    roll(log)
    register(log, 4)
    assert ids_in(known) == {1, 2, 3, 4}


def test_a_long_log_is_read_in_short_steps(log: PartitionLog, known: KnownSchemas) -> None:
    for number in range(1, 40):
        register(log, number, text='"' + "x" * 20_000 + '"')
    steps = known.catch_up_in_steps()
    next(steps)
    assert 0 < len(known.versions) < 20
    assert ids_in(known) == set(range(1, 40))  # who asks meanwhile reads the rest
    assert list(steps) == []


def test_markers_of_transactions_are_stepped_over(log: PartitionLog, known: KnownSchemas) -> None:
    register(log, 1, producer_id=1, producer_epoch=0, base_sequence=0, transactional=True)
    mark(log, commit=True)
    register(log, 2)
    assert ids_in(known) == {1, 2}


def test_compaction_changes_nothing_that_is_known(root: DataRoot, log: PartitionLog, known: KnownSchemas) -> None:
    register(log, 1, 2, text='{"type":"record","name":"Old","fields":[]}')
    register(log, 1, text='{"type":"record","name":"New","fields":[]}')
    put(log, (schema_key(SUBJECT, 2).decode(), None))
    register(log, 5)
    put(log, (schema_key(SUBJECT, 5).decode(), None))
    roll(log)
    assert ids_in(known) == {1}
    compact_now(root, log, now_ms=root.clock.now_ms() + 10**12)
    assert ids_in(known) == {1}
    anew = KnownSchemas("_schemas", lambda: log)
    assert ids_in(anew) == {1}
    for each in (known, anew):
        version = each.versions.find(1)
        assert version is not None
        assert each.names(version, None) == ["New"]


def test_schemas_in_a_damaged_range_are_unknown_and_all_others_known(root: DataRoot, log: PartitionLog) -> None:
    for number in range(1, 6):
        register(log, number)
    root.restart(clean=False)
    path = root.log_files("_schemas")[0]
    content = bytearray(path.read_bytes())
    size = len(content) // 5
    content[2 * size + 70] ^= 1
    path.write_bytes(content)
    root.restart(clean=False)
    known = KnownSchemas("_schemas", lambda: root.logs.get("_schemas", 0))
    assert ids_in(known) == {1, 2, 4, 5}
    register(root.get("_schemas"), 6)
    assert ids_in(known) == {1, 2, 4, 5, 6}


def test_a_schema_whose_record_has_gone_names_nothing(log: PartitionLog, known: KnownSchemas) -> None:
    register(log, 1)
    put(log, (schema_key(SUBJECT, 2).decode(), None))
    known.catch_up()
    version = known.versions.find(1)
    assert version is not None
    version.offset = 1
    with pytest.raises(NoName):
        known.names(version, None)


def test_without_the_topic_nothing_is_known(log: PartitionLog) -> None:
    logs: list[PartitionLog] = [log]
    known = KnownSchemas("_schemas", lambda: logs[0] if logs else None)
    register(log, 1)
    assert ids_in(known) == {1}
    logs.clear()
    with pytest.raises(NoSchemas, match="no topic '_schemas'"):
        known.catch_up()
    assert len(known.versions) == 0
