"""What the files of a directory hold, hour by hour, and which of it a window of time selects."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rave_core import Options, ThreadPool
from rave_flow.errors import (
    AmbiguousFilesError,
    ChangedError,
    FlowError,
    NothingFoundError,
    StrictError,
    UnreadableError,
)
from rave_flow.formats.chunks import Piece
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.model.left_out import LeftOut, merged
from rave_flow.model.windows import Window
from rave_flow.steps import FAILURES, Dropped, Hours, Slice, contents, cut, doubled, extent, summary

if TYPE_CHECKING:
    from rave_flow.sql import aggregates

_READERS = 4
"""Pieces that are read at once, at most."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a window of a repository holds.

    Attributes:
        left_out: what is missing from it.
    """

    window: Window
    slices: tuple[Slice, ...]
    left_out: LeftOut

    @property
    def skipped(self) -> int:
        """How many lines count nothing."""
        return self.left_out.skipped

    @property
    def notes(self) -> dict[str, str]:
        """What a result's metadata say of what is left out."""
        return self.left_out.metadata()


@dataclass(frozen=True, slots=True)
class Holding:
    """One piece of a file, and what it holds.

    Attributes:
        doubled: the starts of hours in which a connection has two records.
        left_out: what of it can't be read.
    """

    piece: Piece
    hours: Hours
    doubled: tuple[int, ...]
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the files of a repository hold, hour by hour.

    Attributes:
        directory: for messages.
        parts: each piece of each file.
        files: names of files that are not read, each with the reason.
        strict: whether anything that is left out is an error.
    """

    directory: str
    parts: tuple[Holding, ...]
    files: tuple[tuple[str, str], ...] = ()
    strict: bool = False

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """The inventory of ``repository``; only pieces that were never seen are read.

        A file that can't be read costs itself alone, and is named.

        Raises:
            FlowError: not one file can be read; the error is that of the first.
        """
        known = contents.answering(Options(dry_run=True))
        if unseen := [file for file in repository.files if known(file) is None]:
            _read(unseen)
        parts: list[Holding] = []
        failures: list[tuple[SourceFile, FlowError]] = []
        for file in repository.files:
            found = _parts(file)
            if isinstance(found, FlowError):
                failures.append((file, found))
            else:
                parts += found
        if failures and not parts:
            raise failures[0][1]
        root = Path(repository.directory)
        named = [(_name(file, root), str(error).removeprefix(f"{file.path}: ")) for file, error in failures]
        return cls(repository.directory, tuple(parts), (*named, *repository.passed_over), repository.strict)

    def select(self, window: Window) -> Selection:
        """The slices of the files that have flows in the hours of ``window``.

        Raises:
            StrictError: something is left out, and ``strict`` is set.
        """
        touched = [[hour for hour in part.hours if window.touches_hour(hour[0])] for part in self.parts]
        dropped = self._dropped(touched)
        slices, left_out = [], [LeftOut(files=self.files)]
        for place, (part, hours) in enumerate(zip(self.parts, touched, strict=True)):
            if hours or not part.hours:
                left_out.append(part.left_out)
            if hours:
                rows = dropped.get(place)
                digest = repr((hours, rows.digest) if rows else hours)
                slices.append(Slice(part.piece, blake2b(digest.encode(), digest_size=20).hexdigest(), rows))
        left_out.append(LeftOut(duplicates=sum(len(rows.rows) for rows in dropped.values())))
        found = Selection(window, tuple(slices), merged(left_out))
        if self.strict:
            self._refuse(found.left_out)
        return found

    def _refuse(self, left_out: LeftOut) -> None:
        if left_out.lines or left_out.files:
            raise StrictError(f"{self.directory}: {left_out.sentences()[0]}; strict is set, so nothing is answered")
        if left_out.duplicates:
            raise AmbiguousFilesError(f"{self.directory}: {left_out.duplicates} records lie there twice; strict is set")

    def _dropped(self, touched: Sequence[Hours | list[tuple[int, str]]]) -> dict[int, Dropped]:
        """The rows that do not count, by the place of the part: where a connection has several records."""
        by_hour: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for place, hours in enumerate(touched):
            for start, digest in hours:
                by_hour[start].append((place, digest))
        found: dict[int, list[int]] = defaultdict(list)
        for start, places in sorted(by_hour.items()):
            if len(places) == 1 and start not in self.parts[places[0][0]].doubled:
                continue
            slices = tuple(Slice(self.parts[place].piece, digest) for place, digest in places)
            table = doubled(start, slices, _copies(slices))
            for part, row in zip(table["part"].to_pylist(), table["row"].to_pylist(), strict=True):
                found[places[part][0]].append(row)
        return {place: Dropped.of(rows) for place, rows in found.items()}

    def require(self, selection: Selection, proto: str | None = None) -> aggregates.Extent:
        """The extent of the selected flows.

        Raises:
            NothingFoundError: there are none, or none of protocol ``proto``; the message says what there is.
        """
        found = extent(selection.window, selection.slices)
        if found is None:
            missing = "".join(f"; {each}" for each in selection.left_out.sentences())
            raise NothingFoundError(
                f"no flows {selection.window} in the files of {self.directory}; {self._span()}{missing}"
            )
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


def _copies(slices: Sequence[Slice]) -> tuple[int, ...]:
    """The places of slices that have the very same flows as an earlier one of another file."""
    first: dict[str, str] = {}
    return tuple(
        place
        for place, one in enumerate(slices)
        if first.setdefault(one.digest, one.piece.file.path) != one.piece.file.path
    )


def _name(file: SourceFile, root: Path) -> str:
    return os.path.relpath(file.path, root)


def _parts(file: SourceFile) -> list[Holding] | FlowError:
    """The parts of a file, or why it can't be read."""
    try:
        kind, why, found = contents(file)
    except (ChangedError, UnreadableError) as error:
        return error
    if why:
        return FAILURES[kind](why)
    return [
        Holding(Piece.of(file, facts), hours, doubles, _named(file, LeftOut.from_facts(json.loads(said))))
        for facts, hours, doubles, said in found
    ]


def _named(file: SourceFile, left_out: LeftOut) -> LeftOut:
    """The same, where the first line that is left out stands with the name of its file."""
    if not left_out.first:
        return left_out
    return LeftOut(left_out.lines, left_out.losses, first=f"{file.name}: {left_out.first}")


def _read(files: Iterable[SourceFile]) -> None:
    """Reads files that were not seen, some at once: each is read in one thread for a good part."""
    with ThreadPool(min(os.cpu_count() or 1, _READERS)) as pool:
        pieces = [piece for found in pool.map(_pieces, files) for piece in found]
        list(pool.map(_summarized, pieces))


def _pieces(file: SourceFile) -> list[Piece]:
    try:
        return [Piece.of(file, facts) for facts in cut(file)]
    except FlowError:
        return []  # `contents` will say why


def _summarized(piece: Piece) -> None:
    try:
        summary(piece)
    except FlowError:
        return  # likewise
