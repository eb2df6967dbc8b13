"""One reason why a schema may not follow another."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """A broken rule.

    error_type is the name clients know it by (`READER_FIELD_MISSING_DEFAULT_VALUE`); path says where, in the way of
    the format: `/fields/0/type` for Avro, `#/properties/a` for JSON Schema and Protobuf. description is a sentence in
    which {reader} and {writer} stand for "new" and "old", and which is which depends on the direction. reader: which
    of the two that was, once it is known; Avro's paths lead into the reader's schema.
    """

    error_type: str
    path: str
    description: str
    additional_info: str = ""
    reader: str = field(default="", compare=False)

    def directed(self, *, reader: str, writer: str) -> "Incompatibility":
        """The same with the schemas named."""
        text = self.description.replace("{reader}", reader).replace("{writer}", writer)
        return Incompatibility(self.error_type, self.path, text, self.additional_info, reader)

    def __str__(self) -> str:
        """As `messages` of the compatibility API lists it."""
        info = f", additionalInfo:'{self.additional_info}'" if self.additional_info else ""
        return f"{{errorType:'{self.error_type}', description:'{self.description}'{info}}}"
