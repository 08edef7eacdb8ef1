"""`rwfilter`, against plain Python over the lines of logs."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from flow_rows import key, keys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.operations import silk
from rave_flow.silk import rwcat, rwcount, rwcut, rwfilter, rwset, rwstats, rwtotal, rwuniq
from rave_flow.sql.flow_types import NAMES
from rave_flow.sql.tuples import Tuples

from rave_core import Runtime

EXPORTS = silk.__export__
Serve = Callable[[Path], Runtime]
Row = dict[str, Any]
Runs = Callable[[str], int]


def inside(address: str, *nets: str) -> bool:
    """Whether an address is in one of some networks."""
    found = ipaddress.ip_address(address)
    return any(found in net for net in map(ipaddress.ip_network, nets) if net.version == found.version)


def way(row: Row) -> str:
    """The type of a flow, where the networks that are made up are internal that nobody routes."""
    inner = [inside(row[end], "10.0.0.0/8", "192.168.0.0/16", "fe80::/10", "fc00::/7") for end in ("sip", "dip")]
    if inner[0] == inner[1]:
        return "int2int" if inner[0] else "ext2ext"
    web = row["protocol"] == "tcp" and {row["sport"], row["dport"]} & {80, 443, 8080} != set()
    return ("out" if inner[0] else "in") + ("web" if web else "icmp" if row["protocol"] in ("icmp", "icmp6") else "")


MIDNIGHT, HOUR = 1715644800 * 10**6, 3600 * 10**6


def ended(row: Row) -> int:
    """When a flow ended, in microseconds."""
    return int(row["us"]) + round((row["duration"] or 0) * 1e6)


OPTIONS: dict[str, list[tuple[Any, Callable[[Row], bool]]]] = {
    "protocol": [
        ("tcp", lambda row: row["protocol"] == "tcp"),
        ("6,17", lambda row: row["protocol"] in ("tcp", "udp")),
        ([1, "icmp6"], lambda row: row["protocol"] in ("icmp", "icmp6")),
        ("0-5", lambda row: row["protocol"] in ("icmp", "igmp", "0", "3", "4", "5")),
    ],
    "dport": [
        (443, lambda row: row["dport"] == 443),
        ("53,80-443,9000-", lambda row: row["dport"] == 53 or 80 <= row["dport"] <= 443 or row["dport"] >= 9000),
    ],
    "sport": [("-1023", lambda row: 0 <= row["sport"] <= 1023)],
    "aport": [("53,123", lambda row: {row["sport"], row["dport"]} & {53, 123} != set())],
    "saddress": [
        ("10.1.0.0/16", lambda row: inside(row["sip"], "10.1.0.0/16")),
        ("10.1.0.0/16,2001:db8::/32", lambda row: inside(row["sip"], "10.1.0.0/16", "2001:db8::/32")),
    ],
    "daddress": [
        (AddressSet.of("192.0.2.0/25", "10.0.0.53"), lambda row: inside(row["dip"], "192.0.2.0/25", "10.0.0.53/32"))
    ],
    "any_address": [
        ("192.0.2.80", lambda row: "192.0.2.80" in (row["sip"], row["dip"])),
        ("2001:db8:1::/64", lambda row: any(inside(row[end], "2001:db8:1::/64") for end in ("sip", "dip"))),
    ],
    "not_daddress": [
        ("10.x.0-1.x", lambda row: not (inside(row["dip"], "10.0.0.0/8") and int(row["dip"].split(".")[2]) <= 1))
    ],
    "not_saddress": [("10.0.0.0/8", lambda row: not inside(row["sip"], "10.0.0.0/8"))],
    "bytes": [("1000-", lambda row: row["bytes"] >= 1000), ("-99", lambda row: row["bytes"] <= 99)],
    "packets": [("2-10", lambda row: 2 <= row["packets"] <= 10)],
    "duration": [
        ("0.5-10", lambda row: row["duration"] is not None and 500 <= round(row["duration"] * 1000) <= 10_000)
    ],
    "bytes_per_packet": [
        ("40-60.5", lambda row: row["packets"] > 0 and 40 <= Fraction(row["bytes"], row["packets"]) <= Fraction(121, 2))
    ],
    "bytes_per_second": [
        (
            "100-5000",
            lambda row: bool(row["duration"]) and 100 <= row["bytes"] / Fraction(str(row["duration"])) <= 5000,
        )
    ],
    "packets_per_second": [
        ("2-", lambda row: bool(row["duration"]) and row["packets"] / Fraction(str(row["duration"])) >= 2)
    ],
    "stime": [
        ("2024/05/14:09-2024/05/14:10:29", lambda row: MIDNIGHT + 9 * HOUR <= row["us"] < MIDNIGHT + 10.5 * HOUR)
    ],
    "etime": [("2024/05/14:09", lambda row: MIDNIGHT + 9 * HOUR <= ended(row) < MIDNIGHT + 10 * HOUR)],
    "active_time": [
        (
            "2024-05-14T09:30:00/2024-05-14T09:30:09",
            lambda row: row["us"] < MIDNIGHT + 9.5 * HOUR + 10e6 and ended(row) >= MIDNIGHT + 9.5 * HOUR,
        )
    ],
    "ip_version": [(6, lambda row: ":" in row["sip"]), ("4", lambda row: "." in row["sip"])],
    "anyset": [
        (
            AddressSet.of(*[f"10.1.{number}.{low}" for number in range(8) for low in range(0, 250, 7)]),
            lambda row: any(
                inside(row[end], "10.1.0.0/21") and int(row[end].split(".")[3]) % 7 == 0 for end in ("sip", "dip")
            ),
        )
    ],
    "not_dport": [("443,53", lambda row: row["dport"] not in (-1, 443, 53))],
    "not_sipset": [(AddressSet.of("10.0.0.0/8"), lambda row: not inside(row["sip"], "10.0.0.0/8"))],
    "not_protocol": [("6,17", lambda row: row["protocol"] not in ("tcp", "udp"))],
    "tuple_file": [
        (
            Tuples.of("dport,protocol", [(443, "tcp"), ("53", 17)]),
            lambda row: (row["dport"], row["protocol"]) in ((443, "tcp"), (53, "udp")),
        )
    ],
    "type": [
        ("out", lambda row: way(row) == "out"),
        ("IN, inweb,inicmp", lambda row: way(row).startswith("in") and way(row) != "int2int"),
        (["outweb", "ext2ext"], lambda row: way(row) in ("outweb", "ext2ext")),
        ("int2int,outicmp", lambda row: way(row) in ("int2int", "outicmp")),
        ("all", lambda _: True),
    ],
}
CHOICES = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(list(range(len(choices)))) for name, choices in OPTIONS.items()},
)


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, choices in OPTIONS.items() for number in range(len(choices))]
)
def test_each_option_passes_what_plain_python_does(
    sharing: Serve, generated: Path, lines: list[Row], name: str, number: int
) -> None:
    """Alone; and some flows of the day pass, and some do not."""
    sharing(generated)
    value, test = OPTIONS[name][number]
    expected = Counter(key(row) for row in lines if test(row))
    assert keys(rwfilter(**{name: value})) == expected
    assert keys(rwfilter(**{name: value}, fail_destination=True)) == Counter(map(key, lines)) - expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=CHOICES)
def test_a_filter_passes_what_plain_python_does(
    sharing: Serve, generated: Path, lines: list[Row], chosen: dict[str, int]
) -> None:
    """Any options together; what passes and what fails is everything."""
    sharing(generated)
    options = {name: OPTIONS[name][number][0] for name, number in chosen.items()}
    tests = [OPTIONS[name][number][1] for name, number in chosen.items()]
    expected = Counter(key(row) for row in lines if all(test(row) for test in tests))
    passed, failed = rwfilter(**options), rwfilter(fail_destination=True, **options)
    assert keys(passed) == expected
    assert keys(passed) + keys(failed) == Counter(map(key, lines))
    assert keys(rwcat(passed, failed)) == Counter(map(key, lines))


def test_the_types_are_all_flows_and_none_twice(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """Each flow has one; the made-up day has several of most."""
    sharing(generated)
    found = {name: keys(rwfilter(type=name)) for name in NAMES}
    expected = {name: Counter(key(row) for row in lines if way(row) == name) for name in NAMES}
    assert found == expected
    assert sum(found.values(), Counter()) == Counter(map(key, lines))
    assert len(list(filter(None, found.values()))) >= 4


def test_what_is_internal_is_configured(serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]) -> None:
    """An answer is that of the networks which are configured when it is asked for."""
    runtime = serving(zeek([line(src="198.51.100.1"), line(src="10.0.0.1"), line(src="2001:db8::1", proto="icmp")]))
    settings: Any = runtime.settings.plugins["flow"]
    ask: Any = EXPORTS["rwtotal"]
    assert ask(type="out,outweb,outicmp", key="protocol")["records"].to_pylist() == [1]
    settings["internal"] = ["198.51.100.0/24", "2001:db8::/32"]
    assert ask(type="out,outweb,outicmp", key="protocol")["key"].to_pylist() == ["icmp", "tcp"]
    assert rwset(rwfilter(type="outicmp"), sip=True) == AddressSet.of("2001:db8::1")
    assert rwset(rwfilter(type="outweb"), sip=True) == AddressSet.of("198.51.100.1")
    settings["internal"] = []
    assert rwcut(rwfilter(type="ext2ext")).num_rows == 3
    settings["internal"] = ["10.0.0.1/8"]
    with pytest.raises(ParameterError, match=r"\[plugins\.flow\]: 'internal' is .*10\.0\.0\.1/8"):
        rwfilter(type="in")


def test_both_destinations_are_a_pair(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """Those that pass, and those that fail; neither is an error."""
    sharing(generated)
    passed, failed = rwfilter(dport=443, pass_destination=True, fail_destination=True)
    assert keys(passed) + keys(failed) == Counter(map(key, lines))
    assert keys(passed) == keys(rwfilter(dport=443, pass_destination=True)) == keys(rwfilter(dport=443))
    nothing, everything = rwfilter(fail_destination=True), rwfilter()
    assert (keys(nothing), keys(everything)) == (Counter(), Counter(map(key, lines)))
    with pytest.raises(ParameterError, match="one of pass_destination and fail_destination"):
        rwfilter(dport=443, pass_destination=False)


def test_filters_can_be_chained(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """Each takes what the one before gave, also where that failed."""
    sharing(generated)
    web = rwfilter(protocol="tcp", dport="80,443")
    small = rwfilter(rwfilter(web, bytes="-5000"), saddress="10.0.0.0/8", fail_destination=True)
    expected = [
        row
        for row in lines
        if row["protocol"] == "tcp"
        and row["dport"] in (80, 443)
        and row["bytes"] <= 5000
        and not row["sip"].startswith("10.")
    ]
    assert keys(small) == Counter(map(key, expected))


def test_a_chain_is_kept_by_its_flows(serving: Serve, generated: Path, runs: Runs) -> None:
    """The second time nothing is read; another filter is another result; what is filtered the same way is the same."""
    serving(generated)

    def more(ask: Callable[[], object]) -> int:
        before = runs("flow/silk.tools:ranked")
        ask()
        return runs("flow/silk.tools:ranked") - before

    assert more(lambda: rwstats(rwfilter(dport="80,443"), fields="sip", values="bytes", count=3)) == 1
    assert more(lambda: rwstats(rwfilter(dport=["443", 80]), fields=["sip"], values=["bytes"], count=3)) == 0
    assert more(lambda: rwstats(rwfilter(dport=443), fields="sip", values="bytes", count=3)) == 1


def test_a_filter_that_matches_nothing_gives_nothing(sharing: Serve, generated: Path) -> None:
    """Tables without rows, with their columns."""
    sharing(generated)
    none = rwfilter(bytes="99999999999-")
    assert rwcut(none).num_rows == 0
    assert rwcount(none).num_rows == rwuniq(none, fields="sip").num_rows == rwstats(none, fields="sip").num_rows == 0
    assert rwtotal(none, key="dport").column_names == ["key", "records", "bytes", "packets"]
    before = rwfilter(start_date="2020/01/01")
    assert rwcut(before).num_rows == rwcount(before).num_rows == rwset(before, sip=True).count == 0
