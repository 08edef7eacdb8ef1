"""Which way contacts go, in one word: from inside to outside first, because analysts look for that first."""

from __future__ import annotations

from rave_flow.model.ranges import Ranges
from rave_flow.sql.address_tests import within

WAYS = ("out", "int", "in", "ext")
"""From inside to outside; within; from outside to inside; past. Where an end is no address it is unknown, NULL."""


def way(internal: Ranges, source: str) -> str:
    """The SQL of the way of the rows of ``source``, by the numbers of the addresses that are inside."""
    inside, target = (f"coalesce({within(end, internal, source)}, false)" for end in ("src", "dst"))
    return (
        f"CASE WHEN src_high IS NULL OR dst_high IS NULL THEN NULL WHEN {inside} AND NOT {target} THEN 'out' "
        f"WHEN {inside} THEN 'int' WHEN {target} THEN 'in' ELSE 'ext' END"
    )


def rank(column: str) -> str:
    """The SQL to sort by a column of ways."""
    return f"list_position({list(WAYS)}, {column}) NULLS LAST"
