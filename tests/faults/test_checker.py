"""The checker finds what it is there to find."""

import math
import re

import pytest

from tests.faults.checker import Committed, Fetched, GroupHistory, LogHistory, Owned, Place, Value
from tests.faults.transaction_checker import Outcome, Transacted, TransactionHistory

A0, A1, A2, B0 = Value("a", 0), Value("a", 1), Value("a", 2), Value("b", 0)


def log_of(*values: Value, partition: int = 0) -> list[tuple[Place, Value]]:
    return [(Place(partition, offset), value) for offset, value in enumerate(values)]


def test_a_good_log_has_no_violations() -> None:
    history = LogHistory(
        sent={A0, A1, A2, B0}, acknowledged={A0: Place(0, 0), B0: Place(0, 1)}, read=log_of(A0, B0, A1)
    )
    assert history.violations() == []


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (log_of(B0), "was acknowledged at .* and is not there"),
        (log_of(A0, B0, Value("c", 9)), "was never sent"),
        (log_of(A0, B0, A0), "is at .* and at"),
        (log_of(B0, A0), "was acknowledged at .*, where"),
        (log_of(A0, A2, A1, B0), "comes after sequence 2"),
        ([*log_of(A0), (Place(0, 2), B0)], "jumps from 1 to 2"),
    ],
)
def test_a_bad_log_is_found_out(read: list[tuple[Place, Value]], words: str) -> None:
    history = LogHistory(sent={A0, A1, A2, B0}, acknowledged={A0: Place(0, 0)}, read=read)
    found = history.violations()
    assert found
    assert any(re.search(words, violation) for violation in found)


def test_a_partition_owned_twice_in_a_generation_is_found_out() -> None:
    history = GroupHistory(owned=[Owned("m", 1, frozenset({1, 2})), Owned("n", 2, frozenset({2}))])
    assert history.violations() == []
    history.owned.append(Owned("o", 2, frozenset({2, 3})))
    assert history.violations() == ["partition 2 belongs to n and o in generation 2"]


def test_a_commit_that_goes_back_is_found_out() -> None:
    commits = [Committed(0, 5, 1.0, 1.1), Committed(0, 9, 2.0, math.inf)]
    good = [Fetched(0, -1, 0.5, 0.6), Fetched(0, 5, 1.2, 1.3), Fetched(0, 9, 3.0, 3.1)]
    assert GroupHistory(committed=commits, fetched=good).violations() == []
    bad = [Fetched(0, -1, 1.2, 1.3)]
    assert GroupHistory(committed=commits, fetched=bad).violations() == [
        "partition 0 went back from committed offset 5 to -1"
    ]
    assert GroupHistory(committed=commits, fetched=[Fetched(0, 7, 3.0, 3.1)]).violations() == [
        "partition 0 has committed offset 7, which nobody committed"
    ]


def transacted(name: str, *wrote: Value, read: tuple[Value, ...] = (), outcome: str = "committed") -> Transacted:
    return Transacted(name, set(wrote), set(read), Outcome(outcome))


def test_whole_and_absent_transactions_have_no_violations() -> None:
    history = TransactionHistory(
        [
            transacted("t1", A0, A1),
            transacted("t2", A2, outcome="aborted"),
            transacted("t3", B0, read=(A0, A1), outcome="unknown"),
        ],
        read=log_of(A0, A1, B0),
    )
    assert history.violations() == []
    history.read.pop()
    assert history.violations() == []


@pytest.mark.parametrize(
    ("transactions", "read", "words"),
    [
        ([transacted("t", A0, A1)], log_of(A0), "committed and .* is not there"),
        ([transacted("t", A0, A1, outcome="unknown")], log_of(A0), "torn"),
        ([transacted("t", A0, outcome="aborted")], log_of(A0), "aborted and .* is there"),
        ([transacted("t", A0)], log_of(A0, A0), "2 times"),
        ([transacted("t", A0)], log_of(A0, B0), "never written"),
        ([transacted("t", A0, outcome="aborted"), transacted("u", read=(A0,))], [], "u has read .* aborted"),
        ([transacted("t", A0, read=(B0,)), transacted("u", B0, read=(A0,))], log_of(A0, B0), "read from"),
        (
            [
                transacted("t", A0, read=(A2,)),
                transacted("u", A1, read=(A0,)),
                transacted("v", A2, read=(A1,)),
            ],
            log_of(A0, A1, A2),
            "t read from v read from u read from t",
        ),
    ],
)
def test_a_bad_transaction_is_found_out(
    transactions: list[Transacted], read: list[tuple[Place, Value]], words: str
) -> None:
    assert [
        violation for violation in TransactionHistory(transactions, read).violations() if re.search(words, violation)
    ]
