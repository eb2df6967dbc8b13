"""Random histories of a share partition: members that fetch, acknowledge, fall silent and leave; a log that grows.

The log's start moves meanwhile, state is refused by its log, and the broker is killed at any point. A naive model holds
each offset by itself. Whatever the order of events: no offset has two holders, what was accepted never comes again,
nothing is delivered more often than allowed, the start offset only rises, and a restart finds what the log says.
"""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker.errors import CoordinatorNotAvailable, InvalidRecordState, InvalidRequest, NotEnoughReplicas
from broker.share import ShareKey
from broker.share.share_partition import Acknowledgement, AcknowledgeType, Asked, FetchedBatch, RecordState
from tests.unit.broker.share.memory_state_log import MemoryStateLog, at, shares_on

KEY = ShareKey("g", b"t" * 16, 0)
MEMBERS = st.sampled_from(["a", "b", "c"])
LOCK_MS = 1_000
DELIVERIES_MAX = 4
IN_FLIGHT_MAX = 40
TYPES = st.sampled_from(list(AcknowledgeType))


@dataclass
class Offset:
    """What the model knows of one offset."""

    count: int = 0
    holder: str = ""
    lock_ms: int = 0
    is_done: bool = False

    def give_back(self) -> None:
        self.holder = ""
        self.is_done = self.count >= DELIVERIES_MAX


