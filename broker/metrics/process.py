"""What every process tells Prometheus about itself; what a system does not tell is left out."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator


def readings() -> Iterator[tuple[str, float]]:
    """Names and values."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield "process_max_fds", soft
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield "process_cpu_seconds_total", usage.ru_utime + usage.ru_stime
    try:
        yield "process_open_fds", len(os.listdir("/proc/self/fd"))
        with open("/proc/self/statm", encoding="ascii") as statm:
            yield "process_resident_memory_bytes", int(statm.read().split()[1]) * resource.getpagesize()
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            started_ticks = int(stat.read().rpartition(")")[2].split()[19])
    except OSError:  # Not Linux.
        return
    uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
    yield "process_start_time_seconds", round(time.time() - uptime_s, 2)
