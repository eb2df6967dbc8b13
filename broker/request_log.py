"""The request log: a line for each request, off unless the logger `broker.requests` is set to DEBUG.

It is set as in Kafka: `kafka-configs --entity-type broker-loggers --entity-name 0 --alter --add-config
broker.requests=DEBUG`. While it is off it costs nothing, because handlers are wrapped only when it is on.
"""

from __future__ import annotations

import logging
from time import perf_counter_ns
from typing import Any, Final

from broker.dispatch import DelayedResponse, Handler, RequestContext, ServedApi
from broker.event_log import REQUEST_LOGGER

log: Final = logging.getLogger(REQUEST_LOGGER)


def logged(api: ServedApi, handler: Handler) -> Handler:
    """The handler itself while the log is off, else one that writes a line when it has answered or begun to wait."""
    if not log.isEnabledFor(logging.DEBUG):
        return handler

    def answer(request: Any, context: RequestContext) -> Any:
        started_ns = perf_counter_ns()
        try:
            response = handler(request, context)
        except Exception as error:
            _write(api, context, started_ns, type(error).__name__)
            raise
        _write(api, context, started_ns, "waits" if isinstance(response, DelayedResponse) else "answered")
        return response

    return answer


def _write(api: ServedApi, context: RequestContext, started_ns: int, outcome: str) -> None:
    log.debug(
        "request api=%s version=%d client=%s client_id=%s principal=%s outcome=%s took_us=%d",
        api.api_key.name,
        context.api_version,
        context.client_host,
        context.client_id,
        context.principal,
        outcome,
        (perf_counter_ns() - started_ns) // 1000,
    )
