"""Consumers wait a little for a partition that is being recovered, instead of being put off at once.

Stands before Fetch and ListOffsets, and only until the start after a crash is dealt with. Producers are put off: their
batches lie in the buffer of the connection, which cannot wait.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Final

from broker.dispatch import DelayedResponse, Handler, RequestContext, ServedApi
from broker.log import LogDirectory
from broker.log.checkpoint_files import TopicPartition
from broker.log.log_directory import PartitionRecovering
from broker.metadata.topics import TopicRegistry
from broker.protocol.api_keys import ApiKey
from broker.recoverer import Recoverer

WAIT_S_MAX: Final = 2.0
"""Most recoveries are done by then; behind a longer one the connection's other requests would wait too long."""


def waiting_for_recovery(api: ServedApi, recoverer: Recoverer) -> ServedApi:
    """The API with a handler that waits for the partitions of its request."""
    partitions_of = _PARTITIONS.get(api.api_key)
    if partitions_of is None:
        return api
    return dataclasses.replace(api, handler=functools.partial(_answer, api.handler, partitions_of, recoverer))


def _answer(handler: Handler, partitions_of: Any, recoverer: Recoverer, request: Any, context: RequestContext) -> Any:
    keys = [key for key in partitions_of(request, context.topics) if _is_recovering(context.logs, key)]
    if not keys:
        return handler(request, context)
    waiting = recoverer.wait(keys, WAIT_S_MAX)

    def hurry() -> None:
        waiting.cancel()

    def abandon() -> None:
        waiting.remove_done_callback(answer)

    def answer(_: object) -> None:
        try:
            response = handler(request, context)
        except Exception as error:
            response = error
        if isinstance(response, DelayedResponse):
            delayed.on_hurry, delayed.on_abandon = response.on_hurry, response.on_abandon
            response.when_answered(delayed.answer)
        else:
            delayed.answer(response)

    delayed = DelayedResponse(on_hurry=hurry, on_abandon=abandon)
    waiting.add_done_callback(answer)
    return delayed


def _is_recovering(logs: LogDirectory, key: TopicPartition) -> bool:
    try:
        logs.get(*key)
    except PartitionRecovering:
        return True
    except Exception:  # the handler will meet it, and say so
        return False
    return False


def _fetched(request: Any, topics: TopicRegistry) -> Iterator[TopicPartition]:
    for asked in request.topics:
        topic = topics.get(asked.topic) or topics.by_id(asked.topic_id)
        if topic is not None:
            yield from ((topic.name, partition.partition) for partition in asked.partitions)


def _listed(request: Any, topics: TopicRegistry) -> Iterator[TopicPartition]:
    for asked in request.topics:
        if asked.name in topics:
            yield from ((asked.name, partition.partition_index) for partition in asked.partitions)


_PARTITIONS: Final = {ApiKey.FETCH: _fetched, ApiKey.LIST_OFFSETS: _listed}
