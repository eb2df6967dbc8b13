"""Kafka's small text files."""

from pathlib import Path

import pytest

from broker.log.checkpoint_files import (
    CheckpointWriter,
    MalformedCheckpoint,
    decode_uuid,
    encode_uuid,
    offsets_text,
    read_leader_epochs,
    read_offsets,
    read_properties,
    write_atomically,
)


def test_offset_checkpoints_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, offsets = tmp_path / "c", {("a.b-c", 0): 7, ("x", 12): 0}
    write_atomically(path, offsets_text(offsets))
    assert path.read_text() == "0\n2\na.b-c 0 7\nx 12 0\n"
    assert read_offsets(path) == offsets
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_a_missing_or_empty_checkpoint_has_no_entries(tmp_path: Path) -> None:
    assert read_offsets(tmp_path / "c") == {}
    (tmp_path / "c").touch()
    assert read_offsets(tmp_path / "c") == {}


@pytest.mark.parametrize("text", ["1\n0\n", "0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na b 1\n"])
def test_a_malformed_checkpoint_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "c").write_text(text)
    with pytest.raises(MalformedCheckpoint):
        read_offsets(tmp_path / "c")


def test_leader_epochs_are_sorted(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("0\n2\n3 100\n0 0\n")
    assert read_leader_epochs(tmp_path / "c") == [(0, 0), (3, 100)]


def test_properties_may_have_comments_and_either_separator(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("#\n#Mon Nov 23\nnode.id=1\ntopic_id: abc=\n! no\n\n")
    assert read_properties(tmp_path / "p") == {"node.id": "1", "topic_id": "abc="}
    assert read_properties(tmp_path / "missing") is None


def test_uuids_have_kafkas_text_form() -> None:
    uuid = decode_uuid("vFYGoHHbRZahO7xux0vP1g")  # from a real partition.metadata
    assert len(uuid) == 16
    assert encode_uuid(uuid) == "vFYGoHHbRZahO7xux0vP1g"
    with pytest.raises(ValueError):
        decode_uuid("short")


def test_what_was_gathered_later_stays_whichever_is_written_first(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path)
    write_earlier = writer.gather({"a": "earlier", "b": "earlier"})
    writer.gather({"a": "later"})()
    write_earlier()
    assert (tmp_path / "a").read_text() == "later"
    assert (tmp_path / "b").read_text() == "earlier"
