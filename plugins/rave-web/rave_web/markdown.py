"""Tables as Markdown, to be pasted into an issue, a chat or a wiki."""

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
"""As many rows of a table are shown."""

_ACTIVE = re.compile(r"([\\`*_\[\]<>|~&])")
_BREAK = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")


def markdown_of(table: Any) -> bytes:
    """A table as GitHub's Markdown has it, numbers to the right; cut after `MOST_ROWS` rows, which it then says.

    Nothing in a cell means anything to Markdown: whatever could is escaped.

    Raises:
        UnrenderableError: ``table`` is none.
    """
    found = rows_of(table, "md", most=MOST_ROWS)
    rows = [list(row) for row in found.rows]
    numeric = [_is_numeric(row[at] for row in rows) for at in range(len(found.columns))]
    lines = [_line(map(_cell, found.columns)), _line("---:" if each else "---" for each in numeric)]
    lines += [_line(_cell(cell_text(value)) for value in row) for row in rows]
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
    """Markdown for a table, behind the form that its operation says it makes; ``None`` for what is no table.

    What a plugin offers goes before all that is built in. So that nobody gets Markdown who did not ask for it, the
    form stands in front here that would stand there without us.
    """
    own = _OWN.get(mime_type.partition(";")[0].strip().lower())
    if own is None or not is_table(value):
        return None
    return (own,) if own is _MARKDOWN else (own, _MARKDOWN)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", _BREAK.sub(" ", text.strip()))


def _is_numeric(values: Iterable[Any]) -> bool:
    """Whether all that is there is a number, and something is. What is missing is ``None``, or says so as text."""
    given = [value for value in values if isinstance(value, Number) or cell_text(value)]
    return bool(given) and all(isinstance(value, Number) and not isinstance(value, bool) for value in given)
