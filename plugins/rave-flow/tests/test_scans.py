"""``flow/scans``, against plain Python and a planted scanner."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from event_files import Event, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow.detectors.scans import SequentialTest
from rave_flow.detectors.scans import scans as walking
from rave_flow.errors import NoStateError, NothingFoundError, ParameterError
from rave_flow.generate import hosts
from rave_flow.model.windows import Window
from rave_flow.operations import new_services, scans

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
FAILED, SUCCEEDED = ("S0", "REJ", "RSTOS0", "SH"), ("SF", "S1", "S2", "S3", "RSTO", "RSTR")


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


def test_netflow_of_one_direction_is_refused_by_name(netflow: Callable[[Iterable[str]], None]) -> None:
    """Where nothing is answered, the exporter may see half; an empty answer would be a wrong one."""
    netflow([f"{number * 3600} 0 10.0.0.1 4004 192.0.2.4 53 udp -" for number in range(3)])
    with pytest.raises(NoStateError, match="flows of both directions"):
        new_services(start="2024-05-14T11:00", baseline="1h")


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
