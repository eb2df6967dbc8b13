"""Every client sees the same in our broker as in a real Apache Kafka, step by step."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.clients import CLIENTS, Client
from tests.conformance.conftest import BEGAN_ANEW
from tests.conformance.exemptions import EXEMPTIONS, without_exempted
from tests.conformance.page import PAGE, steps_by_client
from tests.conformance.runs import Document, Run, run_all
from tests.conformance.steps import STEPS
from tests.conformance.targets import BROKERS
from tests.conftest import IN_CI
from tests.integration.broker.certificates import Authority

pytestmark = pytest.mark.java

Runs = dict[tuple[str, str], Run]

REPEATS_MAX = 2
"""How often a client may begin anew, for two races that are not ours; a deviation of ours comes again each time.

What Kafka's controller has decided reaches its own broker a moment later, so a busy machine shows clients an Apache
Kafka that does not know its new topic yet. And kafka-python 3.0.12 forgets an assignment: when the time of `poll` ends
while it waits for the answer to SyncGroup, it takes that for done and never looks at the partitions it was given; its
script gives a join 5 s where it can, and two members of one thread (`rebalance`) cannot.
"""


@pytest.fixture(scope="module")
def runs(java_tools: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("conformance")
    (folder / "ca").mkdir()
    authority = Authority(folder / "ca")
    able = [client for client in CLIENTS if not client.missing_programs()]
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(start(folder / start.__name__, authority)) for start in BROKERS]
        runs = run_all(able, targets, folder)
        for repeat in range(REPEATS_MAX):
            if again := {client: wrong for client in able if (wrong := unexpected(runs, client))}:
                begun_anew.extend(line for wrong in again.values() for line in wrong)
                runs |= run_all(again, targets, folder, attempt=2 + repeat)
        yield runs


begun_anew: list[str] = []
"""Why clients did; the summary of the run shows it."""


def unexpected(runs: Runs, client: Client) -> list[str]:
    """What is not as it should be with either broker, or between them."""
    found = []
    for target in ("caudal", "kafka"):
        run = runs[client.name, target]
        wrong = failed_steps(run.document) if run.document else [run.complaint[:200]]
        found += [f"{client.title} with {target}: {each}" for each in wrong]
    if not found:
        ours, kafkas = (runs[client.name, target].document for target in ("caudal", "kafka"))
        found = [f"{client.title}: {each}" for each in deviations(ours, kafkas)]
    return found


def test_whoever_began_anew_is_told(runs: Runs, record_property: Callable[[str, object], None]):
    for line in begun_anew:
        record_property(BEGAN_ANEW, line)
    assert runs


def document(runs: Runs, client: Client, target: str) -> Document:
    if missing := client.missing_programs():
        reason = f"{client.title} is not run: {' and '.join(missing)} not installed"
        assert not IN_CI, f"{reason}, and CI must have it"
        pytest.skip(reason)
    run = runs[client.name, target]
    assert run.document, run.complaint
    return run.document


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_answers_are_those_of_apache_kafka(runs: Runs, client: Client):
    ours, kafkas = document(runs, client, "caudal"), document(runs, client, "kafka")
    assert list(ours) == list(kafkas) == ["version", *(step.name for step in STEPS)]
    differing = deviations(ours, kafkas)
    assert not differing, "\n".join(differing)


def deviations(ours: Document, kafkas: Document) -> list[str]:
    found = []
    for step, mine in ours.items():
        pair = without_exempted(step, mine, kafkas.get(step))
        if pair[0] != pair[1]:
            found.append(f"{step}\n  ours:  {pair[0]}\n  Kafka: {pair[1]}")
    return found


@pytest.mark.parametrize("target", ["kafka", "caudal"])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_step_was_answered_in_its_way(runs: Runs, client: Client, target: str):
    """What is to be refused is, what is to work does, and only what the table says is left out is."""
    answers = document(runs, client, target)
    wrong = failed_steps(answers)
    assert not wrong, "\n".join(wrong)
    assert sum(not is_left_out(answers[step.name]) for step in STEPS) >= len(STEPS) // 2


def failed_steps(answers: Document) -> list[str]:
    pairs = ((step, answers.get(step.name)) for step in STEPS)
    return [f"{step.name}: {answer}" for step, answer in pairs if not is_in_its_way(answer, step.is_refused)]


def is_left_out(answer: object) -> bool:
    return isinstance(answer, dict) and "not_offered" in answer


def is_in_its_way(answer: object, is_refused: bool) -> bool:
    if is_left_out(answer):
        return True
    is_error = isinstance(answer, dict) and "error" in answer
    is_failure = answer in (None, "", [], {}) or (isinstance(answer, dict) and "failed" in answer)
    return is_error == is_refused and not is_failure


def test_the_page_shows_who_takes_which_step(runs: Runs):
    for client in CLIENTS:
        document(runs, client, "kafka")
    shown = steps_by_client({client.name: runs[client.name, "kafka"] for client in CLIENTS})
    assert shown in PAGE.read_text(), f"run `python -m tests.conformance`, which writes this into the page:\n{shown}"


def test_exemptions_stand_among_the_differences():
    page = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    assert not [each.sentence for each in EXEMPTIONS if each.sentence not in page]
