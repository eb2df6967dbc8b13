"""The choice of light or dark, kept in a cookie so that it also holds without JavaScript."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from app.control_center.visit import Asked

router = APIRouter()

COOKIE = "caudal_theme"
YEAR_SECONDS = 365 * 24 * 3600
THEMES = ("light", "dark")


@router.post("/theme")
async def choose_theme(visit: Asked) -> Response:
    """Back to where the form stood, inside the Control Center."""
    form = visit.form()
    back = form.get("back", "")
    is_ours = back.startswith(visit.links.home) and "//" not in back and "\\" not in back
    response = RedirectResponse(back if is_ours else visit.links.home, status_code=303)
    theme = form.get("theme", "")
    response.set_cookie(
        COOKIE,
        theme if theme in THEMES else "system",
        max_age=YEAR_SECONDS,
        path=visit.links.base or "/",
        samesite="lax",
        secure=visit.request.url.scheme == "https",
    )
    return response
