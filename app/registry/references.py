"""What a schema refers to, and what that refers to, in the order a parser needs it: dependencies first."""

from collections.abc import Callable, Iterator, Sequence

from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.limits import REFERENCED_BYTES_MAX
from app.registry.schema import Reference, ResolvedReference

REFERENCES_MAX = 1_000

Lookup = Callable[[Reference], tuple[str, Sequence[Reference]]]


def resolve_references(references: Sequence[Reference], lookup: Lookup) -> tuple[ResolvedReference, ...]:
    """All schemas a schema needs, each once by its name, its own references marked as direct.

    lookup gives a reference's text and own references, and raises its own error for one that is not there. Raises
    InvalidSchema when references come back to themselves, SchemaTooLarge when there are too many.
    """
    position_of = {reference: position for position, reference in enumerate(references)}
    resolved: dict[str, ResolvedReference] = {}
    under_way: dict[str, str] = {}  # name -> text, of those whose own references are being read
    byte_count = 0
    stack: list[tuple[Reference | None, Iterator[Reference]]] = [(None, iter(references))]
    while stack:
        parent, rest = stack[-1]
        reference = next(rest, None)
        if reference is None:
            stack.pop()
            if parent is not None:
                text = under_way.pop(parent.name)
                resolved[parent.name] = ResolvedReference(
                    parent, text, is_direct=parent in position_of, position=position_of.get(parent, 0)
                )
        elif reference.name in under_way:
            raise InvalidSchema(f"the reference {reference.name!r} refers to itself")
        elif reference.name not in resolved:
            text, inner = lookup(reference)
            byte_count += len(text)
            if len(resolved) + len(under_way) >= REFERENCES_MAX or byte_count > REFERENCED_BYTES_MAX:
                raise SchemaTooLarge(f"more than {REFERENCES_MAX} references or {REFERENCED_BYTES_MAX} bytes of them")
            under_way[reference.name] = text
            stack.append((reference, iter(inner)))
    return tuple(resolved.values())
