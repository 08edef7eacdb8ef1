"""What the files of a directory hold, hour by hour, and which of it a window of time selects."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rave_flow.errors import AmbiguousFilesError, FlowError, NothingFoundError, StrictError
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.spans import Span
from rave_flow.loading import Holding, Loading
from rave_flow.model.left_out import LeftOut, merged
from rave_flow.model.windows import DAY, HOUR, MOST_BINS, Window, instant
from rave_flow.steps import Dropped, Hours, Slice, doubled, extent, scattered

if TYPE_CHECKING:
    from rave_flow.sql import aggregates


@dataclass(frozen=True, slots=True)
class Selection:
    """What a window of a repository holds.

    Attributes:
        left_out: what is missing from it.
    """

    window: Window
    slices: tuple[Slice, ...]
    left_out: LeftOut

    def without(self, apart: int) -> Selection:
        """The same, of which some flows are in no bin."""
        return replace(self, left_out=self.left_out + LeftOut(apart=apart))

    @property
    def skipped(self) -> int:
        """How many lines are left out."""
        return self.left_out.skipped

    @property
    def notes(self) -> dict[str, str]:
        """What a result's metadata say of what is left out."""
        return self.left_out.metadata()


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the files of a repository hold, hour by hour.

    Attributes:
        directory: for messages.
        parts: each piece of each file.
        files: names of files that are not read, each with the reason.
        strict: whether anything that is left out is an error.
        untouched: when the flows start in files that were not read, because the window holds none of them.
    """

    directory: str
    parts: tuple[Holding, ...]
    files: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    untouched: tuple[Span, ...] = ()

    @classmethod
    def of(cls, repository: Repository, window: Window | None = None) -> Self:
        """The inventory of ``repository``. Does not reread known files, or read files outside ``window``.

        A file that can't be read is left out and named.

        Raises:
            FlowError: no file can be read; the error is that of the first one.
        """
        loading = Loading.of(repository, window or Window())
        if loading.failures and not loading.holdings and not loading.untouched:
            raise loading.failures[0][1]
        root = Path(repository.directory)
        named = [(_name(file, root), _reason(file, error)) for file, error in loading.failures]
        return cls(
            repository.directory,
            tuple(loading.holdings),
            (*named, *repository.passed_over),
            repository.strict,
            tuple(loading.untouched),
        )

    def select(self, window: Window, within: Window | None = None) -> Selection:
        """The slices of the files that have flows in the hours of ``window``.

        Args:
            window: what is selected.
            within: what the question is about, if that is more: a connection that has records in several of its hours
                counts in one of them.

        Raises:
            StrictError: something is left out, and ``strict`` is set.
        """
        touched = self._touched(window)
        dropped, alike = self._dropped(touched, self._touched(within) if within else touched)
        slices, left_out = [], [LeftOut(files=self.files)]
        for place, (part, hours) in enumerate(zip(self.parts, touched, strict=True)):
            if hours or not part.hours:
                left_out.append(part.left_out)
            if hours:
                reach = part.hours[0][0], part.hours[-1][0]
                slices.append(Slice.of(part.piece, hours, reach, dropped.get(place)))
        left_out.append(LeftOut(duplicates=sum(len(rows.rows) for rows in dropped.values()), alike=alike))
        found = Selection(window, tuple(slices), merged(left_out))
        if self.strict:
            self._refuse(found.left_out)
        return found

    def _touched(self, window: Window) -> list[Hours]:
        """The hours of each part that have a part in a window."""
        return [tuple(hour for hour in part.hours if window.touches_hour(hour[0])) for part in self.parts]

    def _refuse(self, left_out: LeftOut) -> None:
        if left_out.lines or left_out.files:
            raise StrictError(f"{self.directory}: {left_out.sentences()[0]}; strict is set, so there is no answer")
        if several := left_out.duplicates + left_out.alike:
            raise AmbiguousFilesError(f"{self.directory}: {several} records are there twice; strict is set")

    def _dropped(self, touched: Sequence[Hours], within: Sequence[Hours]) -> tuple[dict[int, Dropped], int]:
        """The rows that do not count, by the place of the part, because a connection has several records.

        And how many rows count that may be copies.
        """
        found = self._scattered(within)
        alike = 0
        for hours in _shared(self.parts, touched):
            places, slices = self._holders(hours)
            paths = [self.parts[place].piece.path for place in places]
            numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
            sources, copies = tuple(numbers[path] for path in paths), self._copies(hours, places)
            table = doubled(slices, sources, tuple(hours), copies)
            columns = (table[name].to_pylist() for name in ("part", "row", "certain"))
            for part, row, certain in zip(*columns, strict=True):
                if certain:
                    found[places[part]].add(row)
                else:
                    alike += 1
        return {place: Dropped.of(sorted(rows)) for place, rows in found.items()}, alike

    def _scattered(self, touched: Sequence[Hours]) -> dict[int, set[int]]:
        """The rows that do not count, by the place of the part, because a connection has records in several hours."""
        found: dict[int, set[int]] = defaultdict(set)
        for hours in _around(self.parts, touched):
            places, slices = self._holders(hours)
            table = scattered(slices, tuple(hours))
            for part, row in zip(table["part"].to_pylist(), table["row"].to_pylist(), strict=True):
                found[places[part]].add(row)
        return found

    def _holders(self, hours: Mapping[int, Holders]) -> tuple[list[int], tuple[Slice, ...]]:
        """The parts with flows in some hours: their places, and what they have in these."""
        held: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for start, holders in hours.items():
            for place, digest in holders:
                held[place].append((start, digest))
        return sorted(held), tuple(Slice(self.parts[place].piece, repr(held[place])) for place in sorted(held))

    def _copies(self, hours: Mapping[int, Holders], places: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Hours of which a part has the very same flows as an earlier one of another file: its place, and the hour."""
        found = []
        for start, holders in hours.items():
            first: dict[str, str] = {}
            for place, digest in holders:
                path = self.parts[place].piece.path
                same = ":".join(digest.split(":")[:2])  # a reduced copy may lack columns of the source's own
                if first.setdefault(same, path) != path:
                    found.append((places.index(place), start))
        return tuple(found)

    def bulk(self, selection: Selection, found: aggregates.Extent, width: float) -> Bulk:
        """The time that bins of ``width`` seconds cover, without flows that start so far from all others that there
        would be too many bins, as with a sensor's wrong clock.

        A window that has both ends bounds its bins itself.
        """
        window = selection.window
        if (window.start and window.end) or (found.last - found.first).total_seconds() / width < MOST_BINS:
            return Bulk(found.first, found.last)
        rows: Counter[int] = Counter()
        for part in self.parts:
            rows.update(
                {start: int(said.partition(":")[0]) for start, said in part.hours if window.touches_hour(start)}
            )
        clusters = _clusters(sorted(rows))
        largest = max(clusters, key=lambda hours: sum(rows[start] for start in hours))
        kept = sum(rows[start] for start in largest)
        first = max(found.first, instant(largest[0]))
        last = min(found.last, instant(largest[-1] + HOUR - 1e-6))
        return Bulk(first, last, rows.total() - kept)

    def require(
        self, selection: Selection, proto: str | None = None, *, parameter: str | None = None
    ) -> aggregates.Extent:
        """The extent of the selected flows.

        Args:
            selection: of a window.
            proto: a protocol that must be among them.
            parameter: the argument that chose the window; by default ``start`` or ``end``.

        Raises:
            NothingFoundError: there are none, or none of protocol ``proto``; the message says what there is.
        """
        found = extent(selection.window, selection.slices)
        if found is None:
            missing = "".join(f"; {each}" for each in selection.left_out.sentences())
            raise NothingFoundError(
                f"no flows {selection.window} in the files of {self.directory}; {self._span()}{missing}",
                parameter=parameter or ("end" if selection.window.start is None else "start"),
            )
        if proto is not None and proto not in found.protocols:
            raise NothingFoundError(
                f"no {proto!r} flows {selection.window}; there are {', '.join(found.protocols)}", parameter="proto"
            )
        return found

    def _span(self) -> str:
        everything = self.select(Window())
        there = extent(everything.window, everything.slices)
        times: list[float] = [time for span in self.untouched if span[0] <= span[1] for time in span]
        times += [there.first.timestamp(), there.last.timestamp()] if there else []
        if not times:
            return "they are empty"
        return f"they reach from {instant(min(times)):%Y-%m-%d %H:%M} to {instant(max(times)):%Y-%m-%d %H:%M} UTC"


