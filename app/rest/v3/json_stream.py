"""Cut a byte stream into the JSON objects that stand in it one after the other, without separators or with blanks.

Only strings and brackets are looked at, by regular expression; whether an object is JSON is for its decoder to say.
"""

import re

from app.rest.errors import BadRequest, MalformedJson

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

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return every object that is now whole."""
        if self.error is not None:
            return []
        self._buffer += data
        objects: list[bytes] = []
        end = self._scan(objects)
        del self._buffer[:end]
        self._scanned -= end
        if len(self._buffer) > self._object_bytes_max and self.error is None:
            self.error = BadRequest(f"A record is larger than {self._object_bytes_max} bytes")
        return objects

    def finish(self) -> None:
        """The stream has ended; sets error when it did so inside an object."""
        if self._buffer and self.error is None:
            self.error = MalformedJson("Malformed JSON: the request ends inside of a record")

    def _scan(self, objects: list[bytes]) -> int:
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
