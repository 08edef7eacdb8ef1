"""Which files of a directory are read for a window of time, and what they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from rave_core import Options, ThreadPool
from rave_flow.errors import ChangedError, FlowError, UnreadableError
from rave_flow.formats.bundle_reading import PLACED
from rave_flow.formats.bundles import Bundle, groups
from rave_flow.formats.chunks import Piece
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.spans import Span
from rave_flow.model.left_out import LeftOut
from rave_flow.model.windows import Window
from rave_flow.steps import FAILURES, Entry, Hours, Said, contents, cut, spans, summary

_READERS = 4
"""The most pieces to read at once."""

Group = tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """One piece of a file, or some small files, and their content.

    Attributes:
        doubled: the starts of hours in which a connection has two records.
        has_uids: whether some flows have a uid.
        left_out: what of it can't be read.
    """

    piece: Piece | Bundle
    hours: Hours
    doubled: tuple[int, ...]
    has_uids: bool
    left_out: LeftOut

    @classmethod
    def of(cls, files: Group, piece: Piece | Bundle, said: Said) -> Self:
        """What a piece of these files holds, by what `rave_flow.steps.summary` says."""
        hours, doubled, has_uids, left_out, _ = said
        return cls(piece, hours, doubled, has_uids, _named(files, LeftOut.from_facts(json.loads(left_out))))


@dataclass(slots=True)
class Loading:
    """What was read.

    Attributes:
        holdings: in the order of the files.
        failures: files that can't be read, and why.
        untouched: when the flows start in files that were not read, because the window holds none of them.
    """

    holdings: list[Holding] = field(default_factory=list)
    failures: list[tuple[SourceFile, FlowError]] = field(default_factory=list)
    untouched: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, repository: Repository, window: Window) -> Self:
        """What the files with flows in a window hold. New files are read, several at once."""
        found = cls()
        known = contents.answering(Options(dry_run=True))
        everything = groups(repository.files)
        unseen = [group for group in everything if known(group) is None]
        chosen = {group: _touched(group, window) for group in unseen} if window != Window() else {}
        _read([group for group in unseen if chosen.get(group, group) is not None], chosen)
        for group in everything:
            pieces = chosen.get(group)
            if group in chosen and pieces is None:
                found.untouched += [span for span in spans(group) if span]
            elif isinstance(pieces, list):
                found._take_pieces(group, pieces)
            else:
                found._take(group)
        return found

    def _take(self, group: Group) -> None:
        try:
            entries: Iterable[tuple[Group, Entry]] = [(group, entry) for entry in contents(group)]
        except (ChangedError, UnreadableError):
            entries = []
            for file in group:
                self._take_one(file)
        for files, entry in entries:
            self._add(files, entry)

    def _take_one(self, file: SourceFile) -> None:
        try:
            for entry in contents((file,)):
                self._add((file,), entry)
        except (ChangedError, UnreadableError) as error:
            self.failures.append((file, error))

    def _add(self, files: Group, entry: Entry) -> None:
        places, facts, said, kind, why = entry
        chosen = tuple(files[place] for place in places)
        if said is None:
            self.failures.append((chosen[0], FAILURES[kind](why.replace(PLACED, chosen[0].path))))
            return
        piece = Bundle(chosen, facts) if isinstance(facts, str) else Piece.of(chosen[0], facts)
        if len(said[4]) < len(chosen):  # else none of them could be read
            self.holdings.append(Holding.of(chosen, piece, said))

    def _take_pieces(self, group: Group, pieces: Sequence[Piece]) -> None:
        try:
            self.holdings += [Holding.of(group, piece, summary(piece)) for piece in pieces]
        except (ChangedError, UnreadableError) as error:
            self.failures.append((group[0], error))


def _touched(group: Group, window: Window) -> Group | list[Piece] | None:
    """What to read of a group for a window: all, some pieces of its one file, or nothing."""
    if len(group) == 1:
        try:
            pieces = [Piece.of(group[0], facts) for facts in cut(group[0])]
        except FlowError:
            return group  # reading it will say why
        if pieces[0].is_part:
            some = [piece for piece in pieces if _touches(piece.span, window)]
            return group if len(some) == len(pieces) else some or None
    return group if any(_touches(span, window) for span in spans(group)) else None


def _touches(span: Span | None, window: Window) -> bool:
    """Whether flows that start then may be in a window."""
    if span is None:
        return True
    after = window.end is not None and span[0] >= window.end.timestamp()
    before = window.start is not None and span[1] + 1 <= window.start.timestamp()
    return not (after or before) and span[0] <= span[1]


def _named(files: Group, left_out: LeftOut) -> LeftOut:
    """The same, with the name of its file before the first line that is left out."""
    if not left_out.first:
        return left_out
    place, mark, first = left_out.first.partition(PLACED)
    file = files[int(place)] if mark else files[0]
    return replace(left_out, first=f"{file.name}: {first if mark else left_out.first}")


def _read(unseen: Sequence[Group], chosen: dict[Group, Group | list[Piece] | None]) -> None:
    """Reads what is new, several at once: much of each reading uses only one thread."""
    with ThreadPool(min(os.cpu_count() or 1, _READERS)) as pool:
        alone = [group for group in unseen if len(group) == 1 and not isinstance(chosen.get(group), list)]
        pieces = [piece for found in pool.map(_pieces, alone) for piece in found]
        pieces += [piece for group in unseen if isinstance(some := chosen.get(group), list) for piece in some]
        list(pool.map(_summarized, pieces))
        list(pool.map(_held, [group for group in unseen if len(group) > 1]))


def _pieces(group: Group) -> list[Piece]:
    try:
        return [Piece.of(group[0], facts) for facts in cut(group[0])]
    except FlowError:
        return []  # `contents` will say why


def _summarized(piece: Piece) -> None:
    try:
        summary(piece)
    except FlowError:
        return  # likewise


def _held(group: Group) -> None:
    try:
        contents(group)
    except FlowError:
        return  # likewise
