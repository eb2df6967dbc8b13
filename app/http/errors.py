"""Errors that any HTTP surface may answer with: one class per status that is not about the surface's own things."""

from typing import ClassVar


class HttpError(Exception):
    """An answer other than success. status is the HTTP status, error_code what stands in the body."""

    status: ClassVar[int] = 500
    error_code: ClassVar[int] = 500
    default_message: ClassVar[str] = "Internal Server Error"

    def __init__(self, message: str | None = None) -> None:
        self.message = self.default_message if message is None else message
        super().__init__(self.message)


class InternalServerError(HttpError):
    """Our own fault; the log has the trace, the client learns nothing of the inside."""


class BadRequest(HttpError):
    """Malformed JSON, a value of the wrong kind, a body that is not what its headers say."""

    status, error_code, default_message = 400, 400, "Bad Request"


class MalformedJson(BadRequest):
    """No JSON at all, so that nothing after it can be told apart either."""


class RequestTimeout(HttpError):
    """The client stopped in the middle of its request, or held a connection for longer than allowed."""

    status, error_code, default_message = 408, 408, "Request Timeout"


class NotFound(HttpError):
    status, error_code, default_message = 404, 404, "HTTP 404 Not Found"


class MethodNotAllowed(HttpError):
    status, error_code, default_message = 405, 405, "HTTP 405 Method Not Allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class NotAcceptable(HttpError):
    status, error_code, default_message = 406, 406, "HTTP 406 Not Acceptable"


class PayloadTooLarge(HttpError):
    status, error_code, default_message = 413, 413, "The record is larger than the cluster accepts."


class UnsupportedMediaType(HttpError):
    status, error_code, default_message = 415, 415, "HTTP 415 Unsupported Media Type"
