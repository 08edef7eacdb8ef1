"""The steps that answers are put together from, each cached in its own right; none is exported.

Their keys are content: an hour whose flows did not change keeps its results, regardless of the files they came from and
of other changes in those files.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core import crossover_strategy, expires, mime_type, op, op_file
from rave_flow.errors import ColumnsError, MissingProgramError, UnreadableError
from rave_flow.formats.bundle_reading import PLACED
from rave_flow.formats.bundles import Bundle, bundled
from rave_flow.formats.chunks import Piece, pieces_of, span_of
from rave_flow.formats.name_logs import name_log_to_parquet
from rave_flow.formats.parquet_files import summarize, thinned
from rave_flow.formats.source_directory import SourceFile
from rave_flow.formats.spans import Span
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.model.left_out import LeftOut, merged
from rave_flow.model.windows import DAY, HOUR, Bins, Window, instant
from rave_flow.sql import aggregates, duplicates
from rave_flow.sql.uid_keys import in_several_hours, write_keys

if TYPE_CHECKING:
    import pyarrow

Hours = tuple[tuple[int, str], ...]
"""The start of each hour that has flows, in Unix seconds, and the digest of these."""

Said = tuple[Hours, tuple[int, ...], bool, str, tuple[tuple[int, str, str], ...]]
"""Of a piece its hours, those with two records of a connection, whether it has uids, what is left out as JSON, and
files that fail."""

Entry = tuple[tuple[int, ...], Any, Said | None, str, str]
"""Of some files: their places in a group; the facts of a piece, or the digest of a bundle; what it holds; or instead
the class and the text of the error for which they can't be read."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows of a piece that do not count, because the same connections have others."""

    rows: tuple[int, ...]
    digest: str

    def __rave_key__(self) -> str:
        """What represents them in a key."""
        return self.digest

    @classmethod
    def of(cls, rows: Sequence[int]) -> Dropped:
        """Those with these numbers, from 0."""
        return cls(tuple(rows), blake2b(repr(tuple(rows)).encode(), digest_size=20).hexdigest())


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a piece's flows that lies in the hours of a window; it counts by the digest of that part alone.

    Attributes:
        reach: the starts of the first and the last hour of which the whole piece has flows.
        rows: how many flows it has, those that are dropped included.
    """

    piece: Piece | Bundle
    digest: str
    dropped: Dropped | None = field(default=None, compare=False)
    reach: tuple[int, int] = field(default=(0, 0), compare=False)
    rows: int = field(default=0, compare=False)

    @classmethod
    def of(cls, piece: Piece | Bundle, hours: Hours, reach: tuple[int, int], dropped: Dropped | None = None) -> Slice:
        """The flows of a piece in these of its hours, but for the rows that are dropped."""
        digest = repr((hours, dropped.digest) if dropped else hours)
        rows = sum(int(said.partition(":")[0]) for _, said in hours)
        return cls(piece, blake2b(digest.encode(), digest_size=20).hexdigest(), dropped, reach, rows)

    def __rave_key__(self) -> str:
        """What represents the slice in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@op
@expires("30d")
def cut(file: SourceFile) -> tuple[tuple[object, ...], ...]:
    """The pieces of one file: for each its facts."""
    return tuple(piece.facts for piece in pieces_of(file))


@op
@expires("30d")
def spans(files: tuple[SourceFile, ...]) -> tuple[Span | None, ...]:
    """When the flows of each file start: see `rave_flow.formats.chunks.span_of`."""
    return tuple(map(span_of, files))


@op_file
@mime_type("application/vnd.apache.parquet")
@expires("30d")
def ingest(out: str, piece: Piece | Bundle) -> None:
    """The flows of one piece as Parquet."""
    to_parquet(piece, Path(out))


@op
@expires("30d")
def summary(piece: Piece | Bundle) -> Said:
    """What one piece holds. While it is being read anyway, what most questions need of it is computed, too."""
    found = summarize(Path(ingest(piece)))
    hours = tuple((hour.start, hour.said) for hour in found.hours)
    everything = Slice.of(piece, hours, (hours[0][0], hours[-1][0]) if hours else (0, 0))
    if everything.rows >= LARGE:
        part_extent(everything)
        for over in PREPARED:
            part_totals(everything, over)
    return hours, found.doubled, found.has_uids, json.dumps(found.left_out.facts()), found.failures


