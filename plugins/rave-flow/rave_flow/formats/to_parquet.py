"""From a piece of a file of any form to Parquet with the columns of a flow."""

from __future__ import annotations

import csv
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.errors import ChangedError, ColumnsError, UnreadableError
from rave_flow.formats.chunks import Piece, blocks, check_unchanged
from rave_flow.formats.compression import opened
from rave_flow.formats.nfdump import COLUMNS as FLOW_COLUMNS
from rave_flow.formats.nfdump import SAID, SELECT, to_json
from rave_flow.formats.normalized import normalized
from rave_flow.formats.parquet_files import Writer
from rave_flow.formats.source_directory import Form, SourceFile, form_of
from rave_flow.formats.tsv import typed
from rave_flow.formats.zeek import Log
from rave_flow.model.columns import TYPES, literal, quoted, resolve
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.readings import selection

if TYPE_CHECKING:
    import duckdb
    import pyarrow

log = logging.getLogger(__name__)
_ROWS = 1_000_000
"""Rows that are held at once, of what is read as a stream of rows."""


@dataclass(slots=True)
class _Reading:
    """One piece on its way.

    Attributes:
        folder: for what has to lie in a file.
        lines: how many lines of data were read, whole or not.
        first_bad: the first that is not whole, ``""`` where there is none.
    """

    file: SourceFile
    connection: duckdb.DuckDBPyConnection
    folder: Path
    lines: int = 0
    first_bad: str = ""

    def query(self, source: str, names: Sequence[str], types: Mapping[str, str]) -> duckdb.DuckDBPyRelation:
        """The flows of an SQL source with columns of some ``names``; which are good is in a column of that name."""
        columns = selection(resolve(names, self.file.path), types)
        return self.connection.sql(f"SELECT {columns} FROM {source}")  # noqa: S608  # quoted in columns.py


def to_parquet(piece: Piece, target: Path) -> None:
    """Writes the flows of ``piece`` to ``target`` as Parquet, with a note of what it holds and what was skipped.

    Raises:
        UnreadableError: damaged, or of another kind than its name says.
        ColumnsError: a column is missing.
        ChangedError: the file changed since it was cut into pieces.
    """
    with (
        _told(piece.file),
        tempfile.TemporaryDirectory(prefix="rave-flow-") as folder,
        connected() as connection,
        Writer(target, connection.cursor()) as writer,
    ):
        reading = _Reading(piece.file, connection, Path(folder))
        with _unchanged(piece):
            for flows in _READERS[form_of(piece.file)](reading, piece):
                writer.add(normalized(flows).flows)
        _finish(reading, writer)


@contextmanager
def _unchanged(piece: Piece) -> Iterator[None]:
    """Looks before and after whether a file is still the one that was cut; a part of a log is known by its content."""
    if not piece.is_part:
        check_unchanged(piece.file)
    yield
    if not piece.is_part:
        check_unchanged(piece.file)


@contextmanager
def _told(file: SourceFile) -> Iterator[None]:
    import duckdb

    try:
        yield
    except FileNotFoundError as error:
        raise ChangedError(f"{file.path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{file.path}: may not be read ({error.strerror})") from error
    except duckdb.Error as error:
        raise UnreadableError(f"{file.path}: {str(error).strip()}") from error


def _finish(reading: _Reading, writer: Writer) -> None:
    skipped, first_bad = reading.lines - writer.rows, reading.first_bad
    if skipped:
        first_bad = first_bad or "a value is out of its range or no number"
        log.warning("%s: %d of %d lines skipped; first: %s", reading.file.path, skipped, reading.lines, first_bad)
    writer.note(skipped, first_bad)


