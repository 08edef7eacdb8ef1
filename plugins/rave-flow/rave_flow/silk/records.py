"""Tools that put flows together: rwdedupe, rwgroup, rwmatch, rwaddrcount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core import op
from rave_flow.errors import ParameterError, UnknownColumnError
from rave_flow.model.duckdb_connection import asking
from rave_flow.silk.flows import CUT_FIELDS, Flows, Sameness, noted, reference_of
from rave_flow.silk.tools import rwcat
from rave_flow.sql import silk_records
from rave_flow.sql.numbers import fraction, optional, whole
from rave_flow.sql.silk_fields import FIELDS, to_fields
from rave_flow.sql.silk_records import Delta, Group, Matching, between

if TYPE_CHECKING:
    import pyarrow

    from rave_flow.model.ranges import Ranges

SAME = ("sip", "dip", "sport", "dport", "protocol", "packets", "bytes", "flags", "stime", "duration")
"""What is equal in flows that are duplicates, unless it is ignored."""

DELTAS = ("stime", "etime", "duration", "sport", "dport", "packets", "bytes")
"""Fields whose distance can define groups."""

DIALOGUE = (("sip", "dip"), ("dip", "sip"), ("sport", "dport"), ("dport", "sport"), ("protocol", "protocol"))
"""How a response relates to a query by default."""

_FOREVER = 10.0**9


def rwdedupe(flows: Flows, /, *, ignore_fields: Any = (), stime_delta: float | None = None) -> Flows:
    """The flows without duplicates: only the first of those that are equal in all fields.

    Args:
        flows: the flows.
        ignore_fields: fields that may differ.
        stime_delta: the most seconds from the start of the previous equal flow to that of a duplicate; by default 0.

    Raises:
        ParameterError: an argument is wrong.
    """
    ignored = to_fields(ignore_fields, what="ignore_fields") if ignore_fields else ()
    columns = tuple(FIELDS[name] for name in SAME if name not in (*ignored, "stime"))
    if "stime" in ignored:
        return reference_of(flows).deduplicated(Sameness(columns))
    seconds = 0.0 if stime_delta is None else fraction("stime_delta", stime_delta, least=0, most=_FOREVER)
    return reference_of(flows).deduplicated(Sameness(columns, round(seconds * 10**6)))


def rwgroup(
    flows: Flows,
    /,
    *,
    id_fields: Any = (),
    delta_field: str | None = None,
    delta_value: float | None = None,
    rec_threshold: int = 1,
    summarize: bool = False,
    fields: Any = CUT_FIELDS,
) -> pyarrow.Table:
    """The flows with the number of their group in front; with ``summarize=True`` a row for each group.

    Args:
        flows: the flows, in any order.
        id_fields: fields that are equal in a group.
        delta_field: one of `DELTAS`: how far a flow may be from the one before it in the group.
        delta_value: that distance; of times in seconds.
        rec_threshold: how many flows a group has at least.
        summarize: whether a group is one row: its key, records, packets, bytes, stime and etime.
        fields: of each flow.

    Raises:
        ParameterError: an argument is wrong, or neither ``id_fields`` nor a delta is given.
    """
    keys = to_fields(id_fields, what="id_fields") if id_fields else ()
    delta = _delta(delta_field, delta_value)
    if not keys and delta is None:
        raise ParameterError("expected id_fields, or delta_field and delta_value", parameter="id_fields")
    least = whole("rec_threshold", rec_threshold, least=1)
    grouping = Group(keys, delta, least)
    chosen = reference_of(flows)
    try:
        table = summed(chosen, grouping) if summarize else together(chosen, to_fields(fields), grouping)
    except UnknownColumnError as error:
        if error.field not in keys:
            raise
        raise error.in_parameter("id_fields") from None
    return noted(table, chosen)


def _delta(field: str | None, value: float | None) -> Delta | None:
    if field is None and value is None:
        return None
    if field is None or value is None:
        raise ParameterError("delta_field and delta_value go together", parameter="delta_field")
    (name,) = to_fields(field, what="delta_field")[:1]
    if name not in DELTAS:
        raise ParameterError(f"delta_field={field!r}: expected one of {', '.join(DELTAS)}", parameter="delta_field")
    distance = fraction("delta_value", value, least=0, most=_FOREVER)
    return Delta(name, round(distance * (10**6 if name in DELTAS[:3] else 1)))


def rwmatch(
    queries: Flows,
    responses: Flows,
    /,
    *,
    relate: Any = DIALOGUE,
    time_delta: float = 0,
    symmetric_delta: bool = False,
    unmatched: str | None = None,
    fields: Any = CUT_FIELDS,
) -> pyarrow.Table:
    """Queries and the responses that they caused, numbered by event from 1, in order of the events' starts.

    A flow belongs to an event if it starts before the event's flows have ended, or at most ``time_delta`` seconds
    later. An event has flows of both sides, and begins with a query unless ``symmetric_delta``.

    Args:
        queries: those that ask.
        responses: those that answer.
        relate: pairs of a query's field and the response's that is equal: ``[("sip", "dip"), …]`` or ``1,2;2,1``.
        time_delta: in seconds.
        symmetric_delta: whether a response may come first.
        unmatched: ``q``, ``r`` or ``b``: queries, responses or both without a counterpart are given too, numbered 0.
        fields: of each flow.

    Raises:
        ParameterError: an argument is wrong.
    """
    if unmatched not in (None, "q", "r", "b"):
        raise ParameterError(f"unmatched={unmatched!r}: expected q, r or b", parameter="unmatched")
    seconds = fraction("time_delta", time_delta, least=0, most=_FOREVER)
    matching = Matching(_pairs(relate), round(seconds * 10**6), bool(symmetric_delta), unmatched or "")
    table = matched(reference_of(queries), reference_of(responses), to_fields(fields), matching)
    return noted(table, rwcat(queries, responses))


def _pairs(relate: Any) -> tuple[tuple[str, str], ...]:
    given = relate.split(";") if isinstance(relate, str) else relate
    pairs = []
    for pair in given:
        words = pair.split(",") if isinstance(pair, str) else list(pair)
        if len(words) != 2:
            raise ParameterError(f"relate={relate!r}: expected pairs of fields, such as 1,2;2,1", parameter="relate")
        pairs.append((to_fields(words[0], what="relate")[0], to_fields(words[1], what="relate")[0]))
    if not pairs:
        raise ParameterError("relate: expected pairs of fields, such as 1,2;2,1", parameter="relate")
    return tuple(pairs)


def rwaddrcount(
    flows: Flows,
    /,
    *,
    use_dest: bool = False,
    min_bytes: int | None = None,
    max_bytes: int | None = None,
    min_packets: int | None = None,
    max_packets: int | None = None,
    min_records: int | None = None,
    max_records: int | None = None,
) -> pyarrow.Table:
    """Bytes, packets, records and the time of activity of each source, or with ``use_dest=True`` of each destination.

    Columns: ``sip`` or ``dip``, bytes, packets, records, start_time, end_time; in order of the addresses' numbers.

    Raises:
        ParameterError: a limit is not a number, or a minimum is more than its maximum.
    """
    limits = {
        "bytes": (min_bytes, max_bytes),
        "packets": (min_packets, max_packets),
        "records": (min_records, max_records),
    }
    found = tuple((name, _limit(name, *pair)) for name, pair in limits.items() if pair != (None, None))
    return noted(addressed(reference_of(flows), "dst" if use_dest else "src", found), flows)


def _limit(name: str, least: Any, most: Any) -> Ranges:
    ((low, high),) = between(optional(f"min_{name}", least), optional(f"max_{name}", most))
    if low > high:
        raise ParameterError(f"min_{name}={low} is more than max_{name}={high}", parameter=f"min_{name}")
    return ((low, high),)


@op
def together(flows: Flows, fields: tuple[str, ...], grouping: Group) -> pyarrow.Table:
    """See `rave_flow.sql.silk_records.group`."""
    with flows.labelled((*fields, *grouping.keys)).opened() as connection:
        return silk_records.group(connection, fields, grouping)


@op
def summed(flows: Flows, grouping: Group) -> pyarrow.Table:
    """See `rave_flow.sql.silk_records.groups`."""
    with flows.labelled(grouping.keys).opened() as connection:
        return silk_records.groups(connection, grouping)


@op
def matched(queries: Flows, responses: Flows, fields: tuple[str, ...], matching: Matching) -> pyarrow.Table:
    """See `rave_flow.sql.silk_records.match`."""
    with asking() as connection:
        queries.labelled(fields).create(connection, "queries")
        responses.labelled(fields).create(connection, "responses")
        return silk_records.match(connection, fields, matching)


@op
def addressed(flows: Flows, end: str, limits: tuple[tuple[str, Ranges], ...]) -> pyarrow.Table:
    """See `rave_flow.sql.silk_records.address_counts`."""
    with flows.opened() as connection:
        return silk_records.address_counts(connection, end, limits)
