"""MaxMind's binary files, ``.mmdb``, as ranges of addresses with labels. Needs the package ``maxminddb``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rave_flow.model.address_set import number_of

Labelled = tuple[int, int, str]


def labelled_networks(path: Path) -> list[Labelled]:
    """First and last number of addresses and their label, sorted; neighbours of one label are one range.

    The label is the ISO code of the country, of the registered country where there is none, or the number of the
    autonomous system; networks with neither are left out.

    Raises:
        OSError: the file can't be read.
        ValueError: ``maxminddb`` is missing, or the file is damaged or has no such labels.
    """
    try:
        import maxminddb
    except ImportError:
        raise ValueError(f"{path}: maxminddb is needed to read it: pip install 'rave-flow[maxmind]'") from None
    try:
        with maxminddb.open_database(path) as database:
            found = list(_joined(sorted(_ranges(database))))
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError(f"{path}: is not a MaxMind database, or is damaged: {error}") from None
    if not found:
        raise ValueError(f"{path}: has neither countries nor autonomous systems")
    return found


def _ranges(database: Iterable[tuple[Any, Any]]) -> Iterator[Labelled]:
    for network, facts in database:
        if label := _label(facts):
            first = number_of(network.network_address)
            yield first, first + network.num_addresses - 1, label


def _label(facts: Any) -> str:
    if not isinstance(facts, dict):
        return ""
    for name in ("country", "registered_country"):
        place = facts.get(name)
        if isinstance(place, dict) and place.get("iso_code"):
            return str(place["iso_code"])
    return str(facts.get("autonomous_system_number") or "")


def _joined(ranges: Iterable[Labelled]) -> Iterator[Labelled]:
    held: Labelled | None = None
    for first, last, label in ranges:
        if held is not None and held[2] == label and held[1] + 1 == first:
            held = held[0], last, label
            continue
        if held is not None:
            yield held
        held = first, last, label
    if held is not None:
        yield held
