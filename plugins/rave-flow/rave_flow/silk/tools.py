"""The algebra of flows, after SiLK's tools: inputs come first, options are keywords, with dashes as underscores.

    web = rwfilter(start_date="2024/05/14", protocol="tcp", dport="80,443", saddress="10.0.0.0/8")
    rwstats(web, fields="dip", values="bytes", count=10)
    rwcount(rwfilter(web, flags_all="S/SA"), bin_size=300)

`rwfilter`, `rwsort` and `rwcat` give references and read nothing. What reads flows is an operation, kept by the content
of the hours that it covers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from rave_core import op
from rave_flow.arguments.converters import Source, to_source
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.windows import Window
from rave_flow.silk.flows import CUT_FIELDS, Flows, reference_of, rows
from rave_flow.sql import silk_tools
from rave_flow.sql.conditions import Condition
from rave_flow.sql.silk_options import (
    span_of,
    to_conditions,
    to_fields,
    to_total,
    to_values,
)
from rave_flow.sql.silk_tools import Cut, Threshold
from rave_flow.steps import CODE, Inventory

if TYPE_CHECKING:
    import pyarrow


@overload
def rwfilter(
    flows: Flows | None = None,
    /,
    *,
    pass_destination: Literal[True],
    fail_destination: Literal[True],
    source: Source | str | None = None,
    start_date: Any = None,
    end_date: Any = None,
    **options: Any,
) -> tuple[Flows, Flows]: ...
@overload
def rwfilter(
    flows: Flows | None = None,
    /,
    *,
    source: Source | str | None = None,
    start_date: Any = None,
    end_date: Any = None,
    pass_destination: bool | None = None,
    fail_destination: bool = False,
    **options: Any,
) -> Flows: ...
def rwfilter(
    flows: Flows | None = None,
    /,
    *,
    source: Source | str | None = None,
    start_date: Any = None,
    end_date: Any = None,
    pass_destination: bool | None = None,
    fail_destination: bool = False,
    **options: Any,
) -> Flows | tuple[Flows, Flows]:
    """The flows that pass all options; with ``fail_destination=True`` those that fail one instead.

    With ``pass_destination=True`` and ``fail_destination=True`` it gives both: those that pass, and those that fail.

    Args:
        flows: those to choose from; without it those of ``source``.
        source: a configured directory, ``default`` where none is named.
        start_date: the first hour or day, as ``2024/05/14`` or ``2024/05/14:12``, or any time in ISO 8601.
        end_date: the last hour or day, which is in; without it the one of ``start_date`` alone.
        pass_destination: whether those that pass are wanted; if it is not given, unless ``fail_destination`` is.
        fail_destination: whether those that fail are.
        options: ``protocol sport dport aport saddress daddress any_address not_saddress not_daddress not_any_address
            bytes packets duration flags_all type``: see the README. Alternatives are apart by commas.

    Raises:
        ParameterError: an option is unknown, or its value wrong; or neither destination is wanted.
        FlowError: the source can't be read.
    """
    if pass_destination is None:
        pass_destination = not fail_destination
    if not (pass_destination or fail_destination):
        raise ParameterError("pass_destination=False: one of pass_destination and fail_destination expected")
    conditions = to_conditions(options)
    chosen = _chosen(flows, source, span_of(start_date, end_date))
    passed = chosen.filtered(conditions) if conditions else chosen
    failed = chosen.filtered(conditions, passes=False)
    return (passed, failed) if pass_destination and fail_destination else passed if pass_destination else failed


def _chosen(flows: Flows | None, source: Source | str | None, window: Window) -> Flows:
    if flows is None:
        selection = Inventory.of(to_source(source or "default").repository).select(window)
        return Flows(selection.slices, window)
    if source is not None:
        raise ParameterError("flows and a source are given: the flows have theirs")
    chosen = reference_of(flows)
    return _within(chosen, window) if window != Window() else chosen


def _within(flows: Flows, window: Window) -> Flows:
    """Flows that start in a window, of those whose files are chosen already."""
    since = 0 if window.start is None else round(window.start.timestamp() * 1e6)
    until = 2**62 if window.end is None else round(window.end.timestamp() * 1e6) - 1
    return flows.filtered((Condition("stime", ((since, until),)),))


def rwsort(flows: Flows, /, *, fields: Any, reverse: bool = False) -> Flows:
    """The same flows in the order of ``fields``, the largest first with ``reverse=True``."""
    columns = tuple(silk_tools.FIELDS[name] for name in to_fields(fields))
    return reference_of(flows).ordered(columns, reverse=reverse)


def rwcat(*flows: Flows) -> Flows:
    """The flows of all references, each as often as it is in them."""
    return Flows(parts=tuple(map(reference_of, flows)))


def rwcut(flows: Flows, /, *, fields: Any = CUT_FIELDS, num_recs: int | None = None) -> pyarrow.Table:
    """The flows as a table of ``fields``, in order; all of them, or the first ``num_recs``."""
    return rows(reference_of(flows), to_fields(fields), num_recs)


def rwcount(flows: Flows, /, *, bin_size: int = 30, load_scheme: int = 4) -> pyarrow.Table:
    """Records, bytes and packets in bins of ``bin_size`` seconds.

    See `rave_flow.sql.silk_tools.count` for the load schemes.
    """
    if load_scheme not in silk_tools.SCHEMES or bin_size < 1:
        raise ParameterError(
            f"bin_size={bin_size}, load_scheme={load_scheme}: at least 1, and a scheme from 0 to 6, expected"
        )
    return counted(reference_of(flows), bin_size, load_scheme)


def rwuniq(
    flows: Flows,
    /,
    *,
    fields: Any,
    values: Any = ("records",),
    records: Any = None,
    bytes: Any = None,  # SiLK's name
    packets: Any = None,
) -> pyarrow.Table:
    """One row for each combination of ``fields``, with ``values``, in order of the fields.

    ``records``, ``bytes`` and ``packets`` are thresholds: a range that the sums of a row must be in.
    """
    limits = {"records": records, "bytes": bytes, "packets": packets}
    thresholds = tuple(
        Threshold(name, *pair)
        for name, given in limits.items()
        if given is not None
        for pair in _one_range(name, given)
    )
    return grouped(reference_of(flows), to_fields(fields), to_values(values), thresholds)


def _one_range(name: str, given: Any) -> tuple[tuple[int, int], ...]:
    (condition,) = to_conditions({"bytes": given})
    if len(condition.ranges) != 1:
        raise ParameterError(f"{name}={given!r}: one range expected, as 1000- or 10-20")
    return condition.ranges


def rwstats(
    flows: Flows,
    /,
    *,
    fields: Any,
    values: Any = ("records",),
    count: int | None = None,
    threshold: int | None = None,
    percentage: float | None = None,
    bottom: bool = False,
) -> pyarrow.Table:
    """The combinations of ``fields`` with the most (or with ``bottom=True`` the least) of the first of ``values``.

    One of ``count`` (so many), ``threshold`` (at least so much) and ``percentage`` (at least that share) says how many;
    ten, if none is given.
    """
    given = [each for each in (count, threshold, percentage) if each is not None]
    if len(given) > 1:
        raise ParameterError("one of count, threshold and percentage expected")
    cut = Cut(count if given else 10, threshold, percentage)
    return ranked(reference_of(flows), to_fields(fields), to_values(values), cut, bottom)


def rwtotal(flows: Flows, /, *, key: str) -> pyarrow.Table:
    """Records, bytes and packets by one ``key``: ``sip_first_8`` … ``dip_first_24 sport dport protocol packets bytes
    duration``."""
    return totalled(reference_of(flows), to_total(key))


def rwset(flows: Flows, /, *, sip: bool = False, dip: bool = False) -> AddressSet:
    """The set of the sources' addresses with ``sip=True``, of the destinations' with ``dip=True``, or of both."""
    if not (sip or dip):
        raise ParameterError("rwset: sip=True or dip=True, or both, expected")
    ends = (*(["src"] if sip else []), *(["dst"] if dip else []))
    return AddressSet.of([], *seen(reference_of(flows), tuple(ends)))


@op(version=CODE)
def counted(flows: Flows, bin_size: int, load_scheme: int) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.count`."""
    with flows.opened() as connection:
        return silk_tools.count(connection, bin_size, load_scheme)


@op(version=CODE)
def grouped(
    flows: Flows, fields: tuple[str, ...], values: tuple[str, ...], thresholds: tuple[Threshold, ...]
) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.unique`."""
    with flows.opened() as connection:
        return silk_tools.unique(connection, fields, values, thresholds)


@op(version=CODE)
def ranked(flows: Flows, fields: tuple[str, ...], values: tuple[str, ...], cut: Cut, bottom: bool) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.stats`."""
    with flows.opened() as connection:
        return silk_tools.stats(connection, fields, values, cut, bottom)


@op(version=CODE)
def totalled(flows: Flows, key: str) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.total`."""
    with flows.opened() as connection:
        return silk_tools.total(connection, key)


@op(version=CODE)
def seen(flows: Flows, ends: tuple[str, ...]) -> list[str]:
    """See `rave_flow.sql.silk_tools.addresses`."""
    with flows.opened() as connection:
        return silk_tools.addresses(connection, ends)
