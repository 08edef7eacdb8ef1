"""Tables as Markdown, ready to paste into an issue, a chat or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import Any, Final

from rave_core.rendering import (
    arrow_file_of,
    arrow_stream_of,
    cell_text,
    csv_of,
    is_table,
    json_of,
    parquet_of,
    rows_of,
)
from rave_http.hookspecs import Rendering

MEDIA_TYPE: Final = "text/markdown; charset=utf-8"
MOST_ROWS: Final = 1000
"""How many rows of a table are shown."""

_ACTIVE = re.compile(r"([\\`*_\[\]<>|~&])")
_BREAK = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")


def markdown_of(table: Any) -> bytes:
    """A table in GitHub's Markdown, with numbers to the right. It is cut after `MOST_ROWS` rows, and then says so.

    Everything in a cell that could mean something to Markdown is escaped.

    Raises:
        UnrenderableError: ``table`` is not a table.
    """
    found = rows_of(table, "md", most=MOST_ROWS)
    rows = [list(row) for row in found.rows]
    numeric = [_is_numeric(row[at] for row in rows) for at in range(len(found.columns))]
    lines = [_line(map(escaped, found.columns)), _line("---:" if each else "---" for each in numeric)]
    lines += [_line(escaped(cell_text(value)) for value in row) for row in rows]
    more = len(table) - len(rows)
    return ("\n".join(lines) + (f"\n\n… and {more} more rows" if more > 0 else "") + "\n").encode()


_MARKDOWN: Final = Rendering(MEDIA_TYPE, "md", markdown_of)
_JSON: Final = Rendering("application/json", "json", json_of)
_OWN: Final = {
    "application/octet-stream": _JSON,
    "application/json": _JSON,
    "text/csv": Rendering("text/csv; charset=utf-8", "csv", csv_of),
    "application/vnd.apache.arrow.stream": Rendering("application/vnd.apache.arrow.stream", "arrow", arrow_stream_of),
    "application/vnd.apache.arrow.file": Rendering("application/vnd.apache.arrow.file", "arrow-file", arrow_file_of),
    "application/vnd.apache.parquet": Rendering("application/vnd.apache.parquet", "parquet", parquet_of),
    "text/markdown": _MARKDOWN,
}


def forms_of(value: Any, mime_type: str) -> Sequence[Rendering] | None:
    """Markdown for a table, after the form that its operation declares; ``None`` for anything else.

    A plugin's forms come before all built-in ones. So that only those who ask for Markdown get it, the form that would
    be first without this plugin comes first here.
    """
    own = _OWN.get(mime_type.partition(";")[0].strip().lower())
    if own is None or not is_table(value):
        return None
    return (own,) if own is _MARKDOWN else (own, _MARKDOWN)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """A text in one line, in which nothing means anything to Markdown."""
    return _ACTIVE.sub(r"\\\1", _BREAK.sub(" ", text.strip()))


def _is_numeric(values: Iterable[Any]) -> bool:
    """Whether all present values are numbers, and there is one. A missing value is ``None``, or text that says so."""
    given = [value for value in values if isinstance(value, Number) or cell_text(value)]
    return bool(given) and all(isinstance(value, Number) and not isinstance(value, bool) for value in given)
