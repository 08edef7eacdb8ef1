"""Which connections have records in several hours: found by numbers for their uids, without reading their flows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.columns import literal
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.windows import HOUR

if TYPE_CHECKING:
    import numpy

_HOURS = 256
"""The last byte of a key is that of the hour; the others are of the uid's hash."""

OF_UID = f"hash(uid) & {2**64 - _HOURS}::UBIGINT"
"""The SQL of a key without its hour: equal for equal uids, and for hardly any others."""

_MOST = 1 << 23
"""The most keys that are looked at together."""


def write_keys(parquet: Path, target: Path) -> None:
    """Writes the keys of a file of flows, sorted: one for each uid and hour in which it has a record."""
    import numpy

    hour = f"(epoch_us(ts) // {HOUR * 10**6} % {_HOURS} + {_HOURS}) % {_HOURS}"
    query = f"SELECT ({OF_UID}) | ({hour})::UBIGINT AS key FROM read_parquet({literal(str(parquet))}) "  # noqa: S608  # quoted
    with connected() as connection:
        keys = connection.execute(query + "WHERE uid IS NOT NULL").fetchnumpy()["key"]
    keys.sort()
    with target.open("wb") as out:
        numpy.save(out, _distinct(keys))


def in_several_hours(files: Sequence[Path], hours: Sequence[int]) -> numpy.ndarray:
    """What `OF_UID` is of uids that have records in more than one of some hours, and perhaps of a few others; sorted.

    Args:
        files: what `write_keys` wrote.
        hours: Unix times of their starts, fewer than 256 hours apart.
    """
    import numpy

    runs = [numpy.load(file, mmap_mode="r") for file in files]
    is_asked = numpy.zeros(_HOURS, bool)
    is_asked[[start // HOUR % _HOURS for start in hours]] = True
    number = max(1, -(-sum(map(len, runs)) // _MOST))
    limits = [(2**64 * place // number) // _HOURS * _HOURS for place in range(1, number)]
    parts = zip(*(numpy.split(run, numpy.searchsorted(run, numpy.array(limits, "u8"))) for run in runs), strict=True)
    return numpy.concatenate([_repeated(numpy.concatenate(part), is_asked) for part in parts])


def _repeated(keys: numpy.ndarray, is_asked: numpy.ndarray) -> numpy.ndarray:
    import numpy

    keys.sort(kind="stable")  # which merges sorted runs
    hours = keys & numpy.uint64(_HOURS - 1)
    keys, hours = keys[is_asked[hours]], hours[is_asked[hours]]
    uids = keys - hours
    return _distinct(uids[1:][(uids[1:] == uids[:-1]) & (hours[1:] != hours[:-1])])


def _distinct(numbers: numpy.ndarray) -> numpy.ndarray:
    """Sorted numbers, each once; for these ten times as fast as NumPy's own `unique`, which hashes them."""
    import numpy

    is_first = numpy.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
    found: numpy.ndarray = numbers[is_first]
    return found
