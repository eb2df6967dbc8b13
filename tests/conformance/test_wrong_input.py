"""Every wrong input gets the answer of Apache Kafka 4.3.1: code, offsets, closed connection, whether there are words.

The cases are in `cases/`, one file a subject. Where Java and Maven are, a genuine Kafka is asked the same and
its answers are compared with ours and with `recorded/`; elsewhere ours are compared with the recorded ones. After a new
case, `CAUDAL_RECORD=1 python -m pytest tests/conformance/test_wrong_input.py` writes them again.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caudal.testing import Broker
from tests.conformance.asking import Side, without_added_words
from tests.conformance.cases import administration, groups, produce_and_fetch, topics, transactions, wire_rules
from tests.conformance.table import Case

SUBJECTS = (wire_rules, produce_and_fetch, topics, groups, transactions, administration)
CASES = [case for subject in SUBJECTS for case in subject.TABLE.cases]
RECORDED = Path(__file__).parent / "recorded" / "wrong_input.json"
DIFFERENCES = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
IS_RECORDING = os.environ.get("CAUDAL_RECORD") == "1"
MORE_WORDS = "an error has a message where Kafka leaves it out, because a number alone helps nobody."


def prepared(address: str) -> Side:
    side = Side(address)
    side.warm_up()
    for subject in SUBJECTS:
        subject.prepare(side)
    return side


@pytest.fixture(scope="module")
def ours(our_broker: Broker) -> Iterator[Side]:
    side = prepared(our_broker.bootstrap_servers)
    yield side
    side.close()


@pytest.fixture(scope="module")
def real(has_kit: bool, request: pytest.FixtureRequest) -> Iterator[Side | None]:
    """A genuine Kafka, or None."""
    if not has_kit:
        yield None
        return
    side = prepared(request.getfixturevalue("real_kafka").bootstrap_servers)
    yield side
    side.close()


@pytest.fixture(scope="module")
def recorded() -> Iterator[dict[str, Any]]:
    """The answers of a genuine Kafka by the name of the case; written again where that is asked for."""
    answers: dict[str, Any] = {} if IS_RECORDING else json.loads(RECORDED.read_text())
    yield answers
    if IS_RECORDING:
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in sorted(answers.items()))
        RECORDED.parent.mkdir(exist_ok=True)
        RECORDED.write_text("{\n" + lines + "\n}\n")


def plain(answer: Any) -> Any:
    """The answer as JSON gives it back."""
    return json.loads(json.dumps(answer))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_that_of_apache_kafka(
    case: Case, ours: Side, real: Side | None, recorded: dict[str, Any]
) -> None:
    our_answer = plain(case.ask(ours))
    if real is not None:
        real_answer = plain(case.ask(real))
        if IS_RECORDING:
            recorded[case.name] = real_answer
        assert recorded.get(case.name) == real_answer, "recorded answers are out of date: see the top of this file"
    else:
        assert case.name in recorded, "nobody has recorded what Apache Kafka answers: see the top of this file"
        real_answer = recorded[case.name]
    our_answer = without_added_words(real_answer, our_answer)
    if case.differs is None:
        assert our_answer == real_answer
    else:
        assert our_answer != real_answer, f"an exemption that is not needed any more: {case.differs}"


def test_each_difference_is_told() -> None:
    told = " ".join(DIFFERENCES.split())
    silent = {case.differs for case in CASES if case.differs is not None and case.differs not in told}
    assert not silent, "\n".join(["put these lines into docs/differences.md:", *sorted(silent)])
    assert MORE_WORDS in told


def test_nothing_is_recorded_that_is_not_asked() -> None:
    assert IS_RECORDING or set(json.loads(RECORDED.read_text())) == {case.name for case in CASES}
    assert len(CASES) > 900
