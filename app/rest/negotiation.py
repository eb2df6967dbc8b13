"""Media types: what a client sends, what it accepts, and which answer is the best of those offered (RFC 9110)."""

from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
V2 = "application/vnd.kafka.v2+json"
V2_EMBEDDED = {
    "binary": "application/vnd.kafka.binary.v2+json",
    "json": "application/vnd.kafka.json.v2+json",
    "avro": "application/vnd.kafka.avro.v2+json",
    "jsonschema": "application/vnd.kafka.jsonschema.v2+json",
    "protobuf": "application/vnd.kafka.protobuf.v2+json",
}
_WITHOUT_VERSION = "application/vnd.kafka+json"

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


# Any Kafka v2 type is fine as Accept of an answer without records: clients send their embedded type everywhere.
V2_OFFERS = Offers({V2: 1.0, JSON: 0.9, _WITHOUT_VERSION: 0.9} | dict.fromkeys(V2_EMBEDDED.values(), 0.1))
# Binary is the default format of records: `*/*`, the plain v2 type and application/json all mean it.
RECORDS_OFFERS = Offers(
    dict.fromkeys(V2_EMBEDDED.values(), 0.1) | {V2_EMBEDDED["binary"]: 1.0, V2: 0.9, JSON: 0.5, _WITHOUT_VERSION: 0.5}
)
V3_OFFERS = Offers({JSON: 1.0})

V2_CONSUMED = frozenset({V2, *V2_EMBEDDED.values()})
V2_PRODUCE_CONSUMED = frozenset(V2_EMBEDDED.values())
V3_CONSUMED = frozenset({JSON})


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
