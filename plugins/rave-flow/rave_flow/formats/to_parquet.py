"""From a piece of a file of any form to Parquet with the columns of a flow."""

from __future__ import annotations

import logging
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.errors import ChangedError, UnreadableError
from rave_flow.formats.chunks import Piece, blocks, check_unchanged
from rave_flow.formats.compression import open_regular, opened
from rave_flow.formats.delimited import blocks_with_titles, rows
from rave_flow.formats.file_names import Form
from rave_flow.formats.nfdump import COLUMNS as FLOW_COLUMNS
from rave_flow.formats.nfdump import SAID, SELECT, to_json
from rave_flow.formats.normalized import normalized
from rave_flow.formats.objects import objects
from rave_flow.formats.parquet_files import Writer
from rave_flow.formats.source_directory import SourceFile, form_of
from rave_flow.formats.tsv import texts, typed
from rave_flow.formats.zeek import Log
from rave_flow.model.columns import TYPES, literal, resolve
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.left_out import LeftOut
from rave_flow.model.readings import selection

if TYPE_CHECKING:
    import duckdb
    import pyarrow

log = logging.getLogger(__name__)
_ROWS = 1_000_000
"""Rows that are held at once, of what is read as a stream of rows."""

WHY = {
    "time": "has no time that can be read",
    "address": "has text that is no address",
    "port": "has a port out of range",
    "number": "has bytes or packets that are no number or out of range",
    "protocol": "has no protocol",
}
"""What is wrong with a line, by the reason for which it is left out."""


@dataclass(slots=True)
class _Reading:
    """One piece on its way.

    Attributes:
        folder: for what has to lie in a file.
        faults: how many lines are left out, by reason.
        losses: how many flows lack a value.
        first: the number of the first line that is left out, and what is wrong with it.
    """

    file: SourceFile
    connection: duckdb.DuckDBPyConnection
    folder: Path
    faults: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None

    def flows(
        self, table: pyarrow.Table, chosen: Mapping[str, str], types: Mapping[str, str], numbers: Sequence[int]
    ) -> pyarrow.Table:
        """The flows in a table whose rows have these numbers; what can't count is counted by its reason."""
        self.connection.register("block", table)
        try:
            read = self.connection.sql(f"SELECT {selection(chosen, types)} FROM block").to_arrow_table()  # noqa: S608  # quoted
        finally:
            self.connection.unregister("block")
        found = normalized(read)
        self.faults.update(found.faults)
        self.losses.update(found.losses)
        if found.first_fault is not None:
            row, reason = found.first_fault
            self.bad(numbers[row], WHY[reason])
        return found.flows

    def leave_out(self, reason: str, number: int, why: str, count: int = 1) -> None:
        """Counts lines that are left out, of which the first is ``number``."""
        self.faults[reason] += count
        self.bad(number, why)

    def bad(self, number: int, why: str) -> None:
        """Notes that a line is left out."""
        if self.first is None or number < self.first[0]:
            self.first = number, why

    @property
    def left_out(self) -> LeftOut:
        """All of it."""
        first = "" if self.first is None else f"line {self.first[0]} {self.first[1]}"
        return LeftOut.of(self.faults, self.losses, first)


def to_parquet(piece: Piece, target: Path) -> None:
    """Writes the flows of ``piece`` to ``target`` as Parquet, with a note of what it holds and what is left out.

    Raises:
        UnreadableError: damaged, or of another kind than its name says.
        ColumnsError: a column is missing.
        ChangedError: the file changed since it was cut into pieces.
    """
    with (
        _described(piece.file),
        tempfile.TemporaryDirectory(prefix="rave-flow-") as folder,
        connected() as connection,
        Writer(target, connection.cursor()) as writer,
    ):
        reading = _Reading(piece.file, connection, Path(folder))
        with _unchanged(piece):
            for flows in _READERS[form_of(piece.file)](reading, piece):
                writer.add(flows)
        found = reading.left_out
        if found.lines:
            log.warning("%s: %s", piece.file.path, found.sentences()[0])
        writer.note(found)


@contextmanager
def _unchanged(piece: Piece) -> Iterator[None]:
    """Looks before and after whether a file is still the one that was cut; a part of a log is known by its content."""
    if not piece.is_part:
        check_unchanged(piece.file)
    yield
    if not piece.is_part:
        check_unchanged(piece.file)


