"""Answers about a transactional id that wait for the disk, where the flush policy asks for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from broker.dispatch import DelayedResponse, RequestContext
from broker.errors import KafkaError

ResponseT = TypeVar("ResponseT")


def when_durable(
    response: ResponseT, transactional_id: str, context: RequestContext, fail: Callable[[KafkaError], None]
) -> ResponseT | DelayedResponse:
    """The response, once all that was done about the id is on disk; `fail` turns it into that of an error."""
    transactions = context.transactions
    if not transactions.is_strict:
        return response
    delayed = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)

    def done(error: KafkaError | None) -> None:
        if error is not None:
            fail(error)
        delayed.answer(response)

    transactions.when_durable(transactional_id, done)
    return delayed


def _nothing() -> None:
    """What was written cannot be called back."""
