"""Metadata asked in the same bytes as before: what the handler keeps for such a question, without decoding it."""

from __future__ import annotations

from typing import Final, NamedTuple

from broker.dispatch import RequestContext, shortcut
from broker.handlers.metadata import kept_answer
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import decode
from broker.protocol.messages.metadata import MetadataRequest
from broker.security.acl import Operation, ResourceType

KNOWN: Final = "known bytes of Metadata"
"""Where they are among what is derived from the topics: a change of these forgets them."""

KNOWN_MAX: Final = 256
REQUEST_BYTES_MAX: Final = 4096

_DESCRIBE: Final = Operation.DESCRIBE
_TOPIC: Final = ResourceType.TOPIC


class _Known(NamedTuple):
    """The answer to some bytes, and the topics that it tells about; None: all."""

    body: bytes
    names: tuple[str, ...] | None


@shortcut(ApiKey.METADATA)
def metadata(frame: memoryview, at: int, context: RequestContext) -> bytes | None:
    """The answer that was given to these bytes, at this listener, if who asks may see these topics."""
    listener = context.listener
    key = (frame[at:].tobytes(), context.api_version, listener.advertised_host, listener.advertised_port)
    derived = context.topics.derived
    known: _Known | None = derived[KNOWN].get(key) if KNOWN in derived else None
    if known is None:
        known = _learn(key, frame, at, context)
        if known is None:
            return None
    authorizer = None if context.security is None else context.security.authorizer
    if authorizer is not None:
        if known.names is None:
            return None
        for name in known.names:
            if not authorizer.allows(context, _DESCRIBE, _TOPIC, name):
                return None
    return known.body


def _learn(key: object, frame: memoryview, at: int, context: RequestContext) -> _Known | None:
    """What the handler keeps for that request; with authorized operations an answer depends on who asks."""
    if len(frame) - at > REQUEST_BYTES_MAX:
        return None
    request = decode(MetadataRequest, context.api_version, frame, at)
    if request.include_cluster_authorized_operations or request.include_topic_authorized_operations:
        return None
    answer = kept_answer(request, context)
    if answer is None:
        return None
    wants_all = request.topics is None or (context.api_version == 0 and not request.topics)
    names = None if wants_all else tuple([topic.name or "" for topic in request.topics or ()])
    known = _Known(b"".join(answer), names)
    all_known = context.topics.derived.setdefault(KNOWN, {})
    if len(all_known) < KNOWN_MAX:
        all_known[key] = known
    return known
