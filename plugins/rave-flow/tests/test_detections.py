"""``flow/scans``, ``flow/beacons`` and ``flow/new_services``, against plain Python and planted events."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow.arguments.converters import CONVERTERS
from rave_flow.detectors.beacons import beacons as beaconing
from rave_flow.detectors.scans import SequentialTest
from rave_flow.detectors.scans import scans as walking
from rave_flow.errors import NoStateError, NothingFoundError, ParameterError
from rave_flow.generate import hosts
from rave_flow.model.address_set import AddressSet, number_of_text
from rave_flow.model.windows import Window
from rave_flow.operations import beacons, hourly, long_connections, new_services, scans, top

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
FAILED, SUCCEEDED = ("S0", "REJ", "RSTOS0", "SH"), ("SF", "S1", "S2", "S3", "RSTO", "RSTR")
Event = tuple[int, str, str, int, str]


def write(path: Path, events: Iterable[Event], *, sent: Callable[[Event], int] = lambda event: 100) -> Path:
    """Events (microseconds, source, destination, port, state) as a file of flows."""
    rows = [
        {
            "ts": datetime.fromtimestamp(event[0] / 1e6, UTC).replace(tzinfo=None),
            "src": event[1],
            "dst": event[2],
            "dst_port": event[3],
            "proto": "tcp",
            "state": event[4],
            "service": None,
            "bytes": sent(event) + 50,
            "src_bytes": sent(event),
            "dst_bytes": 50,
            "packets": 4,
            "flags": None,
            "duration": 0.5,
            "src_port": 40000,
            **{
                f"{end}_{half}": (number_of_text(event[place]) or 0) // divisor % 2**64
                for end, place in (("src", 1), ("dst", 2))
                for half, divisor in (("high", 2**64), ("low", 1))
            },
        }
        for event in events
    ]
    kinds = {"ts": pyarrow.timestamp("us"), "dst_port": pyarrow.uint16(), "state": pyarrow.string()}
    kinds |= {"service": pyarrow.string(), "flags": pyarrow.uint8(), "src_port": pyarrow.uint16()}
    kinds |= {f"{end}_{half}": pyarrow.uint64() for end in ("src", "dst") for half in ("high", "low")}
    names = list(rows[0])
    fields = [(name, kinds.get(name) or pyarrow.infer_type([rows[0][name]])) for name in names]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(fields)), path)
    return path


def walk(events: Iterable[Event], test: SequentialTest, by_port: bool) -> Iterator[dict[str, Any]]:
    """The walk of each source as the paper tells it, one contact after the other."""
    seen: dict[str, dict[Any, tuple[int, bool]]] = defaultdict(dict)
    for micros, src, dst, port, state in events:
        if state not in FAILED + SUCCEEDED:
            continue
        target: Any = (dst, port) if by_port else dst
        succeeded = state in SUCCEEDED
        before = seen[src].get(target)
        if before is None or (micros, not succeeded) < (before[0], not before[1]):
            seen[src][target] = (micros, succeeded)
    for src, contacts in seen.items():
        ratio, verdict, counts = 1.0, "pending", [0, 0]
        for _, (_, succeeded) in sorted(contacts.items(), key=lambda item: (item[1][0], item[0])):
            if succeeded:
                ratio *= test.theta1 / test.theta0
            else:
                ratio *= (1 - test.theta1) / (1 - test.theta0)
            counts[succeeded] += 1
            if ratio >= test.beta / test.alpha * (1 - 1e-9):
                verdict = "scanner"
            elif ratio <= (1 - test.beta) / (1 - test.alpha) * (1 + 1e-9):
                verdict = "benign"
            if verdict != "pending":
                break
        yield {"src": src, "verdict": verdict, "ratio": ratio, "failures": counts[0], "successes": counts[1]}


EVENT = st.tuples(
    st.integers(1_715_680_800_000_000, 1_715_680_800_000_040),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
    st.sampled_from([f"192.0.2.{number}" for number in range(12)]),
    st.integers(20, 26),
    st.sampled_from([*FAILED, *SUCCEEDED, "OTH", "SHR"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(EVENT, min_size=1, max_size=60),
    by_port=st.booleans(),
    test=st.sampled_from([SequentialTest(), SequentialTest(0.7, 0.3, 0.1, 0.8), SequentialTest(0.9, 0.5, 0.05, 0.95)]),
)
def test_walks_are_those_of_plain_python(
    tmp_path: Path, events: list[Event], by_port: bool, test: SequentialTest
) -> None:
    """Verdict, ratio and counts of each source, also of contacts in one microsecond."""
    table = walking([write(tmp_path / "flows.parquet", events)], Window(), test, "port" if by_port else "host")
    found = {row["src"]: row for row in table.to_pylist()}
    expected = {row["src"]: row for row in walk(events, test, by_port)}
    assert found.keys() == expected.keys()
    for src, row in expected.items():
        for name in ("verdict", "failures", "successes"):
            assert found[src][name] == row[name], (src, name)
        assert found[src]["ratio"] == pytest.approx(row["ratio"])
        assert found[src]["observations"] == row["failures"] + row["successes"]
        assert (found[src]["decided_at"] is None) is (row["verdict"] == "pending")


def test_the_papers_parameters_need_four_failures() -> None:
    """With theta 0.8 and 0.2 each failure makes it four times as likely, and 99 is reached by the fourth."""
    steps = SequentialTest().steps
    assert math.exp(steps["failure"]) == pytest.approx(4.0)
    assert 3 * steps["failure"] < steps["upper"] < 4 * steps["failure"]


def test_the_planted_scanner_is_found_and_nobody_else(sharing: Serve, generated: Path) -> None:
    """With the number of contacts that decided it, and in words."""
    sharing(generated)
    rows = scans().to_pylist()
    assert [row["src"] for row in rows if row["verdict"] == "scanner"] == [hosts.SCANNER]
    assert rows[0]["failures"] >= 4
    assert rows[0]["why"].startswith(f"{rows[0]['failures']} of {rows[0]['observations']} first contacts failed")


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


def service(line: Callable[..., str], ts: float, host: str, port: int, state: str = "SF") -> str:
    """A line of a flow to a port of a host."""
    return line(ts).replace("192.0.2.80", host).replace("\t443\t", f"\t{port}\t").replace("\tSF\t", f"\t{state}\t")


def test_a_port_that_answers_for_the_first_time_is_new(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """One that answered before is not, nor is one that was tried and did not answer."""
    noon = 1715680800.0
    lines = [
        service(line, noon - 86400, "192.0.2.1", 443),
        service(line, noon - 86400, "192.0.2.1", 8080, "REJ"),
        service(line, noon + 10, "192.0.2.1", 443),
        service(line, noon + 30, "192.0.2.1", 8080),
        service(line, noon + 20, "192.0.2.2", 443),
        service(line, noon + 40, "192.0.2.3", 22, "S0"),
    ]
    serving(zeek(lines))
    rows = new_services(start="2024-05-14T10:00", end="2024-05-14T11:00", baseline="7d").to_pylist()
    assert [(row["host"], row["port"]) for row in rows] == [("192.0.2.2", 443), ("192.0.2.1", 8080)]
    assert "192.0.2.2:443/tcp first answered 2024-05-14 10:00:20 UTC" in rows[0]["why"]
    with pytest.raises(NothingFoundError):
        new_services(start="2024-05-14T10:00", end="2024-05-14T11:00", baseline="1h")


def test_flows_without_a_state_are_refused(serving: Serve, tmp_path: Path) -> None:
    """Whether a connection failed can't be told, and nothing is guessed."""
    directory = tmp_path / "flows"
    directory.mkdir()
    header = "ts,src,src_port,dst,dst_port,proto,bytes,packets\n"
    (directory / "a.csv").write_text(header + "2024-05-14T10:00:00,10.0.0.1,4000,192.0.2.1,443,tcp,100,2\n")
    serving(directory)
    with pytest.raises(NoStateError, match="none of the 1 TCP flows"):
        scans()
    with pytest.raises((NoStateError, NothingFoundError)):
        new_services(start="2024-05-14T10:00")


