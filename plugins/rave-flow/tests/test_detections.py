"""What the detectors tell of services and long connections, and the arguments that all of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rave_flow.arguments.converters import CONVERTERS
from rave_flow.errors import NothingFoundError, WindowError
from rave_flow.operations import hourly, long_connections, new_services, top

from rave_core import Runtime

Serve = Callable[[Path], Runtime]


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
    assert "192.0.2.2:443/tcp first answered at 2024-05-14 10:00:20 UTC" in rows[0]["why"]
    assert re.search(
        r"UTC: (once|\d+ times) to (1 client|\d+ clients), and never in the (\d+ )?[a-z]+ before$", rows[0]["why"]
    )
    with pytest.raises(NothingFoundError):
        new_services(start="2024-05-14T10:00", end="2024-05-14T11:00", baseline="1h")
    with pytest.raises(WindowError, match="7 days before 0001-01-02T00:00:00") as caught:
        new_services(start="0001-01-02", baseline="7d")
    assert caught.value.parameter == "start"


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
