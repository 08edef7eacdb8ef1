"""The algebra of flows, after SiLK's tools: inputs come first, options are keywords, with dashes as underscores.

    web = rwfilter(start_date="2024/05/14", protocol="tcp", dport="80,443", saddress="10.0.0.0/8")
    rwstats(web, fields="dip", values="bytes", count=10)
    rwcount(rwfilter(web, flags_all="S/SA"), bin_size=300)

`rwfilter`, `rwsort` and `rwcat` return references and read nothing. Tools that read flows are operations, cached by the
content of the hours that they cover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from rave_core import op
from rave_flow.arguments.converters import Source, to_source, to_width
from rave_flow.arguments.silk_converters import to_scheme
from rave_flow.errors import ParameterError
from rave_flow.inventory import Inventory
from rave_flow.model.address_set import AddressSet
from rave_flow.model.windows import Window
from rave_flow.silk.flows import CUT_FIELDS, Flows, noted, reference_of, rows
from rave_flow.sql import silk_counts, silk_tools
from rave_flow.sql.conditions import Condition
from rave_flow.sql.dates import micros_of, moment_of, span_of
from rave_flow.sql.numbers import fraction, optional
from rave_flow.sql.silk_counts import Counting
from rave_flow.sql.silk_fields import ordering, to_fields, to_ranked, to_total, to_values
from rave_flow.sql.silk_options import named, to_conditions, to_thresholds
from rave_flow.sql.silk_tools import Cut, Grouping, Threshold

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
        flows: those to choose from; by default those of ``source``.
        source: a configured directory, by default ``default``.
        start_date: the first hour or day, as ``2024/05/14`` or ``2024/05/14:12``, or any time in ISO 8601.
        end_date: the last hour or day, included; by default only that of ``start_date``.
        pass_destination: whether those that pass are wanted; if it is not given, unless ``fail_destination`` is.
        fail_destination: whether those that fail are.
        options: ``protocol sport dport aport saddress daddress any_address not_saddress not_daddress not_any_address
            bytes packets duration flags_all type``: see the README. Commas separate alternatives.

    Raises:
        ParameterError: an option is unknown, or its value wrong; or neither destination is wanted.
        FlowError: the source can't be read.
    """
    if pass_destination is None:
        pass_destination = not fail_destination
    if not (pass_destination or fail_destination):
        raise ParameterError(
            "pass_destination=False: expected one of pass_destination and fail_destination",
            parameter="pass_destination",
        )
    conditions = to_conditions(options)
    chosen = _chosen(flows, source, span_of(start_date, end_date))
    passed = chosen.filtered(conditions) if conditions else chosen
    failed = chosen.filtered(conditions, passes=False)
    return (passed, failed) if pass_destination and fail_destination else passed if pass_destination else failed


def _chosen(flows: Flows | None, source: Source | str | None, window: Window) -> Flows:
    if flows is None:
        selection = Inventory.of(to_source(source or "default").repository, window).select(window)
        return Flows(selection.slices, window, left_out=(selection.left_out,))
    if source is not None:
        raise ParameterError("flows and a source are given: the flows have theirs", parameter="source")
    chosen = reference_of(flows)
    return _within(chosen, window) if window != Window() else chosen


def _within(flows: Flows, window: Window) -> Flows:
    """Flows that start in a window, of those whose files are chosen already."""
    return flows.filtered((Condition("stime", (micros_of(window),)),))


def rwsort(flows: Flows, /, *, fields: Any, reverse: bool = False) -> Flows:
    """The same flows in the order of ``fields``, the largest first with ``reverse=True``."""
    names = to_fields(fields)
    columns = tuple(column for name in names for column in ordering(name))
    return reference_of(flows).labelled(names).ordered(columns, reverse=reverse)


def rwcat(*flows: Flows) -> Flows:
    """The flows of all references, each as often as it is in them."""
    parts = tuple(map(reference_of, flows))
    return Flows(parts=parts, left_out=tuple(dict.fromkeys(each for part in parts for each in part.left_out)))


def rwcut(flows: Flows, /, *, fields: Any = CUT_FIELDS, num_recs: int | None = None) -> pyarrow.Table:
    """The flows as a table of ``fields``, in order; all of them, or the first ``num_recs``."""
    return noted(rows(reference_of(flows), to_fields(fields), optional("num_recs", num_recs, least=1)), flows)


