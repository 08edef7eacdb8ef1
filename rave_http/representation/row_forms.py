"""Rows as bytes, some at a time: a table of any length is sent in the memory of a few thousand rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from rave_core.rendering import cell_text, plain, rows_of
from rave_core.rendering.tables import refusing
from rave_http.protocol.problems import Problem
from rave_http.representation.table_rows import Matching

BATCH: Final = 20_000
"""Rows that are written at once."""
GROUP: Final = 5 * BATCH
"""Rows in a row group of Parquet, which is written at once: with small ones, readers are slow."""
FORMS: Final = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
"""The forms that are streamed, by short name."""


def stream_of(matching: Matching, form: str, *, start: int = 0, count: int | None = None) -> Iterator[bytes]:
    """The wanted rows in one of `FORMS`, a piece at a time.

    Args:
        matching: the rows.
        form: its short name.
        start: the number of rows that are skipped.
        count: the most rows; ``None`` for all.

    Raises:
        Problem: in NDJSON, two columns of one name.
        UnrenderableError: in Parquet, columns of types that it has not.
    """
    write = {"csv": _csv, "ndjson": _lines, "arrow": _arrow, "parquet": _parquet}[form]
    stop = matching.total if count is None else min(matching.total, start + count)
    if form == "ndjson" and len(set(matching.table.schema.names)) < matching.table.num_columns:
        raise Problem("not-acceptable", "Two columns have one name, so rows are no JSON objects; ask for CSV or Arrow")
    if form == "parquet":
        _check_parquet(matching)
    return write(matching, range(start, stop, GROUP if form == "parquet" else BATCH), stop)


def _csv(matching: Matching, starts: range, stop: int) -> Iterator[bytes]:
    """A line of names, then one for each row. Arrow writes what it can, since it is thirty times as fast."""
    yield _written([matching.table.schema.names])
    is_simple = all(_is_simple(kind) for kind in matching.table.schema.types)
    for start in starts:
        part = matching.part(start, min(BATCH, stop - start))
        if is_simple:
            yield _by_arrow(part)
        else:
            yield _written([cell_text(cell) for cell in row] for row in rows_of(part, "csv").rows)


def _written(rows: Any) -> bytes:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue().encode("utf-8", "surrogateescape")


def _is_simple(kind: Any) -> bool:
    import pyarrow.types as types

    return any(
        of(kind) for of in (types.is_integer, types.is_floating, types.is_string, types.is_large_string, types.is_date)
    )


def _by_arrow(part: Any) -> bytes:
    import pyarrow.csv

    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    pyarrow.csv.write_csv(part, sink, options)
    return sink.getvalue()


def _lines(matching: Matching, starts: range, stop: int) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for start in starts:
        found = rows_of(matching.part(start, min(BATCH, stop - start)), "json")
        yield encoder.encode_lines(plain(dict(zip(found.columns, row, strict=True))) for row in found.rows)


def _arrow(matching: Matching, starts: range, stop: int) -> Iterator[bytes]:
    import pyarrow

    sink = _Sink()
    with pyarrow.ipc.new_stream(sink, matching.table.schema) as writer:
        for start in starts:
            writer.write_table(matching.part(start, min(BATCH, stop - start)))
            yield sink.take()
    yield sink.take()


def _parquet(matching: Matching, starts: range, stop: int) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetWriter

    sink = _Sink()
    with ParquetWriter(sink, matching.table.schema) as writer:
        for start in starts:
            writer.write_table(matching.part(start, min(GROUP, stop - start)), GROUP)
            yield sink.take()
    yield sink.take()


def _check_parquet(matching: Matching) -> None:
    """Writes no row, for the columns alone: once the answer has begun, it is too late for an error.

    Raises:
        UnrenderableError: Parquet has no type for one.
    """
    from pyarrow.parquet import write_table

    empty = matching.table.schema.empty_table()
    with refusing("parquet", "a table with columns of types that Parquet has", matching.table, "arrow, csv or json"):
        write_table(empty, io.BytesIO())


class _Sink(io.RawIOBase):
    """Holds what was written since the last time it was taken. Its position counts from the first byte of all."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        piece = bytes(cast("bytes", content))
        self._pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
