"""Deadlines come when they should, however they were moved."""

from broker.groups.deadlines import Deadline, DeadlineQueue, Now


class Recorder:
    def __init__(self) -> None:
        self.queue = DeadlineQueue()
        self.ran: list[str] = []

    def deadline(self, name: str) -> Deadline:
        return self.queue.deadline(lambda now: self.ran.append(name))

    def run(self, at_ms: int) -> list[str]:
        self.ran.clear()
        self.queue.run_due(Now(at_ms, 0))
        return list(self.ran)


def test_deadlines_run_in_order_once() -> None:
    recorder = Recorder()
    late, early = recorder.deadline("late"), recorder.deadline("early")
    late.set(20)
    early.set(10)
    assert recorder.queue.next_ms() == 10
    assert recorder.run(9) == []
    assert recorder.run(20) == ["early", "late"]
    assert recorder.run(100) == []
    assert recorder.queue.next_ms() is None


def test_deadline_moved_later_comes_later() -> None:
    recorder = Recorder()
    deadline = recorder.deadline("it")
    deadline.set(10)
    deadline.set(30)
    assert recorder.run(29) == []
    assert recorder.run(30) == ["it"]


def test_deadline_moved_earlier_comes_earlier_and_only_once() -> None:
    recorder = Recorder()
    deadline = recorder.deadline("it")
    deadline.set(30)
    deadline.set(10)
    assert recorder.queue.next_ms() == 10
    assert recorder.run(10) == ["it"]
    assert recorder.run(30) == []


def test_cancelled_deadline_never_comes_until_set_again() -> None:
    recorder = Recorder()
    deadline = recorder.deadline("it")
    deadline.set(10)
    deadline.cancel()
    assert recorder.queue.next_ms() is None
    deadline.set(5)
    assert recorder.run(10) == ["it"]


def test_deadline_cancelled_by_another_that_is_due_at_the_same_time_does_not_run() -> None:
    recorder = Recorder()
    second = recorder.deadline("second")
    first = recorder.queue.deadline(lambda now: second.cancel())
    first.set(10)
    second.set(10)
    assert recorder.run(10) == []


def test_deadline_that_sets_itself_again_does_not_run_for_ever() -> None:
    queue = DeadlineQueue()
    runs: list[int] = []
    deadline: Deadline

    def again(now: Now) -> None:
        runs.append(now.monotonic_ms)
        deadline.set(now.monotonic_ms)

    deadline = queue.deadline(again)
    deadline.set(10)
    queue.run_due(Now(10, 0))
    assert runs == [10]
    assert queue.next_ms() == 10


def test_moving_a_deadline_later_does_not_grow_the_queue() -> None:
    recorder = Recorder()
    deadline = recorder.deadline("it")
    for at_ms in range(1, 10_000):
        deadline.set(at_ms)
    assert len(recorder.queue._heap) == 1
