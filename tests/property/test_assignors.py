"""Whatever members and topics there are: every partition has one reader that subscribes to it, evenly, and few move."""

import re
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from broker.groups.assignors import ASSIGNORS, GroupSpec, assign_range, assign_uniform
from broker.topic_pattern import TopicPattern

TOPICS = [bytes([number]) * 16 for number in range(4)]
COUNTS = st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 12))
SUBSCRIPTIONS = st.dictionaries(st.sampled_from("abcdefg"), st.frozensets(st.sampled_from(TOPICS)), min_size=1)


@given(name=st.sampled_from(sorted(ASSIGNORS)), subscriptions=SUBSCRIPTIONS, counts=COUNTS, data=st.data())
def test_every_partition_has_one_reader_that_subscribes_to_it(name, subscriptions, counts, data) -> None:
    before = GroupSpec(data.draw(SUBSCRIPTIONS), data.draw(COUNTS))
    spec = GroupSpec(subscriptions, counts, ASSIGNORS[name](before))
    assigned = ASSIGNORS[name](spec)
    assert assigned.keys() == subscriptions.keys()
    given_out = [each for partitions in assigned.values() for each in partitions]
    assert len(given_out) == len(set(given_out))
    read = {topic for topics in subscriptions.values() for topic in topics}
    assert set(given_out) == {
        (topic, index) for topic, count in counts.items() if topic in read for index in range(count)
    }
    for member_id, partitions in assigned.items():
        assert {each.topic_id for each in partitions} <= subscriptions[member_id]


@given(subscriptions=SUBSCRIPTIONS, counts=COUNTS)
def test_no_single_move_would_make_uniform_more_even(subscriptions, counts) -> None:
    assigned = assign_uniform(GroupSpec(subscriptions, counts))
    for giver, partitions in assigned.items():
        for taker in subscriptions:
            if any(each.topic_id in subscriptions[taker] for each in partitions):
                assert len(partitions) - len(assigned[taker]) <= 1 or giver == taker


@given(members=st.integers(1, 8), joining=st.integers(0, 4), leaving=st.integers(0, 3), count=st.integers(0, 40))
def test_uniform_moves_no_more_than_evenness_takes(members, joining, leaving, count) -> None:
    topic = {TOPICS[0]: count}
    before = assign_uniform(GroupSpec({f"m{number}": {TOPICS[0]} for number in range(members)}, topic))
    stays = range(min(leaving, members - 1), members)
    after_members = [f"m{number}" for number in stays] + [f"n{number}" for number in range(joining)]
    after = assign_uniform(GroupSpec({member: {TOPICS[0]} for member in after_members}, topic, before))
    most = -(-count // len(after_members))
    least = count // len(after_members)
    for member in (f"m{number}" for number in stays):
        lost = len(before[member] - after[member])
        assert lost <= max(0, len(before[member]) - least)
        assert least <= len(after[member]) <= most


@given(subscriptions=SUBSCRIPTIONS, counts=COUNTS)
def test_assigning_again_changes_nothing(subscriptions, counts) -> None:
    for assign in (assign_uniform, assign_range):
        first = assign(GroupSpec(subscriptions, counts))
        assert assign(GroupSpec(subscriptions, counts, first)) == first


@given(members=st.integers(1, 6), count=st.integers(0, 20))
def test_range_gives_neighbours_and_the_first_get_more(members, count) -> None:
    assigned = assign_range(GroupSpec({f"m{number}": {TOPICS[0]} for number in range(members)}, {TOPICS[0]: count}))
    flat = [each.partition for member in sorted(assigned) for each in sorted(assigned[member])]
    assert flat == list(range(count))
    assert all(len(one) >= len(other) for one, other in pairwise(assigned[member] for member in sorted(assigned)))


ATOMS = [
    "a",
    "b",
    "-",
    r"\.",
    "[ab]",
    "[^a]",
    "(a|b)",
    "(ab)",
    "a*",
    "b+",
    "(a|)",
    "a?",
    "(a*b)*",
    "a{2}",
    "b{1,3}",
    r"\b",
    r"\w",
    ".",
]


@given(
    atoms=st.lists(st.sampled_from(ATOMS), max_size=5),
    other=st.sampled_from(["", *ATOMS]),
    name=st.text("ab-.", max_size=7),
)
def test_expressions_mean_what_pythons_mean_where_both_understand_them(atoms, other, name) -> None:
    expression = "".join(atoms) + (f"|{other}" if other else "")
    assert TopicPattern(expression).matches(name) == bool(re.fullmatch(expression, name))
