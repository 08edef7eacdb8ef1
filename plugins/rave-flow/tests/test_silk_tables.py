"""Rows cut, sorted, counted, ranked and binned by SiLK's tools, against plain Python over the lines of logs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from flow_rows import NO_PORT, filled, read
from rave_flow.silk import rwcount, rwcut, rwfilter, rwsort, rwstats, rwtotal, rwuniq

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Row = dict[str, Any]


def test_rows_are_cut_and_sorted(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """By several fields; equal ones in the order that was before, so always the same."""
    sharing(generated)
    found = rwcut(rwsort(rwfilter(), fields="bytes,sip", reverse=True), fields="bytes,sip", num_recs=50).to_pylist()
    expected = sorted(((row["bytes"], row["sip"]) for row in lines), reverse=True)[:50]
    assert [(row["bytes"], row["sip"]) for row in found] == expected
    twice = rwsort(rwsort(rwfilter(), fields="dport"), fields="protocol")
    found = rwcut(twice, fields="protocol,dport").to_pylist()
    assert [(row["protocol"], filled(row["dport"])) for row in found] == sorted(
        (row["protocol"], row["dport"]) for row in lines
    )
    table = rwfilter(dport=443).get_data()
    assert table.column_names[:5] == ["sip", "dip", "sport", "dport", "protocol"]
    assert table.num_rows == sum(row["dport"] == 443 for row in lines)
    assert len(rwfilter(dport=443).to_pandas(limit=7)) == 7


def test_groups_are_counted(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """Records, bytes, packets and distinct addresses of each combination; thresholds leave some out."""
    sharing(generated)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in lines:
        groups.setdefault((row["protocol"], row["dport"]), []).append(row)
    found = rwuniq(rwfilter(), fields="protocol,dport", values="records,bytes,packets,sip_distinct").to_pylist()
    assert {(row["protocol"], filled(row["dport"])): tuple(row.values())[2:] for row in found} == {
        group: (
            len(rows),
            sum(row["bytes"] for row in rows),
            sum(row["packets"] for row in rows),
            len({row["sip"] for row in rows}),
        )
        for group, rows in groups.items()
    }
    some = rwuniq(rwfilter(), fields=["protocol", "dport"], threshold="10-100,bytes:5000-")
    assert some.num_rows == sum(
        10 <= len(rows) <= 100 and sum(row["bytes"] for row in rows) >= 5000 for rows in groups.values()
    )


def test_rankings_have_shares(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """By count, threshold and percentage, from the top and from the bottom."""
    sharing(generated)
    sums = Counter[str]()
    for row in lines:
        sums[row["sip"]] += row["bytes"]
    total = sum(sums.values())
    order = sorted(sums, key=lambda sip: (-sums[sip], sip))
    found = rwstats(rwfilter(), fields="sip", values="bytes", count=5).to_pylist()
    assert [row["sip"] for row in found] == order[:5]
    assert [row["percentage"] for row in found] == pytest.approx([100 * sums[sip] / total for sip in order[:5]])
    assert found[-1]["cumulative"] == pytest.approx(sum(row["percentage"] for row in found))
    assert rwstats(rwfilter(), fields="sip", values="bytes", threshold=10**6).num_rows == sum(
        value >= 10**6 for value in sums.values()
    )
    assert rwstats(rwfilter(), fields="sip", values="bytes", percentage=2.5).num_rows == sum(
        100 * value / total >= 2.5 for value in sums.values()
    )
    bottom = rwstats(rwfilter(), fields="sip", values="bytes", count=3, bottom=True).column("sip").to_pylist()
    assert bottom == sorted(sums, key=lambda sip: (sums[sip], sip))[:3]


@pytest.mark.parametrize(
    "key_name", ["sip_first_8", "sip_first_24", "sip_last_8", "sip_last_16", "dport", "protocol", "duration"]
)
def test_totals_are_those_of_each_key(sharing: Serve, generated: Path, lines: list[Row], key_name: str) -> None:
    """Beginnings of addresses are those of IPv4; the others are under null."""
    sharing(generated)

    def of(row: Row) -> Any:
        if key_name == "duration":
            return None if row["duration"] is None else math.floor(row["duration"])
        if key_name.startswith("sip"):
            octets = int(key_name.rpartition("_")[2]) // 8
            parts = row["sip"].split(".")
            return None if ":" in row["sip"] else ".".join(parts[-octets:] if "last" in key_name else parts[:octets])
        return row[key_name]

    sums: dict[Any, list[int]] = {}
    for row in lines:
        held = sums.setdefault(of(row), [0, 0, 0])
        held[:] = held[0] + 1, held[1] + row["bytes"], held[2] + row["packets"]
    found = rwtotal(rwfilter(), key=key_name).to_pylist()
    assert {filled(row["key"]): [row["records"], row["bytes"], row["packets"]] for row in found} == {
        filled(value): held for value, held in sums.items()
    }


def spread(row: Row, width: int, scheme: int) -> Iterable[tuple[int, float]]:
    """The bins that a flow counts in, and how much of it, as the manual of rwcount tells."""
    start, micros = row["us"], width * 10**6
    end = start + round((row["duration"] or 0) * 1e6)
    low, high = start // micros, end // micros
    bins = range(low, high + 1)
    if scheme in (0, 5):
        return [(number, 1 / len(bins) if scheme == 0 else 1.0) for number in bins]
    if scheme in (1, 2, 3):
        return [({1: low, 2: high, 3: (start + end) // 2 // micros}[scheme], 1.0)]
    if scheme == 6:
        return [(low, 1.0)] if low == high else []
    if start == end:
        return [(low, 1.0)]
    return [
        (number, (min(end, (number + 1) * micros) - max(start, number * micros)) / (end - start)) for number in bins
    ]


@pytest.mark.parametrize("scheme", range(7))
def test_bins_are_loaded_by_the_scheme(sharing: Serve, generated: Path, lines: list[Row], scheme: int) -> None:
    """Records, bytes and packets of each bin; those between without flows are there."""
    sharing(generated)
    width = 20
    sums: dict[int, list[float]] = {}
    for row in lines:
        for number, load in spread(row, width, scheme):
            held = sums.setdefault(number, [0.0, 0.0, 0.0])
            held[:] = held[0] + load, held[1] + row["bytes"] * load, held[2] + row["packets"] * load
    found = rwcount(rwfilter(), bin_size=width, load_scheme=scheme).to_pylist()
    for row in found:
        number = round(row["date"].timestamp()) // width
        expected = sums.pop(number, [0.0, 0.0, 0.0])
        assert [row["records"], row["bytes"], row["packets"]] == pytest.approx(expected)
    assert sums == {}
    dates = [row["date"].timestamp() for row in found]
    assert dates == [dates[0] + number * width for number in range(len(dates))]


def test_fields_have_numbers(sharing: Serve, generated: Path) -> None:
    """Those of SiLK's manual, and ranges of them."""
    sharing(generated)
    flows = rwfilter(dport=443)
    expected = ["sip", "dip", "sport", "dport", "protocol", "stime"]
    assert rwcut(flows, fields="1-5,9", num_recs=1).column_names == expected
    assert rwcut(flows, fields="sIP,2,3-4,proto,sTime+msec", num_recs=1).column_names == expected


