"""The broker on a disk that fails when it is told to: `python failing_disk_broker.py ORDERS …`.

ORDERS is a file with lines `CALL ERRNO WORD`: the call (`pwrite`, `pread`, `fdatasync`, `fsync`, `open`, `ftruncate`,
`rename`, `unlink`, or `create` for an `open` that may make the file) fails with this error for files whose path has the
word in it. The broker's own calls fail, in its own process, wherever it makes them; the file may change at any time.
`SHORT` for ERRNO writes half of what it should.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("pwrite", "pread", "fdatasync", "fsync", "open", "ftruncate", "rename", "unlink")
_real = {name: getattr(os, name) for name in CALLS}


def _path_of(file: Any) -> str:
    if isinstance(file, int):
        try:
            return os.readlink(f"/proc/self/fd/{file}")
        except OSError:
            return ""
    return os.fspath(file)


def failing(name: str, orders: Path) -> Callable[..., Any]:
    """The same call, which fails when the orders say so."""
    real = _real[name]

    def call(file: Any, *arguments: Any, **named: Any) -> Any:
        for line in _orders(orders):
            ordered, code, word = line.split()
            is_meant = ordered == name or (ordered == "create" and name == "open" and arguments[0] & os.O_CREAT)
            if is_meant and word in _path_of(file):
                if code != "SHORT":
                    number = getattr(errno, code)
                    raise OSError(number, os.strerror(number))
                data, *rest = arguments
                arguments = (memoryview(data)[: max(1, len(data) // 2)], *rest)
        return real(file, *arguments, **named)

    return call


_read: dict[str, Any] = {"at": None, "lines": []}


def _orders(orders: Path) -> list[str]:
    try:
        status = os.stat(orders)
    except FileNotFoundError:
        return []
    # Two orders may come within one tick of the file system's clock.
    changed = (status.st_mtime_ns, status.st_ino, status.st_size)
    if changed != _read["at"]:
        fd = _real["open"](orders, os.O_RDONLY)
        _read["lines"] = _real["pread"](fd, 10_000, 0).decode().splitlines()
        _read["at"] = changed
        os.close(fd)
    return list(_read["lines"])


if __name__ == "__main__":
    orders = Path(sys.argv.pop(1))
    for name in CALLS:
        setattr(os, name, failing(name, orders))

    from broker.__main__ import main

    sys.exit(main())
