"""The algebra from the command line and over HTTP: operations that filter, and then use one tool."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rave_flow.arguments.silk_converters import CONVERTERS
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.operations import silk
from rave_flow.operations.silk import TOOLS, TYPES
from rave_flow.silk import tools
from rave_flow.sql.silk_options import READERS, to_sizes

from rave_core import Runtime
from rave_core.errors import ArgumentError

Serve = Callable[[Path], Runtime]
EXPORTS = silk.__export__


def test_every_option_has_a_type() -> None:
    """So that each can be asked for by text."""
    assert set(READERS) <= set(TYPES)


NEEDED: dict[str, dict[str, Any]] = {
    "rwsort": {"fields": "stime"},
    "rwuniq": {"fields": "sip"},
    "rwstats": {"fields": "sip"},
    "rwtotal": {"key": "protocol"},
    "rwgroup": {"id_fields": "sip,dport"},
    "rwbag": {"key": "dport"},
}


@pytest.mark.parametrize("name", TOOLS)
def test_an_operation_is_a_filter_and_a_tool(sharing: Serve, generated: Path, name: str) -> None:
    """Texts, as they come from a command line or a query, and values give the same."""
    sharing(generated)
    texts = {"dport": "80,443", "saddress": "10.0.0.0/8", "protocol": "6", "start_date": "2024/05/14"}
    flows = tools.rwfilter(dport=[80, 443], saddress="10.0.0.0/8", protocol="tcp", start_date="2024/05/14")
    own = NEEDED.get(name, {})
    found = EXPORTS[name](**texts, **own)
    assert found.num_rows > 0 or name == "rwscan"  # nobody scans these two ports
    assert found.equals(TOOLS[name].function(flows, **own))


def test_an_option_has_one_default() -> None:
    """The function's own; those that SiLK wants to be said have none."""
    for name in set(TOOLS) & set(tools.__dict__) - {"rwfilter", "rwsort", "rwset"}:
        defaults = {
            option.name: option.default
            for option in inspect.signature(getattr(tools, name)).parameters.values()
            if option.kind is option.KEYWORD_ONLY
        }
        asked = inspect.signature(EXPORTS[name].function).parameters
        assert {option: asked[option].default for option in defaults} == defaults
        assert set(TOOLS[name].types) == set(defaults)


def test_no_option_of_a_tool_is_one_of_the_filter() -> None:
    """So none means a threshold here and a filter there."""
    assert [name for name, tool in TOOLS.items() if set(tool.types) & set(TYPES)] == []


def test_options_of_a_tool_are_texts_too(sharing: Serve, generated: Path) -> None:
    """Lists apart by commas, numbers, and true."""
    sharing(generated)
    found = EXPORTS["rwstats"](fields="dport,protocol", values="records,bytes", count="3", bottom="true")
    expected = tools.rwstats(
        tools.rwfilter(), fields=("dport", "protocol"), values=("records", "bytes"), count=3, bottom=True
    )
    assert found.equals(expected)
    failed = EXPORTS["rwfilter"](dport="443", fail_destination="true", num_recs="7", fields="sip,dport")
    assert failed.num_rows == 7
    assert 443 not in failed.column("dport").to_pylist()


def test_sorted_rows_and_sets_are_asked_for_too(sharing: Serve, generated: Path) -> None:
    """As tables; without an end there is no set."""
    sharing(generated)
    flows = tools.rwfilter(dport=443, bytes=[(65536, 2**62)])
    found = EXPORTS["rwsort"](dport="443", bytes="64KiB-", fields="bytes,sip", reverse="true", num_recs="20")
    assert found.equals(tools.rwcut(tools.rwsort(flows, fields="bytes,sip", reverse=True), num_recs=20))
    assert found.num_rows > 5
    addresses = EXPORTS["rwset"](dport="443", bytes="64KiB-", sip="true", dip="true")["address"].to_pylist()
    assert AddressSet.of(*addresses) == tools.rwset(flows, sip=True, dip=True)
    assert len(set(addresses)) == len(addresses)
    assert EXPORTS["rwset"](dport="443") == EXPORTS["rwset"](dport="443", sip="true")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("1KB", ((1000, 1000),)), ("-4k", ((0, 4096),)), ("10,1.5MB-2MiB", ((10, 10), (1500000, 2097152)))],
)
def test_sizes_have_units(text: str, ranges: Any) -> None:
    """As sizes have them everywhere in RAVE, alone and in ranges."""
    assert to_sizes(text) == ranges