@op
@expires("30d")
def contents(files: tuple[SourceFile, ...]) -> tuple[Entry, ...]:
    """What some files hold that lie together, as `rave_flow.formats.bundles.groups` gave them.

    Raises:
        ChangedError: one of them is no longer what it was.
        MissingProgramError: a program is missing that reads one of them.
    """
    bundle = bundled(files) if len(files) > 1 else None
    found: list[Entry] = []
    together: set[SourceFile] = set()
    if bundle is not None:
        together = set(bundle.files)
        places = tuple(place for place, file in enumerate(files) if file in together)
        said = summary(bundle)
        found.append((places, bundle.digest, said, "", ""))
        found += [((places[place],), None, None, kind, why) for place, kind, why in said[4]]
    for place, file in enumerate(files):
        if file not in together:
            found += _alone(place, file)
    return tuple(found)


def _alone(place: int, file: SourceFile) -> list[Entry]:
    """What one file holds, piece by piece, or why it can't be read."""
    try:
        pieces = [(facts, summary(Piece.of(file, facts))) for facts in cut(file)]
    except MissingProgramError:
        raise
    except UnreadableError as error:
        return [((place,), None, None, type(error).__name__, str(error).replace(file.path, PLACED))]
    told = merged(LeftOut.from_facts(json.loads(said[3])) for _, said in pieces)
    if told.lines and not any(said[0] for _, said in pieces):
        why = f"{PLACED}: none of {told.skipped} lines could be read; {told.first}"
        return [((place,), None, None, UnreadableError.__name__, why)]
    return [((place,), facts, said, "", "") for facts, said in pieces]


FAILURES = {kind.__name__: kind for kind in (UnreadableError, ColumnsError)}


@op
@expires("30d")
def doubled(
    slices: tuple[Slice, ...],
    sources: tuple[int, ...],
    hours: tuple[int, ...],
    copies: tuple[tuple[int, int], ...],
) -> pyarrow.Table:
    """Which rows of some hours do not count: see `rave_flow.sql.duplicates.duplicates`."""
    return duplicates.duplicates([Path(ingest(one.piece)) for one in slices], sources, hours, copies)


@op_file
@mime_type("application/octet-stream")
@expires("30d")
def uid_keys(out: str, piece: Piece | Bundle, database: str) -> None:  # noqa: ARG001  # part of the key
    """See `rave_flow.sql.uid_keys.write_keys`; another version of the ``database`` has other hashes."""
    write_keys(Path(ingest(piece)), Path(out))


@op
@expires("30d")
def scattered(slices: tuple[Slice, ...], hours: tuple[int, ...]) -> pyarrow.Table:
    """Which rows do not count, of connections with records in several of some hours, given by their starts in order.

    See `rave_flow.sql.duplicates.scattered`.
    """
    import duckdb

    keys = [Path(uid_keys(one.piece, duckdb.__version__)) for one in slices]
    uids = in_several_hours(keys, hours)
    return duplicates.scattered([Path(ingest(one.piece)) for one in slices] if len(uids) else [], uids, hours)


@op_file
@mime_type("application/vnd.apache.parquet")
@expires("30d")
def names(out: str, file: SourceFile, kind: str) -> None:
    """Who asked for which name, by one of Zeek's logs: see `rave_flow.formats.name_logs`."""
    name_log_to_parquet(file, kind, Path(out))


@op_file
@mime_type("application/vnd.apache.parquet")
@expires("30d")
def without(out: str, piece: Piece | Bundle, dropped: Dropped) -> None:
    """The flows of one piece as Parquet, but for some rows."""
    thinned(Path(ingest(piece)), dropped.rows, Path(out))


def parquet_of(slices: Sequence[Slice]) -> list[Path]:
    """The files that hold the slices, created if they are not kept."""
    return [Path(ingest(one.piece) if one.dropped is None else without(one.piece, one.dropped)) for one in slices]