NETFLOW = "ts,duration,src,src_port,dst,dst_port,proto,bytes,packets,flags\n"


@pytest.fixture
def netflow(serving: Serve, tmp_path: Path) -> Callable[[Iterable[str]], None]:
    """Serves flows of one direction each: ``second duration src sport dst dport proto flags``."""

    def serve(flows: Iterable[str]) -> None:
        directory = tmp_path / "netflow"
        directory.mkdir()
        lines = []
        for flow in flows:
            second, *rest, flags = flow.split()
            lines.append(",".join([str(1715680800 + float(second)), *rest, "100", "2", flags.strip("-")]))
        (directory / "a.csv").write_text(NETFLOW + "\n".join([*lines, ""]))
        serving(directory)

    return serve


def test_scanners_are_found_by_flags(netflow: Callable[[Iterable[str]], None]) -> None:
    """Of one direction: an attempt that is never acknowledged failed; an answer is no attempt of the server's."""
    scanner = [f"{number} 0 10.0.0.66 {40000 + number} 192.0.2.{number} 445 tcp S" for number in range(1, 9)]
    resets = [f"{number}.1 0 192.0.2.{number} 445 10.0.0.66 {40000 + number} tcp AR" for number in range(1, 5)]
    client = [f"{number} 1 10.0.0.1 {50000 + number} 198.51.100.{number} 443 tcp SAPF" for number in range(1, 9)]
    server = [f"{number}.01 1 198.51.100.{number} 443 10.0.0.1 {50000 + number} tcp SAPF" for number in range(1, 9)]
    netflow(scanner + resets + client + server)
    rows = {row["src"]: row for row in scans().to_pylist()}
    assert rows.keys() == {"10.0.0.66", "10.0.0.1"}
    assert (rows["10.0.0.66"]["verdict"], rows["10.0.0.66"]["contacts"]) == ("scanner", 8)
    assert (rows["10.0.0.1"]["verdict"], rows["10.0.0.1"]["contacts"]) == ("benign", 8)


