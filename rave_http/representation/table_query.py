"""Questions about the rows of a table: conditions, an order, columns. They are read by the table's own columns only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rave_core.errors import nearest
from rave_http.protocol.problems import Problem

OPERATORS: Final = ("!=", "<=", ">=", "=", "<", ">", "~")
"""What stands between a column and a value; ``~`` is for texts that contain another, whatever the case."""
_MOST_CONDITIONS: Final = 20
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class Condition:
    """What the value of a column has to fulfil.

    Attributes:
        column: its place among the columns.
        operator: one of `OPERATORS`.
        text: what the value is compared with; an empty one means that nothing is there.
        written: the condition as it was written.
    """

    column: int
    operator: str
    text: str
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableQuery:
    """Which rows of a table are wanted, in which order, and which columns of them.

    Attributes:
        where: conditions that all have to hold.
        sort: places of columns, and whether the largest comes first; the first one counts most.
        columns: places of columns; ``None`` for all.
        facet: the place of a column whose values are counted; ``None`` for none.
    """

    where: tuple[Condition, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    columns: tuple[int, ...] | None = None
    facet: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it wants the whole table as it is."""
        return not (self.where or self.sort or self.columns is not None or self.facet is not None)


def read_table_query(
    names: Sequence[str],
    *,
    where: Sequence[str] = (),
    sort: Sequence[str] = (),
    columns: Sequence[str] = (),
    facet: Sequence[str] = (),
) -> TableQuery:
    """The query that these texts mean for a table with these columns.

    Args:
        names: of the columns.
        where: conditions such as ``bytes>=1000``, ``name~web`` or ``port!=443``.
        sort: columns, each alone or several with commas between them; a minus before one puts the largest first.
        columns: likewise.
        facet: one column at most.

    Raises:
        Problem: one of them names no column, or is no condition.
    """
    if len(where) > _MOST_CONDITIONS:
        raise _wrong("where", f"at most {_MOST_CONDITIONS} conditions are taken")
    if len(facet) > 1:
        raise _wrong("facet", "is given twice")
    chosen = [each for text in columns for each in _parted(text, names)]
    order = [each for text in sort for each in _parted(text, names, signed=True)]
    return TableQuery(
        where=tuple(_condition(text, names) for text in where),
        sort=tuple(_order(text, names) for text in order),
        columns=tuple(_place(name, names, "columns") for name in chosen) if chosen else None,
        facet=_place(facet[0], names, "facet") if facet and facet[0] else None,
    )


def _parted(text: str, names: Sequence[str], *, signed: bool = False) -> list[str]:
    """The names in a text: the whole, if a column is called so, else what commas part."""
    if text in names or (signed and text.removeprefix("-") in names):
        return [text]
    return [each for each in text.split(",") if each]


def _order(text: str, names: Sequence[str]) -> tuple[int, bool]:
    is_down = text.startswith("-") and text not in names
    return _place(text[1:] if is_down else text, names, "sort"), is_down


def _condition(text: str, names: Sequence[str]) -> Condition:
    """A condition. Names may hold operators, so the longest column that it may begin with counts."""
    if len(text) > _LONGEST:
        raise _wrong("where", f"a condition has at most {_LONGEST} characters")
    for name in sorted(set(names), key=len, reverse=True):
        rest = text[len(name) :]
        operator = next((each for each in OPERATORS if rest.startswith(each)), None) if text.startswith(name) else None
        if operator is not None:
            return Condition(_place(name, names, "where"), operator, rest[len(operator) :], text)
    written = ", ".join(OPERATORS)
    known = ", ".join(list(names)[:20])
    raise _wrong(
        "where", f"{text[:80]!r} is no column followed by one of {written}; there are the columns {known[:500]}"
    )


def _place(name: str, names: Sequence[str], parameter: str) -> int:
    count = list(names).count(name)
    if count == 1:
        return list(names).index(name)
    if count:
        raise _wrong(parameter, f"{count} columns are called {name[:80]!r}, so it says too little")
    raise _wrong(parameter, f"there is no column {name[:80]!r}; {nearest(name[:80], list(names))}")


def _wrong(parameter: str, detail: str) -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": parameter, "detail": detail}])
