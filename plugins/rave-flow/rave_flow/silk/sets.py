"""Tools of sets of addresses: rwsetbuild, rwsetcat, rwsettool, rwsetmember. The sets are values: `AddressSet`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.sql.numbers import optional, whole
from rave_flow.sql.silk_options import named

if TYPE_CHECKING:
    import pyarrow

MOST_ROWS = 1_000_000
"""The most addresses that a table lists."""

JOINS: dict[str, Callable[[AddressSet, AddressSet], AddressSet]] = {
    "union": AddressSet.__or__,
    "intersect": AddressSet.__and__,
    "difference": AddressSet.__sub__,
    "symmetric_difference": AddressSet.__xor__,
}
"""What rwsettool can make of sets."""


def rwsetbuild(addresses: Any, /) -> AddressSet:
    """The set of addresses, networks, ranges and wildcards, or, of a `pathlib.Path`, of the lines of that file.

    Raises:
        ParameterError: something in it is no address.
    """
    return named(
        "addresses", lambda given: _load(given) if isinstance(given, Path) else AddressSet.of(given), addresses
    )


def _load(path: Path) -> AddressSet:
    try:
        return AddressSet.load(path)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None


def set_of(value: Any, name: str = "set") -> AddressSet:
    """The set that a tool got: a set, or input for `rwsetbuild`.

    Raises:
        ParameterError: it is not a set.
    """
    return value if isinstance(value, AddressSet) else named(name, rwsetbuild, value)


def rwsetcat(addresses: AddressSet, /, *, cidr_blocks: bool = False, count_ips: bool = False) -> pyarrow.Table:
    """The addresses as a table, in order; as the fewest networks with ``cidr_blocks=True``, or how many there are.

    Columns: address; with ``count_ips=True`` only count, as text, because there may be 2**128.

    Raises:
        ParameterError: there are more than `MOST_ROWS`; networks may be fewer.
    """
    import pyarrow

    found = set_of(addresses)
    if count_ips:
        return pyarrow.table({"count": [str(found.count)]})
    if not cidr_blocks and found.count > MOST_ROWS:
        message = f"{found.count} addresses: at most {MOST_ROWS} are listed; use cidr_blocks=True, or take a sample"
        raise ParameterError(message, parameter="cidr_blocks")
    return pyarrow.table({"address": pyarrow.array(found.networks() if cidr_blocks else found, pyarrow.string())})


def rwsettool(
    *sets: Any,
    union: bool = False,
    intersect: bool = False,
    difference: bool = False,
    symmetric_difference: bool = False,
    sample: bool = False,
    size: int | None = None,
    seed: int = 0,
) -> AddressSet:
    """The union, intersection, difference (the first without all others) or symmetric difference of sets, or a sample.

    ``sample=True`` takes ``size`` addresses of the union of all sets, the same ones for the same ``seed``.

    Raises:
        ParameterError: there is no set, or not exactly one operation.
    """
    asked = {"union": union, "intersect": intersect, "difference": difference, "sample": sample}
    chosen = [name for name, wanted in (asked | {"symmetric_difference": symmetric_difference}).items() if wanted]
    if len(chosen) != 1 or not sets:
        wrong = "union" if sets else "sets"
        raise ParameterError(f"expected sets, and one of {', '.join([*JOINS, 'sample'])}", parameter=wrong)
    join = JOINS.get(chosen[0], AddressSet.__or__)
    first, *others = [set_of(each) for each in sets]
    for other in others:
        first = join(first, other)
    count = optional("size", size, least=1)
    if sample and count is None:
        raise ParameterError("expected size: how many addresses to take", parameter="size")
    return first.sample(count, whole("seed", seed)) if sample and count is not None else first


def rwsetmember(pattern: Any, /, *sets: AddressSet) -> tuple[bool, ...]:
    """Whether any of some addresses, of which there may be wildcards, is in each set."""
    asked = set_of(pattern, "pattern")
    return tuple(not asked.isdisjoint(set_of(each)) for each in sets)
