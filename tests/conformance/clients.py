"""The clients: the command that runs each one's script, which is built when it is first asked for."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance.builds import (
    HERE,
    JAVA,
    built,
    finished,
    go_program,
    java_3_libraries,
    java_classes,
    kit_libraries,
    program,
)
from tests.conftest import find_program

JAVA_SOURCE: Final = HERE / "java" / "Conformance.java"


@dataclass(frozen=True, slots=True)
class Client:
    """`title` for the table; `programs` that must be installed; `command` builds if need be, and names what to run."""

    name: str
    title: str
    programs: tuple[str, ...]
    command: Callable[[], list[str]]

    def missing_programs(self) -> list[str]:
        return [each for each in self.programs if find_program(each) is None]


def _python(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-W", "ignore", "-m", f"tests.conformance.python.{module}"]


def _go(package: str) -> Callable[[], list[str]]:
    return lambda: [str(go_program(package))]


def _javascript() -> list[str]:
    package = [HERE / "javascript" / name for name in ("package.json", "package-lock.json")]

    def install(folder: Path) -> None:
        for each in package:
            shutil.copy(each, folder)
        finished([program("npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder)

    modules = built("javascript", package, install) / "node_modules"
    surroundings = ("env", f"NODE_PATH={modules}", "KAFKAJS_NO_PARTITIONER_WARNING=1")
    return [*surroundings, program("node"), str(HERE / "javascript" / "steps.js")]


def _java_4() -> list[str]:
    return [*JAVA, "-cp", f"{java_classes(JAVA_SOURCE)}:{kit_libraries()}", "Conformance"]


def _java_3() -> list[str]:
    return [*JAVA, "-cp", f"{java_classes(JAVA_SOURCE)}:{java_3_libraries()}", "Conformance"]


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
