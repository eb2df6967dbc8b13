"""A message that survives one redirect: what a form did is said on the next page, also without JavaScript."""

import base64
import binascii
import json
from dataclasses import dataclass

from fastapi import Request, Response

COOKIE = "caudal_toast"
COOKIE_SECONDS = 60
WORDS_MAX = 600


@dataclass(frozen=True, slots=True)
class Toast:
    words: str
    is_error: bool = False


def leave(response: Response, request: Request, words: str, *, is_error: bool = False) -> None:
    text = json.dumps({"words": words[:WORDS_MAX], "error": is_error})
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        max_age=COOKIE_SECONDS,
        path=cookie_path(request),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def read(request: Request) -> Toast | None:
    """The message left for this page. Only words: whatever the cookie holds is escaped like any other text."""
    text = request.cookies.get(COOKIE)
    if not text:
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Toast(str(content["words"])[:WORDS_MAX], bool(content["error"]))
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def clear(response: Response, request: Request) -> None:
    response.delete_cookie(COOKIE, path=cookie_path(request))


def cookie_path(request: Request) -> str:
    return str(request.scope.get("root_path", "")) or "/"
