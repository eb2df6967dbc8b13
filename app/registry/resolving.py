"""The schemas a schema refers to, found in the view and put into the order a parser needs them."""

from collections.abc import Sequence

from app.registry.contexts import DEFAULT_CONTEXT, in_context_of, qualify, split
from app.registry.errors import InvalidSchema
from app.registry.schema import Reference, ResolvedReference
from app.registry.view import Version, View

LATEST = -1


def resolve(view: View, parent: str, references: Sequence[Reference]) -> tuple[ResolvedReference, ...]:
    """Dependencies first, each name once. parent: the subject whose context unqualified subjects stand in.

    Soft-deleted versions still count. Raises InvalidSchema for a subject or version that is not there.
    """
    found: dict[Reference, ResolvedReference] = {}
    try:
        for reference in references:
            _visit(view, parent, reference, found, is_direct=True)
    except RecursionError:
        raise InvalidSchema("the schemas it refers to are nested too deeply") from None
    return tuple(found.values())


def _visit(
    view: View, parent: str, reference: Reference, found: dict[Reference, ResolvedReference], *, is_direct: bool
) -> None:
    known = found.get(reference)
    if known is not None:
        if is_direct and not known.is_direct:
            found[reference] = ResolvedReference(known.reference, known.text)
        return
    version = find_referenced(view, parent, reference)
    found[reference] = ResolvedReference(reference, version.content.text, is_direct)
    for deeper in version.content.references:
        _visit(view, version.subject, deeper, found, is_direct=False)
    # Only now, so that it stands behind what it needs itself.
    found[reference] = found.pop(reference)


def find_referenced(view: View, parent: str, reference: Reference) -> Version:
    """The version a reference stands for; one in the default context may be met in any other."""
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
