"""The fields of a schema that is being written, and what they come to."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.control_center.schemas.desk import SchemaDesk
from app.control_center.schemas.places import line_of
from app.control_center.schemas.words import TYPES
from app.registry import contexts
from app.registry.errors import InvalidSchema, SchemaError
from app.registry.populating import NewSchema
from app.registry.references import find_referenced
from app.registry.refusals import InvalidSubject
from app.registry.registry import LATEST
from app.registry.schema import Reference

REFERENCES_MAX = 100
VERSION_MAX = 2**31 - 1
_PLACE = re.compile(r":? ?\(?line (\d+)(?:,? column (\d+))?(?: \(char \d+\))?\)?")


@dataclass(frozen=True, slots=True)
class ReferenceFields:
    """One reference as typed."""

    name: str = ""
    subject: str = ""
    version: str = ""
    error: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.name.strip() or self.subject.strip() or self.version.strip())


@dataclass(frozen=True, slots=True)
class SchemaForm:
    """The fields as typed. base: the latest version when the form was made, 0 for none."""

    subject: str = ""
    type: str = "AVRO"
    schema: str = ""
    references: tuple[ReferenceFields, ...] = ()
    base: str = "0"

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "SchemaForm":
        references = [
            ReferenceFields(*(fields.get(f"reference-{part}-{at}", "") for part in ("name", "subject", "version")))
            for at in range(REFERENCES_MAX)
            if f"reference-name-{at}" in fields
        ]
        return cls(
            subject=fields.get("subject", ""),
            type=fields.get("type", "AVRO"),
            # Browsers send line ends as CRLF; a schema keeps its own.
            schema=fields.get("schema", "").replace("\r\n", "\n"),
            references=tuple(one for one in references if not one.is_empty),
            base=fields.get("base", "0"),
        )


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the schema's text: where, if it is known, and what."""

    words: str
    line: int | None = None
    column: int | None = None

    @property
    def sentence(self) -> str:
        said = self.words[:1].upper() + self.words[1:].rstrip(".") + "."
        if self.line is None:
            return said
        return f"Line {self.line}{f', column {self.column}' if self.column else ''}: {said}"


@dataclass(frozen=True, slots=True)
class CheckedForm:
    """errors by field: 'subject', 'type', 'schema', 'form'; those of references stand in form.references."""

    form: SchemaForm
    schema: NewSchema
    errors: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[int] = ()

    @property
    def is_right(self) -> bool:
        return not self.errors and not any(one.error for one in self.form.references)


async def check(desk: SchemaDesk, form: SchemaForm, subject: str) -> CheckedForm:
    """Everything that is wrong with the fields by themselves; compatibility is another question."""
    errors: dict[str, str] = {}
    try:
        contexts.check_subject(subject)
    except InvalidSubject:
        errors["subject"] = (
            "This name is kept by the registry, or has characters that cannot be printed."
            if subject
            else "Write a name: for a topic's values its name with -value, for its keys with -key."
        )
    if form.type not in TYPES:
        errors["type"] = "Choose one of the three."
    references: list[Reference] = []
    checked: list[ReferenceFields] = []
    for one in form.references:
        error, reference = _reference(desk, subject, one)
        checked.append(replace(one, error=error))
        if reference is not None:
            references.append(reference)
    form = replace(form, references=tuple(checked))
    schema = NewSchema(form.schema, form.type, tuple(references))
    lines: tuple[int, ...] = ()
    if not form.schema.strip():
        errors["schema"] = "Write the schema."
    elif "type" not in errors and not any(one.error for one in checked):
        try:
            await desk.registry.read(subject, schema)
        except SchemaError as error:
            trouble = await desk.aside(functools.partial(trouble_of, form, error), len(form.schema))
            errors["schema"] = trouble.sentence
            lines = () if trouble.line is None else (trouble.line,)
    return CheckedForm(form, schema, errors, lines)


def _reference(desk: SchemaDesk, subject: str, one: ReferenceFields) -> tuple[str, Reference | None]:
    name, target, text = one.name.strip(), one.subject.strip(), one.version.strip()
    if not name or not target:
        return "A reference has a name, as the schema writes it, and the subject it stands for.", None
    if text in ("", "latest"):
        number = LATEST
    elif text.isascii() and text.isdigit() and 1 <= int(text[:11]) <= VERSION_MAX:
        number = int(text)
    else:
        return "The version is a number from 1 on, or empty for the latest.", None
    reference = Reference(name, target, number)
    try:
        find_referenced(desk.view, subject, reference)
    except InvalidSchema:
        what = "no version" if number == LATEST else f"no version {number}"
        return f"There is {what} of a subject {target}.", None
    return "", reference


def trouble_of(form: SchemaForm, error: SchemaError) -> Trouble:
    """The error with its line: told by the parser, or found by the path in the text."""
    told = _PLACE.search(error.message)
    if told is not None:
        words = _PLACE.sub("", error.message)
        return Trouble(words, int(told[1]), int(told[2]) if told[2] else None)
    if error.path.startswith("line "):
        return Trouble(error.message, int(error.path.removeprefix("line ")))
    if not error.path:
        return Trouble(error.message)
    path = error.path if error.path.startswith(("/", "#")) else "/" + error.path.replace(".", "/")
    return Trouble(error.message, line_of(form.type, form.schema, path))
