"""The tables of monitors, beside those of the documents."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()

MONITORS: Final = Table(
    "rave_monitors",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("settled", Double, nullable=False),
    Column("reload_wanted", Integer, nullable=False),
    Column("reload_done", Integer, nullable=False),
    Column("reload_error", Text, nullable=False),
)
"""One row for each monitor: what its leader saved last, and the reload that somebody asked for."""

SAMPLES: Final = Table(
    "rave_monitor_samples",
    METADATA,
    Column("monitor", Text, primary_key=True),
    Column("processor", Text, primary_key=True),
    Column("time", Double, primary_key=True),
    Column("sample", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The samples, as JSON."""
