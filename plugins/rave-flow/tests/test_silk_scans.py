"""rwscan: SiLK's Threshold Random Walk, where a contact succeeds if its target exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rave_flow.errors import ParameterError
from rave_flow.generate import hosts
from rave_flow.operations.silk import __export__ as served
from rave_flow.silk import AddressSet, rwfilter, rwscan

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
TITLES = "ts,duration,src,src_port,dst,dst_port,proto,src_bytes,dst_bytes,src_packets,dst_packets\n"
EXISTING = AddressSet.of("10.0.0.1-10.0.0.9")


def table(contacts: Iterable[tuple[str, str]]) -> str:
    """Connections, a second apart, as a table without states or flags."""
    rows = [
        f"{1715680800 + place},0.1,{src},{4000 + place},{dst},80,tcp,60,0,1,0"
        for place, (src, dst) in enumerate(contacts)
    ]
    return TITLES + "\n".join([*rows, ""])


def scanners(contacts: Iterable[tuple[str, str]]) -> set[str]:
    """The same in plain Python: each target once, until one of the two bounds is reached."""
    ratios: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    for src, dst in contacts:
        if (src, dst) in seen or not 1 / 98.5 < ratios.get(src, 1.0) < 98.5:
            continue
        seen.add((src, dst))
        ratios[src] = ratios.get(src, 1.0) * (0.25 if dst in EXISTING else 4.0)
    return {src for src, ratio in ratios.items() if ratio >= 98.5}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.integers(1, 30).map(lambda number: f"10.0.0.{number}")
        ),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_verdicts_are_those_of_plain_python(
    tmp_path_factory: pytest.TempPathFactory, contacts: list[tuple[str, str]]
) -> None:
    """Of any contacts; 99 is 4 ** 3.31, so four more misses than hits decide."""
    from rave_core import Settings, using

    directory = tmp_path_factory.mktemp("scans")
    (directory / "a.csv").write_text(table(contacts))
    plugin = {"flow": {"directory": str(directory)}}
    with Runtime(
        Settings(cache=["memory://"], products=[f"file://{directory}/.products"], plugins=plugin)
    ) as runtime, using(runtime):  # fmt: skip
        found = rwscan(rwfilter(), trw_internal_set=EXISTING)
    assert set(found["sip"].to_pylist()) == scanners(contacts)


def test_a_scanner_has_all_its_flows_and_a_reason(serving: Serve, directory: Path) -> None:
    """Six addresses that do not exist; flows, packets and bytes are those of the source."""
    (directory / "a.csv").write_text(table([("192.0.2.1", f"10.0.0.{number}") for number in range(20, 26)]))
    serving(directory)
    (row,) = rwscan(rwfilter(), trw_internal_set=EXISTING).to_pylist()
    assert (row["sip"], row["protocol"], row["flows"], row["packets"], row["bytes"]) == (
        "192.0.2.1", "tcp", 6, 6, 360
    )  # fmt: skip
    assert (row["scan_model"], round(row["scan_prob"], 4)) == (1, round(256 / 257, 4))
    assert row["why"] == "4 of the first 4 addresses do not exist, so the likelihood ratio is 256: at least 99"
    assert (row["etime"] - row["stime"]).total_seconds() == pytest.approx(5.1)


def test_by_default_what_sends_something_exists(netflow: Callable[[Iterable[str]], None]) -> None:
    """Of flows in one direction an answer shows that; the host that answers is no scanner."""
    silent = [f"{number} 0.1 192.0.2.1 4000 10.0.1.{number} 80 tcp S" for number in range(6)]
    lively = [
        line
        for number in range(6)
        for line in (
            f"{number} 0.1 192.0.2.2 4000 10.0.2.{number} 80 tcp S",
            f"{number}.01 0.1 10.0.2.{number} 80 192.0.2.2 4000 tcp RA",
        )
    ]
    netflow([*silent, *lively])
    assert rwscan(rwfilter())["sip"].to_pylist() == ["192.0.2.1"]


def test_the_planted_scanner_is_found_as_an_operation(sharing: Serve, generated: Path) -> None:
    """The same in Python and as an operation, with the options of rwfilter."""
    sharing(generated)
    found: Any = served["rwscan"](protocol="tcp")
    assert hosts.SCANNER in found["sip"].to_pylist()
    assert found.equals(rwscan(rwfilter(protocol="tcp")))


def test_wrong_probabilities_are_refused(sharing: Serve, generated: Path) -> None:
    """As an error of an argument."""
    sharing(generated)
    with pytest.raises(ParameterError, match="theta"):
        rwscan(rwfilter(), trw_theta0=0.2, trw_theta1=0.8)
