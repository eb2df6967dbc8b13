"""The gate that the settings ask for; without any, the proxy itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from starlette.types import ASGIApp

from app.errors import StartError

if TYPE_CHECKING:
    from app.rest.access.credentials import Credentials


class AccessSettings(Protocol):
    """The part of the settings under [rest] that says who may come in."""

    @property
    def users_file(self) -> str: ...
    @property
    def rate_limit_requests_per_s(self) -> float: ...
    @property
    def access_control_allow_origin(self) -> str: ...
    @property
    def access_control_allow_methods(self) -> str: ...
    @property
    def access_control_allow_headers(self) -> str: ...
    @property
    def access_control_expose_headers(self) -> str: ...


class Clock(Protocol):
    def monotonic_ms(self) -> int: ...


def with_gate(rest: ASGIApp, settings: AccessSettings, clock: Clock) -> ASGIApp:
    """rest behind login, rules, rate limit and CORS, as far as they are set. Raises StartError for a bad users file.

    Modules are imported when they are needed: most proxies listen on loopback and need none of them.
    """
    if settings.users_file or settings.rate_limit_requests_per_s:
        from app.rest.access.gate import Gate
        from app.rest.access.throttle import Throttle

        rate = settings.rate_limit_requests_per_s
        rest = Gate(
            rest,
            credentials=_credentials(Path(settings.users_file), clock) if settings.users_file else None,
            throttle=Throttle(rate, clock.monotonic_ms) if rate else None,
        )
    if settings.access_control_allow_origin:
        from starlette.middleware.cors import CORSMiddleware

        # Outermost: a browser asks beforehand without logging in, and wants to read refusals too.
        rest = CORSMiddleware(
            rest,
            allow_origins=_names(settings.access_control_allow_origin),
            allow_methods=_names(settings.access_control_allow_methods),
            allow_headers=[*_names(settings.access_control_allow_headers), "Authorization"],
            expose_headers=_names(settings.access_control_expose_headers),
        )
    return rest


def _credentials(path: Path, clock: Clock) -> "Credentials":
    from app.rest.access.credentials import Credentials
    from app.rest.access.users_file import UsersFileError
    from app.rest.access.users_watch import UsersFile

    try:
        users = UsersFile(path, clock.monotonic_ms)
    except UsersFileError as error:
        raise StartError(f"{error}. Check the setting rest.users_file.") from error
    return Credentials(users.current, clock.monotonic_ms)


def _names(setting: str) -> list[str]:
    return [name.strip() for name in setting.split(",") if name.strip()]
