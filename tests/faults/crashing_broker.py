"""The broker, dead at a chosen moment: `python crashing_broker.py MOMENT …` runs `python -m broker …` until then.

A moment is `before` or `after`, a step of a transaction, and the how-manyth time: `after:marker:2`. The steps are the
states that are saved (`ONGOING`, `PREPARE_COMMIT`, …), `append` for a producer's batch and `marker` for a marker.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_left = {"count": 0}


def dying(method: Callable[..., Any], when: str, is_meant: Callable[..., bool]) -> Callable[..., Any]:
    """The same method, at whose last call the process dies."""

    def call(*arguments: Any, **named: Any) -> Any:
        is_last = False
        if is_meant(*arguments, **named):
            _left["count"] -= 1
            is_last = _left["count"] == 0
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*arguments, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def arm(moment: str) -> None:
    from broker.log import PartitionLog
    from broker.transactions import Markers, TransactionLog

    when, step, count = moment.split(":")
    _left["count"] = int(count)
    if step == "marker":
        Markers.write = dying(Markers.write, when, lambda *_, **__: True)  # type: ignore[method-assign]
    elif step == "append":
        PartitionLog.append = dying(  # type: ignore[method-assign]
            PartitionLog.append,
            when,
            lambda _, batch, header, **__: header.is_transactional and not header.is_control,
        )
    else:
        TransactionLog.save = dying(  # type: ignore[method-assign]
            TransactionLog.save, when, lambda _, transaction, **__: transaction.state.name == step
        )


if __name__ == "__main__":
    arm(sys.argv.pop(1))

    from broker.__main__ import main

    sys.exit(main())
