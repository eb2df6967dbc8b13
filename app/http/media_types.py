"""Media types: what a client sends, what it accepts, and which answer is the best of those offered (RFC 9110)."""

from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"

HEADERS_CACHED_MAX = 1_024  # distinct Accept and Content-Type headers whose reading is remembered


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` is type and subtype in lower case; charset is '' when the header has none."""

    name: str
    charset: str = ""


class Offers:
    """The media types an answer can have, each with the server's own preference (JAX-RS `qs`)."""

    def __init__(self, qualities: dict[str, float]) -> None:
        self._qualities = qualities
        self.choose = lru_cache(HEADERS_CACHED_MAX)(self._choose)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the server's favourite first."""
        return tuple(sorted(self._qualities, key=lambda name: (-self._qualities[name], name)))

    def _choose(self, accept: bytes) -> str | None:
        """The best type for an Accept header, or None when the client takes none of them.

        Order as in JAX-RS: the client's more specific range, then its q, then the server's quality. An empty header
        accepts everything.
        """
        best: tuple[tuple[int, float, float], str] | None = None
        for accepted, weight in _ranges(accept.decode("latin-1")):
            for name, quality in self._qualities.items():
                specificity = _match(accepted, name)
                if specificity is None or weight <= 0:
                    continue
                rank = (specificity, weight, quality)
                if best is None or rank > best[0]:
                    best = rank, name
        return best[1] if best else None


@lru_cache(HEADERS_CACHED_MAX)
def parse_content_type(header: bytes) -> MediaType:
    name, *parameters = header.decode("latin-1").split(";")
    charset = ""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return MediaType(name.strip().lower(), charset)


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for element in accept.split(",") if accept.strip() else ["*/*"]:
        name, *parameters = element.split(";")
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        found.append((name.strip().lower(), weight))
    return found


def _match(accepted: str, offered: str) -> int | None:
    """How specifically a range names an offered type: 2 by name, 1 by type, 0 by `*/*`; None when not at all."""
    if accepted == offered:
        return 2
    if accepted in ("*/*", "*"):
        return 0
    return 1 if accepted.endswith("/*") and offered.startswith(accepted[:-1]) else None
