"""Sets of addresses and tuples: made of flows, in files, as filters, and as sets are anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flow_rows import key, keys
from hypothesis import given
from hypothesis import strategies as st
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet, number_of
from rave_flow.operations import silk
from rave_flow.silk import rwcat, rwfilter, rwset

from rave_core import Runtime

EXPORTS = silk.__export__
Serve = Callable[[Path], Runtime]
Row = dict[str, Any]


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


@pytest.mark.parametrize("everything", ["::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "x:x:x:x:x:x:x:x"])
def test_everything_in_ipv6_has_no_ipv4(everything: str) -> None:
    """Though the number of an IPv4 address lies within; addresses that are mapped are those of IPv4."""
    found = AddressSet.of(everything)
    assert found.count == 2**128 - 2**32
    assert "10.0.0.1" not in found
    assert "2001:db8::1" in found
    assert AddressSet.of("::ffff:10.0.0.0/104") == AddressSet.of("10.0.0.0/8")


def test_a_set_of_addresses_is_kept_in_a_file(tmp_path: Path) -> None:
    """A text that SiLK's rwsetbuild reads too."""
    some = AddressSet.of("10.0.0.0/8", "192.0.2.1-192.0.2.6", "2001:db8::/32", "::1", "0.0.0.0-255.255.255.255")
    some.save(tmp_path / "some.txt")
    assert AddressSet.load(tmp_path / "some.txt") == some
    small = AddressSet.of("192.0.2.1-192.0.2.6")
    assert list(small.networks()) == ["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6"]
    assert len(small.sample(3, seed=1)) == 3
    assert not AddressSet()
