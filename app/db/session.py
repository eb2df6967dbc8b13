"""Sessions: one per unit of work, closed at its end."""

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

Sessions = async_sessionmaker[AsyncSession]


def sessions_of(engine: AsyncEngine) -> Sessions:
    """`async with sessions.begin() as session:` commits at the end or rolls back."""
    return async_sessionmaker(engine, expire_on_commit=False)
