"""The steps that answers are put together from, each cached in its own right; none is exported.

What they are keyed by is content: an hour whose flows did not change keeps its results, whatever files they came
from, and whatever else changed in those files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rave_core import Options, ThreadPool, crossover_strategy, expires, mime_type, op, op_file
from rave_core.versions import strategy
from rave_flow import queries
from rave_flow.errors import NothingFoundError
from rave_flow.ingest import summarize, to_parquet
from rave_flow.repository import Repository, SourceFile
from rave_flow.windows import Bins, Window

if TYPE_CHECKING:
    import pyarrow

_READERS = 4
"""Files that are read at once, at most."""

CODE = strategy("flow_code")
"""The version of every operation here: the content of all modules of this package."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a file's flows that lies in the hours of a window; it counts by the digest of that part alone."""

    file: SourceFile
    digest: str

    def __rave_key__(self) -> str:
        """What stands for the slice in a key."""
        return self.digest


@dataclass(frozen=True, slots=True)
class Selection:
    """What a window of a repository holds.

    Attributes:
        skipped: how many lines of these files could not be read.
        first_bad: the first of them, ``""`` where there is none.
    """

    window: Window
    slices: tuple[Slice, ...]
    skipped: int
    first_bad: str

    @property
    def notes(self) -> dict[str, str]:
        """What a result's metadata say of lines that could not be read."""
        facts = {"rave.flow.skipped": str(self.skipped)}
        return facts | {"rave.flow.first_bad": self.first_bad} if self.first_bad else facts


@op_file(version=CODE)
@mime_type("application/vnd.apache.parquet")
@expires("30d")
def ingest(out: str, file: SourceFile) -> None:
    """The flows of one file as Parquet."""
    to_parquet(file, Path(out))


@op(version=CODE)
@expires("30d")
def summary(file: SourceFile) -> tuple[tuple[tuple[int, str], ...], int, str]:
    """What one file holds: (start of the hour, digest) for each hour; skipped lines; the first of them."""
    found = summarize(Path(ingest(file)))
    return tuple((hour.start, f"{hour.rows}:{hour.digest:x}") for hour in found.hours), found.skipped, found.first_bad


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the files of a repository hold, hour by hour.

    Attributes:
        directory: for messages.
        contents: each file, with what `summary` says of it.
    """

    directory: str
    contents: tuple[tuple[SourceFile, tuple[tuple[tuple[int, str], ...], int, str]], ...]

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """The inventory of ``repository``; only files that were never seen are read.

        Raises:
            FlowError: a file can't be read.
        """
        known = summary.answering(Options(dry_run=True))
        unseen = [file for file in repository.files if known(file) is None]
        if len(unseen) > 1:  # logs are read in one thread each, for a good part
            with ThreadPool(min(len(unseen), os.cpu_count() or 1, _READERS)) as pool:
                list(pool.map(summary, unseen))
        return cls(repository.directory, tuple((file, summary(file)) for file in repository.files))

    def select(self, window: Window) -> Selection:
        """The slices of the files that have flows in the hours of ``window``."""
        slices, skipped, first_bad = [], 0, ""
        for file, (hours, bad, where) in self.contents:
            touched = [hour for hour in hours if window.touches_hour(hour[0])]
            if touched:
                slices.append(Slice(file, blake2b(repr(touched).encode(), digest_size=20).hexdigest()))
                skipped += bad
                first_bad = first_bad or (where and f"{file.name}: {where}")
        return Selection(window, tuple(slices), skipped, first_bad)

    def require(self, selection: Selection, proto: str | None = None) -> queries.Extent:
        """The extent of the selected flows.

        Raises:
            NothingFoundError: there are none, or none of protocol ``proto``; the message says what there is.
        """
        found = extent(selection.window, selection.slices)
        if found is None:
            raise NothingFoundError(f"no flows {selection.window} in the files of {self.directory}; {self._span()}")
        if proto is not None and proto not in found.protocols:
            raise NothingFoundError(f"no {proto!r} flows {selection.window}; there are {', '.join(found.protocols)}")
        return found

    def _span(self) -> str:
        everything = self.select(Window())
        there = extent(everything.window, everything.slices)
        return (
            f"they reach from {there.first:%Y-%m-%d %H:%M} to {there.last:%Y-%m-%d %H:%M} UTC"
            if there
            else "they are empty"
        )


def parquet_of(slices: Sequence[Slice]) -> list[Path]:
    """The files in which the slices lie, made where they are not kept."""
    return [Path(ingest(piece.file)) for piece in slices]


@op(version=CODE)
def extent(window: Window, slices: tuple[Slice, ...]) -> queries.Extent | None:
    """How many flows there are in the window, when the first and last of them started, and their protocols."""
    return queries.extent(parquet_of(slices), window)


@op(version=CODE)
def top(window: Window, slices: tuple[Slice, ...], n: int, by: str, over: str) -> pyarrow.Table:
    """See `rave_flow.queries.top`."""
    return queries.top(parquet_of(slices), window, n, by, over)


@op(version=CODE)
def count(window: Window, slices: tuple[Slice, ...], bins: Bins, proto: str | None) -> pyarrow.Table:
    """See `rave_flow.queries.count`."""
    return queries.count(parquet_of(slices), window, bins, proto)


@op(version=CODE)
def series(window: Window, slices: tuple[Slice, ...], bins: Bins) -> pyarrow.Table:
    """See `rave_flow.queries.series`."""
    return queries.series(parquet_of(slices), window, bins)


@op(version=CODE)
@expires(crossover_strategy("5m", "30d", "4h", "start"))
def hour(start: datetime, slices: tuple[Slice, ...]) -> pyarrow.Table:
    """Totals by protocol and port of the hour that begins at ``start``: see `rave_flow.queries.hour`."""
    return queries.hour(parquet_of(slices), Window.of_hour(start))
