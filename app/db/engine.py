"""The one engine of the process."""

from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS = 5_000


def sqlite_url(file: Path) -> str:
    """URL of an SQLite file."""
    return f"sqlite+aiosqlite:///{file.absolute()}"


def open_engine(url: str) -> AsyncEngine:
    """An engine for a URL: `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`.

    SQLite runs in WAL mode with `synchronous=NORMAL`: after a power failure the last seconds of history may be gone,
    never the file.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True)
    engine = create_async_engine(url)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()
