"""The pages that compare two results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from rave_core.text.humanize import size, span
from rave_http.pages.cells import Cell, cell_of, is_numeric
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page

_LONGEST: Final = 300
_Signed: TypeAlias = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A result with which another one can be compared.

    Attributes:
        url: of the comparison.
        arguments: of the call, each in a short form.
        age: how long ago it was made, in words.
        comment: of a kept result; empty for others.
    """

    url: str
    arguments: Mapping[str, str]
    age: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFacts:
    """What the page of a comparison says.

    Attributes:
        sides: the documents of both results.
        is_same: whether their bytes are equal.
        difference: a `rave_http.representation.differences.Difference`.
        by: the columns that identify rows.
        now: Unix seconds.
    """

    sides: Sequence[Mapping[str, Any]]
    is_same: bool
    difference: Any
    by: Sequence[str]
    now: float


def candidates_page(side: Mapping[str, Any], candidates: Sequence[Candidate], *, base: str) -> Page:
    """The page that offers results to compare one with; ``base`` is the prefix of every link."""
    return page("candidates.html", base=base, side=side, candidates=candidates)


def comparison_page(facts: ComparedFacts, *, base: str) -> Page:
    """The page of a comparison; ``base`` is the prefix of every link."""
    rows = facts.difference.rows
    return page(
        "comparison.html",
        base=base,
        sides=facts.sides,
        facts=_table(facts),
        is_same=facts.is_same,
        note=facts.difference.note,
        lines=[_line(text) for text in facts.difference.lines or ()],
        has_lines=facts.difference.lines is not None,
        rows=rows,
        parts=[] if rows is None else _parts(rows),
        by=facts.by,
    )


def _table(facts: ComparedFacts) -> list[tuple[str, str, str, bool]]:
    """Names of facts, what they are of each result, and whether they differ."""
    one, two = ({**_arguments(side), **_told(side, facts.now)} for side in facts.sides)
    names = [*one, *(name for name in two if name not in one)]
    return [(name, one.get(name, "–"), two.get(name, "–"), one.get(name) != two.get(name)) for name in names]


def _arguments(side: Mapping[str, Any]) -> dict[str, str]:
    return {f"argument {name}": text[:_LONGEST] for name, text in side["arguments"].items()}


def _told(side: Mapping[str, Any], now: float) -> dict[str, str]:
    made = datetime.fromisoformat(side["made"]).timestamp()
    return {
        "operation": side["operation"],
        "made": f"{side['made'][:19].replace('T', ' ')} UTC, {span(max(0.0, now - made))} ago",
        "took": span(side["seconds"]),
        "size": size(side["size"]),
        "version": side["version"],
        "Python": side["python"] or "not recorded",
        "digest": side["digest"],
    }


def _line(text: str) -> tuple[str, str]:
    """A line of a difference, and what kind it is."""
    kinds = {"+": "plus", "-": "minus", "@": "place"}
    return kinds.get(text[:1], "same"), text


def _parts(rows: Any) -> list[dict[str, Any]]:
    """The tables of the page: rows that were removed, added and changed."""
    found = [("removed", "minus", rows.removed, rows.removed_rows), ("added", "plus", rows.added, rows.added_rows)]
    pairs = [marked for old, new in rows.changed_rows for marked in (("minus", old), ("plus", new))]
    parts = [_part(title, count, rows.columns, [(sign, row) for row in some]) for title, sign, count, some in found]
    parts.append(_part("changed", rows.changed, rows.columns, pairs))
    return [part for part in parts if part["count"]]


def _part(title: str, count: int, columns: Sequence[str], marked: Sequence[_Signed]) -> dict[str, Any]:
    """One of these tables; each row with the sign of the side that has it."""
    return {
        "title": title,
        "count": count,
        "shown": len(marked) // (2 if title == "changed" else 1),
        "columns": [(name, is_numeric([row[at] for _, row in marked])) for at, name in enumerate(columns)],
        "rows": [(sign, _cells(row, columns)) for sign, row in marked],
    }


def _cells(row: Sequence[Any], columns: Sequence[str]) -> list[Cell]:
    return [cell_of(value, name) for value, name in zip(row, columns, strict=True)]
