"""Rows as a fragment of HTML, for pages of others: a table without style, script or anything around it."""

from __future__ import annotations

from html import escape

from rave_http.pages.cells import Cell
from rave_http.representation.value_view import RowsView


def fragment(rows: RowsView) -> bytes:
    """The rows as a table in UTF-8, as people read them; the ``title`` of a cell has its value where that differs."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in rows.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows.rows)
    shown = f"{rows.first + 1:,} to {rows.first + len(rows.rows):,}" if rows.rows else "None"
    caption = f"<caption>{shown} of {rows.total:,} rows</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return table.encode("utf-8", "replace")


def _cell(cell: Cell) -> str:
    title = f' title="{escape(cell.raw)}"' if cell.raw else ""
    return f"<td{title}>{escape(cell.text)}</td>"
