"""How many requests each endpoint had, how they ended and how long they took: plain numbers, no locks, one loop."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

BUCKETS: Final = 64
"""Times are counted by the number of bits of their nanoseconds: bucket n holds those below 2^n ns."""

NO_ANSWER: Final = 0
"""The status of a request whose client had gone before an answer began."""


@dataclass(slots=True)
class Outcomes:
    """The requests of one endpoint that ended with one status."""

    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    total_ns: int = 0
    sent_bytes: int = 0

    def count(self, elapsed_ns: int, sent_bytes: int) -> None:
        self.buckets[elapsed_ns.bit_length()] += 1
        self.total_ns += elapsed_ns
        self.sent_bytes += sent_bytes


class RequestStats:
    """Outcomes by endpoint and status, made when they are first met; in_flight: requests begun and not yet ended."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._by_end: defaultdict[tuple[str, int], Outcomes] = defaultdict(Outcomes)

    def of(self, endpoint: str, status: int) -> Outcomes:
        """endpoint '' is what never reached one: refused at the gate, or no such path."""
        return self._by_end[endpoint, status]

    def __iter__(self) -> Iterator[tuple[str, int, Outcomes]]:
        for (endpoint, status), outcomes in self._by_end.items():
            yield endpoint, status, outcomes
