"""The algebra of flows, against plain Python over the lines of logs."""

from __future__ import annotations

import gzip
import ipaddress
import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet, number_of
from rave_flow.model.flags import bits_of, letters_of
from rave_flow.operations import silk
from rave_flow.silk import rwcat, rwcount, rwcut, rwfilter, rwset, rwsort, rwstats, rwtotal, rwuniq
from rave_flow.sql.dates import to_moment, to_time_window
from rave_flow.sql.flow_types import NAMES
from rave_flow.sql.literals import literal
from rave_flow.sql.tuples import Tuples

from rave_core import Runtime
from rave_core.errors import ArgumentError

EXPORTS = silk.__export__
Serve = Callable[[Path], Runtime]
Row = dict[str, Any]
Runs = Callable[[str], int]


@pytest.fixture(scope="session")
def lines(generated: Path) -> list[Row]:
    """The flows of the generated day, read line by line."""
    return list(read(generated))


def read(directory: Path) -> Iterable[Row]:
    """The flows of Zeek logs, by the names of SiLK's fields."""
    for path in sorted(directory.rglob("conn*.log.gz")):
        fields: list[str] = []
        with gzip.open(path, "rt") as text:
            for line in text:
                if line.startswith("#fields"):
                    fields = line.rstrip("\n").split("\t")[1:]
                elif not line.startswith("#"):
                    raw = dict(zip(fields, line.rstrip("\n").split("\t"), strict=True))
                    history = raw.get("history", "-")
                    yield {
                        "us": round(float(raw["ts"]) * 1e6),
                        "sip": raw["id.orig_h"],
                        "dip": raw["id.resp_h"],
                        "sport": NO_PORT if raw["proto"] == "icmp" else int(raw["id.orig_p"]),
                        "dport": NO_PORT if raw["proto"] == "icmp" else int(raw["id.resp_p"]),
                        "protocol": "icmp6" if raw["proto"] == "icmp" and ":" in raw["id.orig_h"] else raw["proto"],
                        "bytes": int(raw["orig_ip_bytes"]) + int(raw["resp_ip_bytes"]),
                        "packets": int(raw["orig_pkts"]) + int(raw["resp_pkts"]),
                        "duration": None if raw["duration"] == "-" else float(raw["duration"]),
                        "history": None if history == "-" else history,
                    }


NO_PORT = -1
"""What stands for the port of a flow of ICMP, which has none."""


def filled(value: Any) -> Any:
    """A value that may be a port."""
    return NO_PORT if value is None else value


def key(row: Row) -> tuple[Any, ...]:
    """What tells a flow from others."""
    return row["us"], row["sip"], row["dip"], row["sport"], row["dport"], row["protocol"], row["bytes"], row["packets"]


FIELDS = "stime,sip,dip,sport,dport,protocol,bytes,packets"


def keys(flows: Any) -> Counter[tuple[Any, ...]]:
    """The flows of a reference."""
    found = rwcut(flows, fields=FIELDS).to_pylist()
    for row in found:
        row |= {"us": round(row["stime"].timestamp() * 1e6)} | {end: filled(row[end]) for end in ("sport", "dport")}
    return Counter(map(key, found))


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
    with pytest.raises(ParameterError, match=r"internal = .*10\.0\.0\.1/8.* in \[plugins\.flow\]"):
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


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2024/05/14", None, 0, 24),
        ("2024/05/14:09", None, 9, 10),
        ("2024/05/14:09", "2024/05/14:11", 9, 12),
        ("2024/05/14:09:30", "2024/05/14:09:44", 9.5, 9.75),
        ("2024-05-14T09", "2024-05-14", 9, 24),
        ("2024/05/14", "2024/05/14:03", 0, 24),
        ("2024/05/13", "2024-05-14T03:20", 0, 24),
        ("2024/05/14:09:30:00.000", "2024/05/14:09:44:59.999", 9.5, 9.75),
        (datetime(2024, 5, 14, 9, tzinfo=UTC), "2024/05/14:09:59:59", 9, 10),
    ],
)
def test_dates_are_those_of_silk(
    sharing: Serve, generated: Path, lines: list[Row], start: Any, end: Any, first: float, last: float
) -> None:
    """The last hour or day is in; one date alone is that hour or day."""
    sharing(generated)
    midnight = 1715644800 * 10**6
    expected = [row for row in lines if first * 3600e6 <= row["us"] - midnight < last * 3600e6]
    assert keys(rwfilter(start_date=start, end_date=end)) == Counter(map(key, expected))
    assert keys(rwfilter(rwfilter(), start_date=start, end_date=end)) == Counter(map(key, expected))


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


