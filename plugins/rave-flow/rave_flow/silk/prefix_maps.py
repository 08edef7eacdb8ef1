"""Tools of prefix maps: rwpmapbuild and rwpmaplookup. The maps are values: `PrefixMap`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.model.address_set import AddressSet
from rave_flow.model.prefix_maps import PrefixMap
from rave_flow.sql.map_fields import map_named
from rave_flow.sql.silk_options import named

if TYPE_CHECKING:
    import pyarrow


def rwpmapbuild(labels: Any, /, *, name: str = "map") -> PrefixMap:
    """The prefix map of pairs of networks and labels, of a mapping, or of a file; the narrowest network counts.

    Raises:
        ParameterError: a network or the name is wrong, or the file can't be read.
    """
    return named("labels", lambda given: _built(given, name), labels)


def _built(given: Any, name: str) -> PrefixMap:
    if not isinstance(given, Path):
        return PrefixMap.of(name, given.items() if hasattr(given, "items") else given)
    try:
        return PrefixMap.load(name, given)
    except OSError as error:
        raise ValueError(f"{given} can't be read: {error.strerror}") from None


def rwpmaplookup(labels: PrefixMap | str, addresses: str | Iterable[str] | AddressSet, /) -> pyarrow.Table:
    """The label of each address, in the order given: columns address and label; ``None`` if there is none.

    Args:
        labels: a map, or the name of one in ``[plugins.flow.pmaps]``.
        addresses: the addresses; text separates them by commas or blanks.

    Raises:
        ParameterError: no map of that name is configured.
    """
    import pyarrow

    found = labels if isinstance(labels, PrefixMap) else named("labels", map_named, labels)
    given = addresses.replace(",", " ").split() if isinstance(addresses, str) else list(addresses)
    values = [pyarrow.array(each, pyarrow.string()) for each in (given, [found[address] for address in given])]
    return pyarrow.table(dict(zip(("address", "label"), values, strict=True)))
