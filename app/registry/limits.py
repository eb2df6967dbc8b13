"""How much one schema may ask of us. A registry is shared: no text may hold it for a second or eat its memory."""

from app.registry.errors import SchemaTooLarge

SCHEMA_BYTES_MAX = 1_000_000  # a schema is one record of `_schemas`, and Kafka's max.message.bytes is 1,048,588
REFERENCED_BYTES_MAX = 4_000_000  # of all schemas a schema refers to, together
NESTING_MAX = 100  # levels of types inside types: three Python frames each, of the thousand there are
JSON_NESTING_MAX = 320  # levels of lists and objects in a text: a level of types takes up to three
COMPARISONS_MAX = 100_000  # pairs of types one compatibility check looks at
INCOMPATIBILITIES_MAX = 500  # reported by one check; what is over is not listed


class Budget:
    """Counts the steps of one check, and ends it."""

    __slots__ = ("_left",)

    def __init__(self, steps: int = COMPARISONS_MAX) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Raises SchemaTooLarge when nothing is left."""
        self._left -= steps
        if self._left < 0:
            raise SchemaTooLarge("comparing these schemas takes more steps than one check may")


def refuse_large(text: str, referenced_bytes: int) -> None:
    """Raises SchemaTooLarge for a text, or for the sum of what it refers to, beyond the limits."""
    if len(text) > SCHEMA_BYTES_MAX or (not text.isascii() and len(text.encode("utf-8", "replace")) > SCHEMA_BYTES_MAX):
        raise SchemaTooLarge(f"the schema is larger than {SCHEMA_BYTES_MAX} bytes")
    if referenced_bytes > REFERENCED_BYTES_MAX:
        raise SchemaTooLarge(f"the schemas it refers to are larger than {REFERENCED_BYTES_MAX} bytes together")