def test_flags_come_from_history(serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]) -> None:
    """Those of the originator; flags_all wants some set, and others not."""
    fields = FIELDS_WITH_HISTORY
    histories = ["ShADadFf", "S", "Sr", "-", "HcA", "SADR"]
    text = [f"{line(ts=1715680800.5 + number)}\t{history}" for number, history in enumerate(histories)]
    serving(zeek(text, fields=fields))
    assert rwcut(rwfilter(), fields="flags").column("flags").to_pylist() == ["FSA", "S", "S", None, "SA", "SRA"]
    assert rwcut(rwfilter(flags_all="S/SA"), fields="stime").num_rows == 2
    assert rwcut(rwfilter(flags_all="S/SA,R/R"), fields="stime").num_rows == 3
    assert rwcut(rwfilter(flags_all="S/SA", fail_destination=True), fields="stime").num_rows == 4


FIELDS_WITH_HISTORY = (
    "ts id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state "
    "orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes history"
)


def test_first_flags_and_single_flags_are_asked_for(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Of a history whose first letter of the originator does not tell all flags, the first ones are unknown."""
    histories = ["ShADadFf", "S", "Sr", "-", "HcA", "DA", "^dA"]
    text = [f"{line(ts=1715680800.5 + number)}\t{history}" for number, history in enumerate(histories)]
    serving(zeek(text, fields=FIELDS_WITH_HISTORY))

    def count(**options: Any) -> int:
        return rwcut(rwfilter(**options), fields="stime").num_rows

    assert (count(flags_initial="S/SA"), count(flags_initial="SA/SA"), count(flags_initial="A/SA")) == (3, 1, 1)
    assert count(not_flags_initial="S/SA") == 2
    assert (count(fin_flag=1), count(syn_flag="0"), count(ack_flag=True)) == (1, 2, 4)


def test_types_and_codes_of_icmp_are_no_ports(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """An echo is type 8 and code 0, though Zeek writes the answer's type where the code would stand."""

    def echo(kind: int, code: int, proto: str = "icmp") -> str:
        return line(proto=proto).replace("\t40000\t", f"\t{kind}\t").replace("\t443\t", f"\t{code}\t")

    serving(zeek([echo(8, 0), echo(3, 1), echo(3, 3), line()]))
    assert rwcut(rwfilter(icmp_type=8, icmp_code=0)).num_rows == 1
    assert rwcut(rwfilter(icmp_type="3", icmp_code="1-3")).num_rows == 2
    assert rwcut(rwfilter(not_icmp_type=3)).num_rows == 1


def test_many_addresses_are_those_of_plain_python(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """A large set is looked up otherwise than a small one, and finds the same, of both versions and wide networks."""
    sharing(generated)
    some = sorted({row["sip"] for row in lines})[::3]
    nets = [f"2001:db8:{number:x}::/48" for number in range(0, 60, 2)]
    many = AddressSet.of(*some, *nets)
    assert len(many.ranges) > 40
    expected = Counter(key(row) for row in lines if row["sip"] in many)
    assert 0 < sum(expected.values()) < len(lines)
    assert keys(rwfilter(saddress=many)) == expected
    assert keys(rwfilter(not_saddress=many)) == Counter(map(key, lines)) - expected
    assert keys(rwfilter(rwcat(rwfilter(), rwfilter()), sipset=many)) == expected + expected


def test_files_of_addresses_and_tuples_are_named_in_the_settings(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str], tmp_path: Path
) -> None:
    """A text is never a path; a file that changed is read anew, also by the operation."""
    runtime = serving(zeek([line(src="10.0.0.1"), line(src="10.0.0.2"), line(src="10.0.0.3")]))
    path, tuples = tmp_path / "bad.txt", tmp_path / "tuples.csv"
    path.write_text("# known\n10.0.0.1  # since May\n10.0.0.8/30\n")
    tuples.write_text("sIP|dPort|\n10.0.0.2|443|\n10.0.0.3|80|\n")
    settings: Any = runtime.settings.plugins["flow"]
    settings["sets"], settings["tuples"] = {"bad": str(path)}, {"odd": str(tuples)}
    ask: Any = EXPORTS["rwset"]
    assert ask(sipset="bad")["address"].to_pylist() == ["10.0.0.1"]
    assert rwset(rwfilter(tuple_file="odd"), sip=True) == AddressSet.of("10.0.0.2")
    assert rwset(rwfilter(sipset=path)) == rwset(rwfilter(sipset=AddressSet.load(path))) == AddressSet.of("10.0.0.1")
    path.write_text("10.0.0.2-10.0.0.3\n")
    assert ask(sipset="bad")["address"].to_pylist() == ["10.0.0.2", "10.0.0.3"]
    for wrong in ({"sipset": str(path)}, {"tuple_file": "../odd"}, {"anyset": tmp_path / "none"}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            rwfilter(**wrong)
    path.write_text("10.0.0.2\n10.0.0.300\n")
    with pytest.raises(ParameterError, match=r"bad\.txt, line 2: .*10\.0\.0\.300"):
        rwfilter(sipset="bad")


@pytest.mark.parametrize(
    ("text", "count", "some", "others"),
    [
        ("10.x.1-5.x", 256 * 5 * 256, "10.9.3.77", "10.9.6.77"),
        ("192.168.1,3.x", 512, "192.168.3.0", "192.168.2.0"),
        ("10.0.0.1,3-4 192.0.2.1,2001:db8::1", 5, "2001:db8::1", "10.0.0.2"),
        ("10.0.0.1,10.0.0.2,10.1-2,5.0.7", 5, "10.5.0.7", "10.3.0.7"),
        ("2001:db8:0:0:0:0:0:1-f", 15, "2001:db8::b", "2001:db8::10"),
        ("2001:db8:0:0:a-b:x:x:x", 2 * 2**48, "2001:db8::b:0:0:1", "2001:db8::c:0:0:1"),
    ],
)
def test_wildcards_are_those_of_silk(text: str, count: int, some: str, others: str) -> None:
    """Open parts, lists and ranges, of both versions, beside addresses."""
    found = AddressSet.of(text)
    assert found.count == count
    assert some in found
    assert others not in found


@pytest.mark.parametrize(
    "text", ["10.x.1-500.x", "10.5-1.0.x", "x.x.x.1", "10.0.x", "10.a.0.x", "1:2:3:4:5:6:7:10000-x"]
)
def test_what_is_no_wildcard_is_refused(text: str) -> None:
    """Also one of more ranges than can be kept apart."""
    with pytest.raises(ValueError, match=r"wildcard|ranges|appear|IPv4|Only"):
        AddressSet.of(text)


def test_a_set_of_addresses_is_made_of_flows(sharing: Serve, generated: Path, lines: list[Row]) -> None:
    """And chooses flows in turn."""
    sharing(generated)
    servers = rwset(rwfilter(dport=443), dip=True)
    assert servers == AddressSet.of(*{row["dip"] for row in lines if row["dport"] == 443})
    chosen = rwfilter(daddress=servers, dport=80)
    addresses = {row["dip"] for row in lines if row["dport"] == 443}
    assert keys(chosen) == Counter(key(row) for row in lines if row["dport"] == 80 and row["dip"] in addresses)
    assert rwset(rwfilter(dport="1-2"), sip=True).count >= 0


ADDRESS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6, network="2001:db8::/120"))


