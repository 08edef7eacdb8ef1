"""``/-/products/{key}/rows``: rows of a product that is a table: filtered, sorted, counted, in pages or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.rendering import is_table, plain, rows_of
from rave_core.rendering.tables import arrow_table
from rave_http.protocol.media_types import kind_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import HTML, JSON, prefers, send_json
from rave_http.representation.columns import Column, columns_of
from rave_http.representation.figures import is_installed
from rave_http.representation.row_forms import FORMS, stream_of
from rave_http.representation.row_fragment import fragment
from rave_http.representation.table_query import TableQuery, read_table_query
from rave_http.representation.table_rows import Matching, TableRows, needs_arrow
from rave_http.representation.value_view import written_rows

MOST_IN_PAGE: Final = 10_000
_REPEATED: Final = ("where", "sort", "columns", "facet")
_SINGLE: Final = ("page", "limit", "rave.f")
_USUAL: Final = 100
_IN_PAGES: Final = ("json", "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsWish:
    """What a request wants of the rows of a table.

    Attributes:
        texts: the texts of `TableQuery`, by parameter.
        form: ``json``, ``html`` or one of `FORMS`.
        page: from 1 on; ``None`` if none is named.
        limit: rows in a page; ``None`` if none are named.
    """

    texts: dict[str, list[str]]
    form: str
    page: int | None
    limit: int | None


class ProductRows:
    """Sends rows. For the event loop of one worker."""

    def __init__(self, rows: TableRows) -> None:
        """Finds rows by ``rows``."""
        self._rows = rows

    def check(self, req: Request) -> RowsWish:
        """What a request wants.

        Raises:
            Problem: a parameter is unknown or wrong.
        """
        texts: dict[str, list[str]] = {}
        single: dict[str, str] = {}
        for name, text in pairs(req.query_string, most=_USUAL):
            if name in _REPEATED:
                texts.setdefault(name, []).append(text)
            elif name in _SINGLE and name not in single:
                single[name] = text
            else:
                known = ", ".join((*_REPEATED, *_SINGLE))
                raise _wrong(name[:80], f"is unknown or given twice; there are {known}")
        page, limit = (_whole(single, name, most) for name, most in (("page", 10**9), ("limit", MOST_IN_PAGE)))
        return RowsWish(texts=texts, form=_form(req, single.get("rave.f")), page=page, limit=limit)

    async def send(self, req: Request, resp: Response, wish: RowsWish, value: Any, digest: str) -> None:
        """Sends the wanted rows of a product.

        Args:
            req, resp: the request and its response.
            wish: what it wants.
            value: the product.
            digest: of its content.

        Raises:
            Problem: it is no table, or the wish does not fit it.
            UnrenderableError: the table has no form in Arrow.
        """
        if not is_table(value):
            raise Problem("not-acceptable", "The product is no table, so it has no rows", available=[])
        if not is_installed("pyarrow"):
            raise needs_arrow()
        table = await asyncio.to_thread(arrow_table, value, "rows")
        query = read_table_query(table.schema.names, **wish.texts)
        matching = await asyncio.to_thread(self._rows.find, table, query, digest=digest)
        limit = wish.limit or _USUAL
        start = ((wish.page or 1) - 1) * limit
        resp.set_headers({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
        resp.append_header("Vary", "Accept")
        if wish.form in FORMS:
            resp.content_type = FORMS[wish.form]
            pieces = await _pieces(matching, wish, start, limit)
            if req.method != "HEAD":
                resp.stream = _streamed(pieces)
            return
        if wish.form == "html":
            _send_fragment(resp, await asyncio.to_thread(_fragment, matching, start, limit))
            return
        document = await asyncio.to_thread(_document, matching, query, value, start, limit)
        send_json(resp, {**document, "page": wish.page or 1, "limit": limit})


def _document(matching: Matching, query: TableQuery, value: Any, start: int, limit: int) -> dict[str, Any]:
    schema = matching.table.schema
    rows = rows_of(matching.part(start, limit), "json").rows
    return {
        "columns": [_column(each, kind) for each, kind in zip(columns_of(schema), schema.types, strict=True)],
        "rows": [plain(list(row)) for row in rows],
        "total": len(value),
        "matching": matching.total,
        "facet": None if query.facet is None else [[plain(each), count] for each, count in matching.counts],
    }


def _column(column: Column, kind: Any) -> dict[str, str]:
    said = {name: text for name, text in (("role", column.role), ("unit", column.unit)) if text}
    return {"name": column.name, "type": str(kind), **said}


def _send_fragment(resp: Response, content: bytes) -> None:
    resp.content_type = HTML
    resp.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
    resp.data = content


def _fragment(matching: Matching, start: int, limit: int) -> bytes:
    found = [list(row) for row in rows_of(matching.part(start, limit), "html").rows]
    return fragment(written_rows(columns_of(matching.table.schema), found, first=start, total=matching.total))


async def _pieces(matching: Matching, wish: RowsWish, start: int, limit: int) -> Iterator[bytes]:
    """The page that is wished; all rows if none is."""
    if wish.page is None and wish.limit is None:
        return stream_of(await asyncio.to_thread(matching.in_order), wish.form)
    return stream_of(matching, wish.form, start=start, count=limit)


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made in a thread when the client has taken the one before."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _form(req: Request, wanted: str | None) -> str:
    if not wanted:
        kinds = {kind_of(kind): name for name, kind in {**FORMS, "html": HTML}.items()}
        return kinds.get(prefers(req, JSON, *kinds), "json")
    if wanted not in (*_IN_PAGES, *FORMS):
        names = ", ".join((*_IN_PAGES, *FORMS))
        raise Problem("not-acceptable", f"Rows have no form {wanted[:40]!r}; they can be: {names}", available=[])
    return wanted


def _whole(texts: dict[str, str], name: str, most: int) -> int | None:
    text = texts.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise _wrong(name, f"{text[:40]!r} is not a number from 1 to {most}")
    return int(text)


def _wrong(parameter: str, detail: str) -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": parameter, "detail": detail}])
