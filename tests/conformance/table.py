"""The table of wrong inputs: a name, what is asked, and where we differ from Apache Kafka the line that says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from broker.protocol.api_keys import ApiKey
from tests.conformance.asking import Side

Ask = Callable[[Side], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One wrong input."""

    name: str
    ask: Ask
    differs: str | None = None
    """A sentence of docs/differences.md, where the answers are not equal; one that is not needed any more fails."""


class Table:
    """The cases of one subject, in the order they are asked."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.cases: list[Case] = []

    def case(self, name: str, *, differs: str | None = None) -> Callable[[Ask], Ask]:
        """Add a case that takes more than one request."""

        def add(ask: Ask) -> Ask:
            self._add(name, ask, differs)
            return ask

        return add

    def asks(
        self, name: str, api_key: ApiKey, versions: int | Sequence[int], *, differs: str | None = None, **fields: Any
    ) -> None:
        """Add one request in one version or several; a field that is a function is called with the side."""
        wanted = [versions] if isinstance(versions, int) else list(versions)

        def ask(at: Side) -> Any:
            given = {key: value(at) if callable(value) else value for key, value in fields.items()}
            answers = [at.ask(api_key, version, **given) for version in wanted]
            return answers[0] if len(answers) == 1 else dict(zip(map(str, wanted), answers, strict=True))

        self._add(name, ask, differs)

    def _add(self, name: str, ask: Ask, differs: str | None) -> None:
        full = f"{self.subject}: {name}"
        assert all(case.name != full for case in self.cases), f"two cases are called {full}"
        self.cases.append(Case(full, ask, differs))