Holders = list[tuple[int, str]]
"""The places of the parts that have flows of an hour, and the digest of these flows."""


def _by_hour(touched: Sequence[Hours], places: Iterable[int]) -> dict[int, Holders]:
    """Which of some parts have flows of each hour, in order of the hours."""
    found: dict[int, Holders] = defaultdict(list)
    for place in places:
        for start, digest in touched[place]:
            found[start].append((place, digest))
    return dict(sorted(found.items()))


def _shared(parts: Sequence[Holding], touched: Sequence[Hours]) -> list[dict[int, Holders]]:
    """The hours, day by day, in which a flow may be there twice: in one part, or in two."""
    days: dict[int, dict[int, Holders]] = defaultdict(dict)
    for start, holders in _by_hour(touched, range(len(parts))).items():
        if len(holders) > 1 or start in parts[holders[0][0]].doubled:
            days[start // DAY][start] = holders
    return list(days.values())


def _around(parts: Sequence[Holding], touched: Sequence[Hours]) -> list[dict[int, Holders]]:
    """The hours of each day and the next, among which a connection may have several records; not of a single hour."""
    by_hour = _by_hour(touched, [place for place, part in enumerate(parts) if part.has_uids])
    days: dict[int, dict[int, Holders]] = defaultdict(dict)
    for start, holders in by_hour.items():
        days[start // DAY][start] = holders
    pairs = [hours | days.get(day + 1, {}) for day, hours in days.items() if day + 1 in days or day - 1 not in days]
    return [hours for hours in pairs if len(hours) > 1]


@dataclass(frozen=True, slots=True)
class Bulk:
    """When most flows of a selection start, and how many start far from these."""

    first: datetime
    last: datetime
    apart: int = 0


_FAR = 30 * 86400
"""Seconds without any flow after which others are far."""


def _clusters(starts: Sequence[int]) -> list[list[int]]:
    """Hours in groups that are far from each other."""
    found: list[list[int]] = []
    for start in starts:
        if found and start - found[-1][-1] <= _FAR:
            found[-1].append(start)
        else:
            found.append([start])
    return found


def _reason(file: SourceFile, error: FlowError) -> str:
    """Why a file can't be read, without its folder: the name is said beside it."""
    told = str(error).removeprefix(f"{file.path}: ").removeprefix(f"{file.path}, ")
    return told.replace(file.path, os.path.basename(file.path))


def _name(file: SourceFile, root: Path) -> str:
    return os.path.relpath(file.path, root)
