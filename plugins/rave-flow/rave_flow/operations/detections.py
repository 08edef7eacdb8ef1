"""The operations that judge: scanners, beacons, new services. Each row says why in its last column.

Times and windows are those of `rave_flow.operations.tables`. The walk of a scanner and the intervals of a beacon
continue from one hour to the next, so each answer is one cached step, computed again when the window's flows change.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from rave_core import expires, mime_type, op, typemap
from rave_flow.arguments.converters import Source
from rave_flow.arguments.silk_converters import Internal
from rave_flow.detectors import beacons as beaconing
from rave_flow.detectors import long_connections as long
from rave_flow.detectors import new_services as services
from rave_flow.detectors import scans as scanning
from rave_flow.detectors.scans import SequentialTest
from rave_flow.errors import WindowError
from rave_flow.model.ranges import Ranges
from rave_flow.model.windows import Window, said
from rave_flow.operations.windowed import ARROW, Time, noted, selected, settling
from rave_flow.steps import Slice, parquet_of

if TYPE_CHECKING:
    import pyarrow


@op(time_range=("start", "end"))
@typemap(
    theta0="flow_probability", theta1="flow_probability", alpha="flow_probability", beta="flow_probability",
    contact="flow_contact", start="flow_time", end="flow_time", source="flow_source",
)  # fmt: skip
@mime_type(ARROW)
@expires(settling)
def scans(
    contact: str = "host",
    start: Time | None = None,
    end: Time | None = None,
    source: Source | str = "default",
    theta0: float = 0.8,
    theta1: float = 0.2,
    alpha: float = 0.01,
    beta: float = 0.99,
) -> pyarrow.Table:
    """Which sources of TCP connections are scanners, by Threshold Random Walk (Jung, Paxson et al. 2004).

    Columns: src, verdict (``scanner``, ``pending``, ``benign``), ratio, observations, successes, failures, decided_at,
    contacts, why. Scanners come first. Only first contacts count: with ``contact=host``, as in the paper, the first
    connection to each address; with ``contact=port`` to each port of each address, for a sensor that sees one host.
    """
    test = SequentialTest(theta0, theta1, alpha, beta)
    inventory, selection = selected(source, start, end)
    inventory.require(selection)
    return noted(_walked(selection.window, selection.slices, test, contact), selection)


@op(time_range=("start", "end"))
@typemap(
    least="flow_connections", score="flow_score", start="flow_time", end="flow_time", source="flow_source",
    internal="flow_internal",
)  # fmt: skip
@mime_type(ARROW)
@expires(settling)
def beacons(
    least: int = 20,
    score: float = 0.8,
    start: Time | None = None,
    end: Time | None = None,
    source: Source | str = "default",
    internal: Internal | str = "configured",
) -> pyarrow.Table:
    """Who calls whom at regular intervals, by RITA's measures: Bowley's skewness and the MADM of intervals and bytes.

    Columns: src, dst, dst_port, proto, direction, score (0 to 1), connections, failed, interval and interval_madm
    (seconds), sent and sent_madm (bytes), longest, duration_score, histogram_score, prevalence, first_seen, first_at,
    last_at, why; from inside to outside first, then the greatest score. ``least`` is how many connections there must be
    (4 or more), ``score`` the least score of a row, ``internal`` the networks inside, those configured if not given.
    Unanswered connections lower the score. The formula is in `rave_flow.detectors.beacons`.
    """
    inventory, selection = selected(source, start, end)
    inventory.require(selection)
    inside = cast("Internal", internal).ranges
    return noted(_beaconing(selection.window, selection.slices, least, score, inside), selection)


@op(
    time_range=("start", "end"),
    views=[{"title": "Who with whom", "mark": "sankey", "x": "src", "y": "duration", "series": "dst"}],
)
@typemap(
    least="flow_width", n="flow_number", start="flow_time", end="flow_time", source="flow_source",
    internal="flow_internal",
)  # fmt: skip
@mime_type(ARROW)
@expires(settling)
def long_connections(
    least: int | str = "1h",
    n: int = 100,
    start: Time | None = None,
    end: Time | None = None,
    source: Source | str = "default",
    internal: Internal | str = "configured",
) -> pyarrow.Table:
    """Whose connections stayed open for at least ``least``: the ``n`` longest, from inside to outside first.

    Columns: src, dst, dst_port, proto, direction, longest, duration (of all of them; seconds), connections, bytes,
    first_at, why.
    """
    inventory, selection = selected(source, start, end)
    inventory.require(selection)
    inside = cast("Internal", internal).ranges
    return noted(_long(selection.window, selection.slices, cast("int", least), n, inside), selection)


@op(time_range=("start", "end"))
@typemap(start="flow_time", end="flow_time", baseline="flow_width", source="flow_source")
@mime_type(ARROW)
@expires(settling)
def new_services(
    start: Time,
    end: Time | None = None,
    baseline: int | str = "7d",
    source: Source | str = "default",
) -> pyarrow.Table:
    """Ports that answered in the window, and never in the time of ``baseline`` before it.

    Columns: host, port, proto, service, first_at, flows, clients, bytes, why, in the order of first_at. A baseline
    without any flow is an error, since everything would be new.
    """
    began, seconds = cast("datetime", start), cast("int", baseline)
    first = _before(began, seconds)
    inventory, _ = selected(source, first, end)
    now = inventory.select(Window(began, cast("datetime | None", end)))
    before = inventory.select(Window(first, began))
    inventory.require(before)
    inventory.require(now)
    table = services.new_services(
        _answering(now.window, now.slices),
        _answering(before.window, before.slices),
        said(seconds),
    )
    return noted(table, now)


def _before(start: datetime, seconds: float) -> datetime:
    try:
        return start - timedelta(seconds=seconds)
    except OverflowError as error:
        message = (
            f"{said(seconds)} before {start.isoformat()} is no date: expected a later start, or a shorter baseline"
        )
        raise WindowError(message, parameter="start") from error


@op
def _walked(window: Window, slices: tuple[Slice, ...], test: SequentialTest, contact: str) -> pyarrow.Table:
    return scanning.scans(parquet_of(slices), window, test, contact)


@op
def _beaconing(window: Window, slices: tuple[Slice, ...], least: int, score: float, internal: Ranges) -> pyarrow.Table:
    return beaconing.beacons(parquet_of(slices), window, least, score, internal)


@op
def _long(window: Window, slices: tuple[Slice, ...], least: int, n: int, internal: Ranges) -> pyarrow.Table:
    return long.long_connections(parquet_of(slices), window, least, n, internal)


@op
def _answering(window: Window, slices: tuple[Slice, ...]) -> pyarrow.Table:
    return services.answering(parquet_of(slices), window)
