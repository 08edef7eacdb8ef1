"""Prefix maps and country codes: values, filters and fields, against plain Python."""

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
from rave_flow.operations import silk
from rave_flow.silk import (
    PrefixMap,
    rwcut,
    rwfilter,
    rwgroup,
    rwpmapbuild,
    rwpmaplookup,
    rwsort,
    rwstats,
    rwuniq,
)

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Parse = Callable[[Path], list[dict[str, Any]]]
NETS = [
    ("10.0.0.0/8", "inside"), ("10.1.0.0/16", "office"), ("10.1.2.0/24", "lab"), ("192.0.2.0/24", "DE"),
    ("198.51.100.0/24", "FR"), ("2001:db8::/32", "DE"), ("2001:db8:1::/48", "NL"), ("203.0.113.66", "bad"),
]  # fmt: skip


def label(address: str) -> str | None:
    """The label of the narrowest network, by looking at each."""
    found = ipaddress.ip_address(address)
    nets = [(ipaddress.ip_network(net), name) for net, name in NETS]
    own = [(net.prefixlen, name) for net, name in nets if net.version == found.version and found in net]
    return max(own)[1] if own else None


@pytest.fixture
def country(sharing: Serve, generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The generated day, with a prefix map that is called country in the settings."""
    runtime = sharing(generated)
    path = tmp_path / "country.csv"
    path.write_text("network,label\n" + "".join(f"{net},{name}\n" for net, name in NETS))
    settings: Any = runtime.settings.plugins["flow"]
    monkeypatch.setitem(settings, "pmaps", {"country": str(path)})
    return path


def test_flows_are_grouped_by_labels(country: Path, generated: Path, parsed: Parse) -> None:
    """Of both ends; what is in no network has none."""
    expected = Counter((label(row["src"]), label(row["dst"])) for row in parsed(generated))
    found = rwuniq(rwfilter(), fields="src_country,dcc").to_pylist()
    assert {(row["src_country"], row["dst_country"]): row["records"] for row in found} == expected
    assert len(expected) > 4
    top = rwstats(rwfilter(), fields="scc", count=1).to_pylist()[0]
    ends = Counter(label(row["src"]) for row in parsed(generated))
    assert (top["src_country"], top["records"]) == ends.most_common(1)[0]
    rows = rwcut(rwsort(rwfilter(), fields="dst_country"), fields="dip,dst_country").to_pylist()
    assert all(row["dst_country"] == label(row["dip"]) for row in rows)
    names = [row["dst_country"] for row in rows if row["dst_country"] is not None]
    assert names == sorted(names)
    groups = rwgroup(rwfilter(), id_fields="src_country", summarize=True).to_pylist()
    assert {row["src_country"]: row["records"] for row in groups} == ends


def test_flows_are_chosen_by_labels(country: Path, generated: Path, parsed: Parse) -> None:
    """By the name of a map, by country code, and by a map that is given."""
    rows = parsed(generated)

    def count(**options: Any) -> int:
        return rwcut(rwfilter(**options), fields="sip").num_rows

    assert count(pmap_src="country:office,lab") == sum(label(row["src"]) in ("office", "lab") for row in rows)
    assert count(dcc="de, nl") == sum(label(row["dst"]) in ("DE", "NL") for row in rows)
    assert count(not_any_cc="DE") == sum("DE" not in (label(row["src"]), label(row["dst"])) for row in rows)
    made = rwpmapbuild(dict(NETS), name="mine")
    assert count(pmap_any=(made, "bad")) == sum("bad" in (label(row["src"]), label(row["dst"])) for row in rows)
    assert count(pmap_dst=(made, ["DE"])) == count(dcc="DE")


def test_a_map_that_changed_makes_another_answer(country: Path) -> None:
    """Of the operation too, which is kept by what the map says."""
    ask: Any = silk.__export__["rwuniq"]
    before = ask(fields="src_country")
    assert "office" in before["src_country"].to_pylist()
    country.write_text("10.0.0.0/8,elsewhere\n")
    assert set(ask(fields="src_country")["src_country"].to_pylist()) == {"elsewhere", None}


@pytest.mark.parametrize(
    "options",
    [{"pmap_src": "country"}, {"pmap_src": "town:x"}, {"scc": "XX"}, {"scc": ""}, {"pmap_dst": 5}, {"dcc": "DE'--"}],
)
def test_a_wrong_label_is_told(country: Path, options: dict[str, Any]) -> None:
    """By the name of the option."""
    with pytest.raises(ParameterError, match=next(iter(options))):
        rwfilter(**options)
    with pytest.raises(ParameterError, match=r"src_town.*plugins\.flow\.pmaps"):
        rwcut(rwfilter(), fields="src_town")


ADDRESS = st.one_of(st.ip_addresses(v=4, network="10.0.0.0/14"), st.ip_addresses(v=6, network="2001:db8::/47"))


@given(addresses=st.lists(ADDRESS, max_size=20))
def test_the_narrowest_network_counts(addresses: list[Any]) -> None:
    """Of any addresses, whatever the order of the networks."""
    found = rwpmapbuild(reversed(NETS), name="country")
    table = rwpmaplookup(found, [str(address) for address in addresses])
    assert table["label"].to_pylist() == [label(str(address)) for address in addresses]


def test_maps_are_read_from_files(tmp_path: Path) -> None:
    """Of SiLK's form, and of MaxMind's, which refers to locations; its binary form is refused by name."""
    (tmp_path / "silk.txt").write_text("map-name town\nmode ip\n10.0.0.0/8  Town Hall\n10.2.0.0/16 School # new\n")
    found = rwpmapbuild(tmp_path / "silk.txt", name="town")
    assert (found["10.1.0.1"], found["10.2.0.1"], found["11.0.0.1"], found["x"]) == ("Town Hall", "School", None, None)
    (tmp_path / "GeoLite2-Country-Locations-en.csv").write_text("geoname_id,country_iso_code\n1,DE\n2,FR\n")
    blocks = tmp_path / "GeoLite2-Country-Blocks-IPv4.csv"
    blocks.write_text("network,geoname_id,registered_country_geoname_id\n192.0.2.0/25,1,2\n192.0.2.128/25,,2\n")
    codes = PrefixMap.load("country", blocks)
    assert (codes["192.0.2.1"], codes["192.0.2.200"], codes.labels) == ("DE", "FR", ("DE", "FR"))
    (tmp_path / "bad.csv").write_text("10.0.0.0/8,a\n10.0.0.300,b\n")
    with pytest.raises(ParameterError, match=r"bad\.csv: .*10\.0\.0\.300"):
        rwpmapbuild(tmp_path / "bad.csv")
