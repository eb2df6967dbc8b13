"""Why a schema may not be registered now: the reasons one by one, and as `messages` of the API lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.registry.compatibility import CompatibilityLevel
from app.registry.compatibility.incompatibility import Incompatibility


@dataclass(frozen=True, slots=True)
class Verdict:
    """A refusal. version: the newest older one that the schema disagrees with; older_text: its canonical text."""

    level: CompatibilityLevel
    version: int
    older_text: str
    reasons: Sequence[Incompatibility]
    validate_fields: bool = False

    def messages(self) -> list[str]:
        """One text per reason, then what it was held against."""
        return [
            *map(str, self.reasons),
            f"{{oldSchemaVersion: {self.version}}}",
            f"{{oldSchema: '{self.older_text}'}}",
            f"{{validateFields: '{str(self.validate_fields).lower()}', compatibility: '{self.level}'}}",
        ]
