"""`python -m benchmarks [NAME…]`: run the named benchmarks, or all, one after another. Nothing else should run."""

import importlib
import sys

BENCHMARKS = (
    "start",
    "broker_throughput",
    "broker_requests",
    "broker_secured",
    "compaction",
    "rest_consume",
    "rest_memory",
    "rest_produce",
    "rest_stream",
    "rest_tail",
    "rest_wrk",
    "schema_registry",
    "schema_validation",
    "topics_page",
)


def main() -> None:
    names = sys.argv[1:] or BENCHMARKS
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
