"""What `rwfilter` and the tools take as arguments: dates, wildcards, flags, numbers; and what they refuse."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from flow_rows import key, keys
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.flags import bits_of, letters_of
from rave_flow.silk import rwcat, rwcount, rwcut, rwfilter, rwstats, rwtotal, rwuniq
from rave_flow.sql.dates import to_moment, to_time_window
from rave_flow.sql.literals import literal

from rave_core import Runtime
from rave_core.errors import ArgumentError

Serve = Callable[[Path], Runtime]
Row = dict[str, Any]


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dports": 80}, "rwfilter has no option 'dports'; did you mean 'dport'?"),
        ({"dport": "80-"}, None),
        ({"dport": "eighty"}, "'eighty' is neither a number nor a range"),
        ({"dport": "70000"}, "not within 0 to 65535"),
        ({"dport": "443-80"}, "443-80 ends before it starts"),
        ({"dport": True}, "expected a number or a range"),
        ({"saddress": "10.0.0.1/8"}, "has host bits set"),
        ({"saddress": "10.0.0.300"}, "10.0.0.300"),
        ({"saddress": "10.0.0.1-2001:db8::1"}, "from IPv4 to IPv6"),
        ({"saddress": ""}, "it is empty"),
        ({"protocol": "300"}, "not within 0 to 255"),
        ({"protocol": "tcp;"}, "is not a protocol"),
        ({"flags_all": "S"}, "expected flags such as S/SA"),
        ({"flags_all": "SR/SA"}, "R has to be set"),
        ({"flags_all": "X/X"}, "'X' is not a TCP flag"),
        ({"duration": "soon"}, "expected seconds"),
        ({"service": "ssl,\ud800"}, "has half of a character"),
        ({"start_date": "yesterday"}, "expected a date"),
        ({"start_date": "2024/13/01"}, "expected a date"),
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
    with pytest.raises(ValueError, match="not a finite number"):
        literal(value)


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
        with pytest.raises(TypeError, match="expected a reference to flows"):
            wrong()


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