@contextmanager
def _described(file: SourceFile) -> Iterator[None]:
    import duckdb
    import pyarrow

    try:
        yield
    except FileNotFoundError as error:
        raise ChangedError(f"{file.path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{file.path}: may not be read ({error.strerror})") from error
    except (duckdb.Error, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise UnreadableError(f"{file.path}: {' '.join(str(error).split())}") from error


def _from_log(reading: _Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    found = Log(reading.file.path, piece.head, piece.before)
    try:
        if piece.is_part:
            yield from _of_block(reading, found, piece.content())
        else:
            with opened(reading.file) as source:
                for block in blocks(source):
                    yield from _of_block(reading, found, block)
            if found.head is None:
                raise UnreadableError(f"{reading.file.path}: is empty, not even a #fields line")
    finally:
        reading.faults.update(found.faults)
        if found.first is not None:
            reading.bad(*found.first)


def _of_block(reading: _Reading, found: Log, block: bytes) -> Iterator[pyarrow.Table]:
    """The flows of many lines: as typed columns, if all are as they ought to be, else as text."""
    head = found.learn(block)
    lines, numbers = found.take(block)
    if not lines:
        return
    chosen = resolve(head.fields, reading.file.path)
    if head.is_json:
        said = objects(reading.connection, lines, head)
        for place in said.broken:
            found.leave_out("line", numbers[place], "is no whole JSON object")
        yield reading.flows(said.table, chosen, {}, [numbers[place] for place in said.places])
        return
    table = typed(lines, head, chosen)
    if table is None:
        lines, numbers = found.sift(lines, numbers)
        table = typed(lines, head, chosen) if lines else None
    types = {theirs: TYPES.get(ours, "VARCHAR") for ours, theirs in chosen.items()}
    if table is not None:
        yield reading.flows(table, chosen, types, numbers)
    elif lines:
        yield reading.flows(texts(lines, head), chosen, {}, numbers)


def _from_nfdump(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    path, lost = to_json(reading.file, reading.folder)
    if lost:
        reading.leave_out("packet", 1, lost)
    if path is None:
        return
    # DuckDB takes a path for a pattern.
    pattern = re.sub(r"([*?\[])", r"[\1]", str(path))
    source = f"read_json({literal(pattern)}, format='array', columns={_text_columns(SAID)})"
    start = 0
    with reading.connection.cursor() as own:  # a connection has one result at a time
        for batch in own.sql(SELECT.format(source=source)).to_arrow_reader(_ROWS):
            yield _of_netflow(reading, batch, start)
            start += batch.num_rows


def _of_netflow(reading: _Reading, batch: pyarrow.RecordBatch, start: int) -> pyarrow.Table:
    import pyarrow
    from pyarrow import compute

    table = pyarrow.Table.from_batches([batch])
    if others := compute.sum(table["is_other"]).as_py():
        place = compute.index(table["is_other"], True).as_py()
        reading.leave_out("event", start + place + 1, "is an event that is no end of a flow", others)
        table = table.filter(compute.invert(table["is_other"]))
    reading.losses["start"] += compute.sum(table["wrapped"]).as_py() or 0
    chosen = resolve(FLOW_COLUMNS, reading.file.path)
    types = {"duration": "DOUBLE"}
    return reading.flows(table.select(FLOW_COLUMNS), chosen, types, range(start + 1, start + table.num_rows + 1))


def _from_csv(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    with opened(reading.file) as source:
        for titles, block, before in blocks_with_titles(reading.file.path, blocks(source)):
            chosen = resolve(titles.names, reading.file.path)
            found = rows(block, titles, before)
            for number, why in found.broken:
                reading.leave_out("line", number, why)
            if found.empty:
                reading.faults["no data"] += found.empty
            yield reading.flows(found.table, chosen, {}, found.numbers)


def _from_parquet(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open_regular(reading.file.path) as raw, ParquetFile(raw) as source:
        chosen = resolve(source.schema_arrow.names, reading.file.path)
        start = 0
        for batch in source.iter_batches(_ROWS, columns=list(dict.fromkeys(chosen.values()))):
            table = pyarrow.Table.from_batches([batch])
            yield reading.flows(table, chosen, _types(reading, table), range(start + 1, start + table.num_rows + 1))
            start += table.num_rows


def _types(reading: _Reading, table: pyarrow.Table) -> dict[str, str]:
    """DuckDB's types of the columns of a table."""
    reading.connection.register("described", table)
    try:
        return {name: kind for name, kind, *_ in reading.connection.execute("DESCRIBE FROM described").fetchall()}
    finally:
        reading.connection.unregister("described")


_READERS: dict[Form, Callable[[_Reading, Piece], Iterator[pyarrow.Table]]] = {
    Form.ZEEK: _from_log,
    Form.CSV: _from_csv,
    Form.PARQUET: _from_parquet,
    Form.NETFLOW: _from_nfdump,
    Form.CAPTURE: _from_nfdump,
}


def _text_columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"
