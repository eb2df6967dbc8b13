"""What the registry's rules refuse, in the registry's own error codes."""

from typing import ClassVar

from app.schemas.ports import InvalidPayload

__all__ = ["InvalidPayload", "InvalidRuleSet", "InvalidSchema", "SchemaError", "SchemaTooLarge"]


class SchemaError(Exception):
    """A schema cannot be taken. path is a JSON pointer into the text ("" for the whole), message a sentence."""

    error_code: ClassVar[int]

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{message} (at {path})" if path else message)
        self.message = message
        self.path = path


class InvalidSchema(SchemaError):
    """The text is no schema of its type, or breaks a rule of its format."""

    error_code = 42201


class SchemaTooLarge(SchemaError):
    """The schema, or the work to judge it, is beyond a limit of limits.py."""

    error_code = 42209


class InvalidRuleSet(SchemaError):
    """A data contract's rules break their own rules: names, kinds, modes."""

    error_code = 42210