def test_distinct_values_and_bins_of_times_are_those_of_plain_python(
    sharing: Serve, generated: Path, lines: list[Row]
) -> None:
    """Of any field; the times of a group are cut to the start of their bin."""
    sharing(generated)
    ports: dict[int, set[int]] = {}
    for row in lines:
        ports.setdefault(row["us"] // 600_000_000 * 600, set()).update({row["dport"]} - {NO_PORT})
    found = rwuniq(rwfilter(), fields="stime", values="distinct:dport", bin_time="10m").to_pylist()
    assert {row["stime"].replace(tzinfo=UTC).timestamp(): row["dport_distinct"] for row in found} == {
        start: len(some) for start, some in ports.items()
    }
    ranked = rwstats(rwfilter(), fields="9", values="distinct:dport", count=1, bin_time=600).to_pylist()
    assert ranked[0]["dport_distinct"] == max(map(len, ports.values()))


@pytest.mark.parametrize("scheme", ["time-proportional", "start-spike"])
def test_bins_have_a_start_and_an_end(sharing: Serve, generated: Path, lines: list[Row], scheme: str) -> None:
    """The first begins where it is asked to, the last holds the end; those without flows are there or are skipped."""
    sharing(generated)
    start, width = 1715680807, 7
    sums = [0.0] * 86
    for row in lines:
        moved = {**row, "us": row["us"] - start * 10**6}
        for number, load in spread(moved, width, 4 if scheme.startswith("time") else 1):
            if 0 <= number < 86:
                sums[number] += load
    options: dict[str, Any] = {"bin_size": 7, "load_scheme": scheme, "start_time": "2024/05/14:10:00:07"}
    found = rwcount(rwfilter(), end_time="2024-05-14T10:10:07", **options).to_pylist()
    assert [row["date"].timestamp() for row in found] == [start + number * width for number in range(86)]
    assert [row["records"] for row in found] == pytest.approx(sums)
    some = rwcount(rwfilter(), end_time="2024-05-14T10:10:07", skip_zeroes=True, **options).to_pylist()
    assert [row["records"] for row in some] == pytest.approx([value for value in sums if value])


def test_one_wrong_clock_does_not_take_the_bins_of_all_others_away(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Empty bins of decades are left out, a flow of weeks is counted apart, and both are told; nothing is lost."""
    wrapped = line(ts=1715680900.5).replace("\t0.5\t", f"\t{49.7 * 86400}\t")
    serving(zeek([line(), line(ts=1715680860.5), line(ts=4102444800.0), wrapped]))
    for scheme in range(7):
        table = rwcount(rwfilter(), load_scheme=scheme)
        rows = table.to_pylist()
        assert sum(row["bytes"] for row in rows) == pytest.approx(4 * 150 if scheme != 6 else 3 * 150)
        assert len(rows) < 10
        assert b"bins without flows are left out" in table.schema.metadata[b"rave.flow.bins"]
        apart = [row["records"] for row in rows if row["date"] is None]
        assert apart == ([1.0] if scheme in (0, 4, 5) else [])


def test_an_unset_duration_is_none_to_every_tool(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """It is not 0: no tool finds what another does not count."""
    serving(zeek([line(), line(ts=1715680801.5).replace("\t0.5\t", "\t-\t")]))
    totals = {row["key"]: row["records"] for row in rwtotal(rwfilter(), key="duration").to_pylist()}
    groups = {row["duration"]: row["records"] for row in rwuniq(rwfilter(), fields="duration").to_pylist()}
    assert (totals, groups) == ({0: 1, None: 1}, {0.5: 1, None: 1})
    assert rwcut(rwfilter(duration="0-1")).num_rows == 1


def test_numbers_of_a_real_host_are_those_of_plain_python(sharing: Serve, real_data: Path) -> None:
    """Two recorded days: who was reached how often on which port."""
    sharing(real_data)
    rows = [row for row in read(real_data) if row["protocol"] == "tcp" and row["dport"] < 1024]
    sums = Counter((row["dip"], row["dport"]) for row in rows)
    found = rwuniq(rwfilter(protocol="tcp", dport="-1023"), fields="dip,dport").to_pylist()
    assert {(row["dip"], row["dport"]): row["records"] for row in found} == sums
