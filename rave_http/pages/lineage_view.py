"""Where a result comes from and what was made from it, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rave_core.text.humanize import span
from rave_http.pages.lineage_graph import Graph, graph_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRow:
    """A step of a lineage.

    Attributes:
        depth: 0 for the result itself.
        key: of its result, by which a step that occurs again is known.
        name: of the operation; empty if the client may not see it.
        url: of the page about its result; empty if that is not stored any more.
        note: why it has no facts, if so.
    """

    depth: int
    key: str
    name: str = ""
    url: str = ""
    arguments: Mapping[str, str]
    seconds: float | None = None
    created_at: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageView:
    """What a page shows of a lineage.

    Attributes:
        steps: the result, and those that it was made from, each followed by those below it.
        users: the results that were made from it, the latest first.
        notes: what is left out, as sentences.
    """

    steps: Sequence[LineageRow] = ()
    users: Sequence[LineageRow] = ()
    notes: Sequence[str] = ()

    @property
    def graph(self) -> Graph | None:
        """Its picture; ``None`` if there is nothing around the result."""
        if len(self.steps) + len(self.users) < 2:
            return None
        return graph_of([(step.depth, step.key) for step in self.steps], [user.key for user in self.users])

    @property
    def by_key(self) -> Mapping[str, LineageRow]:
        """The steps by their keys; of those that occur again, the first one."""
        return {row.key: row for row in reversed([*self.steps, *self.users])}


def told_step(row: LineageRow, now: float) -> dict[str, Any]:
    """A step in words, as of ``now``, in Unix seconds."""
    return {
        "row": row,
        "depth": min(row.depth, 12),
        "took": "" if row.seconds is None else span(row.seconds),
        "age": "" if row.created_at is None else f"{span(now - row.created_at)} ago",
    }