@op
@expires("30d")
def part_extent(part: Slice) -> aggregates.Extent | None:
    """See `rave_flow.sql.aggregates.extent`."""
    return aggregates.extent(parquet_of((part,)), Window())


PREPARED = ("src", "dst")
"""What is added up for each large piece when it is read: then not even the first question reads its flows."""

LARGE = 20_000
"""The flows of a large piece. Those of smaller ones are read together, as quickly as their sums."""


@op
@expires("30d")
def part_totals(part: Slice, over: str) -> pyarrow.Table | None:
    """See `rave_flow.sql.aggregates.totals`."""
    return aggregates.totals(parquet_of((part,)), Window(), over)


@op
def extent(window: Window, slices: tuple[Slice, ...]) -> aggregates.Extent | None:
    """How many flows there are in the window, when the first and last of them started, and their protocols."""
    known = [one for one in slices if one.rows >= LARGE and clipped(window, (one,)) == Window()]
    found = [part_extent(one) for one in known]
    if others := [one for one in slices if one not in known]:
        found.append(aggregates.extent(parquet_of(others), window))
    return aggregates.together([each for each in found if each is not None])


@op
def top(window: Window, slices: tuple[Slice, ...], n: int, by: str, over: str) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.top`. Days that did not change are not read again."""
    known, others = [], list[Slice]()
    for day in days(slices):
        found = totals(clipped(window, day), day, over)
        if found is None:
            others += day
        else:
            known.append(found)
    table = aggregates.top(parquet_of(others), window, n, by, over, known)
    return table if len(aggregates.DIMENSIONS[over]) == 1 else aggregates.shared(table, by, amount(window, slices, by))


@op
@expires("30d")
def totals(window: Window, slices: tuple[Slice, ...], over: str) -> pyarrow.Table | None:
    """See `rave_flow.sql.aggregates.totals`."""
    large = [one for one in slices if one.rows >= LARGE]
    if window != Window() or over not in PREPARED or not large:
        return aggregates.totals(parquet_of(slices), window, over)
    parts = [part_totals(one, over) for one in large]
    if others := [one for one in slices if one.rows < LARGE]:
        parts.append(aggregates.totals(parquet_of(others), window, over, sharing=1))
    known = [part for part in parts if part is not None]
    return aggregates.added(known) if len(known) == len(parts) else aggregates.totals(parquet_of(slices), window, over)


@op
def amount(window: Window, slices: tuple[Slice, ...], by: str) -> int:
    """See `rave_flow.sql.aggregates.amount`."""
    return aggregates.amount(parquet_of(slices), window, by)


def days(slices: Sequence[Slice]) -> list[tuple[Slice, ...]]:
    """The slices by the day in which their first flow starts."""
    found: dict[int, list[Slice]] = defaultdict(list)
    for one in slices:
        found[one.reach[0] // DAY].append(one)
    return [tuple(found[day]) for day in sorted(found)]


def clipped(window: Window, slices: Sequence[Slice]) -> Window:
    """The window without the sides that leave out no flow of the slices' files."""
    first, last = min(one.reach[0] for one in slices), max(one.reach[1] for one in slices)
    return Window(
        window.start if window.start is not None and window.start > instant(first) else None,
        window.end if window.end is not None and window.end < instant(last + HOUR) else None,
    )


@op
def count(window: Window, slices: tuple[Slice, ...], bins: Bins, proto: str | None) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.count`."""
    return aggregates.count(parquet_of(slices), window, bins, proto)


@op
def series(window: Window, slices: tuple[Slice, ...], bins: Bins) -> pyarrow.Table:
    """See `rave_flow.sql.aggregates.series`."""
    return aggregates.series(parquet_of(slices), window, bins)


@op
@expires(crossover_strategy("5m", "30d", "4h", "start"))
def hour(start: datetime, slices: tuple[Slice, ...]) -> pyarrow.Table:
    """Totals by protocol and port of the hour that begins at ``start``: see `rave_flow.sql.aggregates.hour`."""
    return aggregates.hour(parquet_of(slices), Window.of_hour(start))
