import gc
import weakref

import pytest

from broker.dispatch import DelayedResponse


class Waiting:
    """A handler at work: it knows its response, which knows it."""

    def __init__(self) -> None:
        self.response = DelayedResponse(on_hurry=self.hurry, on_abandon=self.hurry)

    def hurry(self) -> None:
        self.response.answer("hurried")


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_an_answered_handler_is_gone_without_the_collector() -> None:
    waiting = Waiting()
    gone = weakref.ref(waiting)
    waiting.hurry()
    del waiting
    assert gone() is None


def test_what_is_answered_can_be_hurried_and_abandoned_without_effect() -> None:
    waiting = Waiting()
    answers: list[object] = []
    waiting.response.when_answered(answers.append)
    waiting.response.answer("first")
    waiting.response.on_hurry()
    waiting.response.on_abandon()
    assert answers == ["first"]
