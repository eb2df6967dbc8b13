"""Contexts: independent sets of subjects and ids in one registry. `:.ctx:subject` is a subject in context `.ctx`."""

from typing import NamedTuple

from app.registry.refusals import InvalidSubject

DEFAULT_CONTEXT = "."
GLOBAL_CONTEXT = ".__GLOBAL"
GLOBAL_SUBJECT = ":.__GLOBAL:"
WILDCARD = ":*:"
RESERVED_SUBJECTS = frozenset({"__GLOBAL", "__EMPTY"})


class QualifiedSubject(NamedTuple):
    """A subject and the context it is in; subject '' stands for the context as a whole (in `/config`, `/mode`)."""

    context: str
    subject: str

    def __str__(self) -> str:
        return qualify(self.context, self.subject)


def split(subject: str) -> QualifiedSubject:
    """Context and unqualified subject of a name as it stands in the API and in `_schemas`."""
    if subject.startswith(":."):
        context, colon, rest = subject[1:].partition(":")
        if colon:
            return QualifiedSubject(context, rest)
    return QualifiedSubject(DEFAULT_CONTEXT, subject)


def qualify(context: str, subject: str) -> str:
    """The name of a subject of a context; those of the default context are not qualified."""
    return subject if context == DEFAULT_CONTEXT else f":{context}:{subject}"


def normalize(subject: str) -> str:
    """The one spelling of a subject: `:.:s` is `s`."""
    return str(split(subject)) if subject.startswith(":.") else subject


def context_of(subject: str) -> str:
    return split(subject).context if subject.startswith(":.") else DEFAULT_CONTEXT


def context_name(name: str) -> str:
    """A context's name with its leading dot."""
    return name if name.startswith(".") else f".{name}"


def in_context_of(parent: str, subject: str) -> str:
    """A referenced subject as the schema under parent means it: unqualified names stand in parent's context."""
    if subject.startswith(":."):
        return normalize(subject)
    return qualify(context_of(parent), subject)


def check_subject(subject: str) -> None:
    """Raises InvalidSubject (42208) for a name that no subject may have."""
    context, name = split(subject)
    if not name or name in RESERVED_SUBJECTS or context == GLOBAL_CONTEXT or not _is_printable(subject):
        raise InvalidSubject(subject)


def check_scope(subject: str) -> None:
    """As check_subject, for what may have a config or a mode: a context as a whole is fine too."""
    if not subject or split(subject).subject in RESERVED_SUBJECTS or not _is_printable(subject):
        raise InvalidSubject(subject)


def _is_printable(text: str) -> bool:
    return not any(character < " " or "\x7f" <= character < "\xa0" for character in text)
