"""Sets and bags of SiLK's tools as values, against Python's own sets and counters."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rave_flow.errors import ParameterError
from rave_flow.silk import (
    AddressSet,
    Bag,
    rwbag,
    rwbagbuild,
    rwbagcat,
    rwbagtool,
    rwfilter,
    rwset,
    rwsetbuild,
    rwsetcat,
    rwsetmember,
    rwsettool,
)

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Parse = Callable[[Path], list[dict[str, Any]]]


def by_number(address: str) -> tuple[int, int]:
    """Where an address stands in order: IPv4 within IPv6, at ``::ffff:0:0``."""
    found = ipaddress.ip_address(address)
    return (int(found) + (0xFFFF << 32) if found.version == 4 else int(found)), 0


def test_sets_are_built_joined_and_asked() -> None:
    """Of texts, lists and sets; each way of joining is Python's own."""
    one, two = rwsetbuild("10.0.0.0/29,192.0.2.1"), rwsetbuild(["10.0.0.4-10.0.0.11", "2001:db8::1"])
    ones, twos = set(one), set(two)
    assert set(rwsettool(one, two, union=True)) == ones | twos
    assert set(rwsettool(one, two, intersect=True)) == ones & twos
    assert set(rwsettool(one, two, difference=True)) == ones - twos
    assert set(rwsettool(one, two, symmetric_difference=True)) == ones ^ twos
    some = rwsettool(one, two, sample=True, size=4, seed=3)
    assert set(some) < ones | twos
    assert (len(some), some) == (4, rwsettool(one, two, sample=True, size=4, seed=3))
    assert rwsetmember("10.0.0.x", one, two, rwsetbuild("10.0.1.0")) == (True, True, False)
    assert rwsetcat(one)["address"].to_pylist() == sorted(ones, key=by_number)
    assert rwsetcat(one, cidr_blocks=True)["address"].to_pylist() == ["10.0.0.0/29", "192.0.2.1"]
    assert rwsetcat("2001:db8::/32", count_ips=True)["count"].to_pylist() == [str(2**96)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda one: rwsetbuild("10.0.0.300"),
        lambda one: rwsetbuild(Path("none/such.txt")),
        lambda one: rwsettool(one),
        lambda one: rwsettool(union=True),
        lambda one: rwsettool(one, one, union=True, intersect=True),
        lambda one: rwsettool(one, sample=True),
        lambda one: rwsettool(one, sample=True, size=0),
        lambda one: rwsetcat("10.0.0.0/8"),
        lambda one: rwbagtool(rwbagbuild({}), operation="power"),
        lambda one: rwbagtool(rwbagbuild({}), scalar_multiply=1.5),
        lambda one: rwbagtool(rwbagbuild({}, key="sip"), rwbagbuild({}, key="dport")),
        lambda one: rwbagbuild({"10.0.0.1": -1}),
    ],
)
def test_a_wrong_use_of_sets_and_bags_is_told(ask: Callable[[AddressSet], object]) -> None:
    """By the name of the argument."""
    with pytest.raises(ParameterError) as caught:
        ask(rwsetbuild("10.0.0.1"))
    assert caught.value.parameter


@pytest.mark.parametrize("counter", ["records", "bytes", "packets"])
@pytest.mark.parametrize("key", ["sip", "dport", "protocol"])
def test_bags_of_flows_are_counters(sharing: Serve, generated: Path, parsed: Parse, key: str, counter: str) -> None:
    """Of addresses, ports and protocols, by records, bytes and packets; in order of the keys."""
    sharing(generated)
    column = {"sip": "src", "dport": "dst_port", "protocol": "proto"}[key]
    expected = Counter[Any]()
    for row in parsed(generated):
        if row["proto"] not in ("icmp", "icmp6") or key != "dport":
            expected[row[column]] += 1 if counter == "records" else row[counter]
    bag = rwbag(rwfilter(), key=key, counter=counter)
    assert dict(bag.items()) == {name: count for name, count in expected.items() if count}
    assert bag.total == sum(expected.values())
    assert bag == rwbag(rwfilter(), key=key, counter=counter)
    table = rwbagcat(bag)
    assert table.column_names == [key, counter]
    assert table[key].to_pylist() == sorted(bag, key=by_number if key == "sip" else None)
    if key == "sip":
        assert bag.cover() == rwset(rwfilter(packets="1-" if counter == "packets" else None), sip=True)


ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "9.0.0.1", "2001:db8::1", "::1", "192.0.2.7"])
COUNTS = st.dictionaries(ADDRESSES, st.integers(0, 50), max_size=6)


@given(one=COUNTS, two=COUNTS)
def test_bags_are_counters_of_any_keys(one: dict[str, int], two: dict[str, int]) -> None:
    """Added, taken away, the least, the most, divided, cut, masked and inverted."""
    first, second = Bag.of("sip", "bytes", one), Bag.of("dip", "bytes", two)
    ones, twos = Counter(one), Counter(two)
    keys = one.keys() | two.keys()
    assert dict((first + second).items()) == +(ones + twos)
    assert dict((first - second).items()) == ones - twos
    assert dict(rwbagtool(first, second, operation="minimize").items()) == ones & twos
    assert dict(rwbagtool(first, second, operation="maximize").items()) == ones | twos
    quotients = {key: round(ones[key] / twos[key]) for key in keys if twos[key]}
    assert dict(rwbagtool(first, second, operation="divide").items()) == +Counter(quotients)
    assert dict(rwbagtool(first, scalar_multiply=3).items()) == +Counter({key: 3 * n for key, n in ones.items()})
    cut = rwbagtool(first, min_counter=5, max_counter=20, intersect="10.0.0.0/8", complement_intersect="10.0.0.2")
    assert dict(cut.items()) == ({"10.0.0.1": ones["10.0.0.1"]} if 5 <= ones["10.0.0.1"] <= 20 else {})
    assert dict(rwbagtool(first, invert=True).items()) == Counter(count for count in ones.values() if count)
    assert all(first[key] == ones[key] and (key in first) is (ones[key] > 0) for key in keys)
    assert list(first) == sorted(+ones, key=by_number)


def test_bags_are_kept_in_files(tmp_path: Path) -> None:
    """Of our own form, and of what SiLK's rwbagcat writes."""
    for bag in (rwbagbuild({80: 7, 443: 2}, key="dport"), rwbagbuild(rwsetbuild("10.0.0.0/30"), default_count=5)):
        bag.save(tmp_path / "bag.csv")
        assert Bag.load(tmp_path / "bag.csv") == bag
        assert rwbagbuild(tmp_path / "bag.csv") == bag
    (tmp_path / "silk.txt").write_text("       10.0.0.1|                   3|\n       10.0.0.2|  10|\n")
    assert dict(Bag.load(tmp_path / "silk.txt").items()) == {"10.0.0.1": 3, "10.0.0.2": 10}
    (tmp_path / "silk.txt").write_text("sIP|records|\n10.0.0.1|many|\n10.0.0.1|3|\n")
    with pytest.raises(ParameterError, match="line 2: expected a key and a number"):
        rwbagbuild(tmp_path / "silk.txt")
