"""The tables of the metadata DB."""

from sqlalchemy import BigInteger, Double, ForeignKey, Integer, SmallInteger, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of all tables; alembic compares its metadata with the migrations (a test does)."""


class MetricSeries(Base):
    """A named series of the history, for example `topic.rate:orders`."""

    __tablename__ = "metric_series"

    series_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)


class MetricPoint(Base):
    """One bucket of a series at one resolution: its lowest, highest and last value.

    The key begins with resolution and time, so that new points are appended at one place, old ones are pruned as one
    range and a start reads one range.
    """

    __tablename__ = "metric_points"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  read by SQLAlchemy, which wants a dict

    step_s: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at_s: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    series_id: Mapped[int] = mapped_column(
        ForeignKey("metric_series.series_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    low: Mapped[float] = mapped_column(Double)
    high: Mapped[float] = mapped_column(Double)
    last: Mapped[float] = mapped_column(Double)