@given(one=st.sets(ADDRESS, max_size=20), two=st.sets(ADDRESS, max_size=20))
def test_sets_of_addresses_are_sets(one: set[Any], two: set[Any]) -> None:
    """Of any addresses: union, intersection, difference, membership and size; and their text says them all."""
    first, second = AddressSet.of(list(one)), AddressSet.of(list(two))
    assert (first | second) == AddressSet.of(list(one | two))
    assert (first & second) == AddressSet.of(list(one & two))
    assert (first - second) == AddressSet.of(list(one - two))
    assert (first ^ second) == AddressSet.of(list(one ^ two))
    assert ((first <= second), (first < second), (first >= second)) == (one <= two, one < two, one >= two)
    assert first.isdisjoint(second) is one.isdisjoint(two)
    assert first.count == len(first) == len(one)
    assert list(first) == [str(address) for address in sorted(one, key=number_of)]
    assert AddressSet.of(*first.networks()) == first
    assert first.sample(5) <= first
    assert len(first.sample(5, seed=7)) == min(5, len(one))
    assert all((address in first) == (address in one) for address in one | two)
    assert not one or AddressSet.of(str(first)) == first


def test_a_set_of_addresses_is_kept_in_a_file(tmp_path: Path) -> None:
    """A text that SiLK's rwsetbuild reads too."""
    some = AddressSet.of("10.0.0.0/8", "192.0.2.1-192.0.2.6", "2001:db8::/32", "::1", "0.0.0.0-255.255.255.255")
    some.save(tmp_path / "some.txt")
    assert AddressSet.load(tmp_path / "some.txt") == some
    small = AddressSet.of("192.0.2.1-192.0.2.6")
    assert list(small.networks()) == ["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6"]
    assert len(small.sample(3, seed=1)) == 3
    assert not AddressSet()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dports": 80}, "rwfilter has no option 'dports'; did you mean 'dport'?"),
        ({"dport": "80-"}, None),
        ({"dport": "eighty"}, "'eighty' is no number and no range"),
        ({"dport": "70000"}, "not within 0 to 65535"),
        ({"dport": "443-80"}, "443-80 ends before it starts"),
        ({"dport": True}, "a number or a range expected"),
        ({"saddress": "10.0.0.1/8"}, "has host bits set"),
        ({"saddress": "10.0.0.300"}, "10.0.0.300"),
        ({"saddress": "10.0.0.1-2001:db8::1"}, "from IPv4 to IPv6"),
        ({"saddress": ""}, "it is empty"),
        ({"protocol": "300"}, "not within 0 to 255"),
        ({"protocol": "tcp;"}, "is no protocol"),
        ({"flags_all": "S"}, "flags expected as S/SA"),
        ({"flags_all": "SR/SA"}, "R has to be set"),
        ({"flags_all": "X/X"}, "'X' is no TCP flag"),
        ({"duration": "soon"}, "seconds expected"),
        ({"start_date": "yesterday"}, "a date expected"),
        ({"start_date": "2024/13/01"}, "a date expected"),
        ({"end_date": "2024/05/14"}, "without a start_date"),
    ],
)
def test_a_wrong_option_is_told(sharing: Serve, generated: Path, options: dict[str, Any], words: str | None) -> None:
    """Which it is, and what would be right."""
    sharing(generated)
    if words is None:
        rwfilter(**options)
        return
    with pytest.raises(ParameterError) as caught:
        rwfilter(**options)
    assert words in str(caught.value)


