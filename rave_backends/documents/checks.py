"""What can be wrong with stored documents."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sql
from sqlalchemy import func, select

from rave_backends.documents.tables import DOCUMENTS, STATE

_MOST: Final = 20
_C = DOCUMENTS.c

_GAPS = (
    select(_C.collection, _C.key)
    .group_by(_C.collection, _C.key)
    .having(func.count() != func.max(_C.version) - func.min(_C.version) + 1)
    .limit(_MOST)
)
_steps = select(
    _C.collection,
    _C.key,
    _C.version,
    (_C.sequence - func.lag(_C.sequence).over(partition_by=(_C.collection, _C.key), order_by=_C.version)).label("step"),
).subquery("steps")
_DISORDER = select(_steps.c.collection, _steps.c.key, _steps.c.version).where(_steps.c.step < 0).limit(_MOST)


def problems_in(connection: sql.Connection) -> list[str]:
    """What is wrong, in words; at most a few of a kind."""
    found = []
    if connection.dialect.name == "sqlite":
        lines = connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST})").scalars()
        found += [f"the file is damaged: {line}" for line in lines if line != "ok"]
    found += [
        f"{key!r} in {collection!r} lacks a version between its oldest and its newest one"
        for collection, key in connection.execute(_GAPS)
    ]
    found += [
        f"version {version} of {key!r} in {collection!r} has a smaller commit number than the version before"
        for collection, key, version in connection.execute(_DISORDER)
    ]
    latest = connection.execute(select(STATE.c.sequence)).scalar_one()
    largest = connection.execute(select(func.coalesce(func.max(_C.sequence), 0))).scalar_one()
    if largest > latest:
        found.append(f"commit {largest} is stored, but the counter of commits stands at {latest}")
    return found