class SharePartitionHistory(RuleBasedStateMachine):
    """One share partition, three members and a broker."""

    @initialize(updates=st.sampled_from([1, 3, 500]))
    def begin(self, updates: int) -> None:
        self.updates = updates
        self.log = MemoryStateLog()
        self.now_ms = 0
        self.batches: list[FetchedBatch] = []
        self.end = 0
        self.model: dict[int, Offset] = {}
        self.seen_end = 0
        self.log_start = 0
        self.start = 0
        self._open()
        self.shares.initialize(KEY.group_id, KEY.topic_id, [0], at(0))
        self.shares.set_start(*KEY, 0, at(0))

    def _open(self) -> None:
        self.shares = shares_on(
            self.log,
            updates_per_snapshot=self.updates,
            group_share_delivery_count_limit=DELIVERIES_MAX,
            group_share_partition_max_record_locks=IN_FLIGHT_MAX,
            group_share_record_lock_duration_ms=LOCK_MS,
        )

    @property
    def share(self):
        found = self.shares.get(KEY)
        assert found is not None
        return found

    @rule(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4), hole=st.sampled_from([0, 0, 0, 1, 5]))
    def produce(self, sizes: list[int], hole: int) -> None:
        """Batches, before which compaction may have left a hole."""
        self.end += hole
        for size in sizes:
            self.batches.append(FetchedBatch(self.end, self.end + size - 1))
            self.end += size

    @rule(
        member=MEMBERS,
        records=st.integers(1, 20),
        batch_size=st.integers(1, 10),
        is_exact=st.booleans(),
        read=st.integers(1, 4),
    )
    def fetch(self, member: str, records: int, batch_size: int, is_exact: bool, read: int) -> None:
        limits = self.shares.configs.share_limits("g")
        offset = self.share.at.next_fetch_offset(limits)
        free = [each for each in range(self.start, self.seen_end) if self._is_free(each)]
        if offset is None:
            assert not free
            assert self.seen_end - self.start >= IN_FLIGHT_MAX
            return
        assert offset == (free[0] if free else self.seen_end)
        fetched = [batch for batch in self.batches if batch.last_offset >= max(offset, self.log_start)][:read]
        asked = Asked(member, records, batch_size, is_exact, self.now_ms + LOCK_MS)
        acquired = self.shares.acquire(self.share, fetched, asked)
        count = sum(each.offset_count for each in acquired)
        assert not is_exact or count <= records
        for each in acquired:
            assert offset <= each.first_offset <= each.last_offset <= fetched[-1].last_offset
            for one in range(each.first_offset, each.last_offset + 1):
                known = self.model.setdefault(one, Offset())
                assert (known.holder, known.is_done) == ("", False), f"offset {one} was not free"
                known.holder, known.lock_ms, known.count = member, asked.lock_until_ms, known.count + 1
                assert each.delivery_count == known.count <= DELIVERIES_MAX
            self.seen_end = max(self.seen_end, each.last_offset + 1)
        self.seen_end = max(self.seen_end, self.share.at.end_offset)
        self._look_at_holes()

    def _look_at_holes(self) -> None:
        """Where there is no record it does not matter what becomes of an offset that nobody holds."""
        holes = self._holes()
        for one in holes.intersection(range(self.share.at.start_offset)):
            self.model[one] = Offset(is_done=True)
        for each in self.share.at.ranges:
            for one in holes.intersection(range(each.first_offset, each.last_offset + 1)):
                if not each.member_id:
                    self.model[one] = Offset(count=each.delivery_count, is_done=each.is_done)

    def _holes(self) -> set[int]:
        return set(range(self.end)).difference(
            *(range(batch.base_offset, batch.last_offset + 1) for batch in self.batches)
        )

    def _is_free(self, offset: int) -> bool:
        known = self.model.get(offset)
        return known is None or (not known.holder and not known.is_done)

    @precondition(lambda self: any(each.holder for each in self.model.values()))
    @rule(data=st.data(), is_refused=st.sampled_from([False, False, False, True]))
    def acknowledge(self, data: st.DataObject, is_refused: bool) -> None:
        member = data.draw(st.sampled_from(sorted({each.holder for each in self.model.values() if each.holder})))
        held = sorted(one for one, each in self.model.items() if each.holder == member)
        first = data.draw(st.sampled_from(held))
        length = next(size for size in range(1, len(held) + 2) if first + size not in held)
        last = first + data.draw(st.integers(0, length - 1))
        types = data.draw(
            st.one_of(
                st.lists(TYPES, min_size=1, max_size=1),
                st.lists(TYPES, min_size=last - first + 1, max_size=last - first + 1),
            )
        )
        acknowledgements = [Acknowledgement(first, last, types)]
        if is_refused and any(each is not AcknowledgeType.RENEW for each in types):
            self.log.failure = NotEnoughReplicas("no")
            with pytest.raises(CoordinatorNotAvailable):
                self.shares.acknowledge(KEY, member, acknowledgements, at(self.now_ms))
            self.log.failure = None
            return
        self.shares.acknowledge(KEY, member, acknowledgements, at(self.now_ms))
        for one in range(first, last + 1):
            known = self.model[one]
            match types[0] if len(types) == 1 else types[one - first]:
                case AcknowledgeType.RELEASE:
                    known.give_back()
                case AcknowledgeType.RENEW:
                    known.lock_ms = self.now_ms + LOCK_MS
                case _:
                    known.holder, known.is_done = "", True

    @rule(member=MEMBERS, first=st.integers(0, 60), size=st.integers(1, 5))
    def acknowledge_what_is_not_held(self, member: str, first: int, size: int) -> None:
        wanted = [one for one in range(first, first + size) if one >= self.start]
        if not wanted or all(self.model.get(one, Offset()).holder == member for one in wanted):
            return
        before = list(self.share.at.ranges)
        with pytest.raises((InvalidRecordState, InvalidRequest)):
            self.shares.acknowledge(KEY, member, [Acknowledgement(first, first + size - 1, [1])], at(self.now_ms))
        assert list(self.share.at.ranges) == before

    @rule(passed_ms=st.sampled_from([1, 400, LOCK_MS]))
    def let_time_pass(self, passed_ms: int) -> None:
        self.now_ms += passed_ms
        self.shares.tick(at(self.now_ms))
        for each in self.model.values():
            if each.holder and each.lock_ms <= self.now_ms:
                each.give_back()

    @rule(member=MEMBERS)
    def end_session(self, member: str) -> None:
        self.shares.release_all("g", member, [(KEY.topic_id, 0)], at(self.now_ms))
        for each in self.model.values():
            if each.holder == member:
                each.give_back()

    @rule(member=MEMBERS, data=st.data(), sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4))
    def process_some(self, member: str, data: st.DataObject, sizes: list[int]) -> None:
        """Records that are produced, fetched and acknowledged in part."""
        self.produce(sizes, hole=0)
        self.fetch(member, records=20, batch_size=5, is_exact=False, read=3)
        self.nothing_is_lost_or_doubled()
        if any(each.holder for each in self.model.values()):
            self.acknowledge(data, is_refused=False)

    @rule(member=MEMBERS, times=st.integers(1, DELIVERIES_MAX))
    def fail_to_process(self, member: str, times: int) -> None:
        """Records that are fetched and given back, over and over."""
        for _ in range(times):
            self.fetch(member, records=20, batch_size=5, is_exact=False, read=2)
            self.nothing_is_lost_or_doubled()
            self.end_session(member)
            self.nothing_is_lost_or_doubled()

    @precondition(lambda self: len(self.batches) > 1)
    @rule(data=st.data())
    def delete_records(self, data: st.DataObject) -> None:
        self.log_start = data.draw(st.integers(self.log_start, self.end))
        self.share.at.follow_log_start(self.log_start)
        for one in [one for one in self.model if one < self.log_start]:
            del self.model[one]
        self.seen_end = max(self.seen_end, self.log_start)
        self.start = max(self.start, self.log_start)

    @rule()
    def kill(self) -> None:
        """What was held was never written: it is free, and that delivery does not count."""
        before = self.start
        self._open()
        self.share.at.follow_log_start(self.log_start)
        for each in self.model.values():
            if each.holder:
                each.holder, each.count = "", each.count - 1
        self.seen_end = self.share.at.end_offset
        for one in [one for one in self.model if one >= self.seen_end]:
            # Nobody had said anything of it or of what follows.
            assert not self.model.pop(one).is_done or one in self._holes()
        self.start = min(before, self.share.at.start_offset)
        self._look_at_holes()

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "shares"):
            return
        at_ = self.share.at
        assert at_.start_offset >= self.start, "the start offset went back"
        self.start = at_.start_offset
        offset = at_.start_offset
        for each in at_.ranges:
            assert each.first_offset == offset <= each.last_offset
            offset = each.last_offset + 1
            for one in range(each.first_offset, each.last_offset + 1):
                known = self.model.get(one, Offset())
                assert each.is_done == known.is_done, f"{one}: {each} but {known}"
                assert (each.state is RecordState.ACQUIRED) == bool(known.holder)
                assert each.member_id == known.holder
                assert each.is_done or each.delivery_count == known.count
        assert offset == at_.end_offset
        passed_over = {one for one, each in self.model.items() if one < at_.start_offset and not each.is_done}
        assert passed_over <= self._holes(), "the start offset passed over what is not done"
        assert not at_.ranges or not at_.ranges[0].is_done


TestSharePartitionHistory = SharePartitionHistory.TestCase
TestSharePartitionHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
