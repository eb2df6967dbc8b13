"""What a file system may leave after power was lost: only what was synced, and nothing more.

Strict POSIX, which is harsher than any real file system: a name is there if its folder was synced after it came, a
file is as long as it was when its last sync began, and a rename without a sync of the folder has not happened.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

_RENAMED_SUFFIXES = (".deleted", "-delete")


@dataclass(slots=True)
class Synced:
    """What the journal of a `recording_broker` proves to be on disk."""

    sizes: dict[int, int] = field(default_factory=dict)
    """Bytes of each file, by inode."""
    entries: dict[int, dict[str, int]] = field(default_factory=dict)
    """Names in each folder, and their inodes, by the folder's inode."""

    @classmethod
    def read(cls, journal: Path) -> "Synced":
        synced = cls()
        for line in journal.read_text().splitlines():
            entry = json.loads(line)
            if "entries" in entry:
                synced.entries[entry["inode"]] = entry["entries"]
            else:
                synced.sizes[entry["inode"]] = entry["size"]
        return synced


def leave_what_was_synced(folder: Path, journal: Path, image: Path) -> None:
    """Make `image` what `folder` would be after power was lost now; the broker must have been killed."""
    _copy_folder(folder, Synced.read(journal), image)


def _copy_folder(folder: Path, synced: Synced, image: Path) -> None:
    image.mkdir()
    here = {path.name: path for path in folder.iterdir()}
    by_inode = {path.stat().st_ino: path for path in here.values()}
    for name, inode in synced.entries.get(folder.stat().st_ino, {}).items():
        path = here.get(name) or _renamed(by_inode.get(inode))
        if path is None:
            continue
        if path.is_dir():
            _copy_folder(path, synced, image / name)
        else:
            size = synced.sizes.get(path.stat().st_ino, 0)
            (image / name).write_bytes(path.read_bytes()[:size])


def _renamed(path: Path | None) -> Path | None:
    """The file under its new name, if this is one of the renames that the log does. (Inodes are used again.)"""
    return path if path is not None and path.name.endswith(_RENAMED_SUFFIXES) else None


def longest_round_s(journal: Path) -> float:
    """The longest time between two syncs of the same file: how long a round of flushes took at worst."""
    ends_s: dict[int, float] = {}
    longest = 0.0
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        longest = max(longest, entry["at_s"] - ends_s.get(entry["inode"], entry["at_s"]))
        ends_s[entry["inode"]] = entry["at_s"]
    return longest
