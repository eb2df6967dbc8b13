"""Requests of aiokafka that go on when who asked has stopped waiting."""

import asyncio
import logging
from typing import Any

from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)


def report_given_up_requests(loop: asyncio.AbstractEventLoop) -> None:
    """From now on the loop tells of their late errors in a line each, not as exceptions that nobody handled.

    aiokafka shields its commits from cancellation, so one that fails after our time limit has nobody left to tell: who
    asked for it was told of the timeout.
    """
    loop.set_exception_handler(_report)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, KafkaError) and isinstance(context.get("future"), asyncio.Task):
        log.warning("a request failed after its time was over error=%r", error)
    else:
        loop.default_exception_handler(context)
