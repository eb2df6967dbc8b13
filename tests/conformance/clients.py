"""The clients: how each one's script is built, once, and the command that runs it.

What is built lies in `$CAUDAL_CONFORMANCE_CACHE` (default `~/.cache/caudal-conformance`), each build in a folder named
after a digest of its sources, so an unchanged script is not built again.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conftest import find_program

HERE: Final = Path(__file__).parent
KIT: Final = HERE.parent / "kafka_kit" / "real-kafka"
CACHE: Final = Path(os.environ.get("CAUDAL_CONFORMANCE_CACHE", "~/.cache/caudal-conformance")).expanduser()
DAYS_KEPT: Final = 7

JAVA_SOURCE: Final = HERE / "java" / "Conformance.java"
# The scripts live for seconds: starting and compiling is most of what they do.
JAVA: Final = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


@dataclass(frozen=True, slots=True)
class Client:
    """`title` for the table; `programs` that must be installed; `command` builds if need be, and names what to run."""

    name: str
    title: str
    programs: tuple[str, ...]
    command: Callable[[], list[str]]

    def missing_programs(self) -> list[str]:
        return [each for each in self.programs if find_program(each) is None]


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def _python(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-W", "ignore", "-m", f"tests.conformance.python.{module}"]


def _go(package: str) -> Callable[[], list[str]]:
    sources = [*sorted((HERE / "go").rglob("*.go")), HERE / "go" / "go.mod", HERE / "go" / "go.sum"]

    def build(folder: Path) -> None:
        _run([_program("go"), "build", "-o", f"{folder}/", "./..."], cwd=HERE / "go")

    return lambda: [str(_built("go", sources, build) / package)]


def _javascript() -> list[str]:
    package = [HERE / "javascript" / name for name in ("package.json", "package-lock.json")]

    def install(folder: Path) -> None:
        for each in package:
            shutil.copy(each, folder)
        _run([_program("npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder)

    modules = _built("javascript", package, install) / "node_modules"
    surroundings = ("env", f"NODE_PATH={modules}", "KAFKAJS_NO_PARTITIONER_WARNING=1")
    return [*surroundings, _program("node"), str(HERE / "javascript" / "steps.js")]


def _java_4() -> list[str]:
    return [*JAVA, "-cp", f"{_java_classes()}:{_kit_libraries()}", "Conformance"]


def _java_3() -> list[str]:
    pom = HERE / "java" / "pom.xml"

    def resolve(folder: Path) -> None:
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
        _run([_program("mvn"), "-q", "-B", "-f", str(pom), *copy], cwd=folder)

    return [*JAVA, "-cp", f"{_java_classes()}:{_built('java-3', [pom], resolve)}/*", "Conformance"]


def _java_classes() -> Path:
    def compile_source(folder: Path) -> None:
        _run([_program("javac"), "-nowarn", "-cp", _kit_libraries(), "-d", str(folder), str(JAVA_SOURCE)], cwd=folder)

    return _built("java", [JAVA_SOURCE], compile_source)


def _kit_libraries() -> str:
    return _run([sys.executable, str(KIT), "classpath"], cwd=HERE).strip()


def _built(name: str, sources: list[Path], build: Callable[[Path], None]) -> Path:
    """The folder with what `build` made of the sources; it is built beside and moved, so a broken build leaves none."""
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{name}-new-") as fresh:
                build(Path(fresh))
                _remove_builds_of_long_ago(name)
                shutil.copytree(fresh, folder, symlinks=True)
    return folder


def _remove_builds_of_long_ago(name: str) -> None:
    """Younger ones may be in use, by another checkout."""
    for old in CACHE.glob(f"{name}-{'[0-9a-f]' * 16}"):
        if time.time() - old.stat().st_mtime > DAYS_KEPT * 86400:
            shutil.rmtree(old, ignore_errors=True)


def _run(command: list[str], *, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


CLIENTS: Final = (
    Client("java-4", "Java 4.3", ("java", "javac", "mvn"), _java_4),
    Client("java-3", "Java 3.9", ("java", "javac", "mvn"), _java_3),
    Client("librdkafka", "librdkafka", (), _python("with_librdkafka")),
    Client("franz-go", "franz-go", ("go",), _go("franz_go")),
    Client("sarama", "Sarama", ("go",), _go("sarama")),
    Client("kafkajs", "KafkaJS", ("node", "npm"), _javascript),
    Client("aiokafka", "aiokafka", (), _python("with_aiokafka")),
    Client("kafka-python", "kafka-python", (), _python("with_kafka_python")),
)
