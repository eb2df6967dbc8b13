"""Alembic's entry: run the migrations over a connection to the URL that app.db.migrate (or `-x url=…`) gives.

SQLite is opened with the driver of the standard library; other databases with their async driver, which needs a
thread without a running event loop.
"""

import asyncio

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from alembic import context
from app.db.models import Base


def target_url() -> URL:
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True)["url"]
    return make_url(url)


def migrate(connection: Connection) -> None:
    # SQLite cannot alter columns in place: batch mode copies the table.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_async(url: URL) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def main() -> None:
    url = target_url()
    if url.get_backend_name() != "sqlite":
        asyncio.run(migrate_async(url))
        return
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


main()
