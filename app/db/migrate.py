"""Bring the metadata DB to the newest schema. Synchronous: call it before the event loop runs, or in a thread."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, make_url

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(url: str, *, migrations: Path, revision: str = "head") -> None:
    """Run the migrations that are missing; migrations is the folder with env.py.

    An SQLite file that is already at the newest revision is recognised without importing alembic, whose import alone
    would be a tenth of the time that a start may take.
    """
    parsed = make_url(url)
    if revision == "head" and _sqlite_revision(parsed) == newest_revision(migrations):
        return
    from alembic import command

    command.upgrade(_config(parsed, migrations), revision)


def downgrade(url: str, *, migrations: Path, revision: str = "base") -> None:
    """Undo migrations down to a revision."""
    from alembic import command

    command.downgrade(_config(make_url(url), migrations), revision)


def newest_revision(migrations: Path) -> str:
    """Revisions are numbered and their files named `NNNN_words.py`, so the newest is the last by name."""
    return max(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*_*.py"))


def _config(url: URL, migrations: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def _sqlite_revision(url: URL) -> str | None:
    """The revision an SQLite file is at; None for other databases, or where there is no file or no revision."""
    file = url.database
    if url.get_backend_name() != "sqlite" or not file or file == ":memory:" or not Path(file).exists():
        return None
    connection = sqlite3.connect(file, timeout=5.0)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return row[0] if row else None
