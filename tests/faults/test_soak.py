"""`make soak` itself: it knows every part, goes on where it stopped, and its exit code says whether all passed."""

from pathlib import Path

import pytest

from tests.faults import soak

FOLDER = Path(__file__).parent

SOMETIMES = """
import os
from pathlib import Path

def test_it():
    assert os.environ["CAUDAL_SEEDS"] != "2" or Path({mended!r}).exists()
"""


def test_every_file_of_fault_tests_is_a_part() -> None:
    named = {Path(part.file).name for part in soak.PARTS.values()}
    assert {path.name for path in FOLDER.glob("test_*.py")} - {"test_soak.py"} == named - {"test_read_check.py"}
    assert all((soak.ROOT / part.file).exists() for part in soak.PARTS.values())


def test_parts_that_chance_plays_in_are_those_that_run_with_every_seed() -> None:
    for part in soak.PARTS.values():
        text = (soak.ROOT / part.file).read_text()
        assert part.is_seeded == ("chance: random.Random" in text), part.file


def test_what_failed_is_run_again_and_what_passed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mended = tmp_path / "mended"
    (tmp_path / "test_sometimes.py").write_text(SOMETIMES.format(mended=str(mended)))
    monkeypatch.setattr(soak, "PARTS", {"sometimes": soak.Part(str(tmp_path / "test_sometimes.py"))})
    arguments = ["--folder", str(tmp_path / "results"), "--seeds", "1-2"]

    assert soak.main(arguments) == 1
    printed = capsys.readouterr().out
    assert "1 passed, 1 failed" in printed
    assert "sometimes seed 2 … FAILED" in printed

    mended.touch()
    assert soak.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "sometimes seed 1: passed before" in printed
    assert "sometimes seed 2 … passed" in printed
    assert "2 passed, 0 failed" in printed


@pytest.mark.parametrize(("text", "seeds"), [("1", [1]), ("1-3", [1, 2, 3]), ("7, 2-3", [7, 2, 3]), ("4 5", [4, 5])])
def test_seeds_are_named_one_by_one_or_from_to(text: str, seeds: list[int]) -> None:
    assert soak.seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["0", "x", "3-1", ""])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        soak.seeds_of(text)
