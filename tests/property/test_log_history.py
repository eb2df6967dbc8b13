"""Random histories of a log against a simple model: a list of batches in memory."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker.errors import OffsetOutOfRange, OutOfOrderSequenceNumber
from broker.log import FlushMode, FlushPolicy
from broker.protocol.record_batch import iter_batches, read_header
from tests.unit.broker.log.making import NOW_MS, DataRoot, append, records_in


@dataclass
class Model:
    """What the log should hold: per batch its base offset, values and timestamp."""

    batches: list[tuple[int, list[str], int]] = field(default_factory=list)
    log_start_offset: int = 0
    log_end_offset: int = 0
    next_sequence: int = 0

    @property
    def records(self) -> dict[int, str]:
        return {
            base_offset + delta: value
            for base_offset, values, _ in self.batches
            for delta, value in enumerate(values)
            if base_offset + delta >= self.log_start_offset
        }

    def first_at(self, timestamp_ms: int) -> int | None:
        for base_offset, values, batch_timestamp_ms in self.batches:
            end_offset = base_offset + len(values)
            if batch_timestamp_ms >= timestamp_ms and end_offset > self.log_start_offset:
                return max(base_offset, self.log_start_offset)
        return None


class LogHistory(RuleBasedStateMachine):
    """Everything that can happen to a log, in any order."""

    @initialize(
        segment_bytes=st.sampled_from([300, 700, 1 << 20]),
        interval=st.sampled_from([0, 150, 4096]),
        mode=st.sampled_from(FlushMode),
        open_files_max=st.sampled_from([1, 3, 100]),
    )
    def begin(self, segment_bytes: int, interval: int, mode: FlushMode, open_files_max: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "data")
        self.root = DataRoot(path, flush=FlushPolicy(mode), open_files_max=open_files_max)
        self.log = self.root.create(
            segment_bytes=segment_bytes, index_interval_bytes=interval, segment_ms=50, retention_ms=30
        )
        self.model = Model()
        self.now_ms = NOW_MS

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.root.logs.close()
            self.folder.cleanup()

    @rule(
        count=st.integers(1, 4),
        value=st.sampled_from(["v", "w" * 40]),
        age_ms=st.sampled_from([0, 0, 0, 5, 40]),
        idempotent=st.booleans(),
    )
    def append(self, count: int, value: str, age_ms: int, idempotent: bool) -> None:
        model, timestamp_ms = self.model, self.now_ms - age_ms
        values = [f"{value}{delta}" for delta in range(count)]
        producer = {"producer_id": 5, "producer_epoch": 0, "base_sequence": model.next_sequence} if idempotent else {}
        appended = append(self.log, *values, now_ms=self.now_ms, timestamp_ms=timestamp_ms, **producer)
        assert appended.base_offset == model.log_end_offset
        model.batches.append((model.log_end_offset, values, timestamp_ms))
        model.log_end_offset += count
        if idempotent:
            model.next_sequence += count

    @rule(gap=st.integers(1, 3))
    @precondition(lambda self: self.model.next_sequence > 0 and self.log.producer_state.get(5) is not None)
    def append_after_a_gap(self, gap: int) -> None:
        try:
            append(self.log, "lost", producer_id=5, producer_epoch=0, base_sequence=self.model.next_sequence + gap)
        except OutOfOrderSequenceNumber:
            return
        raise AssertionError("a gap was accepted")

    @rule(ms=st.integers(1, 40))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @rule()
    def flush(self) -> None:
        self.root.logs.flush_dirty(self.now_ms)

    @rule()
    def write_checkpoints(self) -> None:
        self.root.logs.write_checkpoints()

    @rule()
    def retain(self) -> None:
        self.root.logs.flush_dirty(self.now_ms)
        self.log.retain(self.now_ms)
        start_offset = self.log.log_start_offset
        assert start_offset >= self.model.log_start_offset
        for base_offset, values, timestamp_ms in self.model.batches:
            if self.model.log_start_offset <= base_offset + len(values) - 1 < start_offset:
                assert self.now_ms - timestamp_ms > 30, "a young record was deleted"
        self.model.log_start_offset = start_offset
        assert self.log.segment_count == 1 or not self._is_oldest_segment_expired()

    def _is_oldest_segment_expired(self) -> bool:
        end_offset = self.log._segments[0].next_offset
        kept = [
            t for base_offset, _, t in self.model.batches if self.log.first_segment_offset <= base_offset < end_offset
        ]
        return bool(kept) and all(self.now_ms - timestamp_ms > 30 for timestamp_ms in kept)

    @rule(share=st.floats(0, 1))
    def delete_records(self, share: float) -> None:
        self.root.logs.flush_dirty(self.now_ms)
        start, end = self.model.log_start_offset, self.log.high_watermark
        before_offset = start + int(share * (end - start))
        self.model.log_start_offset = self.log.delete_records(before_offset)
        assert self.model.log_start_offset == before_offset

    @rule(share=st.floats(0, 1))
    def truncate(self, share: float) -> None:
        model = self.model
        end_offset = model.log_start_offset + int(share * (model.log_end_offset - model.log_start_offset))
        self.log.truncate_to(end_offset)
        model.batches = [batch for batch in model.batches if batch[0] + len(batch[1]) <= end_offset]
        model.log_end_offset = self.log.log_end_offset
        assert model.log_end_offset <= end_offset
        model.log_start_offset = min(model.log_start_offset, model.log_end_offset)
        producer = self.log.producer_state.get(5)
        model.next_sequence = producer.last_sequence + 1 if producer else 0

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.root.restart(clean=clean)
        self.log = self.root.get()
        assert self.log.log_end_offset == self.model.log_end_offset
        producer = self.log.producer_state.get(5)
        if producer is not None:
            assert producer.last_sequence + 1 == self.model.next_sequence

    @rule(share=st.floats(0, 1), bytes_max=st.sampled_from([1, 100, 5000]))
    def read(self, share: float, bytes_max: int) -> None:
        start, end = self.model.log_start_offset, self.log.high_watermark
        offset = start + int(share * (end - start))
        data = self.log.read(offset=offset, bytes_max=bytes_max)
        if offset == end:
            assert data == b""
            return
        first = next(iter_batches(data))
        assert read_header(first).base_offset <= offset <= read_header(first).last_offset
        assert len(data) <= max(bytes_max, len(first))

    @rule(age_ms=st.integers(0, 60))
    def find_by_time(self, age_ms: int) -> None:
        self.root.logs.flush_dirty(self.now_ms)
        if self.log.high_watermark == self.log.log_end_offset:
            found = self.log.offset_for_timestamp(self.now_ms - age_ms)
            assert (found.offset if found else None) == self.model.first_at(self.now_ms - age_ms)

    @invariant()
    def the_log_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "log"):
            return
        log, model = self.log, self.model
        assert (log.log_start_offset, log.log_end_offset) == (model.log_start_offset, model.log_end_offset)
        assert model.log_start_offset <= log.high_watermark <= model.log_end_offset
        visible = {offset: value for offset, value in model.records.items() if offset < log.high_watermark}
        assert records_in(log) == visible
        assert log.size_bytes == sum(path.stat().st_size for path in self.root.log_files())
        for offset in (model.log_start_offset - 1, model.log_end_offset + 1):
            try:
                log.read(offset=offset, bytes_max=10)
            except OffsetOutOfRange:
                continue
            raise AssertionError(f"offset {offset} could be read")


LogHistory.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLogHistory = LogHistory.TestCase
