"""Parquet files of flows: written in parts, and with a note of what they hold, hour by hour."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rave_flow.model.columns import COLUMNS, EXTRA, literal
from rave_flow.model.duckdb_connection import in_order
from rave_flow.model.left_out import LeftOut

if TYPE_CHECKING:
    from types import TracebackType

    import duckdb
    import pyarrow
    from pyarrow import parquet

_ROWS = 122_880
"""Rows of a group: as many as DuckDB takes for one thread at a time."""

_NOTE = "rave.flow"
_TEXTS = ("src", "dst", "proto", "service", "state", "history")
_HALVES = ("src_high", "src_low", "dst_high", "dst_low")


@dataclass(frozen=True, slots=True)
class Hour:
    """What one file holds of one hour.

    Attributes:
        start: of the hour, in Unix seconds.
        digest: a sum over the rows, regardless of their order.
        others: the same over the source's other columns; 0 if there are none.
    """

    start: int
    rows: int
    digest: int
    others: int = 0

    @property
    def said(self) -> str:
        """All but the start, as a text that two hours share only if they hold the same."""
        return f"{self.rows}:{self.digest:x}" + (f":{self.others:x}" if self.others else "")


@dataclass(frozen=True, slots=True)
class Summary:
    """What one file holds.

    Attributes:
        hours: by start, those without flows left out.
        doubled: the starts of hours in which a connection has two records.
        has_uids: whether some flows have a uid.
        left_out: what is missing from it.
        failures: the files of a bundle that can't be read: the place of each, the kind of error, and why.
    """

    hours: tuple[Hour, ...]
    doubled: tuple[int, ...]
    has_uids: bool
    left_out: LeftOut
    failures: tuple[tuple[int, str, str], ...] = ()


def schema() -> pyarrow.Schema:
    """The columns of the files: those of a flow, and the halves of its addresses' numbers."""
    import pyarrow as pa

    kinds = {"ts": pa.timestamp("us"), "duration": pa.float64(), "src_port": pa.uint16(), "dst_port": pa.uint16()}
    kinds |= dict.fromkeys(("flags", "protocol", "ip_version", "icmp_type", "icmp_code"), pa.uint8())
    kinds |= dict.fromkeys((*_TEXTS, "uid"), pa.string())
    columns = [pa.field(name, kinds.get(name, pa.int64())) for name in COLUMNS]
    return pa.schema(columns + [pa.field(name, pa.uint64()) for name in _HALVES])


def extras_of(names: Iterable[str]) -> list[str]:
    """Those of some columns that are a source's own, sorted."""
    return sorted(name for name in names if name.startswith(EXTRA))


def padded(flows: pyarrow.Table, extras: Iterable[str]) -> pyarrow.Table:
    """Flows with all of these columns, unset where they lack them."""
    import pyarrow

    for name in extras:
        if name not in flows.column_names:
            flows = flows.append_column(name, pyarrow.nulls(flows.num_rows, pyarrow.string()))
    return flows


class Writer:
    """Writes one file, a table of flows at a time; within each they are put in order of time. For one thread.

    Tables have the columns of `schema`, and a source's own, which need not be the same in all.

    Args:
        connection: sums over rows; nothing else may use it at the same time.

    Attributes:
        rows: how many were written.
    """

    def __init__(self, target: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.rows = 0
        self._target = target
        self._connection = connection
        self._extras: list[str] = []
        self._opened: parquet.ParquetWriter | None = None
        self._hours: dict[int, Counter[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def _file(self) -> parquet.ParquetWriter:
        import pyarrow as pa
        from pyarrow import parquet

        if self._opened is None:
            columns = pa.schema([*schema(), *(pa.field(name, pa.string()) for name in self._extras)])
            texts = [*_TEXTS, *_HALVES, *self._extras]
            self._opened = parquet.ParquetWriter(self._target, columns, compression="zstd", use_dictionary=texts)
        return self._opened

    def add(self, flows: pyarrow.Table) -> None:
        """Adds flows with the columns of `schema` and others, in any order."""
        if not flows.num_rows:
            return
        if self._opened is None:
            self._extras = extras_of(flows.column_names)
        elif more := set(extras_of(flows.column_names)) - set(self._extras):
            self._widen(more)
        columns = self._file.schema
        flows = padded(flows, self._extras).select(columns.names)
        self._digest(flows)
        self.rows += flows.num_rows
        self._file.write_table(in_order(flows, "ts").cast(columns), row_group_size=_ROWS)

    def _widen(self, more: Iterable[str]) -> None:
        """Begins the file anew with more columns of the source's own, which what was written lacks."""
        from pyarrow.parquet import ParquetFile

        self._file.close()
        self._opened, self._extras = None, sorted({*self._extras, *more})
        with self._target.open("rb") as narrow:
            self._target.unlink()  # its content is there until it is closed
            written = ParquetFile(narrow)
            for place in range(written.num_row_groups):
                flows = padded(written.read_row_group(place), self._extras)
                self._file.write_table(flows.select(self._file.schema.names))

    def note(self, left_out: LeftOut, failures: Sequence[tuple[int, str, str]] = ()) -> None:
        """Notes what was added, and what could not be: lines, and files of a bundle."""
        hours = [
            [start, found["rows"], found["digest"] % 2**64, found["others"] % 2**64]
            for start, found in sorted(self._hours.items())
        ]
        doubled = sorted(start for start, found in self._hours.items() if found["known"] > found["different"])
        has_uids = any(found["known"] for found in self._hours.values())
        facts = {"hours": hours, "doubled": doubled, "has_uids": has_uids}
        facts |= {"left_out": left_out.facts(), "failures": failures}
        self._file.add_key_value_metadata({_NOTE: json.dumps(facts)})

    def _digest(self, flows: pyarrow.Table) -> None:
        self._connection.register("flows", flows)
        # A column's name counts, so that a column that is unset everywhere is not the same as none.
        both = [literal(",".join(self._extras)), *COLUMNS, *self._extras]
        others = f"sum(hash({', '.join(both)})::HUGEINT)" if self._extras else "0"
        found = self._connection.execute(
            f"SELECT epoch(date_trunc('hour', ts))::BIGINT, count(*), sum(hash({', '.join(COLUMNS)})::HUGEINT), "  # noqa: S608  # ours
            f"count(uid), count(DISTINCT uid), {others} FROM flows GROUP BY 1"
        ).fetchall()
        for start, rows, digest, known, different, more in found:
            held = self._hours.setdefault(start, Counter())
            # For an hour added in parts, only a look at all of it shows this.
            again = 1 if held["known"] and known else 0
            held.update(rows=rows, digest=int(digest), known=known + again, different=different, others=int(more))


def summarize(parquet: Path) -> Summary:
    """What a file holds that `Writer` wrote."""
    from pyarrow.parquet import read_metadata

    note = json.loads(read_metadata(parquet).metadata[_NOTE.encode()])
    hours = tuple(Hour(*hour) for hour in note["hours"])
    left_out, failures = LeftOut.from_facts(note["left_out"]), tuple(map(tuple, note["failures"]))
    return Summary(hours, tuple(note["doubled"]), note["has_uids"], left_out, failures)


def thinned(parquet: Path, rows: Sequence[int], target: Path) -> None:
    """Writes the rows of a file to another, except those with these numbers from 0."""
    import numpy
    import pyarrow
    from pyarrow import parquet as files

    table = files.read_table(parquet)
    keep = numpy.ones(table.num_rows, bool)
    keep[list(rows)] = False
    files.write_table(table.filter(pyarrow.array(keep)), target, compression="zstd", row_group_size=_ROWS)
