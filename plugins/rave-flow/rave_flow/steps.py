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
from typing import TYPE_CHECKING, Any, Self

from rave_core import Options, ThreadPool, crossover_strategy, expires, mime_type, op, op_file
from rave_core.versions import strategy
from rave_flow.errors import AmbiguousFilesError, NothingFoundError, UnreadableError
from rave_flow.formats.chunks import Piece, pieces_of
from rave_flow.formats.parquet_files import summarize
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.model.windows import Bins, Window, instant
from rave_flow.sql import aggregates

if TYPE_CHECKING:
    import pyarrow

_READERS = 4
"""Pieces that are read at once, at most."""

CODE = strategy("flow_code")
"""The version of every operation here: the content of all modules of this package."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a piece's flows that lies in the hours of a window; it counts by the digest of that part alone."""

    piece: Piece
    digest: str

    def __rave_key__(self) -> str:
        """What stands for the slice in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


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


Hours = tuple[tuple[int, str], ...]
"""The start of each hour that has flows, in Unix seconds, and the digest of these."""


@op(version=CODE)
@expires("30d")
def cut(file: SourceFile) -> tuple[tuple[object, ...], ...]:
    """The pieces of one file: for each the values of a `Piece` but its file."""
    return tuple((one.start, one.size, one.before, one.fields, one.is_json, one.digest) for one in pieces_of(file))


@op_file(version=CODE)
@mime_type("application/vnd.apache.parquet")
@expires("30d")
def ingest(out: str, piece: Piece) -> None:
    """The flows of one piece as Parquet."""
    to_parquet(piece, Path(out))


@op(version=CODE)
@expires("30d")
def summary(piece: Piece) -> tuple[Hours, int, str]:
    """What one piece holds: its hours; skipped lines; the first of them."""
    found = summarize(Path(ingest(piece)))
    return tuple((hour.start, f"{hour.rows}:{hour.digest:x}") for hour in found.hours), found.skipped, found.first_bad


@op(version=CODE)
@expires("30d")
def contents(file: SourceFile) -> tuple[tuple[tuple[object, ...], tuple[Hours, int, str]], ...]:
    """Each of the file's pieces, as `cut` has them, with what `summary` says of it.

    Raises:
        UnreadableError: there are lines, and not one of them can be read.
    """
    found = tuple((facts, summary(_piece(file, facts))) for facts in cut(file))
    skipped = sum(bad for _, (_, bad, _) in found)
    if skipped and not any(hours for _, (hours, _, _) in found):
        first_bad = next(where for _, (_, _, where) in found if where)
        raise UnreadableError(f"{file.path}: none of {skipped} lines could be read; {first_bad}")
    return found


def _piece(file: SourceFile, facts: tuple[Any, ...]) -> Piece:
    return Piece(file, *facts)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the files of a repository hold, hour by hour.

    Attributes:
        directory: for messages.
        contents: each piece of each file, with what `summary` says of it.
    """

    directory: str
    contents: tuple[tuple[Piece, tuple[Hours, int, str]], ...]

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """The inventory of ``repository``; only pieces that were never seen are read.

        Raises:
            FlowError: a file can't be read.
            AmbiguousFilesError: an hour lies in two files, flow for flow, so that it would be counted twice.
        """
        known = contents.answering(Options(dry_run=True))
        if unseen := [file for file in repository.files if known(file) is None]:
            _read(unseen)
        held = ((file, one) for file in repository.files for one in contents(file))
        found = cls(repository.directory, tuple((_piece(file, facts), said) for file, (facts, said) in held))
        found.refuse_doubles()
        return found

    def refuse_doubles(self) -> None:
        """Raises `AmbiguousFilesError` where two files have the very same flows of an hour.

        A log that lies there under two names, or by the day and by the hour, makes that; other flows do not.
        """
        seen: dict[tuple[int, str], SourceFile] = {}
        for piece, (hours, _, _) in self.contents:
            for hour in hours:
                other = seen.setdefault(hour, piece.file)
                if other != piece.file:
                    raise AmbiguousFilesError(
                        f"{other.path} and {piece.file.path} hold the same flows of the hour from "
                        f"{instant(hour[0]):%Y-%m-%d %H:%M} UTC: they would count twice; keep one of them"
                    )

    def select(self, window: Window) -> Selection:
        """The slices of the files that have flows in the hours of ``window``."""
        slices, skipped, first_bad = [], 0, ""
        for piece, (hours, bad, where) in self.contents:
            touched = [hour for hour in hours if window.touches_hour(hour[0])]
            if touched:
                slices.append(Slice(piece, blake2b(repr(touched).encode(), digest_size=20).hexdigest()))
                skipped += bad
                first_bad = first_bad or (where and f"{piece.file.name}: {where}")
        return Selection(window, tuple(slices), skipped, first_bad)

    def require(self, selection: Selection, proto: str | None = None) -> aggregates.Extent:
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


def _read(files: Sequence[SourceFile]) -> None:
    """Reads files that were not seen, some at once: each is read in one thread for a good part."""
    with ThreadPool(min(os.cpu_count() or 1, _READERS)) as pool:
        pieces = [
            _piece(file, facts) for file, found in zip(files, pool.map(cut, files), strict=True) for facts in found
        ]
        list(pool.map(summary, pieces))


def parquet_of(slices: Sequence[Slice]) -> list[Path]:
    """The files in which the slices lie, made where they are not kept."""
    return [Path(ingest(one.piece)) for one in slices]


@op(version=CODE)
def extent(window: Window, slices: tuple[Slice, ...]) -> aggregates.Extent | None:
    """How many flows there are in the window, when the first and last of them started, and their protocols."""
    return aggregates.extent(parquet_of(slices), window)


@op(version=CODE)
def top(window: Window, slices: tuple[Slice, ...], n: int, by: str, over: str) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.top`."""
    return aggregates.top(parquet_of(slices), window, n, by, over)


@op(version=CODE)
def count(window: Window, slices: tuple[Slice, ...], bins: Bins, proto: str | None) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.count`."""
    return aggregates.count(parquet_of(slices), window, bins, proto)


@op(version=CODE)
def series(window: Window, slices: tuple[Slice, ...], bins: Bins) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.series`."""
    return aggregates.series(parquet_of(slices), window, bins)


@op(version=CODE)
@expires(crossover_strategy("5m", "30d", "4h", "start"))
def hour(start: datetime, slices: tuple[Slice, ...]) -> pyarrow.Table:
    """Totals by protocol and port of the hour that begins at ``start``: see `rave_flow.sql.aggregates.hour`."""
    return aggregates.hour(parquet_of(slices), Window.of_hour(start))
