"""Programs built from sources of the tests, and the jars of Apache Kafka that Java programs run with.

What is built lies in `$CAUDAL_CONFORMANCE_CACHE` (default `~/.cache/caudal-conformance`), each build in a folder named
after a digest of its sources, so what has not changed is not built again.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.conftest import KIT, find_program

HERE: Final = Path(__file__).parent
CACHE: Final = Path(os.environ.get("CAUDAL_CONFORMANCE_CACHE", "~/.cache/caudal-conformance")).expanduser()
DAYS_KEPT: Final = 7
# The programs live for seconds: starting and compiling is most of what they do.
JAVA: Final = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


def program(name: str) -> str:
    """Where it is. Raises FileNotFoundError."""
    found = find_program(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def java_classes(source: Path) -> Path:
    """The folder with what a Java file compiles to, against Kafka 4.3."""

    def compile_source(folder: Path) -> None:
        finished([program("javac"), "-nowarn", "-cp", kit_libraries(), "-d", str(folder), str(source)], cwd=folder)

    return built(f"java-{source.stem.lower()}", [source, KIT.with_name("pom.xml")], compile_source)


def kit_libraries() -> str:
    """The class path of Kafka 4.3: clients, broker and tools."""
    return finished([sys.executable, str(KIT), "classpath"], cwd=HERE).strip()


def java_3_libraries() -> str:
    """The class path of Kafka 3.9's clients and tools, and of what silences their log."""
    pom = HERE / "java" / "pom.xml"

    def resolve(folder: Path) -> None:
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
        finished([program("mvn"), "-q", "-B", "-f", str(pom), *copy], cwd=folder)
        (folder / "log4j.properties").write_text("log4j.rootLogger=OFF\n")

    libraries = built("java-3", [pom], resolve)
    return f"{libraries}:{libraries}/*"


def go_program(package: str) -> Path:
    """The program that a folder of `go/` is built to."""
    sources = [*sorted((HERE / "go").rglob("*.go")), HERE / "go" / "go.mod", HERE / "go" / "go.sum"]

    def build(folder: Path) -> None:
        finished([program("go"), "build", "-o", f"{folder}/", "./..."], cwd=HERE / "go")

    return built("go", sources, build) / package


def built(name: str, sources: list[Path], build: Callable[[Path], None]) -> Path:
    """The folder with what `build` made of the sources; it is built beside and moved, so a broken build leaves none."""
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{name}-new-") as fresh:
                (made := Path(fresh, "made")).mkdir()
                build(made)
                _remove_builds_of_long_ago(name)
                made.rename(folder)
        os.utime(folder)
    return folder


def _remove_builds_of_long_ago(name: str) -> None:
    """Those used lately may be in use now, by another checkout."""
    for old in CACHE.glob(f"{name}-{'[0-9a-f]' * 16}"):
        if time.time() - old.stat().st_mtime > DAYS_KEPT * 86400:
            shutil.rmtree(old, ignore_errors=True)


def finished(command: list[str], *, cwd: Path) -> str:
    """What the command printed. Raises RuntimeError, with all its words, when it failed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
