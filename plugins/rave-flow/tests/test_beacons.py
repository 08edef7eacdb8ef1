"""``flow/beacons``, against plain Python and a planted beacon."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from event_files import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow.detectors.beacons import beacons as beaconing
from rave_flow.generate import hosts
from rave_flow.model.address_set import AddressSet
from rave_flow.model.windows import Window
from rave_flow.operations import beacons

from rave_core import Runtime

Serve = Callable[[Path], Runtime]


def test_the_planted_beacon_is_the_most_regular(sharing: Serve, generated: Path) -> None:
    """It stands first, with its interval; a day of 4000 flows has one of a few minutes."""
    sharing(generated)
    first = beacons(score=0.0).to_pylist()[0]
    assert (first["src"], first["dst"], first["dst_port"]) == (hosts.BEACON, hosts.CONTROLLER, 443)
    assert first["score"] > 0.8
    assert first["interval_madm"] < first["interval"] / 20
    assert 505 <= first["sent"] <= 900
    assert f"{first['connections']} connections" in first["why"]


def score(times: list[int], sizes: list[float]) -> float:
    """The formula of `rave_flow.detectors.beacons`, in plain Python."""

    def measures(values: list[float]) -> tuple[float, float]:
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        madm = statistics.median(abs(value - middle) for value in values)
        symmetry = 1 - abs((low + high - 2 * middle) / (high - low) if high > low else 0)
        return symmetry, (1.0 if madm == 0 else max(0.0, 1 - madm / middle) if middle else 0.0)

    gaps = [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(times)]
    return sum((*measures(gaps), *measures(sizes))) / 4


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.integers(1, 10**9), min_size=3, max_size=30),
    sizes=st.lists(st.integers(0, 10**6), min_size=31, max_size=31),
)
def test_scores_are_those_of_plain_python(tmp_path: Path, gaps: list[int], sizes: list[int]) -> None:
    """Of any intervals and sizes."""
    times = [1_715_680_800_000_000]
    for gap in gaps:
        times.append(times[-1] + gap)
    events = [(micros, "10.0.0.1", "192.0.2.1", 443, "SF") for micros in times]
    by_time = dict(zip(times, sizes, strict=False))
    path = write(tmp_path / "flows.parquet", events, sent=lambda event: by_time[event[0]])
    (row,) = beaconing([path], Window(), 4, 0.0).to_pylist()
    assert row["score"] == pytest.approx(score(times, [float(by_time[micros]) for micros in times]), abs=1e-6)
    assert row["connections"] == len(times)


def test_attempts_that_nobody_answers_are_no_beacon(tmp_path: Path) -> None:
    """They lower the score by their share, and the row says so."""
    start, minute = 1_715_680_800_000_000, 60 * 10**6
    events = [(start + number * minute, "10.0.0.1", "192.0.2.1", 443, "S0") for number in range(60)]
    events += [
        (start + number * minute, "10.0.0.2", "192.0.2.2", 443, "REJ" if number % 4 == 0 else "SF")
        for number in range(60)
    ]
    path = write(tmp_path / "flows.parquet", events)
    assert beaconing([path], Window(), 20, 0.8).num_rows == 0
    rows = {row["src"]: row for row in beaconing([path], Window(), 20, 0.0).to_pylist()}
    assert (rows["10.0.0.1"]["score"], rows["10.0.0.1"]["failed"]) == (0.0, 60)
    assert "60 of 60 were never answered" in rows["10.0.0.1"]["why"]
    assert (rows["10.0.0.2"]["score"], rows["10.0.0.2"]["failed"]) == (pytest.approx(0.75), 15)


def test_beacons_have_directions_and_what_stands_around_them(tmp_path: Path) -> None:
    """From inside to outside first, whatever the score; how rare, how new, how long and how even is plain Python's."""
    start, minute = 1_715_680_800_000_000, 60 * 10**6
    inside = AddressSet.of("10.0.0.0/8").ranges
    within = [(start + number * minute, "10.0.0.1", "10.0.0.9", 22, "SF") for number in range(48)]
    starts = [start + at * minute + at * at % 11 * 10**6 for at in range(12, 36)]
    out = [(micros, "10.0.0.2", "192.0.2.1", 443, "SF") for micros in starts]
    others = [(start + 47 * minute, "10.0.0.3", "192.0.2.1", 443, "SF")]
    path = write(tmp_path / "flows.parquet", within + out + others)
    first, second = beaconing([path], Window(), 20, 0.0, inside).to_pylist()
    assert (first["src"], first["direction"], second["direction"]) == ("10.0.0.2", "out", "int")
    assert first["score"] < second["score"]
    times = [event[0] for event in out]
    assert first["duration_score"] == pytest.approx((times[-1] - times[0]) / (47 * minute))
    assert first["prevalence"] == pytest.approx(2 / 3)
    assert first["first_seen"].timestamp() * 1e6 == times[0]
    parts = [0] * 24
    for time in times:
        parts[min(23, (time - start) * 24 // (47 * minute))] += 1
    deviation = statistics.pstdev(parts) / statistics.mean(parts)
    assert first["histogram_score"] == pytest.approx(max(0, 1 - deviation))
    assert "2 of 3 sources contact 192.0.2.1, first at 2024-05-14 10:12:01 UTC" in first["why"]


def test_too_few_connections_are_no_beacon(tmp_path: Path) -> None:
    """However regular they are."""
    events = [(1_715_680_800_000_000 + number * 10**6, "10.0.0.1", "192.0.2.1", 443, "SF") for number in range(9)]
    path = write(tmp_path / "flows.parquet", events)
    assert beaconing([path], Window(), 10, 0.0).num_rows == 0
    assert beaconing([path], Window(), 9, 1.0)["score"].to_pylist() == [1.0]
