"""Tools of bags: rwbag, rwbagbuild, rwbagtool, rwbagcat. The bags are values: `Bag`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core import op
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet, number_of_text
from rave_flow.model.bags import ADDRESSES, Bag, read_counts
from rave_flow.silk.flows import Flows, reference_of
from rave_flow.silk.sets import set_of
from rave_flow.sql import silk_records
from rave_flow.sql.numbers import whole
from rave_flow.sql.silk_fields import ADDED, to_fields, to_values
from rave_flow.sql.silk_options import named

if TYPE_CHECKING:
    import pyarrow

KEYS = ("sip", "dip", "sport", "dport", "protocol", "packets", "bytes")
"""What bags can be made by."""

JOINS: dict[str, Callable[[int, int], int]] = {
    "add": lambda one, two: one + two,
    "subtract": lambda one, two: max(0, one - two),
    "minimize": min,
    "maximize": max,
    "divide": lambda one, two: round(one / two) if two else 0,
}
"""What rwbagtool can make of two counts of one key."""


def rwbag(flows: Flows, /, *, key: str, counter: str = "records") -> Bag:
    """How many records, packets or bytes there are of each ``key``: of `KEYS`. What has no key is left out.

    Raises:
        ParameterError: an argument is wrong.
    """
    names, values = to_fields(key, what="key"), to_values(counter, what="counter")
    if len(names) != 1 or names[0] not in KEYS:
        raise ParameterError(f"key={key!r}: expected one of {', '.join(KEYS)}", parameter="key")
    if len(values) != 1 or values[0] not in ADDED:
        raise ParameterError(f"counter={counter!r}: expected one of {', '.join(ADDED)}", parameter="counter")
    return bagged(reference_of(flows), names[0], values[0])


def rwbagbuild(counts: Any, /, *, key: str = "any", counter: str = "records", default_count: int = 1) -> Bag:
    """The bag of pairs of a key and a count, of a mapping, of a set with ``default_count`` of each, or of a file.

    Raises:
        ParameterError: a count is negative or not a number, or a file can't be read.
    """
    if isinstance(counts, AddressSet):
        count = whole("default_count", default_count, least=1)
        return Bag.of("sip" if key == "any" else key, counter, [(address, count) for address in counts])
    return named("counts", lambda given: _built(given, key, counter), counts)


def _built(given: Any, key: str, counter: str) -> Bag:
    if not isinstance(given, Path):
        return Bag.of(key, counter, given)
    try:
        return Bag.load(given)
    except OSError as error:
        raise ValueError(f"{given} can't be read: {error.strerror}") from None


def rwbagtool(
    bag: Bag,
    /,
    *others: Bag,
    operation: str | None = None,
    scalar_multiply: int | None = None,
    intersect: Any = None,
    complement_intersect: Any = None,
    min_counter: int | None = None,
    max_counter: int | None = None,
    invert: bool = False,
) -> Bag:
    """A bag of bags: joined by ``operation``, then multiplied, cut and inverted, each on request.

    Args:
        bag: the first.
        others: those it is joined with, one after the other.
        operation: ``add subtract minimize maximize divide``; by default ``add`` if there are others.
        scalar_multiply: what each count is multiplied by.
        intersect: a set whose addresses stay.
        complement_intersect: a set whose addresses go.
        min_counter: the least count that stays.
        max_counter: the greatest that does.
        invert: whether the answer has how many keys there are of each count.

    Raises:
        ParameterError: an argument is wrong, or the bags' keys are different things.
    """
    join = JOINS.get(operation or "add")
    if join is None:
        raise ParameterError(f"operation={operation!r}: expected one of {', '.join(JOINS)}", parameter="operation")
    for other in others:
        try:
            bag = bag.merged(other, join)
        except ValueError as error:
            raise ParameterError(str(error), parameter="operation") from None
    if scalar_multiply is not None:
        factor = whole("scalar_multiply", scalar_multiply, least=1)
        bag = Bag(bag.key, bag.counter, tuple((key, count * factor) for key, count in bag.items()))
    ((low, high),) = silk_records.between(min_counter, max_counter)
    bag = _masked(bag, intersect, complement_intersect).where(lambda _, count: low <= count <= high)
    return Bag.of(bag.counter, "keys", [(count, 1) for _, count in bag.items()]) if invert else bag


def _masked(bag: Bag, intersect: Any, complement_intersect: Any) -> Bag:
    if intersect is not None:
        stay = set_of(intersect, "intersect")
        bag = bag.where(lambda key, _: number_of_text(str(key)) is not None and key in stay)
    if complement_intersect is not None:
        go = set_of(complement_intersect, "complement_intersect")
        bag = bag.where(lambda key, _: number_of_text(str(key)) is None or key not in go)
    return bag


def rwbagcat(bag: Bag, /) -> pyarrow.Table:
    """A bag as a table, in order of its keys: key and count, named as in the bag."""
    import pyarrow

    is_text = bag.key in ADDRESSES or bag.key == "protocol" or any(isinstance(key, str) for key in bag)
    kind = pyarrow.string() if is_text else pyarrow.int64()
    keys = pyarrow.array([str(key) if is_text else key for key in bag], kind)
    return pyarrow.table(
        {bag.key: keys, bag.counter: pyarrow.array([count for _, count in bag.items()], pyarrow.int64())}
    )


@op
def bagged(flows: Flows, key: str, counter: str) -> Bag:
    """See `rave_flow.sql.silk_records.bag`."""
    with flows.opened() as connection:
        return read_counts(silk_records.bag(connection, key, counter), key, counter)
