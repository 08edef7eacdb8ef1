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
from rave_flow.formats.bundles import Bundle
from rave_flow.formats.chunks import Piece, blocks, check_unchanged
from rave_flow.formats.compression import open_regular, opened
from rave_flow.formats.delimited import blocks_with_titles, rows
from rave_flow.formats.file_names import Form
from rave_flow.formats.heads import Head
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

    path: str
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

    def take(self, found: Log) -> None:
        """Takes over what a log left out by itself."""
        self.faults.update(found.faults)
        if found.first is not None:
            self.bad(*found.first)

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


def to_parquet(piece: Piece | Bundle, target: Path) -> None:
    """Writes the flows of ``piece`` to ``target`` as Parquet, with a note of what it holds and what is left out.

    Raises:
        UnreadableError: damaged, or of another kind than its name says.
        ColumnsError: a column is missing.
        ChangedError: the file changed since it was cut into pieces.
    """
    with (
        _described(piece.path),
        tempfile.TemporaryDirectory(prefix="rave-flow-") as folder,
        connected() as connection,
        Writer(target, connection.cursor()) as writer,
    ):
        reading = _Reading(piece.path, connection, Path(folder))
        if isinstance(piece, Bundle):
            bundle = _OfBundle(reading, piece)
            for flows in bundle.flows():
                writer.add(flows)
            writer.note(bundle.left_out, bundle.failures)
            return
        with _unchanged(piece):
            for flows in _READERS[form_of(piece.file)](reading, piece):
                writer.add(flows)
        found = reading.left_out
        if found.lines:
            log.warning("%s: %s", piece.path, found.sentences()[0])
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
def _described(path: str) -> Iterator[None]:
    import duckdb
    import pyarrow

    try:
        yield
    except FileNotFoundError as error:
        raise ChangedError(f"{path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{path}: may not be read ({error.strerror})") from error
    except (duckdb.Error, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise UnreadableError(f"{path}: {' '.join(str(error).split())}") from error


def _from_log(reading: _Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    found = Log(reading.path, piece.head, piece.before)
    try:
        if piece.is_part:
            yield from _of_block(reading, found, piece.content())
        else:
            with opened(piece.file) as source:
                for block in blocks(source):
                    yield from _of_block(reading, found, block)
            if found.head is None:
                raise UnreadableError(f"{reading.path}: is empty, not even a #fields line")
    finally:
        reading.take(found)


def _of_block(reading: _Reading, found: Log, block: bytes) -> Iterator[pyarrow.Table]:
    """The flows of many lines: as typed columns, if all are as they ought to be, else as text."""
    head = found.learn(block)
    lines, numbers = found.take(block)
    if not lines:
        return
    yield from _of_lines(reading, found, head, lines, numbers)


def _of_lines(
    reading: _Reading, found: Log, head: Head, lines: bytes, numbers: Sequence[int]
) -> Iterator[pyarrow.Table]:
    chosen = resolve(head.fields, reading.path)
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


def _from_nfdump(reading: _Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    path, lost = to_json(piece.file, reading.folder)
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
    chosen = resolve(FLOW_COLUMNS, reading.path)
    types = {"duration": "DOUBLE"}
    return reading.flows(table.select(FLOW_COLUMNS), chosen, types, range(start + 1, start + table.num_rows + 1))


def _from_csv(reading: _Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    with opened(piece.file) as source:
        for titles, block, before in blocks_with_titles(reading.path, blocks(source)):
            chosen = resolve(titles.names, reading.path)
            found = rows(block, titles, before)
            for number, why in found.broken:
                reading.leave_out("line", number, why)
            if found.empty:
                reading.faults["no data"] += found.empty
            yield reading.flows(found.table, chosen, {}, found.numbers)


def _from_parquet(reading: _Reading, _: Piece) -> Iterator[pyarrow.Table]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open_regular(reading.path) as raw, ParquetFile(raw) as source:
        chosen = resolve(source.schema_arrow.names, reading.path)
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


@dataclass(slots=True)
class _OfBundle:
    """Small logs on their way.

    Lines of logs with equal heads are read as one where all of them are good; else each log is read by itself, so that
    what is left out has a place.

    Attributes:
        left_out: of all; the first line stands behind the place of its file in the bundle.
        failures: the place of each file that can't be read, the kind of error, and its text, in which the path is cut.
    """

    reading: _Reading
    bundle: Bundle
    left_out: LeftOut = field(default_factory=LeftOut)
    failures: list[tuple[int, str, str]] = field(default_factory=list)

    def flows(self) -> Iterator[pyarrow.Table]:
        """All that count."""
        alike: dict[Head, list[tuple[int, SourceFile, bytes, bytes]]] = {}
        for place, (file, content) in enumerate(self.bundle.content()):
            log_of_file = Log(file.path)
            try:
                lines, _ = log_of_file.take(content)
                head = log_of_file.learn(content)
                resolve(head.fields, file.path)
            except UnreadableError as error:
                self._fail(place, file, error)
                continue
            if log_of_file.faults:
                yield from self._alone(place, file, content)
            elif lines:
                alike.setdefault(head, []).append((place, file, content, lines))
        for head, logs in alike.items():
            joined = b"".join(lines for *_, lines in logs)
            table = self._together(head, joined)
            if table is not None:
                yield table
                continue
            for place, file, content, _ in logs:
                yield from self._alone(place, file, content)

    def _together(self, head: Head, lines: bytes) -> pyarrow.Table | None:
        """The flows of lines of one head, ``None`` where one of them can't count."""
        trial = _Reading(self.reading.path, self.reading.connection, self.reading.folder)
        found = Log(self.reading.path, head)
        tables = list(_of_lines(trial, found, head, lines, range(1, lines.count(b"\n") + 1)))
        if trial.faults or found.faults or not tables:
            return None
        self.left_out += trial.left_out
        return tables[0]

    def _alone(self, place: int, file: SourceFile, content: bytes) -> Iterator[pyarrow.Table]:
        own = _Reading(file.path, self.reading.connection, self.reading.folder)
        found = Log(file.path)
        tables = list(_of_block(own, found, content))
        own.take(found)
        told = own.left_out
        if told.lines and not any(table.num_rows for table in tables):
            why = f"{file.path}: none of {told.skipped} lines could be read; {told.first}"
            self._fail(place, file, UnreadableError(why))
            return
        first = f"{place}{PLACED}{told.first}" if told.first else ""
        self.left_out += LeftOut(told.lines, told.losses, first=first)
        yield from tables

    def _fail(self, place: int, file: SourceFile, error: UnreadableError) -> None:
        self.failures.append((place, type(error).__name__, str(error).replace(file.path, PLACED)))


PLACED = "\0"
"""What stands for the path of a file in what is kept by content."""
