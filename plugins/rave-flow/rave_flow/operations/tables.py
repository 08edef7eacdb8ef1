"""The operations that others can ask for, under the names in ``__export__``.

Times are UTC, and one without a zone is UTC. Windows are half open: ``start`` is in, ``end`` is not, and a side that
is left out is open. A flow belongs to the time at which it started. ``bytes`` and ``packets`` are those of both
directions. ``source`` names a configured directory; what it holds is part of the key, so a new or changed file
gives a new answer at once, put together from the hours that did not change.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from rave_core import crossover_strategy, expires, mime_type, op, progress, typemap
from rave_flow import steps
from rave_flow.arguments.converters import Source
from rave_flow.model.windows import Bins, Window
from rave_flow.operations import daily_report
from rave_flow.operations.detections import beacons, long_connections, new_services, scans
from rave_flow.operations.windowed import ARROW, Time, noted, selected, settling
from rave_flow.sql.dates import after

if TYPE_CHECKING:
    import pyarrow

_by_day = crossover_strategy("5m", "5d", "27h", "day")
_by_hour = crossover_strategy("5m", "5d", "4h", "hour")


@op(time_range=("start", "end"))
@typemap(
    n="flow_number", by="flow_measure", over="flow_dimension", start="flow_time", end="flow_time", source="flow_source"
)
@mime_type(ARROW)
@expires(settling)
def top(
    n: int = 10,
    by: str = "bytes",
    over: str = "src",
    start: Time | None = None,
    end: Time | None = None,
    source: Source | str = "default",
) -> pyarrow.Table:
    """The n largest sources, destinations, addresses, ports, protocols or services.

    Columns: the value (named as ``over``), bytes, packets, flows, and share, of ``by`` over all flows of the window.
    Equal ones are in order of the value. Over ``address`` and ``port`` a flow counts for both of its ends, so shares
    add up to more than 1.
    """
    inventory, selection = selected(source, start, end)
    inventory.require(selection)
    return noted(steps.top(selection.window, selection.slices, n, by, over), selection)


@op(
    time_range=("start", "end", "bin"),
    views=[
        {"title": "Bytes", "mark": "area", "x": "ts", "y": "bytes"},
        {"title": "Packets", "mark": "area", "x": "ts", "y": "packets"},
        {"title": "Flows", "mark": "area", "x": "ts", "y": "flows"},
    ],
)
@typemap(bin="flow_width", start="flow_time", end="flow_time", proto="flow_protocol", source="flow_source")
@mime_type(ARROW)
@expires(settling)
def count(
    bin: int | str = "1h",
    start: Time | None = None,
    end: Time | None = None,
    proto: str | None = None,
    source: Source | str = "default",
) -> pyarrow.Table:
    """Bytes, packets and flows in bins of time, those without flows included.

    Columns: ts (when the bin begins), bytes, packets, flows. Bins count from ``start``, or from the whole multiple
    of ``bin`` before the first flow.
    """
    inventory, selection = selected(source, start, end)
    found = inventory.require(selection, proto)
    bulk = inventory.bulk(selection, found, cast("int", bin))
    bins = Bins.over(selection.window, cast("int", bin), bulk.first, bulk.last)
    return noted(steps.count(selection.window, selection.slices, bins, proto), selection.without(bulk.apart))


@op
@typemap(day="flow_day", n="flow_number", source="flow_source")
@mime_type(ARROW)
@expires(_by_day)
def daily(day: Time, n: int = 5, source: Source | str = "default") -> pyarrow.Table:
    """A day's report: totals, then each protocol with its n largest ports, put together from 24 cached hours.

    Columns: level (``day``, ``protocol`` or ``port``), proto, port (of the responder), bytes, packets, flows,
    share (of the day's bytes), busiest_hour (0 to 23, by bytes).
    """
    midnight = cast("datetime", day)
    inventory, selection = selected(source, midnight, after(midnight, timedelta(days=1), "day"))
    inventory.require(selection, parameter="day")
    hours = []
    for number in range(24):
        progress(number, 24, f"hour {number:02d} of {midnight:%Y-%m-%d}")
        start = midnight + timedelta(hours=number)
        hours.append(steps.hour(start, inventory.select(Window.of_hour(start), selection.window).slices))
    progress(24, 24, "report")
    return noted(daily_report.daily(hours, n), selection)


@op
@typemap(hour="flow_hour", n="flow_number", source="flow_source")
@mime_type(ARROW)
@expires(_by_hour)
def hourly(hour: Time, n: int = 5, source: Source | str = "default") -> pyarrow.Table:
    """An hour's report: totals, then each protocol with its n largest ports, of the hour that ``daily`` keeps too.

    Columns: level (``hour``, ``protocol`` or ``port``), proto, port (of the responder), bytes, packets, flows,
    share (of the hour's bytes).
    """
    start = cast("datetime", hour)
    inventory, selection = selected(source, start, after(start, timedelta(hours=1), "hour"))
    inventory.require(selection, parameter="hour")
    return noted(daily_report.hourly(steps.hour(start, selection.slices), n), selection)


__export__: dict[str, Any] = {
    "top": top,
    "count": count,
    "daily": daily,
    "hourly": hourly,
    "scans": scans,
    "beacons": beacons,
    "long_connections": long_connections,
    "new_services": new_services,
}
