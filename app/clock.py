"""The only reader of time in the web process; tests hand in one that they turn."""

import time


class Clock:
    """Wall clock for what people see, monotonic clock for time limits; both in milliseconds."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
