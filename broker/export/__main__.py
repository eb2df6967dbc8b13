"""`python -m broker.export --data-dir D --to DIR`: what `caudal export` runs.

A process of its own, because it reads the broker's data folder, which nothing but the broker's own code may.
Says what it has written in one line on stdout; when it refuses, one line on stderr says why, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from broker.errors import KafkaError
from broker.export.content import ExportError, Wanted
from broker.export.writing import export
from broker.log import DataRootError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the export; the exit code."""
    options = _parse(arguments)
    wanted = Wanted(
        topics=_names(options.topics), excluded=_names(options.exclude) or frozenset(), groups=_names(options.groups)
    )
    try:
        summary = export(options.data_dir, options.to, wanted)
    except (ExportError, DataRootError, KafkaError, ValueError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or options.to}: {error.strerror or error}")
    print(summary)
    return 0


def _refuse(reason: str) -> int:
    print(f"caudal export: {reason}", file=sys.stderr)
    return 1


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(name.strip() for name in text.split(",") if name.strip())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m broker.export", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder of a stopped broker")
    parser.add_argument("--to", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--topics", help="only these, with commas between them")
    parser.add_argument("--exclude", help="all but these")
    parser.add_argument("--groups", help="committed offsets of these groups only")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