WRONG_NUMBERS: list[Any] = [0, -1, 1.5, "1 OR true", "1)", math.nan, math.inf, True, 2**70]


@pytest.mark.parametrize(
    "ask",
    [
        lambda flows: rwcut(flows, fields="sip,port"),
        lambda flows: rwcut(flows, fields=""),
        lambda flows: rwuniq(flows, fields="sip", values="bites"),
        lambda flows: rwuniq(flows, fields="sip", threshold="bites:1"),
        lambda flows: rwuniq(flows, fields="sip", threshold="stime-earliest:1-"),
        lambda flows: rwuniq(flows, fields="stime", bin_time=0),
        lambda flows: rwstats(flows, fields="sip", count=1, threshold=2),
        lambda flows: rwstats(flows, fields="sip", values="etime-latest,bytes"),
        *(lambda flows, wrong=wrong: rwstats(flows, fields="sip", count=wrong) for wrong in WRONG_NUMBERS),
        *(lambda flows, wrong=wrong: rwcut(flows, num_recs=wrong) for wrong in WRONG_NUMBERS),
        lambda flows: rwstats(flows, fields="sip", threshold="1 OR true"),
        lambda flows: rwstats(flows, fields="sip", percentage=math.nan),
        lambda flows: rwstats(flows, fields="sip", percentage=101),
        lambda flows: rwtotal(flows, key="sip"),
        lambda flows: rwcount(flows, load_scheme=7),
        lambda flows: rwcount(flows, bin_size=0),
        lambda flows: rwcount(flows, bin_size="1); SELECT 1"),
        lambda flows: rwcount(flows, start_time="2024/05/14:10", end_time="2024/05/14:09"),
        lambda flows: rwfilter(flows, start_date="2024/05/14", end_date="2024/05/13"),
    ],
)
def test_a_wrong_use_of_a_tool_is_told(sharing: Serve, generated: Path, ask: Callable[[Any], object]) -> None:
    """Before anything is read; the error names the argument, and is one of arguments to the framework too."""
    sharing(generated)
    with pytest.raises(ParameterError) as caught:
        ask(rwfilter())
    assert isinstance(caught.value, ArgumentError)
    assert caught.value.parameter is not None
    assert caught.value.parameter in str(caught.value)


