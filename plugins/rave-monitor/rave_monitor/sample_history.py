"""The history of a monitor: the values of a key in a range of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from rave_core import OperationError
from rave_monitor.checkpoint import Sample

if TYPE_CHECKING:
    from rave_monitor.sample_database import SampleDatabase
    from rave_monitor.sample_store import SampleStore

Series: TypeAlias = list[tuple[float, Any]]
"""Times in Unix seconds with values, newest first."""

MOST: Final = 200_000
"""Samples in one answer."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What monitors and processors may be called."""
_CUT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([^=]+)=(.*)")
MISSING: Final = object()
"""Stands for a value that is not there."""


@lru_cache(maxsize=16)
def opened(url: str) -> SampleDatabase:
    """The database at a URL; each is opened once in a process."""
    from rave_monitor.sample_database import SampleDatabase  # a worker that is never asked needs no SQLAlchemy

    return SampleDatabase(url)


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value of a key in a sample, such as ``n``, or ``top.0.1`` in tables and lists; `MISSING` if there is none."""
    if not key:
        return values
    if key in values:
        return values[key]
    found: Any = values
    for step in key.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return MISSING
    return found


def cuts_of(where: str) -> list[str]:
    """The cuts in a text, which commas join."""
    return [each for each in where.split(",") if each]


class SampleHistory:
    """What was sampled by one monitor. Safe for threads.

    Every method raises `rave_core.errors.StoreAwayError` if the database can't be reached.
    """

    def __init__(self, store: SampleStore) -> None:
        """Reads from a store."""
        self._store = store

    def series(self, processor: str, key: str, start: float, end: float, cuts: Iterable[str] = ()) -> Series:
        """The values of ``key`` in samples from ``start`` up to, but not including ``end``, newest first.

        Args:
            processor: the name of a processor.
            key: of a value in its samples; empty for all of each sample. A sample without it is left out.
            start, end: Unix seconds.
            cuts: each ``processor.key=value``: only times at which a sample of that processor has that value.

        Raises:
            OperationError: the range is reversed, has too many samples, or a cut can't be read.
        """
        if end < start:
            raise OperationError(f"the range is reversed: it ends at {end:.3f}, before it starts at {start:.3f}")
        wanted = set.intersection(*times) if (times := list(self._times(cuts, start, end))) else None
        found = ((each.time, value_at(each.values, key)) for each in self._read(processor, start, end))
        return [pair for pair in found if pair[1] is not MISSING and (wanted is None or pair[0] in wanted)]

    def latest(self, processor: str, key: str) -> tuple[float, Any] | None:
        """The newest value of a key; ``None`` if the newest sample has none, or there is no sample."""
        if not NAME.fullmatch(processor):
            return None
        for each in self._store.samples(processor, 0.0, 1e18, limit=1):
            value = value_at(each.values, key)
            return None if value is MISSING else (each.time, value)
        return None

    def is_settled(self, end: float) -> bool:
        """Whether no sample before ``end`` will be added any more: later ones are there, whatever was slow."""
        return self._store.settled_before() >= end

    def _read(self, processor: str, start: float, end: float) -> list[Sample]:
        if not NAME.fullmatch(processor):
            return []
        found = self._store.samples(processor, start, end, limit=MOST + 1)
        if len(found) > MOST:
            raise OperationError(f"the range is too long: it has more than {MOST:,} samples; ask for a part of it")
        return found

    def _times(self, cuts: Iterable[str], start: float, end: float) -> Iterator[set[float]]:
        for cut in cuts:
            read = _CUT.fullmatch(cut.strip())
            if read is None:
                raise OperationError(f"where has {cut!r}: write processor.key=value")
            processor, key, text = read.groups()
            samples = self._read(processor, start, end)
            yield {each.time for each in samples if is_equal(value_at(each.values, key), text)}


def is_equal(value: Any, text: str) -> bool:
    """Whether a value is what a text says: as text, or as JSON."""
    if isinstance(value, str):
        return value == text
    try:
        return bool(value == msgspec.json.decode(text.encode()))
    except msgspec.DecodeError:
        return False
