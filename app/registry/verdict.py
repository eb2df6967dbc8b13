"""Why a schema may not be registered now: the reasons one by one, and as `messages` of the API lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.registry.compatibility import CompatibilityLevel
from app.registry.compatibility.incompatibility import Incompatibility


@dataclass(frozen=True, slots=True)
class Verdict:
    """A refusal. version: the newest older one that the schema disagrees with; older_text: its canonical text.

    0 and '' when it disagrees with none, but with what is reserved (validateFields).
    """

    level: CompatibilityLevel
    reasons: Sequence[Incompatibility]
    version: int = 0
    older_text: str = ""
    validate_fields: bool = False

    def messages(self) -> list[str]:
        """One text per reason, then what it was held against."""
        older = [f"{{oldSchemaVersion: {self.version}}}", f"{{oldSchema: '{self.older_text}'}}"]
        return [
            *map(str, self.reasons),
            *(older if self.version else ()),
            f"{{validateFields: '{str(self.validate_fields).lower()}', compatibility: '{self.level}'}}",
        ]
