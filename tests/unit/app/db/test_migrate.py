import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from app.db.engine import sqlite_url
from app.db.migrate import downgrade, newest_revision, upgrade
from app.db.models import Base

MIGRATIONS = Path(__file__).parents[4] / "alembic"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "caudal.db")


def tables(tmp_path: Path) -> set[str]:
    with sqlite3.connect(tmp_path / "caudal.db") as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in rows}


def test_upgrade_and_downgrade(url, tmp_path):
    upgrade(url, migrations=MIGRATIONS)
    assert {"metric_series", "metric_points"} <= tables(tmp_path)
    downgrade(url, migrations=MIGRATIONS)
    assert tables(tmp_path) == {"alembic_version"}
    upgrade(url, migrations=MIGRATIONS)
    assert {"metric_series", "metric_points"} <= tables(tmp_path)


def test_a_current_file_does_not_import_alembic(url, monkeypatch):
    upgrade(url, migrations=MIGRATIONS)
    monkeypatch.setitem(sys.modules, "alembic", None)
    upgrade(url, migrations=MIGRATIONS)


def test_the_newest_revision_by_name_is_alembics_head():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision(MIGRATIONS)


def test_the_migrations_make_what_the_models_say(url, tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    upgrade(url, migrations=MIGRATIONS)
    engine = create_engine(f"sqlite:///{tmp_path / 'caudal.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_the_migrations_folder_is_no_package():
    assert not (MIGRATIONS / "__init__.py").exists(), "it would hide the alembic library"