def test_new_services_are_found_in_pairs_of_flows(netflow: Callable[[Iterable[str]], None]) -> None:
    """A port that is answered, by a flow the other way, is a service; one that resets, or is silent, is none."""
    old = ["0 1 10.0.0.1 4000 192.0.2.1 443 tcp SAPF", "0.1 1 192.0.2.1 443 10.0.0.1 4000 tcp SAPF"]
    new = [
        "7200 1 10.0.0.1 4001 192.0.2.1 443 tcp SAPF", "7200 1 192.0.2.1 443 10.0.0.1 4001 tcp SAPF",
        "7300 1 10.0.0.1 4002 192.0.2.2 8443 tcp SAPF", "7300.2 1 192.0.2.2 8443 10.0.0.1 4002 tcp SAPF",
        "7400 0 10.0.0.1 4003 192.0.2.3 22 tcp S", "7400.1 0 192.0.2.3 22 10.0.0.1 4003 tcp AR",
        "7500 0 10.0.0.1 4004 192.0.2.4 53 udp -",
        "7600 0 10.0.0.1 4005 192.0.2.5 53 udp -", "7600.5 0 192.0.2.5 53 10.0.0.1 4005 udp -",
    ]  # fmt: skip
    netflow(old + new)
    rows = new_services(start="2024-05-14T11:30", baseline="1d").to_pylist()
    assert [(row["host"], row["port"], row["proto"]) for row in rows] == [
        ("192.0.2.2", 8443, "tcp"),
        ("192.0.2.5", 53, "udp"),
    ]


def test_netflow_of_one_direction_is_refused_by_name(netflow: Callable[[Iterable[str]], None]) -> None:
    """Where nothing is answered, the exporter may see half; an empty answer would be a wrong one."""
    netflow([f"{number * 3600} 0 10.0.0.1 4004 192.0.2.4 53 udp -" for number in range(3)])
    with pytest.raises(NoStateError, match="flows of both directions"):
        new_services(start="2024-05-14T11:00", baseline="1h")


