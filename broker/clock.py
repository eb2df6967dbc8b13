"""The only reader of time in the broker.

Wall-clock time dates records and ages segments; monotonic time measures timeouts and long polls, so that a clock that
is set back or forward never expires a session or wakes a fetch.
"""

import time


class Clock:
    """Time as the broker sees it; tests pass a clock that they turn by hand."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since 1970, as in record timestamps."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary moment; never goes back."""
        return time.monotonic_ns() // 1_000_000
