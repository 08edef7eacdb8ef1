"""Labels of prefix maps as fields of flows: ``src_country``, ``dst_country``, and the SQL of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, partial

from rave_flow.model.prefix_maps import PrefixMap
from rave_flow.sql.address_tests import HALF
from rave_flow.sql.literals import listed, numbers
from rave_flow.sql.named_files import is_named, path_of, read

COUNTRY = "country"
"""The map that SiLK's fields ``scc`` and ``dcc`` ask."""

_NAME = re.compile(r"(src|dst)_([a-z][a-z0-9_]*)")
_CODES = {"scc": f"src_{COUNTRY}", "dcc": f"dst_{COUNTRY}", "18": f"src_{COUNTRY}", "19": f"dst_{COUNTRY}"}


class MapField(str):
    """The name of a field that a prefix map gives, with the map: another map makes another key."""

    __slots__ = ("map",)
    map: PrefixMap

    def __rave_key__(self) -> object:
        """What represents the field in a key."""
        return str(self), self.map.digest


def map_named(name: str) -> PrefixMap:
    """The prefix map of that name in ``[plugins.flow.pmaps]``.

    Raises:
        ValueError: none is configured, or its file can't be read.
    """
    return read(path_of(name, "pmaps"), _loader(name))


@lru_cache(maxsize=64)
def _loader(name: str) -> partial[PrefixMap]:
    """The same function for the same name each time, so that what it made is found again."""
    return partial(PrefixMap.load, name)


def to_map_field(word: str) -> MapField | None:
    """The field that a word means; ``None`` if it does not have the form of one, or no map has that name.

    Raises:
        ValueError: a country code is asked for, and no map called ``country`` is configured; or a file can't be read.
    """
    found = _NAME.fullmatch(_CODES.get(word, word))
    if found is None or (word not in _CODES and not is_named(found[2], "pmaps")):
        return None
    field = MapField(found[0])
    field.map = map_named(found[2])
    return field


def with_labels(view: str, fields: Iterable[MapField]) -> str:
    """The query for the flows of a view with a column for each field."""
    columns, joins = ["flows.*"], []
    for number, field in enumerate(dict.fromkeys(fields)):
        end = field[:3]
        columns.append(f"coalesce(part{number}.label, half{number}.label) AS {field}")
        joins.append(
            f"LEFT JOIN ({_parts(view, end, field.map)}) AS part{number} "
            f"ON {end}_high = part{number}.high AND {end}_low = part{number}.low"
        )
        joins.append(f"LEFT JOIN ({_halves(view, end, field.map)}) AS half{number} ON {end}_high = half{number}.high")
    return f"SELECT {', '.join(columns)} FROM {view} AS flows {' '.join(joins)}"  # noqa: S608  # names of ours, literals


def _cut(prefixes: PrefixMap) -> tuple[list[tuple[int, int, int, str]], list[tuple[int, int, str]]]:
    """Entries within one high half, with that half; and entries of whole halves."""
    parts, halves = [], []
    for first, last, label in prefixes.entries:
        (high, low), (highest, lowest) = divmod(first, HALF), divmod(last, HALF)
        if high == highest:
            parts.append((high, low, lowest, label))
            continue
        since, until = high + (low > 0), highest - (lowest < HALF - 1)
        if low > 0:
            parts.append((high, low, HALF - 1, label))
        if lowest < HALF - 1:
            parts.append((highest, 0, lowest, label))
        if since <= until:
            halves.append((since, until, label))
    return sorted(parts), halves


def _parts(view: str, end: str, prefixes: PrefixMap) -> str:
    rows, _ = _cut(prefixes)
    columns = [f"unnest({numbers(row[place] for row in rows)})" for place in (0, 1, 2)]  # type: ignore[misc]  # numbers
    labels = f"unnest([{listed(row[3] for row in rows)}]::VARCHAR[])"
    return (
        f"SELECT high, low, label FROM (SELECT DISTINCT {end}_high AS high, {end}_low AS low FROM {view}) "  # noqa: S608  # ours
        f"ASOF JOIN (SELECT {columns[0]} AS half, {columns[1]} AS first, {columns[2]} AS last, {labels} AS label) "
        "ON high = half AND low >= first WHERE low <= last"
    )


def _halves(view: str, end: str, prefixes: PrefixMap) -> str:
    _, rows = _cut(prefixes)
    columns = [f"unnest({numbers(row[place] for row in rows)})" for place in (0, 1)]  # type: ignore[misc]  # numbers
    labels = f"unnest([{listed(row[2] for row in rows)}]::VARCHAR[])"
    return (
        f"SELECT high, label FROM (SELECT DISTINCT {end}_high AS high FROM {view}) "  # noqa: S608  # ours
        f"ASOF JOIN (SELECT {columns[0]} AS first, {columns[1]} AS last, {labels} AS label) "
        "ON high >= first WHERE high <= last"
    )


def to_labelled(value: object, *, country: bool = False) -> tuple[tuple[int, int], ...]:
    """The numbers of the addresses with some labels: ``country:DE,FR``; of a country code the map need not be named.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], PrefixMap):
        return value[0].ranges([value[1]] if isinstance(value[1], str) else value[1])
    if isinstance(value, tuple) and all(isinstance(pair, tuple) for pair in value):
        return value
    if not isinstance(value, str):
        raise TypeError("expected the name of a prefix map and labels, such as country:DE,FR")
    name, colon, labels = (COUNTRY, ":", value) if country else value.partition(":")
    if not colon or not labels.strip():
        raise ValueError("expected the name of a prefix map and labels, such as country:DE,FR")
    return map_named(name.strip()).ranges([label.strip() for label in labels.split(",")])


to_countries = partial(to_labelled, country=True)