def _from_log(reading: _Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    if piece.is_part:
        found = Log(reading.file.path, piece.fields, piece.is_json, piece.before)
        yield from _of_block(reading, found, piece.content())
    else:
        found = Log(reading.file.path)
        with opened(reading.file) as source:
            for block in blocks(source):
                found.learn(block)
                yield from _of_block(reading, found, block)
        found.check()
    reading.lines, reading.first_bad = found.lines, found.first_bad


def _of_block(reading: _Reading, found: Log, block: bytes) -> Iterator[pyarrow.Table]:
    """The flows of many lines: as typed columns, if all are as they ought to be, else as text."""
    if (plain := found.plain(block)) is not None:
        lines, comments = plain
        table = _typed(reading, found, lines) if lines else None
        if table is not None or not lines:
            found.count(0 if table is None else table.num_rows, comments)
            yield from () if table is None else (table,)
            return
    if whole := found.sift(block):
        table = _typed(reading, found, whole)
        yield _as_text(reading, found, whole) if table is None else table


def _typed(reading: _Reading, found: Log, lines: bytes) -> pyarrow.Table | None:
    chosen = resolve(found.fields, reading.file.path)
    table = None if found.is_json else typed(lines, found.fields, chosen)
    if table is None:
        return None
    reading.connection.register("block", table)
    types = {theirs: TYPES.get(ours, "VARCHAR") for ours, theirs in chosen.items()}
    return reading.query("block", table.column_names, types).to_arrow_table()


def _as_text(reading: _Reading, found: Log, lines: bytes) -> pyarrow.Table:
    copy = reading.folder / "lines"
    copy.write_bytes(lines)
    if found.is_json:
        options = "format='newline_delimited', ignore_errors=true, maximum_object_size=4194304"
        source = f"read_json({literal(str(copy))}, {options}, columns={_text_columns(found.fields)})"
    else:
        source = (
            f"read_csv({literal(str(copy))}, auto_detect=false, header=false, delim='\t', nullstr='-', "
            f"quote='', escape='', ignore_errors=true, columns={_text_columns(found.fields)})"
        )
    return reading.query(source, found.fields, {}).to_arrow_table()


def _from_nfdump(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    path, lost = to_json(reading.file, reading.folder)
    lines = f"read_json({literal(str(path))}, format='array', columns={_text_columns(SAID)})" if path else _NO_LINES
    yield from _rows(reading, f"({SELECT.format(source=lines)})", FLOW_COLUMNS, {"duration": "DOUBLE"})
    reading.lines += bool(lost)
    reading.first_bad = lost


_NO_LINES = "(SELECT " + ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in SAID) + " WHERE false)"


def _from_csv(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    header = _csv_header(reading.file)
    source = (
        f"read_csv({literal(reading.file.path)}, auto_detect=false, header=false, skip=1, delim=',', nullstr='', "
        f"quote='\"', escape='\"', columns={_text_columns(header)})"
    )
    yield from _rows(reading, source, header, {})


def _from_parquet(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    source = f"read_parquet({literal(reading.file.path)}, hive_partitioning=false)"
    described = reading.connection.execute(f"DESCRIBE FROM {source}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    yield from _rows(reading, source, list(types), types)


_READERS: dict[Form, Callable[[_Reading, Piece], Iterator[pyarrow.Table]]] = {
    Form.ZEEK: _from_log,
    Form.CSV: _from_csv,
    Form.PARQUET: _from_parquet,
    Form.NETFLOW: _from_nfdump,
    Form.CAPTURE: _from_nfdump,
}


def _rows(reading: _Reading, source: str, names: Sequence[str], types: dict[str, str]) -> Iterator[pyarrow.Table]:
    """The flows of an SQL source, each of whose rows is a line of data."""
    import pyarrow

    for batch in reading.query(source, names, types).to_arrow_reader(_ROWS):
        reading.lines += batch.num_rows
        yield pyarrow.Table.from_batches([batch])


def _text_columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"


def _csv_header(file: SourceFile) -> list[str]:
    """The names in the first line. All is read: DuckDB lets damaged gzip pass, and can't see a cut last line."""
    first, last = b"", b""
    with opened(file) as source:
        while chunk := source.read(4 << 20):
            if b"\n" not in first:
                first += chunk
            last = chunk
    first = first.partition(b"\n")[0]
    if not last.endswith(b"\n"):
        raise UnreadableError(f"{file.path}: the last line has no end, so it may be cut; complete it or add a newline")
    header = next(csv.reader(io.StringIO(first.decode("utf-8-sig", "replace"))), [])
    if len(set(header)) != len(header):
        raise ColumnsError(f"{file.path}: two columns have one name among {', '.join(header)}")
    return header
