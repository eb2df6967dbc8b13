"""How many files are open at once."""

import os
import resource
from pathlib import Path

import pytest

from broker.log.open_files import CLOSED, OpenFiles, default_open_max


class OneFile:
    def __init__(self, path: Path) -> None:
        path.touch()
        self.path, self.fd, self.was_used, self.cached_bytes = str(path), CLOSED, False, 0
        self.release_count = 0

    def release(self) -> None:
        self.release_count += 1


@pytest.fixture
def some(tmp_path: Path) -> list[OneFile]:
    return [OneFile(tmp_path / f"{number}") for number in range(6)]


def test_at_the_limit_the_file_least_used_is_closed(some: list[OneFile]) -> None:
    files = OpenFiles(open_max=3)
    for file in some[:4]:  # the fourth sends the hand round once, and takes the place of the first
        files.open(file)
    assert [file.fd != CLOSED for file in some[:4]] == [False, True, True, True]
    some[1].was_used = True
    files.open(some[4])
    assert [file.fd != CLOSED for file in some[:5]] == [False, True, False, True, True]
    assert (len(files), some[0].release_count, some[2].release_count) == (3, 1, 1)
    for file in some:
        files.close(file)
    assert len(files) == 0


def test_a_file_that_is_closed_twice_is_no_error(some: list[OneFile]) -> None:
    files = OpenFiles(open_max=3)
    files.open(some[0])
    files.close(some[0])
    files.close(some[0])
    assert (some[0].fd, len(files)) == (CLOSED, 0)


def test_when_the_process_has_no_descriptors_left_ours_make_room(some: list[OneFile]) -> None:
    files = OpenFiles(open_max=100)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for file in some:
        files.open(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(fd) for fd in os.listdir("/proc/self/fd")), hard))
    taken: list[int] = []
    try:
        while True:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        fd = files.open_path("/dev/null", os.O_RDONLY)
        os.close(fd)
        assert len(files) == 5
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in some:
            files.close(file)


def test_loaded_indexes_make_others_go_when_they_are_too_large(some: list[OneFile]) -> None:
    files = OpenFiles(open_max=100, index_bytes_max=100)
    for file in some[:3]:
        files.open(file)
        files.charge(file, 40)
    assert [file.fd != CLOSED for file in some[:3]] == [False, True, True]
    files.open(some[3])
    files.charge(some[3], 500)  # more than allowed, but it is needed
    assert [file.fd != CLOSED for file in some[:4]] == [False, False, False, True]
    files.close(some[3])
    assert [file.cached_bytes for file in some] == [0] * 6


def test_a_missing_file_is_an_error_and_counts_not(some: list[OneFile]) -> None:
    files = OpenFiles(open_max=3)
    os.unlink(some[0].path)
    with pytest.raises(FileNotFoundError):
        files.open(some[0])
    assert len(files) == 0


def test_a_quarter_of_the_descriptors_is_ours() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert default_open_max() == max(16, min(16_384, soft // 4))
