"""The broker with a witness: `python recording_broker.py JOURNAL …` runs `python -m broker …` and notes every sync.

A line of the journal is one fsync or fdatasync that has ended: what the file system must keep from then on when power
fails. See `power_loss.py`, which takes away everything else.
"""

import json
import os
import stat
import sys
import time
from collections.abc import Callable


def recorded(sync: Callable[[int], None], journal_fd: int) -> Callable[[int], None]:
    """The same call, noted in the journal with the size, or the entries, that the file had when it began."""

    def sync_and_note(fd: int) -> None:
        status = os.fstat(fd)
        entry: dict[str, object] = {"inode": status.st_ino}
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(fd) as entries:
                entry["entries"] = {each.name: each.inode() for each in entries}
        else:
            entry["size"] = status.st_size
        sync(fd)
        entry["at_s"] = time.monotonic()
        os.write(journal_fd, json.dumps(entry).encode() + b"\n")

    return sync_and_note


if __name__ == "__main__":
    journal = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.fsync = recorded(os.fsync, journal)  # type: ignore[assignment]
    os.fdatasync = recorded(os.fdatasync, journal)

    from broker.__main__ import main

    sys.exit(main())