def test_long_connections_are_told(serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]) -> None:
    """The longest first; those to outside before those within."""
    long = [line(src="10.0.0.1").replace("\t0.5\t", "\t7200.5\t"), line(src="10.0.0.2").replace("\t0.5\t", "\t9000\t")]
    within = [
        line(src="10.0.0.3").replace("192.0.2.80", "10.0.0.9").replace("\t0.5\t", "\t99999\t"),
        line(src="10.0.0.4"),
    ]
    serving(zeek(long + within))
    rows = long_connections(least="2h").to_pylist()
    assert [(row["src"], row["direction"], row["longest"]) for row in rows] == [
        ("10.0.0.2", "out", 9000.0),
        ("10.0.0.1", "out", 7200.5),
        ("10.0.0.3", "int", 99999.0),
    ]
    assert rows[0]["why"].startswith("open for 2.5 h at the longest")
    assert [row["src"] for row in long_connections(internal="192.0.2.80", n=1).to_pylist()] == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"theta0": 0.2, "theta1": 0.8}, "theta1=0.8 is not less than theta0=0.2"),
        ({"alpha": 0.9, "beta": 0.5}, "alpha=0.9 is not less than beta=0.5"),
    ],
)
def test_contradictory_parameters_are_refused(
    sharing: Serve, generated: Path, arguments: dict[str, float], words: str
) -> None:
    """Before anything is read."""
    sharing(generated)
    with pytest.raises(ParameterError, match=words):
        scans(**arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow_probability", 0), ("flow_probability", 1.0), ("flow_probability", True), ("flow_score", 1.1),
        ("flow_score", "high"), ("flow_connections", 3), ("flow_contact", "net"), ("flow_hour", "2024-05-14T10:30"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(name: str, value: object) -> None:
    """By the type of the argument, so that HTTP answers 400."""
    with pytest.raises((TypeError, ValueError)):
        CONVERTERS[name].convert(value)


def test_an_hour_s_report_is_that_hour_of_the_flows(sharing: Serve, generated: Path) -> None:
    """Its totals are those of the window, and its ports add up."""
    sharing(generated)
    rows = hourly("2024-05-14T13:00", n=100_000).to_pylist()
    whole = top(n=1000, start="2024-05-14T13:00", end="2024-05-14T14:00").to_pylist()
    assert [row["level"] for row in rows][:2] == ["hour", "protocol"]
    assert rows[0]["bytes"] == sum(row["bytes"] for row in whole)
    assert sum(row["flows"] for row in rows if row["level"] == "port") == rows[0]["flows"]


def test_scanners_of_a_real_host_are_those_of_plain_python(
    sharing: Serve, real_data: Path, states: Callable[[Path], list[Event]]
) -> None:
    """All sources of two recorded days; most that tried ten ports or more are scanners."""
    sharing(real_data)
    rows = {row["src"]: row for row in scans(contact="port").to_pylist()}
    expected = {row["src"]: row for row in walk(states(real_data), SequentialTest(), by_port=True)}
    assert rows.keys() == expected.keys()
    different = [src for src, row in expected.items() if rows[src]["verdict"] != row["verdict"]]
    assert different == []
    busy = [row for row in rows.values() if row["contacts"] >= 10]
    assert len(busy) > 50
    assert sum(row["verdict"] == "scanner" for row in busy) > 0.9 * len(busy)


@pytest.fixture(scope="session")
def states() -> Callable[[Path], list[Event]]:
    """Reads the TCP connections of Zeek logs line by line, with their states."""
    import gzip

    def read(directory: Path) -> list[Event]:
        events: list[Event] = []
        for path in sorted(directory.rglob("conn*.log.gz")):
            fields: list[str] = []
            with gzip.open(path, "rt") as lines:
                for text in lines:
                    if text.startswith("#fields"):
                        fields = text.rstrip("\n").split("\t")[1:]
                    elif not text.startswith("#"):
                        raw = dict(zip(fields, text.rstrip("\n").split("\t"), strict=True))
                        if raw["proto"] == "tcp":
                            micros = round(float(raw["ts"]) * 10**6)
                            port = int(raw["id.resp_p"])
                            events.append((micros, raw["id.orig_h"], raw["id.resp_h"], port, raw["conn_state"]))
        return events

    return read
