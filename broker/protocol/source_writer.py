"""What both codec compilers share: lines of Python with indentation, fresh names, runs of fixed-width fields."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broker.protocol.primitives import Message


class SourceWriter:
    """Python source in the making, and the namespace it will run in."""

    def __init__(self, message_type: type[Message], version: int, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self._type = message_type
        self._version = version
        self._flexible = version in message_type.FLEXIBLE_VERSIONS
        self._lines: list[str] = []
        self._depth = 2
        self._names = 0
        self._run: list[tuple[str, str]] = []
        """Struct format and Python expression of neighbouring fields that are to share one call."""

    def compiled(self, name: str, source: str) -> Any:
        """The function of that name which the source defines."""
        exec(compile(source, f"<{name} {self._type.__name__} v{self._version}>", "exec"), self.namespace)
        return self.namespace[name]

    @contextmanager
    def _indented(self) -> Iterator[None]:
        self._depth += 1
        yield
        self._depth -= 1

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def _name(self, base: str) -> str:
        self._names += 1
        return f"{base}_{self._names}"

    def _run_format(self) -> str:
        return ">" + "".join(part for part, _ in self._run)