@pytest.mark.parametrize("text", ["", "-", "1-2-3", "many", "2MB-1MB", "1KB,,2KB", "-1x"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match=r"expected|ends before|such as"):
        to_sizes(text)


def test_one_answer_for_all_ways_of_writing_it(sharing: Serve, generated: Path) -> None:
    """The key is made of what is meant."""
    sharing(generated)
    ask: Any = EXPORTS["rwcount"]
    one = ask.key(dport="443,80", saddress="10.0.0.0/9,10.128.0.0/9", protocol="tcp")
    assert ask.key(dport=[80, 443], saddress="10.0.0.0/8", protocol=6) == one
    assert ask.key(dport="80", saddress="10.0.0.0/8", protocol=6) != one


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dport": "http"}, ArgumentError),
        ({"saddress": "10.0.0.1/8"}, ArgumentError),
        ({"flags_all": "S"}, ArgumentError),
        ({"start_date": "soon"}, ArgumentError),
        ({"load_scheme": 9}, ArgumentError),
        ({"load_scheme": "evenly"}, ArgumentError),
        ({"start_date": "2024/05/14", "end_date": "2024/05/13"}, ArgumentError),
        ({"dports": "80"}, ArgumentError),
        ({"end_date": "2024/05/14"}, ParameterError),
    ],
)
def test_a_wrong_option_is_refused(sharing: Serve, generated: Path, options: dict[str, Any], error: Any) -> None:
    """As an argument of the wrong type where it is one, so that HTTP answers 400."""
    sharing(generated)
    with pytest.raises(error):
        EXPORTS["rwcount"](**options)


def test_sets_are_joined_over_http_too() -> None:
    """As texts, in a list."""
    ask: Any = EXPORTS["rwsettool"]
    given = ["10.0.0.0/30,192.0.2.1", "10.0.0.2-10.0.0.9"]
    assert ask(sets=given, operation="intersect")["address"].to_pylist() == ["10.0.0.2", "10.0.0.3"]
    assert ask(sets=given, cidr_blocks="true")["address"].to_pylist() == ["10.0.0.0/29", "10.0.0.8/31", "192.0.2.1"]
    assert ask(sets=given, operation="sample", size="2").num_rows == 2
    with pytest.raises(ArgumentError):
        ask(sets=["10.0.0.300"])


def test_rows_are_limited(sharing: Serve, generated: Path) -> None:
    """A browser is no place for millions of flows."""
    sharing(generated)
    with pytest.raises(ParameterError, match="expected at most 10000"):
        EXPORTS["rwfilter"](num_recs=10_001)


def test_flows_beyond_the_limit_are_told(sharing: Serve, generated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody asked for fewer."""
    sharing(generated)
    monkeypatch.setattr(silk, "MOST_RECORDS", 25)
    table = EXPORTS["rwfilter"](protocol="tcp")
    assert (table.num_rows, table.schema.metadata[b"rave.flow.cut"]) == (25, b"the first 25 flows; more pass")
    assert b"rave.flow.cut" not in (EXPORTS["rwfilter"](protocol="tcp", num_recs=20).schema.metadata or {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow_ports", "80,443"), ("flow_addresses", "10.0.0.0/8,2001:db8::1"), ("flow_protocols", "17,tcp"),
        ("flow_ranges", "-5,10-"), ("flow_seconds", "0.5-2"), ("flow_flags", "S/SA,R/R"),
        ("flow_date", "2024/05/14:12"), ("flow_types", "in,outweb"),
        ("flow_sizes", "-1KB,64KiB-1.5MB,2GB-"),
        ("flow_fields", "sip, dport"), ("flow_values", "Bytes,sip-distinct"), ("flow_key", "sip-first-8"),
        ("flow_scheme", "start-spike"), ("flow_threshold", "5-,bytes:1k-"), ("flow_records", "10"),
    ],
)  # fmt: skip
def test_what_is_converted_stays_as_it_is(name: str, value: str) -> None:
    """When it is converted again."""
    converted = CONVERTERS[name].convert(value)
    assert CONVERTERS[name].convert(converted) == converted
