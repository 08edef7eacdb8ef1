"""A table as a page for a browser."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Number
from typing import Any, Final

from rave_core.rendering import cell_text, notes_of, rows_of
from rave_http.pages.templating import page

MOST_ROWS: Final = 10_000
"""As many rows of a table are shown."""


def table_page(table: Any, *, operation: str, base: str = "") -> bytes:
    """The table as a page, with the operation as its title. It is cut after `MOST_ROWS` rows, and then says so.

    Raises:
        UnrenderableError: ``table`` is none.
    """
    found = rows_of(table, "html", most=MOST_ROWS)
    rows = [list(row) for row in found.rows]
    return page(
        "table.html",
        base=base,
        is_alone=True,
        operation=operation,
        namespace=operation.partition("/")[0] if "/" in operation else "",
        columns=[(name, _is_numeric(row[at] for row in rows)) for at, name in enumerate(found.columns)],
        rows=[[cell_text(value) for value in row] for row in rows],
        total=len(table),
        notes=notes_of(table),
    )


def _is_numeric(values: Iterable[Any]) -> bool:
    """Whether all present values are numbers, and there is at least one."""
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, Number) and not isinstance(value, bool) for value in given)
