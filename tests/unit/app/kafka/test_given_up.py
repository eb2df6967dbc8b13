"""A commit that fails after its time limit is a line in the log, and everything else is still reported as before."""

import asyncio

import pytest
from aiokafka.errors import NotCoordinatorForGroupError

from app.kafka.given_up import report_given_up_requests


async def fail_late(error: Exception) -> None:
    """As aiokafka commits: shielded, so that it goes on when who asked has stopped waiting."""

    async def commit() -> None:
        await asyncio.sleep(0.02)
        raise error

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.shield(commit())
    await asyncio.sleep(0.05)


async def test_a_late_error_of_kafka_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    report_given_up_requests(asyncio.get_running_loop())
    await fail_late(NotCoordinatorForGroupError())
    [line] = caplog.records
    assert line.levelname == "WARNING"
    assert "NotCoordinatorForGroupError" in line.getMessage()
    assert line.exc_info is None


async def test_any_other_error_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    report_given_up_requests(asyncio.get_running_loop())
    await fail_late(ZeroDivisionError())
    [line] = caplog.records
    assert (line.name, line.levelname) == ("asyncio", "ERROR")
    assert line.exc_info
