"""Cut a byte stream into the JSON objects that stand in it one after the other, without separators or with blanks.

JsonObjects looks only at strings and brackets, by regular expression; whether an object is JSON is for its decoder to
say. DecodedObjects goes around it where it can: msgspec decodes many objects in one call, a twentieth of the cost.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from app.http.json_body import compact, decode
from app.rest.errors import BadRequest, MalformedJson

T = TypeVar("T")

TAIL_BYTES_MAX = 16_384  # of an object that has only begun; a longer one is the scanner's, which also limits it

# A string with its closing quote, as far as it is here; or a bracket. Possessive: no backtracking on long strings.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[][{}]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_BLANKS = b" \t\r\n"


class JsonObjects:
    """A reader of concatenated JSON objects. Every byte is scanned once, however the stream is cut.

    error is set when something is found that is no object, or one that is too large: objects before it are still
    returned, nothing after it can be.
    """

    def __init__(self, object_bytes_max: int) -> None:
        self.error: BadRequest | None = None
        self._object_bytes_max = object_bytes_max
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._is_in_string = False

    @property
    def is_inside(self) -> bool:
        """True while an object has begun and is not whole."""
        return bool(self._buffer)

    def feed(self, data: bytes, *, only_first: bool = False) -> list[bytes]:
        """Take what arrived; return every object that is now whole, or the first of them (see take_rest)."""
        if self.error is not None:
            return []
        self._buffer += data
        objects: list[bytes] = []
        end = self._scan(objects, only_first)
        del self._buffer[:end]
        self._scanned -= end
        if self._depth and len(self._buffer) > self._object_bytes_max and self.error is None:
            self.error = BadRequest(f"A record is larger than {self._object_bytes_max} bytes")
        return objects

    def finish(self) -> None:
        """The stream has ended; sets error when it did so inside an object."""
        if self._buffer and self.error is None:
            self.error = MalformedJson("Malformed JSON: the request ends inside of a record")

    def take_rest(self) -> bytes:
        """What came after the first object and was not looked at."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return rest

    def _scan(self, objects: list[bytes], only_first: bool) -> int:
        """Look at what was not looked at yet; returns the end of the last whole object."""
        buffer, start, depth = self._buffer, 0, self._depth
        at = self._finish_string() if self._is_in_string else self._scanned
        if self._is_in_string:
            return 0
        for token in _TOKEN.finditer(buffer, at):
            first = buffer[token.start()]
            at = token.end()
            if first == 0x22:  # "
                if depth == 0:
                    break
                if not token[1]:
                    self._is_in_string = True
                    break
            elif first in b"{[":
                if depth == 0:
                    if first != 0x7B or buffer[start : token.start()].strip(_BLANKS):
                        break
                    start = token.start()
                depth += 1
            else:
                if depth == 0:
                    break
                depth -= 1
                if depth == 0:
                    objects.append(bytes(buffer[start:at]))
                    start = at
                    if only_first:
                        self._depth, self._scanned = 0, at
                        return at
        else:
            at = len(buffer)
        self._depth, self._scanned = depth, at
        if depth == 0:
            if buffer[start:].strip(_BLANKS):
                self.error = MalformedJson("Malformed JSON: expected an object, one per record, without an array")
            start = len(buffer)
            self._scanned = start
        return start

    def _finish_string(self) -> int:
        """Where the string that an earlier chunk began ends, or how far it goes on."""
        rest = _REST_OF_STRING.match(self._buffer, self._scanned)
        assert rest is not None  # it matches the empty string, too
        self._is_in_string = not rest[1]
        self._scanned = rest.end()
        return self._scanned


class DecodedObjects(Generic[T]):
    """A reader of concatenated JSON objects that also decodes them; what is wrong with one stands in its place.

    error is set when nothing more can be read: something is no JSON, or too large.
    """

    def __init__(self, decoder: msgspec.json.Decoder[T], object_bytes_max: int) -> None:
        self.error: BadRequest | None = None
        self._decoder = decoder
        self._objects = JsonObjects(object_bytes_max)
        self._tail = b""  # the beginning of an object that nobody has looked at yet; without any `}`

    @property
    def is_inside(self) -> bool:
        """True while an object has begun and is not whole."""
        return bool(self._tail) or self._objects.is_inside

    def feed(self, data: bytes) -> list[T | BadRequest]:
        """Take what arrived; return every object that is now whole. Each byte is looked at a few times at most."""
        if self.error is not None:
            return []
        found: list[T | BadRequest] = []
        if self._objects.is_inside:  # only the scanner knows where in the object it is
            found += self._decode_each(self._objects.feed(data, only_first=True))
            if not found or self.error is not None:
                return found
            data = self._objects.take_rest()
        data = self._tail + data
        end, decoded = self._decode_all(data)
        if decoded is None:
            self._tail = b""
            return found + self._decode_each(self._objects.feed(data))
        self._tail = data[end:]
        if len(self._tail) > TAIL_BYTES_MAX or b"}" in self._tail:  # whole objects may stand in it, perhaps a wrong one
            decoded += self._decode_each(self._objects.feed(self._tail))
            self._tail = b""
        return found + decoded if found else decoded

    def finish(self) -> None:
        """The stream has ended; sets error when it did so inside an object."""
        self._objects.feed(self._tail)
        self._objects.finish()
        self.error = self.error or self._objects.error

    def _decode_all(self, data: bytes) -> tuple[int, list[T | BadRequest] | None]:
        """The objects that stand whole in data, and where they end.

        None when they are not all good: which one is not must be found one by one.
        """
        for end in _ends_of_objects(data):
            whole = data[:end]
            try:
                if not whole.isascii():
                    whole.decode()
                return end, [*self._decoder.decode_lines(whole)]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return 0, None

    def _decode_each(self, texts: Sequence[bytes]) -> list[T | BadRequest]:
        decoded: list[T | BadRequest] = []
        for text in texts:
            try:
                decoded.append(decode(self._decoder, compact(text)))
            except MalformedJson as error:
                self.error = error
                return decoded
            except BadRequest as error:
                decoded.append(error)
        self.error = self._objects.error
        return decoded


def _ends_of_objects(data: bytes) -> Iterator[int]:
    """Where the last whole object may end; whether it does, its decoder knows."""
    if data.rstrip(_BLANKS).endswith(b"}"):
        yield len(data)
    end = max(data.rfind(b"}{"), data.rfind(b"}\n"), data.rfind(b"}\r")) + 1
    if end:
        yield end
