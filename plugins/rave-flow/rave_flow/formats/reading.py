"""Rows of any source as flows, and an account of those that can't count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.formats.heads import Head
from rave_flow.formats.normalized import normalized
from rave_flow.formats.objects import objects, typed_objects
from rave_flow.formats.sections import Section
from rave_flow.formats.sound_columns import sound_columns
from rave_flow.formats.tsv import is_list, texts, typed
from rave_flow.formats.zeek import Log
from rave_flow.model.columns import TYPES, extra_columns, resolve
from rave_flow.model.duckdb_connection import in_order
from rave_flow.model.left_out import LeftOut
from rave_flow.model.protocols import ICMP
from rave_flow.model.readings import Columns, selection

if TYPE_CHECKING:
    import duckdb
    import pyarrow

WHY = {
    "time": "has no time that can be read",
    "address": "has text that is not an address",
    "port": "has a port out of range",
    "number": "has bytes or packets that are no number or out of range",
    "protocol": "has no protocol",
}
"""What is wrong with a line, by the reason for which it is left out."""

ROW = "rave_row"
"""The number of a row, as SQL sees it."""


@dataclass(slots=True)
class Reading:
    """One piece on its way.

    Attributes:
        folder: for what has to lie in a file.
        faults: how many lines are left out, by reason.
        losses: how many flows lack a value.
        first: the number of the first line that is left out, and what is wrong with it.
        gaps: what never came from the exporters.
    """

    path: str
    connection: duckdb.DuckDBPyConnection
    folder: Path
    faults: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None
    gaps: LeftOut = field(default_factory=LeftOut)

    def flows(
        self, table: pyarrow.Table, chosen: Mapping[str, str], types: Mapping[str, str], numbers: Sequence[int]
    ) -> pyarrow.Table:
        """The flows in a table whose rows have these numbers; what can't count is counted by its reason.

        Columns of the table that are not ``chosen`` are stored too: see `rave_flow.model.columns.extra_columns`.
        """
        extras = extra_columns(table.column_names, chosen)
        sound = sound_columns(table, chosen, types, extras)
        columns = selection(chosen, types, extras, has_icmp=_has_icmp(table, chosen), sound=sound)
        found = normalized(self._selected(table, columns))
        self.faults.update(found.faults)
        self.losses.update(found.losses)
        if found.first_fault is not None:
            row, reason = found.first_fault
            self.bad(numbers[row], WHY[reason])
        return found.flows

    def _selected(self, table: pyarrow.Table, columns: Columns) -> pyarrow.Table:
        """The columns of a table that are as they have to be, and those that SQL makes of the others, in its order."""
        import numpy
        import pyarrow

        source = table.select(columns.used).append_column(ROW, pyarrow.array(numpy.arange(table.num_rows)))
        query = f"SELECT {columns.sql}, {ROW} FROM block"  # noqa: S608  # quoted
        self.connection.register("block", source)
        try:
            read = self.connection.sql(query).to_arrow_table()
        finally:
            self.connection.unregister("block")
        read = in_order(read, ROW).drop_columns([ROW])
        for ours, theirs in columns.unchanged.items():
            read = read.append_column(ours, table[theirs])
        return read

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
        return LeftOut.of(self.faults, self.losses, first) + self.gaps


def _has_icmp(table: pyarrow.Table, chosen: Mapping[str, str]) -> bool:
    """Whether some rows may be of ICMP."""
    from pyarrow import compute

    names = [chosen[name] for name in ("proto", "ip_proto") if name in chosen]
    words = {str(word).strip().lower() for name in names for word in compute.unique(table[name]).to_pylist()}
    return not words.isdisjoint(ICMP)


def flows_of_section(reading: Reading, found: Log, section: Section) -> Iterator[pyarrow.Table]:
    """The flows of many lines: as typed columns if all are as expected, otherwise as text."""
    lines, numbers = found.take(section)
    if lines:
        yield from flows_of_lines(reading, found, section.head, lines, numbers)


def flows_of_lines(
    reading: Reading, found: Log, head: Head, lines: bytes, numbers: Sequence[int]
) -> Iterator[pyarrow.Table]:
    """The same of lines without comments, which have these numbers."""
    chosen = resolve(head.fields, reading.path)
    types = {theirs: TYPES.get(ours, "VARCHAR") for ours, theirs in chosen.items()}
    if head.is_json:
        if (table := typed_objects(lines, head, chosen)) is not None:
            lists = {name: "VARCHAR[]" for name in table.column_names if is_list(table.schema.field(name).type)}
            yield reading.flows(table, chosen, types | lists, numbers)
            return
        said = objects(reading.connection, lines, head)
        for place in said.broken:
            found.leave_out("line", numbers[place], "is not a whole JSON object")
        yield reading.flows(said.table, chosen, {}, [numbers[place] for place in said.places])
        return
    table = typed(lines, head, chosen)
    if table is None:
        lines, numbers = found.sift(lines, numbers, head)
        table = typed(lines, head, chosen) if lines else None
    if table is not None:
        yield reading.flows(table, chosen, types, numbers)
    elif lines:
        yield reading.flows(texts(lines, head), chosen, {}, numbers)