def test_a_source_that_is_not_configured_is_a_wrong_argument(sharing: Serve, generated: Path) -> None:
    """Its name is told, and so are those that are known."""
    sharing(generated)
    with pytest.raises(ParameterError, match="no flow source is called 'branch'") as caught:
        rwfilter(source="branch")
    assert caught.value.parameter == "source"


@pytest.mark.parametrize("text", ["tcp' OR 1=1 --", "x'; DROP VIEW flows; --", "a\\' OR true"])
def test_no_text_of_a_caller_is_run_as_sql(text: str) -> None:
    """Quoted, it stands for itself alone."""
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]
    with pytest.raises(ParameterError):
        rwfilter(protocol=text)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_no_number_is_no_constant(value: float) -> None:
    """It would be a name to SQL."""
    with pytest.raises(ValueError, match="no finite number"):
        literal(value)


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024/05/14:12-2024/05/14:13", (43200, 50400)),
        ("2024/05/14:12", (43200, 46800)),
        ("2024-05-14T12:00/2024-05-14T12:29", (43200, 45000)),
        ("2024/05/14:12:00:00.25-2024/05/14:12:00:01.5", (43200.25, 43201.6)),
    ],
)
def test_windows_of_times_are_those_of_silk(text: str, seconds: tuple[float, float]) -> None:
    """The last hour, minute, second or fraction that is named is in."""
    midnight = 1715644800
    ((first, last),) = to_time_window(text)
    assert (first, last + 1) == tuple(round((midnight + each) * 10**6) for each in seconds)


def test_what_is_no_reference_is_refused(sharing: Serve, generated: Path) -> None:
    """By each tool."""
    sharing(generated)
    for wrong in (lambda: rwcut("flows"), lambda: rwcat(rwfilter(), None), lambda: rwfilter([])):  # type: ignore[arg-type]  # what hints would refuse
        with pytest.raises(TypeError, match="a reference to flows expected"):
            wrong()


def test_a_filter_that_matches_nothing_gives_nothing(sharing: Serve, generated: Path) -> None:
    """Tables without rows, with their columns."""
    sharing(generated)
    none = rwfilter(bytes="99999999999-")
    assert rwcut(none).num_rows == 0
    assert rwcount(none).num_rows == rwuniq(none, fields="sip").num_rows == rwstats(none, fields="sip").num_rows == 0
    assert rwtotal(none, key="dport").column_names == ["key", "records", "bytes", "packets"]
    before = rwfilter(start_date="2020/01/01")
    assert rwcut(before).num_rows == rwcount(before).num_rows == rwset(before, sip=True).count == 0


def test_letters_of_flags_go_there_and_back() -> None:
    """All 256."""
    assert all(bits_of(letters_of(bits)) == bits for bits in range(256))


def test_a_moment_has_a_unit() -> None:
    """That decides what an end includes."""
    assert [to_moment(text)[1].total_seconds() for text in ("2024/05/14", "2024/05/14:12", "2024-05-14T12:30")] == [
        86400.0,
        3600.0,
        60.0,
    ]


def test_numbers_of_a_real_host_are_those_of_plain_python(sharing: Serve, real_data: Path) -> None:
    """Two recorded days: who was reached how often on which port."""
    sharing(real_data)
    rows = [row for row in read(real_data) if row["protocol"] == "tcp" and row["dport"] < 1024]
    sums = Counter((row["dip"], row["dport"]) for row in rows)
    found = rwuniq(rwfilter(protocol="tcp", dport="-1023"), fields="dip,dport").to_pylist()
    assert {(row["dip"], row["dport"]): row["records"] for row in found} == sums
