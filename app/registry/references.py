"""What a schema refers to, and what that refers to, in the order a parser needs it: dependencies first."""

from collections.abc import Iterator, Sequence

from app.registry.contexts import DEFAULT_CONTEXT, in_context_of, qualify, split
from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.limits import REFERENCED_BYTES_MAX
from app.registry.schema import Reference, ResolvedReference
from app.registry.view import Version, View

LATEST = -1
REFERENCES_MAX = 1_000


def resolve_references(view: View, parent: str, references: Sequence[Reference]) -> tuple[ResolvedReference, ...]:
    """All schemas a schema needs, each name once (the first to be met), its own references marked as direct.

    parent: the subject whose context unqualified subjects stand in. Soft-deleted versions still count. Raises
    InvalidSchema for a version that is not there and for one that refers to itself, SchemaTooLarge for too many.
    """
    position_of = {reference: position for position, reference in enumerate(references)}
    resolved: dict[str, ResolvedReference] = {}
    names: set[str] = set()
    under_way: set[tuple[str, int]] = set()
    byte_count = 0
    stack: list[tuple[Reference | None, Version | None, Iterator[Reference]]] = [(None, None, iter(references))]
    while stack:
        referred, version, rest = stack[-1]
        reference = next(rest, None)
        if reference is None:
            stack.pop()
            if referred is not None and version is not None:
                under_way.discard((version.subject, version.version))
                resolved[referred.name] = ResolvedReference(
                    referred,
                    version.content.text,
                    is_direct=referred in position_of,
                    position=position_of.get(referred, 0),
                )
            continue
        found = find_referenced(view, parent if version is None else version.subject, reference)
        if (found.subject, found.version) in under_way:
            raise InvalidSchema(f"the reference {reference.name!r} refers to itself")
        if reference.name in names:
            continue
        names.add(reference.name)
        byte_count += len(found.content.text)
        if len(names) > REFERENCES_MAX or byte_count > REFERENCED_BYTES_MAX:
            raise SchemaTooLarge(f"more than {REFERENCES_MAX} references or {REFERENCED_BYTES_MAX} bytes of them")
        under_way.add((found.subject, found.version))
        stack.append((reference, found, iter(found.content.references)))
    return tuple(resolved.values())


def find_referenced(view: View, parent: str, reference: Reference) -> Version:
    """The version a reference stands for; one in the default context may be met in any other.

    Raises InvalidSchema for a subject or version that is not there.
    """
    subject = in_context_of(parent, reference.subject)
    version = _find(view, subject, reference.version)
    context, name = split(subject)
    if version is None and context == DEFAULT_CONTEXT:
        others = (_find(view, qualify(other, name), reference.version) for other in list(view.contexts))
        version = next((one for one in others if one is not None), None)
    if version is None:
        raise InvalidSchema(
            f'No schema reference found for subject "{reference.subject}" and version {reference.version}'
        )
    return version


def _find(view: View, subject: str, version: int) -> Version | None:
    return view.latest(subject) if version == LATEST else view.versions(subject).get(version)
