"""Which topics the members of a consumer group subscribe to, as far as their subscriptions can be read.

The broker passes subscriptions on unread. It looks inside only to know which committed offsets are still in use.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.protocol.codec import decode
from broker.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from broker.protocol.primitives import DecodeError

VERSION_BYTES = 2  # a subscription begins with the int16 version it is written in


def subscribed_topics(subscriptions: Iterable[bytes]) -> frozenset[str] | None:
    """All topics in these subscriptions (ConsumerProtocolSubscription with its version); None when one cannot be read.

    They are read as version 0, which every version begins with, so a client newer than this broker is understood too.
    """
    topics: set[str] = set()
    try:
        for subscription in subscriptions:
            topics.update(decode(ConsumerProtocolSubscription, 0, subscription, VERSION_BYTES).topics)
    except DecodeError:
        return None
    return frozenset(topics)
