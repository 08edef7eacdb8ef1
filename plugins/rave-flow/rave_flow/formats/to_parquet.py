"""From a piece of a file of any form to Parquet with the columns of a flow."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rave_flow.errors import ChangedError, UnreadableError
from rave_flow.formats.bundle_reading import BundleReading
from rave_flow.formats.bundles import Bundle
from rave_flow.formats.captures import Count
from rave_flow.formats.chunks import Piece, blocks, check_unchanged
from rave_flow.formats.compression import open_regular, opened
from rave_flow.formats.delimited import TitledLines, parts, rows
from rave_flow.formats.file_names import Form
from rave_flow.formats.ipfix_elements import COLUMNS as IPFIX_COLUMNS
from rave_flow.formats.ipfix_files import Ipfix
from rave_flow.formats.nfdump import COLUMNS as FLOW_COLUMNS
from rave_flow.formats.nfdump import SAID, SELECT, to_json
from rave_flow.formats.parquet_files import Writer
from rave_flow.formats.reading import Reading, flows_of_section
from rave_flow.formats.sections import Section, sections
from rave_flow.formats.silk_files import silk_to_csv
from rave_flow.formats.source_directory import form_of
from rave_flow.formats.zeek import Log
from rave_flow.model.columns import literal, resolve
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.left_out import LeftOut

if TYPE_CHECKING:
    import pyarrow

log = logging.getLogger(__name__)
_ROWS = 1_000_000
"""Rows held at once from a stream of rows."""


def to_parquet(piece: Piece | Bundle, target: Path) -> None:
    """Writes the flows of ``piece`` to ``target`` as Parquet, with a note of what it holds and what is left out.

    Raises:
        UnreadableError: it is damaged, or not what its name says.
        ColumnsError: a column is missing.
        ChangedError: the file changed since it was cut into pieces.
    """
    with (
        _described(piece.path),
        tempfile.TemporaryDirectory(prefix="rave-flow-") as folder,
        connected() as connection,
        Writer(target, connection.cursor()) as writer,
    ):
        reading = Reading(piece.path, connection, Path(folder))
        if isinstance(piece, Bundle):
            bundle = BundleReading(reading, piece)
            for flows in bundle.flows():
                writer.add(flows)
            writer.note(bundle.left_out, bundle.failures)
            return
        with _unchanged(piece):
            for flows in _READERS[form_of(piece.file)](reading, piece):
                writer.add(flows)
        found = reading.left_out
        if found.lines:
            log.warning("%r: %s", piece.path, found.sentences()[0])
        writer.note(found)


@contextmanager
def _unchanged(piece: Piece) -> Iterator[None]:
    """Checks before and after that a file is still the one that was cut; a log's part is known by its content."""
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
        raise UnreadableError(f"{path}: can't be read ({error.strerror})") from error
    except (duckdb.Error, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:  # damaged, or of no kind
        raise UnreadableError(f"{path}: {' '.join(str(error).split())}") from error


def _from_log(reading: Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    found = Log()
    try:
        if piece.head is not None:
            yield from flows_of_section(reading, found, Section(piece.head, piece.content(), piece.before))
            return
        with opened(piece.file) as source:
            for section in sections(reading.path, blocks(source)):
                yield from flows_of_section(reading, found, section)
    finally:
        reading.take(found)


def _from_nfdump(reading: Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    from pyarrow import compute

    found = to_json(piece.file, reading.folder)
    reading.gaps = LeftOut(breaks=tuple(found.breaks.items()))
    counted = 0
    if found.path is not None:
        # DuckDB reads a path as a pattern.
        pattern = re.sub(r"([*?\[])", r"[\1]", str(found.path))
        source = f"read_json({literal(pattern)}, format='array', columns={_text_columns(SAID)})"
        start = 0
        with reading.connection.cursor() as own:  # a connection has one result at a time
            for batch in own.sql(SELECT.format(source=source)).to_arrow_reader(_ROWS):
                counted += compute.sum(batch["src_packets"].cast("int64")).as_py() if found.packets else 0
                yield _of_netflow(reading, batch, start)
                start += batch.num_rows
    if found.packets is not None:
        _account(reading, found.packets, counted)


def _account(reading: Reading, packets: Count, counted: int) -> None:
    """Counts the packets of a capture that are in none of the flows."""
    if packets.is_cut:
        reading.leave_out("packet", packets.packets + packets.others + 1, "the capture is cut within it")
    if packets.timeless:
        reading.leave_out("packet", 1, "has no time", packets.timeless)
    if (lost := packets.packets - counted) > 0:
        reading.leave_out("lost", 1, "or a later one is in none of nfpcapd's flows", lost)


def _of_netflow(reading: Reading, batch: pyarrow.RecordBatch, start: int) -> pyarrow.Table:
    import pyarrow
    from pyarrow import compute

    table = pyarrow.Table.from_batches([batch])
    if others := compute.sum(table["is_other"]).as_py():
        place = compute.index(table["is_other"], True).as_py()
        reading.leave_out("event", start + place + 1, "is an event that does not end a flow", others)
        table = table.filter(compute.invert(table["is_other"]))
    for name, column in (("start", "wrapped"), ("ahead", "ahead"), ("sampled", "is_sampled")):
        reading.losses[name] += compute.sum(table[column]).as_py() or 0
    chosen = resolve(FLOW_COLUMNS, reading.path)
    types = {"duration": "DOUBLE"}
    return reading.flows(table.select(FLOW_COLUMNS), chosen, types, range(start + 1, start + table.num_rows + 1))


def _from_csv(reading: Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    if piece.titles is not None:
        yield _of_rows(reading, TitledLines(piece.titles, piece.content(), piece.before, piece.start))
        return
    with opened(piece.file) as source:
        for part in parts(reading.path, blocks(source)):
            yield _of_rows(reading, part)


def _from_silk(reading: Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    with silk_to_csv(piece.file, reading.folder).open("rb", buffering=0) as source:
        for part in parts(reading.path, blocks(cast("BinaryIO", source))):
            yield _of_rows(reading, part)


def _from_ipfix(reading: Reading, piece: Piece) -> Iterator[pyarrow.Table]:
    found = Ipfix(reading.path)
    try:
        with opened(piece.file) as source:
            flows = found.flows(source)
            while some := list(islice(flows, _ROWS // 20)):
                yield _of_ipfix(reading, some)
    finally:
        for reason, count in found.faults.items():
            reading.leave_out(reason, *(found.first or (0, "")), count)
        reading.losses["sampled"] += found.sampled
        reading.gaps = LeftOut(
            missing=tuple((f"domain {each}", lost) for each, lost in found.sequences.missing.items())
        )


def _of_ipfix(reading: Reading, flows: Sequence[tuple[int, tuple[Any, ...]]]) -> pyarrow.Table:
    import pyarrow

    numbers, rows = zip(*flows, strict=True)
    kinds = {"DOUBLE": pyarrow.float64(), "BIGINT": pyarrow.int64(), "VARCHAR": pyarrow.string()}
    columns = zip(IPFIX_COLUMNS, zip(*rows, strict=True), strict=True)
    table = pyarrow.table({name: pyarrow.array(values, kinds[IPFIX_COLUMNS[name]]) for name, values in columns})
    return reading.flows(table, resolve(table.column_names, reading.path), IPFIX_COLUMNS, numbers)


def _of_rows(reading: Reading, part: TitledLines) -> pyarrow.Table:
    chosen = resolve(part.titles.names, reading.path)
    found = rows(part.content, part.titles, part.before)
    for number, why in found.broken:
        reading.leave_out("line", number, why)
    if found.empty:
        reading.faults["no data"] += found.empty
    return reading.flows(found.table, chosen, {}, found.numbers)


def _from_parquet(reading: Reading, _: Piece) -> Iterator[pyarrow.Table]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open_regular(reading.path) as raw, ParquetFile(raw) as source:
        chosen = resolve(source.schema_arrow.names, reading.path)
        start = 0
        for batch in source.iter_batches(_ROWS):
            table = pyarrow.Table.from_batches([batch])
            yield reading.flows(table, chosen, _types(reading, table), range(start + 1, start + table.num_rows + 1))
            start += table.num_rows


def _types(reading: Reading, table: pyarrow.Table) -> dict[str, str]:
    """DuckDB's types of the columns of a table."""
    reading.connection.register("described", table)
    try:
        return {name: kind for name, kind, *_ in reading.connection.execute("DESCRIBE FROM described").fetchall()}
    finally:
        reading.connection.unregister("described")


_READERS: dict[Form, Callable[[Reading, Piece], Iterator[pyarrow.Table]]] = {
    Form.ZEEK: _from_log,
    Form.CSV: _from_csv,
    Form.PARQUET: _from_parquet,
    Form.NETFLOW: _from_nfdump,
    Form.CAPTURE: _from_nfdump,
    Form.SILK: _from_silk,
    Form.IPFIX: _from_ipfix,
}


def _text_columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"
