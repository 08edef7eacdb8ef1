"""The statements of a document store, compiled once by SQLAlchemy and kept in its cache."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import sqlalchemy as sql
from sqlalchemy import bindparam, func, select

from rave_backends.documents.tables import COLLECTIONS, DOCUMENTS, FENCES, STATE
from rave_core.documents import Metadata

Select: TypeAlias = sql.Select[Any]

_C = DOCUMENTS.c
METADATA: Final = (
    _C.collection,
    _C.key,
    _C.version,
    _C.author,
    _C.comment,
    _C.time,
    _C.payload.is_(None).label("empty"),
    _C.sequence,
)
"""The columns of `rave_core.documents.Metadata`, in its order."""
PAYLOAD: Final = _C.payload
_IS_COLLECTION = _C.collection == bindparam("collection", type_=_C.collection.type)
_IS_DOCUMENT = sql.and_(_IS_COLLECTION, _C.key == bindparam("key", type_=_C.key.type))
_NEWEST = select(func.coalesce(func.max(_C.version), 0)).where(_IS_DOCUMENT).correlate(None).scalar_subquery()

NEWEST: Final = select(_NEWEST)
"""The newest version of a document; 0 for none."""
ONE: Final = select(*METADATA, _C.payload).where(
    _IS_DOCUMENT, _C.version == bindparam("version", type_=_C.version.type)
)
HEAD: Final = select(*METADATA, _C.payload).where(_IS_DOCUMENT).order_by(_C.version.desc()).limit(1)
HISTORY: Final = select(*METADATA).where(_IS_DOCUMENT).order_by(_C.version.desc())
EVERY: Final = select(*METADATA, _C.payload).order_by(_C.sequence)
NAMES: Final = select(_C.collection).distinct().order_by(_C.collection)
DECLARED: Final = select(COLLECTIONS.c.name, COLLECTIONS.c.keep).order_by(COLLECTIONS.c.name)
LATEST: Final = select(STATE.c.sequence)

_KEEP = (
    select(COLLECTIONS.c.keep)
    .where(COLLECTIONS.c.name == bindparam("in_collection", type_=COLLECTIONS.c.name.type))
    .correlate(None)
    .scalar_subquery()
)
ADVANCE: Final = sql.update(STATE).values(sequence=STATE.c.sequence + 1).returning(STATE.c.sequence, _KEEP)
"""Takes the next number, and the lock that every save holds until its commit; also says how many versions to keep."""
LOCK: Final = sql.update(STATE).values(sequence=STATE.c.sequence)
"""Takes the same lock, and no number."""

_WRITTEN = ("sequence", "collection", "key", "version", "author", "comment", "time", "payload")
_VALUES = tuple(bindparam(f"new_{name}", type_=_C[name].type) for name in _WRITTEN)
_ON_TOP = select(*_VALUES).where(bindparam("expect", type_=_C.version.type) == _NEWEST)
INSERT: Final = sql.insert(DOCUMENTS).from_select(list(_WRITTEN), _ON_TOP, include_defaults=False)
"""Adds a version if the newest one is the expected one. Under the lock, that can't change any more."""
INSERT_AND_NOTIFY: Final = INSERT.returning(
    _C.sequence, func.pg_notify(bindparam("channel", type_=sql.Text()), sql.cast(_C.sequence, sql.Text()))
)
"""The same on PostgreSQL, which tells all watches once the transaction is committed."""
LOCK_ROW: Final = select(STATE.c.id).with_for_update(key_share=True)
"""Takes the same lock on PostgreSQL, and writes nothing."""


def _save_at_once() -> Select:
    """Adds a version, takes the next number, trims, and tells all watches: after ``LOCK_ROW``, on PostgreSQL."""
    numbered = select((STATE.c.sequence + 1), *_VALUES[1:]).where(bindparam("expect", type_=_C.version.type) == _NEWEST)
    added = (
        sql.insert(DOCUMENTS)
        .from_select(list(_WRITTEN), numbered, include_defaults=False)
        .returning(_C.sequence, _C.collection, _C.key, _C.version)
        .cte("added")
    )
    advanced = sql.update(STATE).values(sequence=added.c.sequence).cte("advanced")
    is_spare = sql.and_(
        COLLECTIONS.c.name == added.c.collection,
        _C.collection == added.c.collection,
        _C.key == added.c.key,
        _C.version <= added.c.version - COLLECTIONS.c.keep,
    )
    trimmed = sql.delete(DOCUMENTS).where(is_spare).cte("trimmed")
    told = func.pg_notify(bindparam("channel", type_=sql.Text()), sql.cast(added.c.sequence, sql.Text()))
    return select(added.c.sequence, told).add_cte(advanced, trimmed)


SAVE_AT_ONCE: Final = _save_at_once()
"""Gives the number of the commit; no row if another version is the newest one."""
TRIM: Final = sql.delete(DOCUMENTS).where(_IS_DOCUMENT, _C.version <= bindparam("last", type_=_C.version.type))

FENCE: Final = select(FENCES.c.fence).where(FENCES.c.name == bindparam("leadership", type_=FENCES.c.name.type))
RAISE_FENCE: Final = (
    sql.update(FENCES)
    .where(FENCES.c.name == bindparam("leadership", type_=FENCES.c.name.type))
    .values(fence=bindparam("number", type_=FENCES.c.fence.type))
)


def heads_by_looking(*columns: sql.ColumnElement[Any], deleted: bool) -> Select:
    """The newest version of each document in a collection, in the order of keys: for SQLite.

    It is the one that no other follows, since versions have no gaps above the oldest one that is kept. A look at the
    index tells for each, so the first is there at once.
    """
    next_one = DOCUMENTS.alias("next")
    follows = select(next_one.c.version).where(
        next_one.c.collection == _C.collection, next_one.c.key == _C.key, next_one.c.version == _C.version + 1
    )
    found = select(*columns).where(_IS_COLLECTION, ~follows.exists()).order_by(_C.key)
    return found if deleted else found.where(_C.payload.is_not(None))


def heads_by_group(*columns: sql.ColumnElement[Any], deleted: bool) -> Select:
    """The same for PostgreSQL, which does it faster like this, and begins to answer as soon.

    The limit makes it look up one row for each key. As a plain join, it may run the grouping once for each row instead,
    while its statistics are older than most of the rows.
    """
    newest = (
        select(_C.key, func.max(_C.version).label("version")).where(_IS_COLLECTION).group_by(_C.key).subquery("newest")
    )
    wanted = sql.and_(_IS_COLLECTION, _C.key == newest.c.key, _C.version == newest.c.version)
    one = select(*columns).where(wanted if deleted else sql.and_(wanted, _C.payload.is_not(None))).limit(1)
    head = one.lateral("head")
    return select(*head.c).join_from(newest, head, sql.true()).order_by(newest.c.key)


def changes(limit: int | None) -> Select:
    """The commits after a number."""
    found = select(*METADATA).where(_C.sequence > bindparam("since", type_=sql.BigInteger())).order_by(_C.sequence)
    return found if limit is None else found.limit(limit)


def inserted(metadata: Metadata, payload: bytes | None, *, expect: int) -> dict[str, object]:
    """The parameters of ``INSERT``, without the number of the commit."""
    return {
        "expect": expect,
        "new_collection": metadata.collection,
        "new_key": metadata.key,
        "new_version": metadata.version,
        "new_author": metadata.author,
        "new_comment": metadata.comment,
        "new_time": metadata.time,
        "new_payload": payload,
        "collection": metadata.collection,
        "key": metadata.key,
    }
