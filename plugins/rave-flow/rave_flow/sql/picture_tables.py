"""What pictures show, as SQL over the view ``flows``: small tables for any number of flows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.windows import Bins, Window
from rave_flow.sql.aggregates import MEASURES, flows
from rave_flow.sql.literals import literal

if TYPE_CHECKING:
    import pyarrow

NUMBERED = (8, 10, 12, 14, 16)
"""Lengths of prefixes that make a square: half of the bits for each side."""


def _bin(bins: Bins) -> str:
    return f"CAST((epoch_us(ts) - {bins.origin_us}) // {bins.width_us} AS BIGINT)"


def heat(parquet: Sequence[Path], window: Window, bins: Bins, by: str, most: int) -> pyarrow.Table:
    """The ``most`` largest ports of responders, and all others as NULL, over time: port, proto, bin, amount."""
    measure = f"CAST({MEASURES[by]} AS BIGINT)"
    with flows(parquet, window) as connection:
        return connection.sql(
            f"WITH largest AS (SELECT dst_port, proto FROM flows WHERE proto IN ('tcp', 'udp', 'sctp') "  # noqa: S608  # ours
            f"GROUP BY ALL ORDER BY {measure} DESC, dst_port, proto LIMIT {literal(most)}) "
            f"SELECT largest.dst_port AS port, largest.proto AS proto, {_bin(bins)} AS bin, {measure} AS amount "
            "FROM flows LEFT JOIN largest ON flows.dst_port = largest.dst_port AND flows.proto = largest.proto "
            "GROUP BY ALL ORDER BY port NULLS LAST, proto, bin"
        ).to_arrow_table()


def fanout(parquet: Sequence[Path], window: Window, bins: Bins, most: int) -> pyarrow.Table:
    """The sources that reached the most different ports of hosts, over time: src, whole, bin, targets; largest first.

    Flows without ports are not in it: a host that pings a thousand others reaches no port.
    """
    target = "dst || ' ' || proto || ' ' || dst_port"
    with flows(parquet, window) as connection:
        return connection.sql(
            f"WITH reached AS (FROM flows WHERE dst_port IS NOT NULL AND proto NOT IN ('icmp', 'icmp6')), "  # noqa: S608  # ours
            f"largest AS (SELECT src, count(DISTINCT {target}) AS whole FROM reached GROUP BY src "
            f"ORDER BY whole DESC, src LIMIT {literal(most)}) "
            f"SELECT src, whole, {_bin(bins)} AS bin, count(DISTINCT {target}) AS targets "
            "FROM reached JOIN largest USING (src) GROUP BY src, whole, bin ORDER BY whole DESC, src, bin"
        ).to_arrow_table()


def space(parquet: Sequence[Path], window: Window, by: str, over: str, prefix: int) -> pyarrow.Table:
    """The amount of each IPv4 prefix: net (the number of its first bits) and amount; of IPv6 the net is NULL."""
    measure = f"CAST({MEASURES[by]} AS BIGINT)"
    net = f"CASE WHEN {over}_high = 0 AND {over}_low >> 32 = 65535 THEN ({over}_low & 4294967295) >> {32 - prefix} END"
    with flows(parquet, window) as connection:
        return connection.sql(
            f"SELECT CAST({net} AS BIGINT) AS net, {measure} AS amount FROM flows GROUP BY 1 ORDER BY 1 NULLS LAST"  # noqa: S608  # ours
        ).to_arrow_table()


def mix(parquet: Sequence[Path], window: Window) -> pyarrow.Table:
    """Bytes, packets and flows of each protocol, the largest first."""
    sums = ", ".join(f"CAST({sql} AS BIGINT) AS {name}" for name, sql in MEASURES.items())
    query = f"SELECT proto, {sums} FROM flows GROUP BY proto ORDER BY bytes DESC, proto"  # noqa: S608  # ours
    with flows(parquet, window) as connection:
        return connection.sql(query).to_arrow_table()


def hilbert(order: int, place: int) -> tuple[int, int]:
    """Column and row of a place on the curve that fills a square of ``2 ** order`` by as many.

    The curve of D. Hilbert (1891): neighbours on it are neighbours in the square, so nets stay together. It starts at
    the upper left and ends at the upper right.
    """
    x = y = 0
    side = 1
    while side < 1 << order:
        right = 1 & (place >> 1)
        up = 1 & (place ^ right)
        if not up:
            if right:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
        x, y = x + side * right, y + side * up
        place >>= 2
        side <<= 1
    return x, y
