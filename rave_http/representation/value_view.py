"""A product within a page: rows of a table, a picture, a tree, a text, a page in a frame, or a file."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlsplit

from rave_core.errors import UnrenderableError
from rave_core.rendering import is_table, json_of, part_of, plain, rows_of, text_of
from rave_core.storage.product_cache import Remote
from rave_http.pages.cells import Cell, cell_of, is_numeric
from rave_http.pages.chart import Chart
from rave_http.pages.row_controls import RowControls
from rave_http.pages.tree import Node, tree_of
from rave_http.protocol.media_types import kind_of
from rave_http.representation.columns import Column
from rave_http.representation.renderers import Rendering
from rave_http.representation.representations import MadeProduct

PAGE_ROWS: Final = 100
"""Rows of a table in one page."""
_LONGEST_TEXT: Final = 200_000
_LARGEST_PICTURE: Final = 4 << 20
_ORIGIN: Final = re.compile(r"https?://[\w.\[\]:-]+")
_PICTURES: Final = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsView:
    """Some rows of a table.

    Attributes:
        columns: names, and whether they hold numbers.
        rows: the cells.
        first: the number of rows before them.
        total: the rows of the table.
        about: what the table says about each column.
    """

    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    first: int
    total: int
    about: Sequence[Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueView:
    """What a page shows of a product.

    Attributes:
        kind: ``table``, ``picture``, ``tree``, ``text``, ``frame``, ``file`` or ``failed``.
        url: of a picture or the page in a frame.
        origin: the origin that the URL redirects to; empty if the service itself sends it.
        text: the text, or why there is nothing to see.
        left_out: how many characters of it are not shown.
        rows: of a table.
        controls: what can be done with these rows; ``None`` for nothing.
        tree: of a structure.
        charts: titles and charts of the rows; for one that can't be drawn, why.
    """

    kind: str
    url: str = ""
    origin: str = ""
    text: str = ""
    left_out: int = 0
    rows: RowsView | None = None
    controls: RowControls | None = None
    tree: Node | None = None
    charts: Sequence[tuple[str, Chart | str]] = ()


def view_of(product: MadeProduct, forms: Sequence[Rendering], *, url: str, page: int = 1) -> ValueView:
    """What a page shows of a product. It may run code of the value, such as its ``repr``.

    Args:
        product: what is shown.
        forms: those that it can take, the best first.
        url: where it is, without a query; empty if no cache keeps it.
        page: of a table's rows, from 1 on.
    """
    try:
        if product.spec.kind.is_written:
            return _file_view(product.value, forms[0], url)
        if is_table(product.value):
            return ValueView(kind="table", rows=rows_view(product.value, page=page))
        return _picture(product.value, forms, url) or _frame(forms, url) or _words(product.value, forms)
    except UnrenderableError as error:
        return ValueView(kind="failed", text=str(error))


def rows_view(table: Any, *, page: int = 1) -> RowsView:
    """A page of a table's rows as people read them.

    Args:
        table: the table.
        page: of `PAGE_ROWS` rows, from 1 on; the last one if there are fewer.

    Raises:
        UnrenderableError: ``table`` is none.
    """
    first = (clamped(page, len(table)) - 1) * PAGE_ROWS
    found = rows_of(part_of(table, first, PAGE_ROWS), "html")
    if not isinstance(table, list):
        return written_rows(found.columns, [list(row) for row in found.rows], first=first, total=len(table))
    columns = rows_of(table, "html", most=0).columns  # other rows of a list may have more
    named = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    rows = [[row.get(name) for name in columns] for row in named]
    return written_rows(columns, rows, first=first, total=len(table))


def written_rows(columns: Sequence[str | Column], rows: Sequence[Sequence[Any]], *, first: int, total: int) -> RowsView:
    """Rows as people read them.

    Args:
        columns: their names, or what the table says about them.
        rows: their values.
        first: the number of rows before them.
        total: how many rows there are.
    """
    about = [each if isinstance(each, Column) else Column(each) for each in columns]
    return RowsView(
        columns=[(each.name, is_numeric([row[at] for row in rows])) for at, each in enumerate(about)],
        rows=[[cell_of(value, each.name, each.role) for value, each in zip(row, about, strict=True)] for row in rows],
        first=first,
        total=total,
        about=about,
    )


def clamped(page: int, total: int) -> int:
    """The page, or the last one of so many rows."""
    return min(max(1, page), max(1, -(-total // PAGE_ROWS)))


def _file_view(value: Any, form: Rendering, url: str) -> ValueView:
    kind = kind_of(form.media_type)
    shown = "picture" if kind in _PICTURES else "frame" if kind == "text/html" else "file"
    if not url or shown == "file":
        return ValueView(kind="file")
    return ValueView(kind=shown, url=url, origin=_origin(value) if isinstance(value, Remote) else "")


def _origin(remote: Remote) -> str:
    """The origin of a file that is elsewhere; empty if its store is in trouble, or no policy can name it."""
    try:
        parts = urlsplit(remote.url())
    except OSError:
        return ""
    found = f"{parts.scheme}://{parts.netloc}"
    return found if _ORIGIN.fullmatch(found) else ""


def _picture(value: Any, forms: Sequence[Rendering], url: str) -> ValueView | None:
    offered = forms[:1] if isinstance(value, str) else forms
    found = next((form for form in offered if kind_of(form.media_type) in _PICTURES), None)
    if found is None:
        return None
    if url:
        return ValueView(kind="picture", url=f"{url}?rave.f={quote(found.name)}")
    content = found.render(value)  # nobody keeps it, so asking for it again would give another
    if len(content) > _LARGEST_PICTURE:
        return ValueView(kind="file")
    return ValueView(kind="picture", url=f"data:{kind_of(found.media_type)};base64,{b64encode(content).decode()}")


def _frame(forms: Sequence[Rendering], url: str) -> ValueView | None:
    found = next((form for form in forms if kind_of(form.media_type) == "text/html"), None)
    if found is None:
        return None
    return ValueView(kind="frame", url=f"{url}?rave.f={quote(found.name)}") if url else ValueView(kind="file")


def _words(value: Any, forms: Sequence[Rendering]) -> ValueView:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ValueView(kind="file")
    if any(form.name == "json" for form in forms) and not isinstance(value, str):
        found = tree_of(plain(value))
        if found.kind in ("list", "object"):
            return ValueView(kind="tree", tree=found)
    written = next((form for form in forms if form.media_type.startswith("text/")), None)
    text = (written.render(value) if written is not None else _text(value)).decode("utf-8", "replace")
    shown = "".join(islice(text, _LONGEST_TEXT))
    return ValueView(kind="text", text=shown, left_out=len(text) - len(shown))


def _text(value: Any) -> bytes:
    try:
        return text_of(value)
    except UnrenderableError:
        return json_of(value)
