"""Every wrong input gets the answer of Apache Kafka 4.3.1: code, offsets, closed connection, whether there are words.

The cases are in `cases/`, one file a subject. Where Java and Maven are, a genuine Kafka is asked the same, and its
answers are compared with ours and with `recorded/`; elsewhere ours are compared with the recorded ones.
"""

from collections.abc import Iterator

import pytest

from caudal.testing import Broker
from tests.conformance.asking import Side
from tests.conformance.cases import administration, groups, produce_and_fetch, topics, transactions, wire_rules
from tests.conformance.recording import Recording
from tests.conformance.table import Case

SUBJECTS = (wire_rules, produce_and_fetch, topics, groups, transactions, administration)
CASES = [case for subject in SUBJECTS for case in subject.TABLE.cases]


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
def recording() -> Iterator[Recording]:
    with Recording("wrong_input") as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_that_of_apache_kafka(case: Case, ours: Side, real: Side | None, recording: Recording) -> None:
    recording.judge(case, case.ask(ours), None if real is None else case.ask(real), is_live=real is not None)


def test_each_difference_is_told(recording: Recording) -> None:
    assert recording.untold(CASES) == []
    assert recording.names() == {case.name for case in CASES}
    assert len(CASES) > 900
