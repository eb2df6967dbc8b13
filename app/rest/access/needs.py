"""What a request touches, by its method and path: the operation, and the topic or group that the path names.

Every path of the proxy falls under one of the lines below, an unknown one under the cluster: what nobody thought of is
denied to all who may not administer the cluster. Topics that a body names are checked where the body is read.
"""

from typing import NamedTuple

from app.http.routing import decode_segment
from app.rest.access.rules import Kind, Operation


class Need(NamedTuple):
    """What the user must be allowed; None stands for a request that every user may make."""

    operation: Operation
    kind: Kind
    name: str = ""


_RECORDS = frozenset({"records", "records:batch"})


def need_of(method: str, path: str) -> Need | None:
    """path as it was sent, percent-encoding and all, without query. Raises NotFound for a name that is no UTF-8.

    Fixed words are compared as they were sent, names decoded, both as the router does: `%2D` is a topic's name to both.
    """
    match [part for part in path.split("/") if part]:
        case []:
            return None
        case ["openapi.json"] | ["docs", *_] if _reads(method):
            return None  # says what the proxy can, nothing of what is in the cluster
        case ["topics"] if _reads(method):
            return None  # tells those topics that the user may describe
        case ["topics", topic, *_]:
            return _need(Operation.DESCRIBE if _reads(method) else Operation.PRODUCE, Kind.TOPIC, topic)
        case ["consumers", group, *_]:
            return _need(Operation.CONSUME, Kind.GROUP, group)
        case ["caudal", "v1", "topics", topic, *_] if _reads(method):
            return _need(Operation.CONSUME, Kind.TOPIC, topic)
        case ["caudal", "v1", "groups", group, *_]:
            return _need(Operation.CONSUME, Kind.GROUP, group)
        case ["v3", "clusters"] | ["v3", "clusters", _] if _reads(method):
            return None
        case ["v3", "clusters", _, "topics"]:
            return None  # GET tells those that the user may describe; POST names the topic in its body
        case ["v3", "clusters", _, "topics", "-", "configs" | "configs:alter"]:
            return None  # the same: those that the user may describe, those that the body names
        case ["v3", "clusters", _, "topics", "-", "partitions", "-", "reassignment"] if _reads(method):
            return None
        case ["v3", "clusters", _, "topics", topic, last] if last in _RECORDS:
            return _need(Operation.CONSUME if _reads(method) else Operation.PRODUCE, Kind.TOPIC, topic)
        case ["v3", "clusters", _, "topics", topic, *_]:
            return _need(_by_method(method), Kind.TOPIC, topic)
        case ["v3", "clusters", _, "consumer-groups" | "share-groups"] if _reads(method):
            return None  # tells those groups that the user may describe
        case ["v3", "clusters", _, "consumer-groups" | "share-groups", group, *_]:
            return _need(_by_method(method), Kind.GROUP, group)
    return Need(_by_method(method), Kind.CLUSTER)


def _need(operation: Operation, kind: Kind, name: str) -> Need:
    return Need(operation, kind, decode_segment(name))


def _reads(method: str) -> bool:
    return method in ("GET", "HEAD")


def _by_method(method: str) -> Operation:
    return Operation.DESCRIBE if _reads(method) else Operation.MANAGE