def rwcount(
    flows: Flows,
    /,
    *,
    bin_size: int | str = 30,
    load_scheme: int | str = 4,
    start_time: Any = None,
    end_time: Any = None,
    skip_zeroes: bool = False,
) -> pyarrow.Table:
    """Records, bytes and packets in bins of ``bin_size``, in seconds or as ``5m``.

    See `rave_flow.sql.silk_counts` for the load schemes, which go by number or name, and for how bins are bounded.
    ``start_time`` is when the first bin begins, ``end_time`` a time in the last; without them bins are at whole
    multiples of their width, from the first flow to the last.
    """
    start = None if start_time is None else _micros_in("start_time", start_time)
    end = None if end_time is None else _micros_in("end_time", end_time)
    if start is not None and end is not None and end < start:
        raise ParameterError(f"end_time={end_time!r} is before start_time={start_time!r}", parameter="end_time")
    width, scheme = named("bin_size", to_width, bin_size), named("load_scheme", to_scheme, load_scheme)
    return noted(counted(reference_of(flows), Counting(width, scheme, start, end, bool(skip_zeroes))), flows)


def _micros_in(name: str, value: Any) -> int:
    moment, _ = moment_of(name, value)
    return micros_of(Window(moment))[0]


def rwuniq(
    flows: Flows,
    /,
    *,
    fields: Any,
    values: Any = ("records",),
    threshold: Any = None,
    bin_time: int | str | None = None,
) -> pyarrow.Table:
    """One row for each combination of ``fields``, with ``values``, in order of the fields.

    Args:
        flows: those to count.
        fields: the key, of `rave_flow.sql.silk_fields.FIELDS`.
        values: of `rave_flow.sql.silk_fields.VALUES`, or ``distinct:FIELD``.
        threshold: ranges that values of a row must be in: ``1000-`` of the first value, ``bytes:1000-,records:10-99``.
        bin_time: the width of bins for times among the fields, in seconds or as ``5m``.

    Raises:
        ParameterError: an argument is wrong.
    """
    chosen = to_values(values)
    limits = () if threshold is None else named("threshold", lambda given: to_thresholds(given, chosen[0]), threshold)
    grouping = Grouping(to_fields(fields), chosen, _bin_time(bin_time))
    return noted(grouped(reference_of(flows), grouping, limits), flows)


def _bin_time(given: int | str | None) -> int | None:
    return None if given is None else named("bin_time", to_width, given)


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
    bin_time: int | str | None = None,
) -> pyarrow.Table:
    """The combinations of ``fields`` with the most (or with ``bottom=True`` the least) of the first of ``values``.

    One of ``count`` (a number), ``threshold`` (a least value) and ``percentage`` (a least share) says how many; the
    default is ten.

    Raises:
        ParameterError: an argument is wrong, or two of these three are given.
    """
    given = [each for each in (count, threshold, percentage) if each is not None]
    if len(given) > 1:
        raise ParameterError("expected one of count, threshold and percentage", parameter="count")
    cut = Cut(
        optional("count", count if given else 10, least=1),
        optional("threshold", threshold),
        None if percentage is None else fraction("percentage", percentage, least=0, most=100),
    )
    grouping = Grouping(to_fields(fields), to_ranked(values), _bin_time(bin_time))
    return noted(ranked(reference_of(flows), grouping, cut, bool(bottom)), flows)


def rwtotal(flows: Flows, /, *, key: str) -> pyarrow.Table:
    """Records, bytes and packets by one ``key`` of `rave_flow.sql.silk_fields.TOTALS`, as ``sip_first_16``."""
    return noted(totalled(reference_of(flows), to_total(key)), flows)


def rwset(flows: Flows, /, *, sip: bool = False, dip: bool = False) -> AddressSet:
    """The set of the sources' addresses, with ``dip=True`` of the destinations', with both of both."""
    return AddressSet.of([], *seen(reference_of(flows), ends_of(sip, dip)))


def ends_of(sip: bool, dip: bool) -> tuple[str, ...]:
    """The columns of the requested addresses; by default those of the sources."""
    return (*(["src"] if sip or not dip else []), *(["dst"] if dip else []))


@op
def counted(flows: Flows, counting: Counting) -> pyarrow.Table:
    """See `rave_flow.sql.silk_counts.count`."""
    with flows.opened() as connection:
        return silk_counts.count(connection, counting)


@op
def grouped(flows: Flows, grouping: Grouping, thresholds: tuple[Threshold, ...]) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.unique`."""
    with flows.labelled(grouping.fields).opened() as connection:
        return silk_tools.unique(connection, grouping, thresholds)


@op
def ranked(flows: Flows, grouping: Grouping, cut: Cut, bottom: bool) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.stats`."""
    with flows.labelled(grouping.fields).opened() as connection:
        return silk_tools.stats(connection, grouping, cut, bottom)


@op
def totalled(flows: Flows, key: str) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.total`."""
    with flows.opened() as connection:
        return silk_tools.total(connection, key)


@op
def seen(flows: Flows, ends: tuple[str, ...]) -> list[str]:
    """See `rave_flow.sql.silk_tools.addresses`."""
    with flows.opened() as connection:
        return silk_tools.addresses(connection, ends)
