"""What a genuine Apache Kafka 4.3.1 answered to each case, kept in `recorded/`, and the comparison with it.

`CAUDAL_RECORD=1 python -m pytest tests/conformance` asks one and writes the answers again.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conformance.asking import without_added_words
from tests.conformance.table import Case

FOLDER = Path(__file__).parent / "recorded"
DIFFERENCES = " ".join((Path(__file__).parents[2] / "docs" / "differences.md").read_text().split())
IS_RECORDING = os.environ.get("CAUDAL_RECORD") == "1"
MORE_WORDS = "an error has a message where Kafka leaves it out, because a number alone helps nobody."
OUT_OF_DATE = "the recorded answer is out of date; write it again: CAUDAL_RECORD=1 python -m pytest tests/conformance"


class Recording:
    """The answers of one module's cases by their names; written again when it is left, where that is asked for."""

    def __init__(self, name: str) -> None:
        self._path = FOLDER / f"{name}.json"
        self._answers: dict[str, Any] = {} if IS_RECORDING else json.loads(self._path.read_text())

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if IS_RECORDING:
            lines = ",\n".join(
                f"{json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(self._answers.items())
            )
            self._path.write_text("{\n" + lines + "\n}\n")

    def judge(self, case: Case, ours: Any, real: Any, *, is_live: bool) -> None:
        """Assert that our answer is the real one, which is the recorded one unless a genuine Kafka was asked."""
        ours, real = (json.loads(json.dumps(each)) for each in (ours, real))
        if is_live and IS_RECORDING:
            self._answers[case.name] = real
        assert case.name in self._answers, OUT_OF_DATE
        recorded = self._answers[case.name]
        assert not is_live or recorded == real, OUT_OF_DATE
        ours = without_added_words(recorded, ours)
        if case.differs is None:
            assert ours == recorded
        else:
            assert ours != recorded, f"an exemption that is not needed any more: {case.differs}"

    def names(self) -> set[str]:
        """The cases that there is an answer for."""
        return set(self._answers)

    @staticmethod
    def untold(cases: Iterable[Case]) -> list[str]:
        """Differences that cases are exempt by and that docs/differences.md does not tell."""
        named = {MORE_WORDS, *(case.differs for case in cases if case.differs is not None)}
        return sorted(each for each in named if each not in DIFFERENCES)
